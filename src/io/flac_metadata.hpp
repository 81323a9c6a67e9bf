#pragma once
// Comments and pictures of FLAC files, which libsndfile keeps to itself. RFC 9639, section 8.

#include "io/byte_file.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::io {

/// The tags of a FLAC file; empty fields where the file is damaged. Leaves the offset at 0. kFormat for more blocks
/// than any file has.
Tags read_flac_tags(ByteFile& file);

/// Replaces the comments of a finished FLAC file and adds the pictures, except those that are too long for a block of 16 MB,
/// or find no room in it. The audio moves towards the end.
void write_flac_tags(ByteFile& file, const Tags& tags);

/// Makes an empty file a FLAC file of no frames, which libsndfile leaves undone.
void write_empty_flac(ByteFile& file, unsigned sample_rate, unsigned channels, unsigned bits);

}  // namespace unbraid::io
