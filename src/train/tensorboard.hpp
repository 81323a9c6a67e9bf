#pragma once
// Curves for TensorBoard.
//
//   TensorBoardWriter events("run", /*purge_from=*/0);
//   events.scalar("loss", 17, 0.25);
//
// A file is a row of records: length (8 bytes, little-endian), masked CRC-32C of these, the data, masked CRC-32C of the data.
// The data are protocol buffers of type tensorflow.Event: wall_time (1, double), step (2, int64), file_version (3,
// string), summary (5) with value (1) of tag (1) and simple_value (2, float), session_log (7) with status (1). The mask is
// rotate-right by 15 bits, plus 0xa282ead8.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace unbraid::train {

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78).
std::uint32_t crc32c(std::string_view bytes);

class TensorBoardWriter {
 public:
  /// Starts a new file in the folder; its name holds the time. TensorBoard forgets what earlier files say of steps ≥ purge_from.
  TensorBoardWriter(const std::filesystem::path& folder, std::uint64_t purge_from);

  void scalar(std::string_view tag, std::uint64_t step, double value);
  void flush() { file_.flush(); }

 private:
  void record(const std::string& event);

  std::ofstream file_;
};

}  // namespace unbraid::train
