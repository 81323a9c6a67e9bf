#pragma once
// Memory of this process, in bytes of RAM.

#include <cstddef>

namespace unbraid {

std::size_t current_memory_bytes();  ///< now; 0 where the system does not say
std::size_t peak_memory_bytes();     ///< the most since the process began

}  // namespace unbraid
