#include "classic/melody.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr double kStepsPerSemitone = 5;
constexpr std::size_t kReach = 15;  ///< steps that the pitch may move from frame to frame: three semitones
constexpr double kHarmonicDecay = 0.8;

std::size_t candidates_of(const MelodyOptions& options) {
  return 1 + static_cast<std::size_t>(12 * kStepsPerSemitone * std::log2(options.high_hz / options.low_hz));
}

double hz_of(std::size_t candidate, const MelodyOptions& options) {
  return options.low_hz * std::exp2(static_cast<double>(candidate) / (12 * kStepsPerSemitone));
}

/// [frame][candidate], the mean of every frame taken away.
std::vector<float> saliences(const dsp::Magnitudes<float>& magnitudes, const MelodyOptions& options, ThreadPool& pool) {
  const std::size_t candidates = candidates_of(options), bins = magnitudes.bins();
  const double hz_per_bin = options.sample_rate / static_cast<double>(2 * (bins - 1));
  std::vector<float> result(magnitudes.frames() * candidates);
  pool.parallel_for(
      magnitudes.frames(),
      [&](std::size_t m) {
        std::vector<float> root(bins);
        std::ranges::transform(magnitudes.frame(0, m), root.begin(), [](float v) { return std::sqrt(v); });
        float* out = result.data() + m * candidates;
        double mean = 0;
        for (std::size_t c = 0; c < candidates; ++c) {
          double sum = 0, weight = 1;
          for (std::size_t h = 1; h <= options.harmonics; ++h, weight *= kHarmonicDecay) {
            const double place = static_cast<double>(h) * hz_of(c, options) / hz_per_bin;
            const auto below = static_cast<std::size_t>(place);
            if (below + 1 >= bins) break;
            const double share = place - static_cast<double>(below);
            sum += weight * ((1 - share) * root[below] + share * root[below + 1]);
          }
          out[c] = static_cast<float>(sum);
          mean += sum / static_cast<double>(candidates);
        }
        for (std::size_t c = 0; c < candidates; ++c) out[c] -= static_cast<float>(mean);
      },
      8);
  return result;
}

}  // namespace

