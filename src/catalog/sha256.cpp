#include "unbraid/catalog/sha256.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {
constexpr std::size_t kBlockBytes = 1 << 20;
}

std::string sha256_of_file(const std::filesystem::path& path, const CancelToken& cancel) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
    throw Error{code, std::generic_category().message(errno), path.string()};
  }
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool good = digest && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  std::vector<unsigned char> block(kBlockBytes);
  while (const std::size_t got = std::fread(block.data(), 1, block.size(), file.get())) {
    cancel.check();
    good = good && EVP_DigestUpdate(digest.get(), block.data(), got) == 1;
  }
  if (std::ferror(file.get())) throw Error{ErrorCode::kIo, std::generic_category().message(errno), path.string()};
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  good = good && EVP_DigestFinal_ex(digest.get(), bytes.data(), &size) == 1;
  if (!good) throw Error{ErrorCode::kInternal, "SHA-256 failed", path.string()};
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace unbraid::catalog
