#pragma once
// A short name for many bytes. Equal names of different bytes do not happen by chance, but can be made on purpose.
//
//   std::uint64_t hash = fnv1a(std::as_bytes(std::span(name)));
//   hash = fnv1a(more, hash);                                      // goes on

#include <cstddef>
#include <cstdint>
#include <span>

namespace unbraid {

/// FNV-1a with 64 bits (Fowler, Noll, Vo).
inline std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = 14695981039346656037u) {
  for (const std::byte byte : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 1099511628211u;
  return hash;
}

}  // namespace unbraid