void MelodyOptions::validate() const {
  if (!(low_hz > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "low_hz"};
  if (!(high_hz > low_hz)) throw Error{ErrorCode::kUsage, "must be above low_hz", "high_hz"};
  if (harmonics == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "harmonics"};
  if (!(jump_cost >= 0)) throw Error{ErrorCode::kUsage, "must not be negative", "jump_cost"};
  if (!(voicing >= 0)) throw Error{ErrorCode::kUsage, "must not be negative", "voicing"};
}

std::vector<double> track_melody(const dsp::Magnitudes<float>& magnitudes, const MelodyOptions& options, RunContext& run) {
  options.validate();
  const std::size_t frames = magnitudes.frames(), candidates = candidates_of(options);
  std::vector<double> melody(frames, 0.0);
  if (frames == 0) return melody;
  const std::vector<float> salience = saliences(magnitudes, options, run.pool);
  std::vector<float> greatest(frames);
  for (std::size_t m = 0; m < frames; ++m) greatest[m] = std::ranges::max(std::span(salience).subspan(m * candidates, candidates));
  std::vector<float> sorted = greatest;
  const auto upper = sorted.begin() + static_cast<std::ptrdiff_t>(3 * (frames - 1) / 4);
  std::ranges::nth_element(sorted, upper);
  const float usual = *upper;  // of the frames that sound most clearly
  if (!(usual > 0)) return melody;

  // States 0 … candidates − 1 are pitches, the last is "no melody".
  const std::size_t states = candidates + 1;
  const auto step_cost = static_cast<float>(options.jump_cost * usual / kStepsPerSemitone);
  const auto switch_cost = static_cast<float>(options.jump_cost * usual * 3);
  const auto silence = static_cast<float>(options.voicing * usual);
  std::vector<float> score(states), next(states);
  std::vector<std::uint16_t> from(frames * states);
  for (std::size_t m = 0; m < frames; ++m) {
    if (m % 256 == 0) run.cancel.check();
    const float* here = salience.data() + m * candidates;
    const auto best = static_cast<std::size_t>(std::max_element(score.begin(), score.end() - 1) - score.begin());
    for (std::size_t c = 0; c < candidates; ++c) {
      std::size_t source = candidates;
      float value = score[candidates] - switch_cost;
      const std::size_t last = std::min(c + kReach, candidates - 1);
      for (std::size_t s = c > kReach ? c - kReach : 0; s <= last; ++s) {
        const float moved = score[s] - step_cost * static_cast<float>(s > c ? s - c : c - s);
        if (moved > value) value = moved, source = s;
      }
      next[c] = value + here[c];
      from[m * states + c] = static_cast<std::uint16_t>(source);
    }
    const bool stays = score[candidates] >= score[best] - switch_cost;
    next[candidates] = (stays ? score[candidates] : score[best] - switch_cost) + silence;
    from[m * states + candidates] = static_cast<std::uint16_t>(stays ? candidates : best);
    std::swap(score, next);
  }
  auto state = static_cast<std::size_t>(std::ranges::max_element(score) - score.begin());
  for (std::size_t m = frames; m-- > 0;) {
    if (state < candidates) melody[m] = hz_of(state, options);
    state = from[m * states + state];
  }
  return melody;
}

namespace {

/// 1 at the harmonics of the melody, falling to 0 with the distance; of a width that grows with the harmonic, as vibrato
/// and glides do.
dsp::Mask<float> harmonic_mask(const std::vector<double>& melody, std::size_t bins, double hz_per_bin, double width_hz, double high_hz,
                               ThreadPool& pool) {
  dsp::Mask<float> mask(1, melody.size(), bins);
  pool.parallel_for(
      melody.size(),
      [&](std::size_t m) {
        if (melody[m] == 0) return;
        const auto out = mask.frame(0, m);
        for (std::size_t h = 1;; ++h) {
          const double centre = static_cast<double>(h) * melody[m];
          if (centre >= std::min(high_hz, hz_per_bin * static_cast<double>(bins - 1))) break;
          const double width = std::min(width_hz + 0.01 * centre, melody[m] / 2);
          const auto first = static_cast<std::size_t>(std::max(0.0, std::ceil((centre - 2 * width) / hz_per_bin)));
          const auto last = static_cast<std::size_t>((centre + 2 * width) / hz_per_bin);
          for (std::size_t k = first; k <= std::min(last, bins - 1); ++k) {
            const double distance = (static_cast<double>(k) * hz_per_bin - centre) / width;
            out[k] = std::max(out[k], static_cast<float>(std::exp(-distance * distance)));
          }
        }
      },
      8);
  return mask;
}

}  // namespace

Method melody_method() {
  Method method{
      .name = "melody",
      .summary = "the melody (voice) by its pitch, and what accompanies it",
      .paper =
          "Salamon, Gómez, Melody extraction from polyphonic music signals using pitch contour characteristics, IEEE "
          "TASLP 20(6), 2012, for the salience; Li, Wang, Separation of singing voice from music accompaniment for "
          "monaural recordings, IEEE TASLP 15(4), 2007",
      .stems = {"melody", "background"},
      .parameters =
          {window_parameter(93.0),
           {.name = "low_hz", .help = "the lowest pitch of the melody", .unit = "Hz", .value = 110.0, .minimum = 20, .maximum = 5000},
           {.name = "high_hz", .help = "the highest pitch of the melody", .unit = "Hz", .value = 1000.0, .minimum = 20, .maximum = 10000},
           {.name = "width_hz",
            .help = "half width of a harmonic; 1 % of its frequency is added",
            .unit = "Hz",
            .value = 25.0,
            .minimum = 1,
            .maximum = 1000},
           {.name = "top_hz", .help = "above, everything is background", .unit = "Hz", .value = 10000.0, .minimum = 100, .maximum = 1e6},
           {.name = "jump_cost",
            .help = "how much a semitone of movement must gain in salience",
            .value = 0.1,
            .minimum = 0,
            .maximum = 100},
           {.name = "voicing",
            .help = "share of the usual salience below which there is no melody",
            .value = 0.6,
            .minimum = 0,
            .maximum = 10}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const MelodyOptions options{.sample_rate = format.sample_rate,
                                .low_hz = values.number("low_hz"),
                                .high_hz = values.number("high_hz"),
                                .jump_cost = values.number("jump_cost"),
                                .voicing = values.number("voicing")};
    options.validate();
    const double width_hz = values.number("width_hz"), top_hz = values.number("top_hz");
    SeparatorInfo info{
        .stems = {"melody", "background"}, .sample_rate = format.sample_rate, .channels = format.channels, .blocks = WholeTrack{}};
    return make_masking_separator(info, stft_options(format.sample_rate, values.number("window_ms")),
                                  [=](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    const std::vector<double> melody = track_melody(joint_magnitudes(mix, run.pool), options, run);
                                    const double hz_per_bin = options.sample_rate / static_cast<double>(2 * (mix.bins() - 1));
                                    std::vector<dsp::Mask<float>> masks;
                                    masks.push_back(harmonic_mask(melody, mix.bins(), hz_per_bin, width_hz, top_hz, run.pool));
                                    return masks;
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
