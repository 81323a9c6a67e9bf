#include "unbraid/pipeline/separate_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <utility>

#include "pipeline/manifest.hpp"
#include "pipeline/process_memory.hpp"
#include "pipeline/stem_files.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/plan.hpp"

namespace unbraid {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadFrames = 1 << 14;

/// That of the input, or the nearest that can be written and loses nothing that the input has.
io::Container same_container(const io::AudioInfo& info, io::SampleFormat wanted) {
  using io::Container;
  if (info.container == Container::kOther) return Container::kWav;
  if (io::is_lossy(info.container) && info.format != io::SampleFormat::kLossy) {
    constexpr std::size_t kFlacChannels = 8;
    const bool fits = io::closest_format(Container::kFlac, wanted) == wanted && info.channels <= kFlacChannels;
    return fits ? Container::kFlac : Container::kWav;
  }
  return info.container == Container::kStemMp4 ? Container::kM4a : info.container;
}

/// The format of the input as far as it can be written, changed as asked.
io::WriterOptions writer_options(const io::AudioInfo& info, const SeparateOptions& options) {
  using io::Container;
  const io::SampleFormat wanted = options.sample_format.value_or(info.format);
  const Container container = options.container.value_or(same_container(info, wanted));
  const io::SampleFormat format = io::closest_format(container, wanted);
  if (options.sample_format && format != *options.sample_format)
    throw Error{ErrorCode::kUsage,
                fmt::format("a file of type {} cannot hold {}", to_string(container), to_string(*options.sample_format))};
  if (options.bitrate_kbps > 0 && !io::is_lossy(container))
    throw Error{ErrorCode::kUsage, fmt::format("a file of type {} has no bit rate to choose", to_string(container))};
  return {.container = container,
          .format = format,
          .sample_rate = info.sample_rate,
          .channels = info.channels,
          .dither = options.dither,
          .dither_seed = options.separation.seed,
          .bitrate_kbps = options.bitrate_kbps,
          .tags = info.tags};
}

/// Progress in milliseconds of audio, from counts of frames.
class Milliseconds {
 public:
  Milliseconds(const Progress& progress, const io::AudioInfo& info) : progress_(progress), info_(info) {}

  void start(const char* stage) {
    frames_ = 0;
    progress_.start(stage, at(info_.frames), "ms");
  }
  void advance(std::size_t frames) {
    const std::uint64_t before = at(frames_);
    frames_ += frames;
    progress_.advance(at(frames_) - before);
  }

 private:
  std::uint64_t at(std::uint64_t frames) const {
    return static_cast<std::uint64_t>(1000.0 * static_cast<double>(frames) / info_.sample_rate);
  }
  const Progress& progress_;
  const io::AudioInfo& info_;
  std::uint64_t frames_ = 0;
};

/// What should add up to the mixture: all that was separated, or a stem and the rest.
std::vector<AudioView> parts_of_mixture(const SeparatedBlock& block, const Stems& written, const StemSelection& selection) {
  if (!selection.two_stems.empty()) return {written.at(selection.two_stems), written.at("no_" + selection.two_stems)};
  std::vector<AudioView> parts;
  for (const Stem& stem : block.stems) parts.push_back(stem.audio);
  return parts;
}

/// One gain for all, so that the stems keep their balance and their sum.
void amplify(AudioBuffer& mix, Stems& stems, double gain_db) {
  const auto gain = static_cast<float>(std::pow(10.0, gain_db / 20.0));
  const auto scale = [gain](AudioBuffer& audio) {
    for (std::size_t channel = 0; channel < audio.channels(); ++channel)
      for (float& sample : audio.channel(channel)) sample *= gain;
  };
  scale(mix);
  for (std::size_t i = 0; i < stems.size(); ++i) scale(stems[i].audio);
}

/// What an earlier run left in the folder: finished work to take over, leftovers to replace, or files in the
/// way.
struct Before {
  std::optional<SeparationReport> done;
  bool overwrite;
};

Before look_for_earlier(const fs::path& folder, const std::string& hash, const nlohmann::ordered_json& request,
                        const SeparateOptions& options, std::span<const fs::path> targets) {
  Before before{.done = {}, .overwrite = options.overwrite};
  if (options.resume) {
    EarlierResult earlier = find_earlier(folder, hash, request);
    if (earlier.job == EarlierJob::kSameDone) before.done = std::move(earlier.report);
    if (earlier.job != EarlierJob::kOther) before.overwrite = true;
  }
  if (!before.overwrite)
    for (const fs::path& target : targets)
      if (fs::exists(target)) throw Error{ErrorCode::kIo, "exists already (use --overwrite to replace it)", target.string()};
  return before;
}

/// What an earlier run wrote and this one did not would be taken for stems of this one. The recording itself stays.
void remove_leftovers(std::span<const fs::path> leftovers, const SeparationReport& report) {
  for (const fs::path& file : leftovers) {
    const bool written = std::ranges::find(report.stems, file, &StemReport::file) != report.stems.end();
    std::error_code none;
    if (!written && !fs::equivalent(file, report.input, none)) fs::remove(file, none);
  }
}

/// What is settled before the first frame.
struct Job {
  std::unique_ptr<io::Reader> reader;
  io::AudioInfo info;
  StreamFormat format;
  std::unique_ptr<Separator> separator;
  StemMixer mixer;
  bool some_stems = false;  ///< the separator was restricted to those that are needed
  io::WriterOptions writing;

