#pragma once
// manifest.json: what went in, what was asked, what came out. It is written last, so its being there says
// that the job was finished.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "unbraid/pipeline/report.hpp"
#include "unbraid/pipeline/separate_file.hpp"

namespace unbraid {

/// Everything asked for that decides what the stems are: method, parameters, stems, format. Equal for equal
/// requests.
nlohmann::ordered_json request_of(const Method& method, const SeparateOptions& options);

std::filesystem::path manifest_path(const std::filesystem::path& folder);

/// Whether an earlier job's results lie in the folder.
bool is_result_folder(const std::filesystem::path& folder);

/// What is known of an earlier job in the folder.
enum class EarlierJob {
  kNone,      ///< no manifest that can be read
  kSame,      ///< the same request on the same input, but files are missing or have another size
  kSameDone,  ///< the same, complete
  kOther      ///< another request or another input, as far as is known
};

struct EarlierResult {
  EarlierJob job = EarlierJob::kNone;
  SeparationReport report = {};  ///< of kSameDone
};
/// input_sha256: empty when it is not known; such an input is never the same.
EarlierResult find_earlier(const std::filesystem::path& folder, const std::string& input_sha256, const nlohmann::ordered_json& request);

/// Writes folder/manifest.json durably.
void write_manifest(const SeparationReport& report, const std::string& input_sha256, const nlohmann::ordered_json& request, bool overwrite);

/// To be called before stems are replaced: a manifest beside stems that it does not describe would prove what is not so. Gives
/// the stems that it names and that still have the size that it says, which the new ones may leave without an owner.
std::vector<std::filesystem::path> remove_manifest(const std::filesystem::path& folder);

/// One stem, as in manifests and in unbraid.separate/1.
nlohmann::ordered_json stem_json(const StemReport& stem);

}  // namespace unbraid
