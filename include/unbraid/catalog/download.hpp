#pragma once
// Fetching a file over HTTP, whole and checked, or not at all.
//
//   catalog::download({.urls = {"https://…/model.ckpt"}, .target = folder / "model.ckpt", .sha256 = "8726e21a"}, run);
//
// Bytes go to `<target>.part`, which a later call resumes by range. Where no hash is known, it does so only if the server
// still has the same state of the file, by its ETag, kept in `<target>.part.etag`; without one it begins anew, and the
// stage of the progress says so. Only a file of the right length and hash gets its name. Wrong bytes are set aside as `<target>.corrupt`
// and the next address is tried. Interrupted transfers and servers that stall are taken up again where they stopped, up to `attempts` times
// without progress. Redirects are followed within http and https; proxies come from the usual variables (http_proxy, https_proxy,
// no_proxy).
//
// run.progress counts bytes, unit "bytes", stage "download".

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"

namespace unbraid::catalog {

struct Download {
  std::vector<std::string> urls;  ///< tried in this order
  std::filesystem::path target;
  std::string sha256 = {};  ///< lower-case hexadecimal, or its first digits; empty: not checked
  /// Expected length, for progress: published sizes are rounded at times. Where there is neither a hash nor a length in the
  /// server's answer, less than this is an interrupted transfer.
  std::optional<std::uint64_t> bytes = {};
  int attempts = 4;              ///< in a row that come no further than those before, per address
  int stall_seconds = 30;        ///< without a byte counts as interrupted
  int retry_milliseconds = 500;  ///< before the second attempt; doubles each time
};

/// kCancelled (the part stays); kIo, saying which address failed how, or that there is no connection; kFormat when every
/// address gave wrong bytes.
void download(const Download& request, RunContext& run);

}  // namespace unbraid::catalog