  bool whole_track() const { return std::holds_alternative<WholeTrack>(separator->info().blocks); }
};

Job prepare(const fs::path& input, const Method& method, const SeparateOptions& options, const CancelToken& cancel) {
  options.validate();
  auto reader = io::open_reader(input, {.cancel = cancel});
  const io::AudioInfo info = reader->info();
  const StreamFormat format{.sample_rate = info.sample_rate, .channels = info.channels};
  const auto parameters = ParameterValues::resolve(method.parameters, options.parameters);
  auto separator = method.make(format, parameters, options.separation.seed);
  StemMixer mixer(separator->info().stems, options.selection);
  bool some_stems = false;
  if (const auto needed = mixer.needed(); needed.size() < separator->info().stems.size() && !options.separation.consistent)
    if (some_stems = separator->keep_only(needed); some_stems) mixer = StemMixer(separator->info().stems, options.selection);
  return {std::move(reader), info, format, std::move(separator), std::move(mixer), some_stems, writer_options(info, options)};
}

/// read → normalise, chunk, separate, stitch → derive → write. Gives the number of frames.
std::uint64_t flow(Job& job, const SeparateOptions& options, SeparationOptions separation, StemFiles& files, ResidualMeter& residual,
                   RunContext& run) {
  const ReadBlock read = [&](MutableAudioView block) { return job.reader->read(block); };
  const NormalizationStats stats = measure_stream(read, job.format, job.separator->info(), run.cancel);
  if (job.separator->info().normalize != Normalization::kNone) job.reader->seek(0);

  const bool whole_track = job.whole_track();
  RunContext inner{.pool = run.pool, .progress = whole_track ? run.progress : Progress(), .cancel = run.cancel};
  SeparationStream stream(*job.separator, job.format, separation, stats);
  Milliseconds progress(run.progress, job.info);
  const auto drain = [&] {
    while (stream.ready()) {
      SeparatedBlock block = stream.take(inner);
      Stems stems = job.mixer.apply(block.mix, block.stems);
      const bool add_up = !job.some_stems || !options.selection.two_stems.empty();  // else nothing is known of the rest
      if (add_up) residual.add(block.mix, parts_of_mixture(block, stems, options.selection));
      if (options.gain_db != 0.0) amplify(block.mix, stems, options.gain_db);
      files.write(block.mix, stems, run.pool);
      progress.advance(block.mix.frames());
    }
  };

  progress.start(whole_track ? "read" : "separate");
  std::uint64_t frames = 0;
  AudioBuffer block(job.format.channels, kReadFrames);
  while (const std::size_t got = read(block)) {
    stream.push(block.view().slice(0, got), inner);
    frames += got;
    if (whole_track) progress.advance(got);
    drain();
  }
  if (frames == 0) throw Error{ErrorCode::kFormat, "holds no audio"};
  stream.finish(inner);
  if (whole_track) progress.start("write");
  drain();
  return frames;
}

SeparationReport run_job(const fs::path& input, const fs::path& folder, const Method& method, const SeparateOptions& options,
                         RunContext& run) {
  const auto started = std::chrono::steady_clock::now();
  Job job = prepare(input, method, options, run.cancel);

  const bool to_files = folder != "-";
  const auto request = request_of(method, options);
  const bool can_be_read_again = input != "-" && fs::is_regular_file(input);  // a pipe is empty by now
  const std::string hash = can_be_read_again && to_files ? catalog::sha256_of_file(input, run.cancel) : "";
  if (to_files) {
    auto targets = stem_paths(folder, job.mixer.names(), job.writing.container);
    targets.push_back(manifest_path(folder));
    for (const fs::path& target : targets)
      if (std::error_code none; input != "-" && fs::equivalent(input, target, none))
        throw Error{ErrorCode::kIo, "would replace the recording that it is made of; choose another folder", target.string()};
    Before before = look_for_earlier(folder, hash, request, options, targets);
    if (before.done) {
      before.done->input = input;
      return *std::move(before.done);
    }
    job.writing.overwrite = before.overwrite;
  }
  SeparationOptions separation = options.separation;
  separation.batch = choose_batch(job.separator->info(), job.format, job.info.frames, separation, options.max_memory_bytes);

  StemFiles files(folder, job.mixer.names(), job.writing);
  ResidualMeter residual;
  const std::uint64_t frames = flow(job, options, separation, files, residual, run);
  std::vector<fs::path> leftovers;
  if (to_files && job.writing.overwrite) leftovers = remove_manifest(folder);
  SeparationReport report{.input = input,
                          .output = folder,
                          .method = method.name,
                          .sample_rate = job.format.sample_rate,
                          .channels = job.format.channels,
                          .frames = frames,
                          .duration_s = static_cast<double>(frames) / job.format.sample_rate,
                          .residual_db = residual.db(),
                          .stems = files.finish(),
                          .stem_sample_rate = io::closest_sample_rate(job.writing.container, job.format.sample_rate),
                          .stem_format = job.writing.format,
                          .warnings = job.reader->info().warnings};
  if (to_files) write_manifest(report, hash, request, job.writing.overwrite);
  files.keep();
  remove_leftovers(leftovers, report);
  report.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  report.realtime_factor = report.duration_s / report.wall_s;
  report.peak_memory_bytes = peak_memory_bytes();
  return report;
}

}  // namespace

