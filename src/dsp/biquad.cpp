#include "unbraid/dsp/biquad.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

constexpr double kPi = std::numbers::pi;

void require_frequency(double frequency_hz, double sample_rate) {
  if (!(sample_rate > 0) || !std::isfinite(sample_rate)) throw Error{ErrorCode::kUsage, "must be above 0", "sample rate"};
  if (!(frequency_hz > 0 && frequency_hz < sample_rate / 2))
    throw Error{ErrorCode::kUsage, "must lie between 0 and half the sample rate", "filter frequency"};
}

Biquad normalized(double b0, double b1, double b2, double a0, double a1, double a2) {
  return {b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0};
}

/// The quantities that all of the cookbook's formulae share.
struct Angles {
  double cosine, alpha, low;  ///< low = 1 − cos ω, without cancellation at low frequencies

  explicit Angles(const BiquadDesign& design) {
    design.validate();
    const double omega = 2 * kPi * design.frequency_hz / design.sample_rate;
    cosine = std::cos(omega);
    alpha = std::sin(omega) / (2 * design.q);
    low = 2 * std::pow(std::sin(omega / 2), 2);
  }
};

Biquad shelf(const BiquadDesign& design, bool high) {
  const Angles w(design);
  const double a = std::pow(10, design.gain_db / 40);
  const double root = 2 * std::sqrt(a) * w.alpha;
  // The two shelves mirror each other about a quarter of the rate.
  const double c = high ? -w.cosine : w.cosine;
  const Biquad shelf = normalized(a * ((a + 1) - (a - 1) * c + root), 2 * a * ((a - 1) - (a + 1) * c), a * ((a + 1) - (a - 1) * c - root),
                                  (a + 1) + (a - 1) * c + root, -2 * ((a - 1) + (a + 1) * c), (a + 1) + (a - 1) * c - root);
  return high ? Biquad{shelf.b0, -shelf.b1, shelf.b2, -shelf.a1, shelf.a2} : shelf;
}

std::vector<Biquad> butterworth(const ButterworthDesign& design, bool high) {
  design.validate();
  std::vector<Biquad> sections;
  if (design.order % 2 == 1) {
    const double k = std::tan(kPi * design.frequency_hz / design.sample_rate);
    const double b = high ? 1 / (1 + k) : k / (1 + k);
    sections.push_back({.b0 = b, .b1 = high ? -b : b, .a1 = (k - 1) / (k + 1)});
  }
  // The prototype's poles are exp(±i(π/2 + θ)), θ = (2k + 1)π / 2n: conjugate pairs of quality 1 / (2 sin θ).
  for (std::size_t k = 0; k < design.order / 2; ++k) {
    const double theta = kPi * static_cast<double>(2 * k + 1) / static_cast<double>(2 * design.order);
    const BiquadDesign section{design.sample_rate, design.frequency_hz, 1 / (2 * std::sin(theta))};
    sections.push_back(high ? high_pass(section) : low_pass(section));
  }
  return sections;
}

}  // namespace

void BiquadDesign::validate() const {
  require_frequency(frequency_hz, sample_rate);
  if (!(q > 0) || !std::isfinite(q)) throw Error{ErrorCode::kUsage, "must be above 0", "filter Q"};
  if (!std::isfinite(gain_db)) throw Error{ErrorCode::kUsage, "must be a number", "filter gain"};
}

void ButterworthDesign::validate() const {
  require_frequency(frequency_hz, sample_rate);
  if (order < 1 || order > 64) throw Error{ErrorCode::kUsage, "must lie between 1 and 64", "filter order"};
}

std::complex<double> frequency_response(std::span<const Biquad> sections, double frequency_hz, double sample_rate) {
  const auto z1 = std::polar(1.0, -2 * kPi * frequency_hz / sample_rate), z2 = z1 * z1;
  std::complex<double> response = 1;
  for (const Biquad& s : sections) response *= (s.b0 + s.b1 * z1 + s.b2 * z2) / (1.0 + s.a1 * z1 + s.a2 * z2);
  return response;
}

Biquad low_pass(const BiquadDesign& design) {
  const Angles w(design);
  return normalized(w.low / 2, w.low, w.low / 2, 1 + w.alpha, -2 * w.cosine, 1 - w.alpha);
}

Biquad high_pass(const BiquadDesign& design) {
  const Angles w(design);
  const double high = 1 + w.cosine;
  return normalized(high / 2, -high, high / 2, 1 + w.alpha, -2 * w.cosine, 1 - w.alpha);
}

Biquad band_pass(const BiquadDesign& design) {
  const Angles w(design);
  return normalized(w.alpha, 0, -w.alpha, 1 + w.alpha, -2 * w.cosine, 1 - w.alpha);
}

Biquad notch(const BiquadDesign& design) {
  const Angles w(design);
  return normalized(1, -2 * w.cosine, 1, 1 + w.alpha, -2 * w.cosine, 1 - w.alpha);
}

Biquad peak(const BiquadDesign& design) {
  const Angles w(design);
  const double a = std::pow(10, design.gain_db / 40);
  return normalized(1 + w.alpha * a, -2 * w.cosine, 1 - w.alpha * a, 1 + w.alpha / a, -2 * w.cosine, 1 - w.alpha / a);
}

