#pragma once
// The files of one track's stems, written side by side; all of them exist in the end, or none.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/level_meter.hpp"
#include "unbraid/core/stems.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/resample.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/report.hpp"

namespace unbraid {

class StemFiles {
 public:
  /// folder / (name + extension) for each name; the folder "-" stands for standard output. The sample rate of
  /// the options is that of the stems; where the container cannot hold it, they are resampled.
  StemFiles(const std::filesystem::path& folder, const std::vector<std::string>& names,
            const io::WriterOptions& options);
  /// Removes what was written, and the folders made for it, unless keep() was called.
  ~StemFiles();
  StemFiles(const StemFiles&) = delete;
  StemFiles& operator=(const StemFiles&) = delete;

  /// The next frames of every stem, in the order of the names.
  void write(const Stems& stems, ThreadPool& pool);
  /// Gives the files their names.
  std::vector<StemReport> finish();
  /// The files stay.
  void keep();

 private:
  struct File {
    std::string name;
    std::filesystem::path path;
    std::unique_ptr<io::Writer> writer;
    std::unique_ptr<dsp::Resampler> resampler;  ///< null when the rates are equal
    LevelMeter level;
    bool named = false;  ///< finished, under its own name
  };

  std::vector<std::filesystem::path> missing_;  ///< folders that were not there, the outermost first
  std::vector<File> files_;
  bool kept_ = false;
};

/// The files that StemFiles will write.
std::vector<std::filesystem::path> stem_paths(const std::filesystem::path& folder,
                                              const std::vector<std::string>& names, io::Container container);

}  // namespace unbraid