void SeparateOptions::validate() const {
  separation.validate();
  if (container == io::Container::kOther) throw Error{ErrorCode::kUsage, "not a format that can be written", "format"};
  if (sample_format == io::SampleFormat::kLossy || (container && sample_format && io::is_lossy(*container)))
    throw Error{ErrorCode::kUsage, "lossy formats have no bit depth", "bit depth"};
  if (bitrate_kbps < 0) throw Error{ErrorCode::kUsage, "must not be below 0", "bit rate"};
  if (!(gain_db >= -120.0 && gain_db <= 60.0)) throw Error{ErrorCode::kUsage, "lies between -120 and 60 dB", "gain"};
  if (!selection.two_stems.empty() && !selection.stems.empty())
    throw Error{ErrorCode::kUsage, "choose stems or two stems, not both", "stems"};
}

SeparationReport separate_file(const fs::path& input, const fs::path& folder, const Method& method, const SeparateOptions& options,
                               RunContext& run) {
  try {
    return run_job(input, folder, method, options, run);
  } catch (const std::exception& exception) {
    const Error error = error_of(exception);
    if (!error.context().empty() || error.code() == ErrorCode::kCancelled) throw error;
    throw Error{error.code(), error.message(), input.string()};
  }
}

}  // namespace unbraid
