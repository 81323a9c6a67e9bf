#include "pipeline/stem_files.hpp"

#include <algorithm>
#include <system_error>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace fs = std::filesystem;

std::vector<fs::path> stem_paths(const fs::path& folder, const std::vector<std::string>& names, io::Container container) {
  const bool one_file = container == io::Container::kStemMp4;
  if (folder == "-") {
    if (names.size() != 1 && !one_file) throw Error{ErrorCode::kUsage, "standard output takes one stem; choose it", "-"};
    return {"-"};
  }
  if (one_file) {  // "out", "out/" and "out/." have one name, and "." has one at all
    const fs::path name = fs::absolute(folder / "").lexically_normal().parent_path().filename();
    return {folder / (name.string() + io::extension(container))};
  }
  std::vector<fs::path> paths;
  for (const std::string& name : names) paths.push_back(folder / (name + io::extension(container)));
  return paths;
}

StemFiles::StemFiles(const fs::path& folder, const std::vector<std::string>& names, const io::WriterOptions& options)
    : StemFiles() {  // whole from here on: the destructor tidies up where a later writer cannot be made
  if (folder != "-")
    for (fs::path missing = folder; !missing.empty() && !fs::exists(missing); missing = missing.parent_path())
      missing_.insert(missing_.begin(), missing);

  io::WriterOptions format = options;
  format.sample_rate = io::closest_sample_rate(options.container, options.sample_rate);
  const std::vector<fs::path> paths = stem_paths(folder, names, options.container);
  if (options.container == io::Container::kStemMp4) {
    streams_.push_back({.name = "mixture", .path = paths[0]});
    for (const std::string& name : names) streams_.push_back({.name = name, .path = paths[0]});
    std::vector<std::string> titles;
    for (const Stream& stream : streams_) titles.push_back(stream.name);
    stem_file_ = io::create_stem_writer(paths[0], titles, format);
  } else {
    for (std::size_t i = 0; i < names.size(); ++i) {
      format.dither_seed = options.dither_seed + i;
      streams_.push_back({.name = names[i], .path = paths[i], .writer = io::create_writer(paths[i], format)});
    }
  }
  if (format.sample_rate == options.sample_rate) return;
  for (Stream& stream : streams_)
    stream.resampler = std::make_unique<dsp::Resampler>(static_cast<std::uint32_t>(options.sample_rate),
                                                        static_cast<std::uint32_t>(format.sample_rate), options.channels);
}

StemFiles::~StemFiles() {
  if (kept_) return;
  std::error_code ignored;
  for (const fs::path& file : finished_) fs::remove(file, ignored);
  // The last stream first: the writer of the first one made the folder, and unmakes it when it is empty.
  while (!streams_.empty()) streams_.pop_back();
  stem_file_.reset();
  for (auto folder = missing_.rbegin(); folder != missing_.rend(); ++folder) fs::remove(*folder, ignored);
}

void StemFiles::write(AudioView mix, const Stems& stems, ThreadPool& pool) {
  std::vector<AudioBuffer> pieces(streams_.size());
  pool.parallel_for(streams_.size(), [&](std::size_t i) {
    Stream& stream = streams_[i];
    const AudioView audio = !stem_file_ ? stems[i].audio.view() : i == 0 ? mix : stems[i - 1].audio.view();
    stream.level.add(audio);
    if (stream.resampler) pieces[i] = stream.resampler->process(audio);
    else if (stem_file_) pieces[i] = AudioBuffer(audio);
    if (stream.writer) stream.writer->write(stream.resampler ? pieces[i].view() : audio);
  });
  if (stem_file_) write_together(pieces);
}

void StemFiles::write_together(const std::vector<AudioBuffer>& pieces) {
  const std::vector<AudioView> views(pieces.begin(), pieces.end());
  stem_file_->write(views);
}

std::vector<StemReport> StemFiles::finish() {
  std::vector<AudioBuffer> tails;
  for (Stream& stream : streams_) {
    if (stream.resampler) tails.push_back(stream.resampler->finish());
    if (!stream.writer) {
      stream.clipped_samples = stream.level.over_full_scale();
      continue;
    }
    if (stream.resampler) stream.writer->write(tails.back());
    stream.clipped_samples = stream.writer->finish().clipped_samples;
    if (stream.path != "-") finished_.push_back(stream.path);
  }
  if (stem_file_) {
    if (!tails.empty()) write_together(tails);
    stem_file_->finish();
    if (streams_[0].path != "-") finished_.push_back(streams_[0].path);
    streams_.erase(streams_.begin());
  }

  double energy = 0.0;
  for (const Stream& stream : streams_) energy += stream.level.energy();
  std::vector<StemReport> reports;
  for (const Stream& stream : streams_)
    reports.push_back({.name = stream.name,
                       .file = stream.path,
                       .bytes = stream.path == "-" ? 0 : fs::file_size(stream.path),
                       .rms_db = stream.level.rms_db(),
                       .peak_db = stream.level.peak_db(),
                       .energy_share = energy > 0.0 ? stream.level.energy() / energy : 0.0,
                       .clipped_samples = stream.clipped_samples});
  return reports;
}

void StemFiles::keep() { kept_ = true; }

}  // namespace unbraid
