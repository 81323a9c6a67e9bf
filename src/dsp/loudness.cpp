#include "unbraid/dsp/loudness.hpp"

#include <ebur128.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/dsp/biquad.hpp"

namespace unbraid::dsp {

namespace {

struct DeleteMeter {
  void operator()(ebur128_state* state) const { ebur128_destroy(&state); }
};

void require_ok(int status) {
  if (status != EBUR128_SUCCESS) throw Error{ErrorCode::kInternal, "libebur128 failed", "loudness"};
}

double amplitude_db(double amplitude) { return 20 * std::log10(amplitude); }

/// BS.1770-4, equation 2: the loudness of weighted mean square.
double lufs(double power) { return -0.691 + 10 * std::log10(power); }

/// Σ x², in eight independent sums, which a processor adds at once.
double energy(std::span<const float> samples) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= samples.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double x = samples[i + lane];
      sums[lane] += x * x;
    }
  for (; i < samples.size(); ++i) sums[0] += static_cast<double>(samples[i]) * static_cast<double>(samples[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

struct LoudnessMeter::State {
  std::unique_ptr<ebur128_state, DeleteMeter> meter;
  std::vector<float> interleaved = {};

  /// The loudest channel by one of libebur128's two peak functions.
  template <class Peak>
  double loudest(Peak peak) const {
    double loudest = 0;
    for (unsigned c = 0; c < meter->channels; ++c) {
      double amplitude = 0;
      require_ok(peak(meter.get(), c, &amplitude));
      loudest = std::max(loudest, amplitude);
    }
    return loudest;
  }
};

LoudnessMeter::LoudnessMeter(const LoudnessOptions& options) {
  // libebur128's shelf lies at 1681.97 Hz: where that is above half the rate, its filter is not stable.
  if (options.sample_rate < 3364 || options.sample_rate > 2'822'400)
    throw Error{ErrorCode::kUsage, "must lie between 3364 and 2822400 Hz", "sample rate"};
  if (options.channels < 1 || options.channels > 64) throw Error{ErrorCode::kUsage, "must lie between 1 and 64", "channels"};
  const int peaks = options.true_peak ? EBUR128_MODE_TRUE_PEAK : EBUR128_MODE_SAMPLE_PEAK;
  state_ = std::make_unique<State>(State{std::unique_ptr<ebur128_state, DeleteMeter>(
      ebur128_init(static_cast<unsigned>(options.channels), options.sample_rate, EBUR128_MODE_I | EBUR128_MODE_LRA | peaks))});
  if (!state_->meter) throw Error{ErrorCode::kInternal, "libebur128 could not start", "loudness"};
}

LoudnessMeter::~LoudnessMeter() = default;
LoudnessMeter::LoudnessMeter(LoudnessMeter&&) noexcept = default;
LoudnessMeter& LoudnessMeter::operator=(LoudnessMeter&&) noexcept = default;

void LoudnessMeter::add(AudioView block) {
  const std::size_t channels = state_->meter->channels;
  if (block.channels() != channels) throw Error{ErrorCode::kInternal, "block of another shape", "loudness"};
  constexpr std::size_t kRun = 4096;
  auto& interleaved = state_->interleaved;
  interleaved.resize(kRun * channels);
  for (std::size_t start = 0; start < block.frames(); start += kRun) {
    const std::size_t count = std::min(kRun, block.frames() - start);
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t n = 0; n < count; ++n) interleaved[n * channels + c] = block.channel(c)[start + n];
    require_ok(ebur128_add_frames_float(state_->meter.get(), interleaved.data(), count));
  }
}

double LoudnessMeter::integrated_lufs() const {
  double loudness = 0;
  require_ok(ebur128_loudness_global(state_->meter.get(), &loudness));
  return loudness;
}

double LoudnessMeter::range_lu() const {
  double range = 0;
  require_ok(ebur128_loudness_range(state_->meter.get(), &range));
  return range;
}

double LoudnessMeter::sample_peak_db() const { return amplitude_db(state_->loudest(ebur128_sample_peak)); }

double LoudnessMeter::true_peak_db() const {
  if ((state_->meter->mode & EBUR128_MODE_TRUE_PEAK) != EBUR128_MODE_TRUE_PEAK)
    throw Error{ErrorCode::kUsage, "was not asked for", "true peak"};
  return amplitude_db(state_->loudest(ebur128_true_peak));
}

double block_loudness_lufs(AudioView signal, double sample_rate) {
  constexpr double kBlockSeconds = 0.4, kStep = 0.25;  // the step as a share of the block
  constexpr std::array kWeights{1.0, 1.0, 1.0, 1.41, 1.41};
  const std::size_t channels = signal.channels();
  if (channels < 1 || channels > kWeights.size()) throw Error{ErrorCode::kUsage, "must lie between 1 and 5", "channels"};
  if (!(sample_rate > 3000) || !std::isfinite(sample_rate)) throw Error{ErrorCode::kUsage, "must be above 3000 Hz", "sample rate"};
  if (static_cast<double>(signal.frames()) < kBlockSeconds * sample_rate)
    throw Error{ErrorCode::kUsage, "needs at least 400 ms", "loudness"};

  AudioBuffer weighted(signal);
  const Biquad shelf = high_shelf({.sample_rate = sample_rate, .frequency_hz = 1500, .q = 1 / std::numbers::sqrt2, .gain_db = 4});
  const Biquad low_cut = high_pass({.sample_rate = sample_rate, .frequency_hz = 38, .q = 0.5});
  BiquadCascade({shelf, low_cut}, channels).process(weighted);

  const double seconds = static_cast<double>(signal.frames()) / sample_rate;
  const auto blocks = static_cast<std::size_t>(std::nearbyint((seconds - kBlockSeconds) / (kBlockSeconds * kStep)) + 1);
  std::vector<double> powers(blocks);
  for (std::size_t b = 0; b < blocks; ++b) {
    // In this order of operations: the bounds are cut to whole samples, and 0.4 is not exact.
    const double offset = static_cast<double>(b) * kStep;
    const auto first = static_cast<std::size_t>(kBlockSeconds * offset * sample_rate);
    const auto last = std::min(static_cast<std::size_t>(kBlockSeconds * (offset + 1) * sample_rate), signal.frames());
    for (std::size_t c = 0; c < channels; ++c) {
      powers[b] += kWeights[c] * energy(weighted.channel(c).subspan(first, last - first)) / (kBlockSeconds * sample_rate);
    }
  }

  const auto gated = [&](double gate_lufs) {
    double sum = 0;
    std::size_t count = 0;
    for (const double power : powers) {
      if (!(lufs(power) > gate_lufs)) continue;
      sum += power;
      ++count;
    }
    return lufs(count > 0 ? sum / static_cast<double>(count) : 0);
  };
  constexpr double kAbsoluteGate = -70;
  return gated(std::max(kAbsoluteGate, gated(kAbsoluteGate) - 10));
}

}  // namespace unbraid::dsp
