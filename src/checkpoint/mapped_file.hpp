#pragma once
// A file's bytes, mapped read-only for as long as anybody holds the owner.

#include <filesystem>

#include "unbraid/checkpoint/tensor.hpp"

namespace unbraid::checkpoint {

/// kNotFound, kIo; kFormat for an empty file.
Storage map_file(const std::filesystem::path& path);

/// The bytes [first, first + count), keeping the same owner; kFormat when they are not all there.
Storage part(const Storage& whole, std::uint64_t first, std::uint64_t count, std::string_view what);

}  // namespace unbraid::checkpoint
