#include "unbraid/data/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "unbraid/core/error.hpp"

namespace unbraid::data {

namespace {

constexpr std::uint64_t kBlock = 1 << 18;  // frames

double level_db(double mean_square) { return 10 * std::log10(mean_square); }

/// Sums over one signal.
struct Level {
  double squares = 0, peak = 0;
  std::uint64_t samples = 0, not_finite = 0;

  void add(std::span<const float> block) {
    samples += block.size();
    for (const float x : block) {
      if (!std::isfinite(x)) {
        ++not_finite;
        continue;
      }
      squares += static_cast<double>(x) * static_cast<double>(x);
      peak = std::max(peak, std::abs(static_cast<double>(x)));
    }
  }
};

/// Sums over two signals for their correlation and difference.
struct Agreement {
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, difference = 0;

  void add(double mix, double sum) {
    n += 1;
    x += mix;
    y += sum;
    xx += mix * mix;
    yy += sum * sum;
    xy += mix * sum;
    difference += (sum - mix) * (sum - mix);
  }
  double correlation() const { return (n * xy - x * y) / std::sqrt((n * xx - x * x) * (n * yy - y * y)); }
  double residual_db() const { return level_db(difference / xx); }
};

class TrackVerifier {
 public:
  TrackVerifier(const VerifyOptions& options, const CancelToken& cancel) : options_(options), cancel_(cancel) {}

  TrackCheck check(const Dataset& dataset, std::size_t index) {
    check_.name = dataset.track_name(index);
    check_.split = dataset.split(index);
    try {
      const Track track = dataset.track(index);
      check_.problems = track.warnings;
      if (track.has_mixture_file) {
        check_.mixture = track.mixture->info();
        if (check_.mixture.frames == 0) problem("the mixture is empty");
      }
      if (track.stems.empty()) problem("there is no stem");
      read(track);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCancelled) throw;
      problem(error.what());
    }
    return std::move(check_);
  }

 private:
  void problem(std::string text) { check_.problems.push_back(std::move(text)); }

  /// Whether the stem can be added to the mixture sample by sample.
  bool fits(const StemCheck& stem) {
    if (stem.info.frames == 0) problem(stem.name + " is empty");
    if (check_.mixture.channels == 0) check_.mixture = stem.info;  // no mixture: the first stem sets the shape
    const SourceInfo& mix = check_.mixture;
    if (stem.info.sample_rate != mix.sample_rate) {
      problem(fmt::format("{} is at {:g} Hz, the {} at {:g} Hz", stem.name, stem.info.sample_rate, whole_, mix.sample_rate));
      return false;
    }
    if (stem.info.channels != mix.channels) {
      problem(fmt::format("{} has {} channels, the {} {}", stem.name, stem.info.channels, whole_, mix.channels));
      return false;
    }
    const double apart = std::abs(static_cast<double>(stem.info.frames) - static_cast<double>(mix.frames));
    if (stem.info.frames > 0 && apart > options_.length_tolerance_s * mix.sample_rate) {
      problem(fmt::format("{} has {} frames, the {} {}", stem.name, stem.info.frames, whole_, mix.frames));
    }
    return stem.info.frames > 0;
  }

  void read(const Track& track) {
    if (!track.has_mixture_file) whole_ = "first stem";
    std::vector<const AudioSource*> usable;
    std::vector<bool> adds;
    for (const TrackStem& stem : track.stems) {
      try {
        const SourceInfo info = stem.audio->info();
        check_.stems.push_back({stem.name, info});
        adds.push_back(fits(check_.stems.back()));
        usable.push_back(stem.audio.get());
      } catch (const Error& error) {
        problem(fmt::format("{}: {}", stem.name, error.what()));
      }
    }
    std::vector<Level> levels(usable.size());
    Level mix_level;
    Agreement agreement;
    std::uint64_t frames = check_.mixture.frames;
    for (const StemCheck& stem : check_.stems) frames = std::max(frames, stem.info.frames);
    const bool compare = track.has_mixture_file && std::ranges::find(adds, true) != adds.end();

    std::vector<double> sum;
    for (std::uint64_t first = 0; first < frames; first += kBlock) {
      cancel_.check();
      const AudioBuffer mix = track.has_mixture_file ? track.mixture->read(first, kBlock) : AudioBuffer();
      mix_level.add(mix.samples());
      sum.assign(mix.samples().size(), 0.0);
      for (std::size_t i = 0; i < usable.size(); ++i) {
        if (!usable[i]) continue;
        try {
          const AudioBuffer part = usable[i]->read(first, kBlock);
          levels[i].add(part.samples());
          if (!compare || !adds[i]) continue;
          const std::size_t overlap = std::min(part.frames(), mix.frames());
          for (std::size_t c = 0; c < mix.channels(); ++c) {
            for (std::size_t n = 0; n < overlap; ++n) sum[c * mix.frames() + n] += static_cast<double>(part.channel(c)[n]);
          }
        } catch (const Error& error) {
          problem(fmt::format("{}: {}", check_.stems[i].name, error.what()));
          usable[i] = nullptr;
        }
      }
      for (std::size_t k = 0; compare && k < sum.size(); ++k) agreement.add(static_cast<double>(mix.samples()[k]), sum[k]);
    }

    if (track.has_mixture_file) judge_level("the mixture", mix_level);
    for (std::size_t i = 0; i < usable.size(); ++i) {
      StemCheck& stem = check_.stems[i];
      if (!usable[i] || levels[i].samples == 0) continue;
      judge_level(stem.name, levels[i]);
      stem.rms_db = level_db(levels[i].squares / static_cast<double>(levels[i].samples));
      stem.peak_db = 20 * std::log10(levels[i].peak);
    }
    if (!compare) return;
    check_.correlation = agreement.correlation();
    check_.residual_db = agreement.residual_db();
    if (agreement.xx == 0 && agreement.yy > 0) problem("the mixture is silent, the sum of the stems is not");
    if (agreement.xx > 0 && agreement.yy == 0) problem("the sum of the stems is silent, the mixture is not");
    if (std::isfinite(check_.correlation) && check_.correlation < options_.min_correlation) {
      problem(fmt::format("the stems do not sum to the mixture: correlation {:.12f}", check_.correlation));
    }
  }

  void judge_level(const std::string& name, const Level& level) {
    if (level.not_finite > 0) problem(fmt::format("{} has {} samples that are not finite", name, level.not_finite));
    if (level.samples > 0 && level.peak == 0) check_.notes.push_back(name + " is silent");
  }

  const VerifyOptions& options_;
  const CancelToken& cancel_;
  TrackCheck check_;
  const char* whole_ = "mixture";  ///< what stems are held against, in words
};

}  // namespace

std::vector<TrackCheck> verify(const Dataset& dataset, const VerifyOptions& options, RunContext& run) {
  std::vector<TrackCheck> checks(dataset.size());
  run.progress.start("verify", dataset.size(), "tracks");
  run.pool.parallel_for(dataset.size(), [&](std::size_t i) {
    run.cancel.check();
    checks[i] = TrackVerifier(options, run.cancel).check(dataset, i);
    run.progress.advance(1);
  });
  return checks;
}

std::vector<std::filesystem::path> macos_files(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    if (entry.path().filename().string().starts_with("._")) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace unbraid::data
