#pragma once
// The directory of a zip archive whose entries are stored uncompressed, so that each is a stretch of the mapped file.
// torch.save and numpy.savez write only such archives; a compressed entry (or a zip bomb) is an error here. libzip
// would copy every entry and cannot say where it lies.

#include <map>
#include <string>

#include "unbraid/checkpoint/tensor.hpp"

namespace unbraid::checkpoint {

/// Entries by name. kFormat when the archive is damaged, encrypted, split or has a compressed entry.
std::map<std::string, Storage> stored_entries(const Storage& archive);

}  // namespace unbraid::checkpoint
