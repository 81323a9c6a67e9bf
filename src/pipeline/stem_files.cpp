#include "pipeline/stem_files.hpp"

#include <system_error>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace fs = std::filesystem;

std::vector<fs::path> stem_paths(const fs::path& folder, const std::vector<std::string>& names,
                                 io::Container container) {
  if (folder == "-") {
    if (names.size() != 1) throw Error{ErrorCode::kUsage, "standard output takes one stem; choose it", "-"};
    return {"-"};
  }
  std::vector<fs::path> paths;
  for (const std::string& name : names) paths.push_back(folder / (name + io::extension(container)));
  return paths;
}

StemFiles::StemFiles(const fs::path& folder, const std::vector<std::string>& names,
                     const io::WriterOptions& options) {
  if (folder != "-")
    for (fs::path missing = folder; !missing.empty() && !fs::exists(missing); missing = missing.parent_path())
      missing_.insert(missing_.begin(), missing);

  io::WriterOptions format = options;
  format.sample_rate = io::closest_sample_rate(options.container, options.sample_rate);
  const std::vector<fs::path> paths = stem_paths(folder, names, options.container);
  for (std::size_t i = 0; i < names.size(); ++i) {
    format.dither_seed = options.dither_seed + i;
    files_.push_back({.name = names[i], .path = paths[i], .writer = io::create_writer(paths[i], format)});
    if (format.sample_rate != options.sample_rate)
      files_.back().resampler =
          std::make_unique<dsp::Resampler>(static_cast<std::uint32_t>(options.sample_rate),
                                           static_cast<std::uint32_t>(format.sample_rate), options.channels);
  }
}

StemFiles::~StemFiles() {
  if (kept_) return;
  std::error_code ignored;
  while (
      !files_
           .empty()) {  // the last one first: the first one made the folder, and unmakes it when it is empty
    if (files_.back().named) fs::remove(files_.back().path, ignored);
    files_.pop_back();
  }
  for (auto folder = missing_.rbegin(); folder != missing_.rend(); ++folder) fs::remove(*folder, ignored);
}

void StemFiles::write(const Stems& stems, ThreadPool& pool) {
  pool.parallel_for(files_.size(), [&](std::size_t i) {
    const AudioBuffer& audio = stems[i].audio;
    files_[i].level.add(audio);
    if (files_[i].resampler)
      files_[i].writer->write(files_[i].resampler->process(audio));
    else
      files_[i].writer->write(audio);
  });
}

std::vector<StemReport> StemFiles::finish() {
  double energy = 0.0;
  for (const File& file : files_) energy += file.level.energy();
  std::vector<StemReport> reports;
  for (File& file : files_) {
    if (file.resampler) file.writer->write(file.resampler->finish());
    const io::WriteSummary summary = file.writer->finish();
    file.named = file.path != "-";
    reports.push_back({.name = file.name,
                       .file = file.path,
                       .bytes = file.named ? fs::file_size(file.path) : 0,
                       .rms_db = file.level.rms_db(),
                       .peak_db = file.level.peak_db(),
                       .energy_share = energy > 0.0 ? file.level.energy() / energy : 0.0,
                       .clipped_samples = summary.clipped_samples});
  }
  return reports;
}

void StemFiles::keep() {
  kept_ = true;
}

}  // namespace unbraid
