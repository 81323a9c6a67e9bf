#pragma once
// SHA-256 (FIPS 180-4) of files: what manifests and registries call a file by.
//
//   catalog::sha256_of_file("song.wav")        // "e3b0c442…", 64 lower-case hexadecimal digits

#include <filesystem>
#include <string>

#include "unbraid/core/cancel.hpp"

namespace unbraid::catalog {

/// kNotFound or kIo when the file cannot be read; kCancelled. Reads in blocks.
std::string sha256_of_file(const std::filesystem::path& path, const CancelToken& cancel = {});

}  // namespace unbraid::catalog
