#pragma once
// The files of one track's stems: one for each, or a .stem.mp4 with the mixture and all of them. All of them
// exist in the end, or none.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/level_meter.hpp"
#include "unbraid/core/stems.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/resample.hpp"
#include "unbraid/io/stem_writer.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/report.hpp"

namespace unbraid {

class StemFiles {
 public:
  /// Writes to stem_paths(). The sample rate of the options is that of the stems; where the container cannot
  /// hold it, they are resampled.
  StemFiles(const std::filesystem::path& folder, const std::vector<std::string>& names, const io::WriterOptions& options);
  /// Removes what was written, and the folders made for it, unless keep() was called.
  ~StemFiles();
  StemFiles(const StemFiles&) = delete;
  StemFiles& operator=(const StemFiles&) = delete;

  /// The next frames of the mixture and of every stem, in the order of the names.
  void write(AudioView mix, const Stems& stems, ThreadPool& pool);
  /// Gives the files their names.
  std::vector<StemReport> finish();
  /// The files stay.
  void keep();

 private:
  StemFiles() = default;

  struct Stream {
    std::string name;
    std::filesystem::path path;
    std::unique_ptr<io::Writer> writer;         ///< null for a stream of the stem file
    std::unique_ptr<dsp::Resampler> resampler;  ///< null when the rates are equal
    LevelMeter level = {};
    std::uint64_t clipped_samples = 0;
  };

  void write_together(const std::vector<AudioBuffer>& pieces);

  std::vector<std::filesystem::path> missing_;   ///< folders that were not there, the outermost first
  std::vector<std::filesystem::path> finished_;  ///< files that have their names
  std::unique_ptr<io::StemWriter> stem_file_;    ///< null for one file per stem
  std::vector<Stream> streams_;                  ///< of a stem file the first is the mixture
  bool kept_ = false;
};

/// The files that StemFiles will write: <folder>/<name><extension> for each name, <folder>/<folder>.stem.mp4,
/// or "-" for the folder "-", which stands for standard output.
std::vector<std::filesystem::path> stem_paths(const std::filesystem::path& folder, const std::vector<std::string>& names,
                                              io::Container container);

}  // namespace unbraid
