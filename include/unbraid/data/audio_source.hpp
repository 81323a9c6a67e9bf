#pragma once
// Audio that is read when it is asked for, any excerpt in any order.
//
//   data::SourcePtr vocals = data::file_source("A Song/vocals.wav");
//   AudioBuffer second = vocals->read(44100, 44100);              // the second second
//   data::SourcePtr mix = data::sum_source({vocals, data::file_source("A Song/drums.wav")});
//
// A source is immutable: any number of threads may read from it at once. Errors are those of io::open_reader
// and come at the first info() or read(), not at construction.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::data {

struct SourceInfo {
  double sample_rate = 0;  ///< Hz
  std::size_t channels = 0;
  std::uint64_t frames = 0;

  double seconds() const { return sample_rate > 0 ? static_cast<double>(frames) / sample_rate : 0.0; }
};

class AudioSource {
 public:
  static constexpr std::uint64_t kToTheEnd = UINT64_MAX;

  virtual ~AudioSource() = default;
  virtual SourceInfo info() const = 0;
  /// The frames [first, first + count) that there are: fewer at the end, none beyond it.
  virtual AudioBuffer read(std::uint64_t first = 0, std::uint64_t count = kToTheEnd) const = 0;
  /// A text that says whether the audio is the same as another time: of a file its path, size and time of modification, of
  /// what is made of files theirs, of anything else a hash of the samples.
  virtual std::string fingerprint() const;
};

using SourcePtr = std::shared_ptr<const AudioSource>;

/// One audio stream of a file.
SourcePtr file_source(std::filesystem::path path, const io::ReaderOptions& options = {});

/// Samples in memory.
SourcePtr memory_source(AudioBuffer samples, double sample_rate);

/// The sum of sources, as long as the longest: the shorter ones end in silence. kFormat when rates or
/// channels differ, with the names of two that do where `names` has one for each; kUsage without any source.
SourcePtr sum_source(std::vector<SourcePtr> sources, std::vector<std::string> names = {});

/// Every sample as a recording of so many bits would hold it: the nearest multiple of 2^(1 − bits) in [−1, 1).
/// kUsage unless 2 ≤ bits ≤ 24.
SourcePtr rounded_source(SourcePtr source, unsigned bits);

/// The frames [first, first + count) of a source as a source of their own.
SourcePtr excerpt_source(SourcePtr source, std::uint64_t first, std::uint64_t count);

}  // namespace unbraid::data