Biquad low_shelf(const BiquadDesign& design) { return shelf(design, false); }
Biquad high_shelf(const BiquadDesign& design) { return shelf(design, true); }

std::vector<Biquad> butterworth_low_pass(const ButterworthDesign& design) { return butterworth(design, false); }
std::vector<Biquad> butterworth_high_pass(const ButterworthDesign& design) { return butterworth(design, true); }

Crossover linkwitz_riley(const ButterworthDesign& design) {
  if (design.order != 2 && design.order != 4 && design.order != 8)
    throw Error{ErrorCode::kUsage, "must be 2, 4 or 8", "Linkwitz-Riley order"};
  const auto twice = [&](bool high) {
    auto sections = butterworth({design.sample_rate, design.frequency_hz, design.order / 2}, high);
    sections.reserve(2 * sections.size());
    std::copy_n(sections.begin(), sections.size(), std::back_inserter(sections));
    return sections;
  };
  Crossover bands{twice(false), twice(true)};
  if (design.order == 2) {  // half a turn between the bands: their sum would vanish at the crossover
    Biquad& first = bands.high.front();
    first = {-first.b0, -first.b1, -first.b2, first.a1, first.a2};
  }
  return bands;
}

BiquadCascade::BiquadCascade(std::vector<Biquad> sections, std::size_t channels)
    : sections_(std::move(sections)), channels_(channels), states_(sections_.size() * channels) {}

/// Transposed direct form II.
double BiquadCascade::step(const Biquad& section, State& state, double x) {
  const double y = section.b0 * x + state.s1;
  state.s1 = (section.b1 * x + state.s2) - section.a1 * y;
  state.s2 = section.b2 * x - section.a2 * y;
  return y;
}

/// Eight samples at once: outputs are sums of the section's answers to each input and to the state it was in, so that only
/// one short sum in eight samples waits for the one before.
struct BiquadCascade::Unrolled {
  static constexpr std::size_t kSteps = 8;
  using Lanes [[gnu::vector_size(kSteps * sizeof(double))]] = double;

  explicit Unrolled(const Biquad& section) : biquad(section) {
    State after_impulse, first{.s1 = 1}, second{.s2 = 1};
    double impulse[kSteps];
    for (std::size_t n = 0; n < kSteps; ++n) {
      impulse[n] = step(section, after_impulse, n == 0 ? 1 : 0);
      to_s1[n] = step(section, first, 0);
      to_s2[n] = step(section, second, 0);
    }
    for (std::size_t k = 0; k < kSteps; ++k)
      for (std::size_t n = 0; n < kSteps; ++n) to_input[k][n] = n < k ? 0 : impulse[n - k];
  }

  /// In place.
  void run(double* samples, State& state) const {
    // The sum over inputs in two, which do not wait for each other.
    Lanes even = to_input[0] * samples[0], odd = to_input[1] * samples[1];
    for (std::size_t k = 2; k < kSteps; k += 2) {
      even += to_input[k] * samples[k];
      odd += to_input[k + 1] * samples[k + 1];
    }
    const Lanes y = even + odd + to_s1 * state.s1 + to_s2 * state.s2;
    const double x6 = samples[kSteps - 2], x7 = samples[kSteps - 1], y6 = y[kSteps - 2], y7 = y[kSteps - 1];
    state.s1 = (biquad.b1 * x7 + biquad.b2 * x6) - (biquad.a1 * y7 + biquad.a2 * y6);
    state.s2 = biquad.b2 * x7 - biquad.a2 * y7;
    for (std::size_t n = 0; n < kSteps; ++n) samples[n] = y[n];
  }

  Biquad biquad;
  Lanes to_input[kSteps], to_s1, to_s2;
};

/// After the music ends the state decays towards subnormal numbers, which are slow; far below hearing it is 0.
void BiquadCascade::settle(State& state) {
  if (std::abs(state.s1) < 1e-60) state.s1 = 0;
  if (std::abs(state.s2) < 1e-60) state.s2 = 0;
}

void BiquadCascade::process(MutableAudioView block) {
  if (block.channels() != channels_) throw Error{ErrorCode::kInternal, "block of another shape", "biquad"};
  // Short runs through all sections stay in the cache, in double between sections.
  constexpr std::size_t kRun = 1024;
  double run[kRun];
  const std::vector<Unrolled> unrolled(sections_.begin(), sections_.end());
  for (std::size_t c = 0; c < channels_; ++c) {
    const auto samples = block.channel(c);
    State* const states = states_.data() + c * sections_.size();
    for (std::size_t start = 0; start < samples.size(); start += kRun) {
      const auto part = samples.subspan(start, std::min(kRun, samples.size() - start));
      std::ranges::copy(part, run);
      for (std::size_t i = 0; i < unrolled.size(); ++i) {
        State state = states[i];
        std::size_t n = 0;
        for (; n + Unrolled::kSteps <= part.size(); n += Unrolled::kSteps) unrolled[i].run(run + n, state);
        for (; n < part.size(); ++n) run[n] = step(sections_[i], state, run[n]);
        settle(state);
        states[i] = state;
      }
      for (std::size_t n = 0; n < part.size(); ++n) part[n] = static_cast<float>(run[n]);
    }
  }
}

void BiquadCascade::reset() { std::ranges::fill(states_, State{}); }

}  // namespace unbraid::dsp
