#pragma once
// What is known of an audio file or stream without decoding it all.
//
//   io::AudioInfo info = io::probe("song.mp3");
//   fmt::print("{} Hz, {} channels, {} frames\n", info.sample_rate, info.channels, info.frames);

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace unbraid::io {

enum class Container { kWav, kAiff, kFlac, kOgg, kOpus, kMp3, kM4a, kStemMp4, kOther };

enum class SampleFormat { kPcm8, kPcm16, kPcm24, kPcm32, kFloat32, kFloat64, kLossy };

/// The extension without its dot: "wav", "stem.mp4", …; "other" for kOther.
std::string_view to_string(Container container);
/// "pcm16", "float32", …; "lossy".
std::string_view to_string(SampleFormat format);

/// Bits of a stored sample; 0 for kLossy.
int bits(SampleFormat format);
bool is_integer(SampleFormat format);
bool is_lossy(Container container);

struct Picture {
  std::string mime_type;  ///< "image/jpeg"
  std::vector<std::uint8_t> bytes;
};

struct Tags {
  std::map<std::string, std::string> fields;  ///< lower-case keys: "title", "artist", "album", "date", "track", …
  std::vector<Picture> pictures;
};

struct AudioInfo {
  Container container = Container::kOther;
  std::string codec;  ///< for people, as the backend names it: "Signed 16 bit PCM", "mp3"
  SampleFormat format = SampleFormat::kLossy;
  double sample_rate = 0;  ///< Hz
  std::size_t channels = 0;
  std::uint64_t frames = 0;                    ///< encoder delay and padding excluded
  bool exact_length = false;                   ///< frames is no estimate; the readers count where a header does not tell
  std::size_t streams = 1;                     ///< audio streams in the file: 5 in a .stem.mp4
  std::vector<std::string> stream_names = {};  ///< where the file names them
  Tags tags = {};
  /// What is wrong with the file but survivable, for people: damaged packets that are silence, an end that is missing.
  std::vector<std::string> warnings = {};

  double seconds() const { return sample_rate > 0 ? static_cast<double>(frames) / sample_rate : 0.0; }
};

}  // namespace unbraid::io
