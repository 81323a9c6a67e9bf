#pragma once
// An audio file to a folder of stems: read → normalise → chunk → separate → stitch → derive → write.
//
//   const Method& method = catalog::find("classic4");
//   SeparationReport report = separate_file("song.mp3", "stems/song", method, {.resume = true}, run);
//
// Writes <folder>/<stem>.<ext> for every stem (of a .stem.mp4 one file named like the folder) and, last,
// <folder>/manifest.json: what went in (SHA-256 of a file), what was asked, what came out. Stems have the sample rate, the
// channels, the length, the container and the bit depth of the input unless asked otherwise, and its tags and pictures. What
// cannot be written becomes WAV; what is exact in a container that we write only lossy, such as ALAC in .m4a, becomes FLAC,
// or WAV where FLAC would not hold it. A rate that the container cannot hold becomes the nearest that it can.
// All or nothing: on an error, or when cancelled, no file and no folder is left behind. Samples are
// written as they are, unless one common gain is asked for.
//
// Errors: those of io::Reader and io::Writer; kFormat for samples that are no numbers and for files without a
// single frame; kIo when a target exists; kResource when the memory allowed is not enough, before anything is
// done, and when that of the machine is not; kUsage for options out of range and unknown stems and parameters;
// kUnsupported when the method cannot work on this input.
//
// run.progress counts milliseconds of audio, unit "ms": "separate", or for methods that see the whole track "read",
// whatever the method says, and "write".

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "unbraid/core/run_context.hpp"
#include "unbraid/io/audio_format.hpp"
#include "unbraid/pipeline/derive.hpp"
#include "unbraid/pipeline/report.hpp"
#include "unbraid/pipeline/separate.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

struct SeparateOptions {
  std::map<std::string, std::string> parameters = {};  ///< of the method, by name
  SeparationOptions separation = {};
  StemSelection selection = {};
  std::optional<io::Container> container = {};         ///< nothing: that of the input
  std::optional<io::SampleFormat> sample_format = {};  ///< nothing: that of the input, or the nearest to it
  int bitrate_kbps = 0;                                ///< of lossy containers, all channels together; 0: a transparent one
  double gain_db = 0.0;                                ///< of every stem as it is written, −120 to 60
  bool dither = false;                                 ///< when going to integers; seeded by separation.seed
  std::size_t max_memory_bytes = 0;                    ///< 0: no limit
  /// Replace files that exist. The stems that an earlier run left in the folder go, too.
  bool overwrite = false;
  /// Do nothing where a manifest proves that the same was done to the same input. Of standard input and pipes nothing is
  /// proven: earlier results are in the way then.
  bool resume = false;

  /// kUsage for values out of range or that contradict each other.
  void validate() const;
};

/// input "-" is standard input. folder "-" is standard output, for a single stem and without a manifest.
SeparationReport separate_file(const std::filesystem::path& input, const std::filesystem::path& folder, const Method& method,
                               const SeparateOptions& options, RunContext& run);

}  // namespace unbraid
