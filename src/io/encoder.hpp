#pragma once
// What stands between a Writer and a codec library: samples in, bytes into a ByteFile out.

#include <cstdint>
#include <memory>
#include <span>

#include "io/byte_file.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::io {

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// One block per audio stream of the file, all of the same shape.
  virtual void encode(std::span<const AudioView> streams) = 0;
  /// Writes what is still buffered, and the final headers. Called once, last.
  virtual void close() = 0;
  /// Samples so far that the format could not hold (see WriteSummary).
  virtual std::uint64_t clipped_samples() const = 0;
};

}  // namespace unbraid::io
