#pragma once
// What FFmpeg leaves out of MP4 files: the box moov/udta/stem of Native Instruments' stem files, JSON with
// the names and colours of the parts, and the unit in which edit lists count.

#include <cstdint>
#include <string>
#include <vector>

#include "io/byte_file.hpp"

namespace unbraid::io {

/// Adds the box to a finished MP4 file whose last box is moov. stream_names[0] is the mixture, which the box
/// does not mention.
void append_stem_box(ByteFile& file, const std::vector<std::string>& stream_names);

/// The parts' names, without the mixture; empty where the file has no such box.
std::vector<std::string> read_stem_box(ByteFile& file);

/// The ticks per second of the movie header; 0 where there is none. Edit lists give lengths in these ticks.
std::uint32_t movie_timescale(ByteFile& file);

}  // namespace unbraid::io
