#include "unbraid/evaluate/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "evaluate/oracle_sources.hpp"
#include "evaluate/oracle_wiener.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/fft.hpp"
#include "unbraid/dsp/window.hpp"
#include "unbraid/mask/ideal.hpp"

namespace unbraid::evaluate {

namespace {

constexpr double kSeedEpsilon = 1e-10;
constexpr std::uint64_t kSegment = 1 << 18;  ///< frames read at a time, about; a multiple of every hop used
constexpr std::size_t kTaskHops = 64;        ///< hops that one thread makes in a row

/// Σ a·b with eight running sums, which the compiler keeps in one register.
double dot(std::span<const double> a, std::span<const double> b) {
  std::array<double, 8> sums{};
  std::size_t n = 0;
  for (; n + sums.size() <= a.size(); n += sums.size()) {
    for (std::size_t l = 0; l < sums.size(); ++l) sums[l] += a[n + l] * b[n + l];
  }
  for (; n < a.size(); ++n) sums[0] += a[n] * b[n];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// What SI-SDR needs of an estimate: its products with the reference and with itself.
struct Products {
  double estimate_reference = 0, estimate_estimate = 0;
};

Products products_of(AudioView estimate, AudioView reference) {
  Products sums;
  for (std::size_t c = 0; c < estimate.channels(); ++c) {
    for (std::size_t n = 0; n < estimate.frames(); ++n) {
      const double e = estimate.channel(c)[n];
      sums.estimate_reference += e * reference.channel(c)[n];
      sums.estimate_estimate += e * e;
    }
  }
  return sums;
}

/// NaN where reference or estimate is silent, unless the seed's ε decides.
double si_sdr_db(const Products& p, double reference, bool seed) {
  if (!seed && (reference == 0 || p.estimate_estimate == 0)) return std::numeric_limits<double>::quiet_NaN();
  const double epsilon = seed ? kSeedEpsilon : 0.0;
  const double alpha = p.estimate_reference / (reference + epsilon);
  const double target = alpha * alpha * reference;
  double residual = p.estimate_estimate - 2 * alpha * p.estimate_reference + target;
  residual = std::max(residual, seed ? 0.0 : 1e-15 * p.estimate_estimate);
  return 10 * std::log10((target + epsilon) / (residual + epsilon));
}

constexpr double kComplexLimit = 10;  ///< of a complex mask's magnitude, as its inventors compress it

/// A mask that works bin by bin: a real one, or the complex ratio.
struct BinMask {
  mask::IdealMask real = {};
  bool complex = false;
  bool operator==(const BinMask& other) const {
    return complex == other.complex && real.kind == other.real.kind && real.power == other.real.power && real.clip == other.real.clip;
  }
};

BinMask bin_mask(const std::string& name) {
  if (name == kComplexRatioMask) return {.complex = true};
  try {
    return {.real = mask::ideal_mask(name)};
  } catch (const Error& error) {
    if (error.context() != name) throw Error{error.code(), error.message(), name};  // a power out of range
    throw Error{error.code(), fmt::format("{}, {}, {}", error.message(), kComplexRatioMask, kMultichannelWiener), name};
  }
}

/// The transform and the masks, shared by all tasks.
struct Plan {
  static constexpr std::size_t kBehindMasks = std::numeric_limits<std::size_t>::max();

  std::size_t window, hop, frames;
  dsp::RealFft<double> fft;
  std::vector<double> analysis, synthesis, interior_norm;
  std::vector<BinMask> masks;                ///< distinct ones
  bool multichannel = false;                 ///< the multichannel Wiener filter as well, behind the masks
  std::vector<std::size_t> mask_of_request;  ///< index into masks, or behind them, for every name asked for
  std::uint64_t samples;

  Plan(const OracleOptions& options, std::size_t window_samples, std::size_t hop_samples, std::uint64_t sample_count)
      : window(window_samples),
        hop(hop_samples),
        frames((sample_count + hop_samples - 1) / hop_samples + 1),
        fft(window_samples),
        samples(sample_count) {
    const std::vector<double> shape = dsp::make_window({.length = window});
    double sum = 0;
    for (const double w : shape) sum += w;
    const double scale = options.seed_arithmetic ? 1 / sum : 1;
    interior_norm.assign(hop, 0.0);
    for (std::size_t n = 0; n < window; ++n) {
      analysis.push_back(shape[n] * scale);
      synthesis.push_back(shape[n] / scale);
      interior_norm[n % hop] += shape[n] * shape[n];
    }
    for (const std::string& name : options.masks) {
      if (name == kMultichannelWiener) {
        multichannel = true;
        mask_of_request.push_back(kBehindMasks);
        continue;
      }
      BinMask wanted = bin_mask(name);
      if (options.seed_arithmetic) wanted.real.epsilon = kSeedEpsilon;
      const auto found = std::ranges::find(masks, wanted);
      mask_of_request.push_back(static_cast<std::size_t>(found - masks.begin()));
      if (found == masks.end()) masks.push_back(wanted);
    }
    std::ranges::replace(mask_of_request, kBehindMasks, masks.size());
  }

  /// Estimates per stem: of every mask, then of the multichannel filter.
  std::size_t filters() const { return masks.size() + (multichannel ? 1 : 0); }

  /// 1 / Σ w² for the hop that starts at sample m·hop − window/2: the overlap-add of the frames that exist.
  void inverse_norm(std::size_t m, std::span<double> out) const {
    const std::size_t overlap = window / hop;
    if (m + 1 >= overlap && m < frames) {
      for (std::size_t n = 0; n < hop; ++n) out[n] = 1 / interior_norm[n];
      return;
    }
    std::ranges::fill(out, 0.0);
    for (std::size_t i = 0; i < overlap; ++i) {
      if (m < i || m - i >= frames) continue;
      for (std::size_t n = 0; n < hop; ++n) out[n] += analysis[i * hop + n] * synthesis[i * hop + n];
    }
    for (double& norm : out) norm = norm > 1e-10 ? 1 / norm : 0;
  }
};

/// One thread's work: the hops [first, last) of one channel. A "hop" h is the block of samples that begins at
/// h·hop − window/2 and is complete once frame h has been added.
class Task {
 public:
  Task(const Plan& plan, std::size_t stems)
      : plan_(plan),
        stems_(stems),
        time_(plan.window),
        spectra_(stems + 1, Row(plan.fft.bins())),
        product_(plan.fft.bins()),
        gains_(stems, std::vector<double>(plan.fft.bins())),
        overlap_(plan.masks.size() * stems, std::vector<double>(plan.window)),
        norm_(plan.hop),
        block_(plan.hop),
        reference_(plan.hop) {
    for (std::size_t i = 0; i < stems; ++i) {
      sources_.emplace_back(spectra_[i]);
      gain_rows_.emplace_back(gains_[i]);
    }
  }

  /// signals: one channel of every stem, then of the mixture; signals[s][n] is sample origin + n. Adds to
  /// products (mask · stems + stem). `out`, where given, takes the estimates: out(mask, stem) is a row whose
  /// element n is sample origin + n.
  template <class Out>
  void run(std::span<const std::span<const float>> signals, std::int64_t origin, std::size_t first, std::size_t last,
           std::span<Products> products, const Out& out) {
    const std::size_t overlap = plan_.window / plan_.hop;
    for (std::vector<double>& ring : overlap_) std::ranges::fill(ring, 0.0);
    const std::size_t start = first < overlap - 1 ? 0 : first - (overlap - 1);
    for (std::size_t m = start; m < last; ++m) {
      if (m < plan_.frames) add_frame(signals, origin, m);
      finish_hop(signals, origin, m, m >= first, products, out);
    }
  }

 private:
  using Row = std::vector<std::complex<double>>;

  std::int64_t begin_of(std::size_t m) const {
    return static_cast<std::int64_t>(m * plan_.hop) - static_cast<std::int64_t>(plan_.window / 2);
  }

  void add_frame(std::span<const std::span<const float>> signals, std::int64_t origin, std::size_t m) {
    const std::int64_t shift = begin_of(m) - origin;
    for (std::size_t s = 0; s <= stems_; ++s) {
      const std::span<const float> signal = signals[s];
      const auto from = static_cast<std::size_t>(std::clamp<std::int64_t>(-shift, 0, static_cast<std::int64_t>(plan_.window)));
      const auto to = static_cast<std::size_t>(std::clamp<std::int64_t>(
          static_cast<std::int64_t>(signal.size()) - shift, static_cast<std::int64_t>(from), static_cast<std::int64_t>(plan_.window)));
      std::fill(time_.begin(), time_.begin() + static_cast<std::ptrdiff_t>(from), 0.0);
      std::fill(time_.begin() + static_cast<std::ptrdiff_t>(to), time_.end(), 0.0);
      const float* const samples = signal.data() + shift;
      for (std::size_t n = from; n < to; ++n) time_[n] = static_cast<double>(samples[n]) * plan_.analysis[n];
      plan_.fft.forward(time_, spectra_[s]);
    }
    const Row& mixture = spectra_[stems_];
    const std::size_t slot = m % (plan_.window / plan_.hop);
    for (std::size_t k = 0; k < plan_.masks.size(); ++k) {
      const BinMask& mask = plan_.masks[k];
      if (!mask.complex) mask::ideal_masks_of_frame<double>(mask.real, sources_, mixture, gain_rows_);
      for (std::size_t s = 0; s < stems_; ++s) {
        if (mask.complex) limit(spectra_[s], mixture);
        else
          for (std::size_t b = 0; b < product_.size(); ++b) product_[b] = gains_[s][b] * mixture[b];
        plan_.fft.inverse(product_, time_);
        // The ring holds one window of sums; the frame's first sample belongs at hop m.
        double* const ring = overlap_[k * stems_ + s].data();
        const std::size_t wrap = plan_.window - slot * plan_.hop;
        for (std::size_t n = 0; n < wrap; ++n) ring[slot * plan_.hop + n] += plan_.synthesis[n] * time_[n];
        for (std::size_t n = wrap; n < plan_.window; ++n) ring[n - wrap] += plan_.synthesis[n] * time_[n];
      }
    }
  }

  /// The complex ratio mask S / X, its magnitude limited, times X.
  void limit(const Row& source, const Row& mixture) {
    for (std::size_t b = 0; b < product_.size(); ++b) {
      const double size = std::abs(source[b]), largest = kComplexLimit * std::abs(mixture[b]);
      product_[b] = size <= largest ? source[b] : source[b] * (largest / size);
    }
  }

  template <class Out>
  void finish_hop(std::span<const std::span<const float>> signals, std::int64_t origin, std::size_t m, bool wanted,
                  std::span<Products> products, const Out& out) {
    const std::size_t slot = m % (plan_.window / plan_.hop);
    const std::int64_t begin = begin_of(m);
    const std::int64_t low = std::max<std::int64_t>(begin, 0);
    const std::int64_t high = std::min(begin + static_cast<std::int64_t>(plan_.hop), static_cast<std::int64_t>(plan_.samples));
    const bool inside = wanted && low < high;
    const std::size_t skip = static_cast<std::size_t>(std::max<std::int64_t>(low - begin, 0));
    const std::size_t count = inside ? static_cast<std::size_t>(high - low) : 0;
    if (inside) plan_.inverse_norm(m, norm_);
    for (std::size_t s = 0; s < stems_; ++s) {
      const std::span<const double> reference(reference_.data(), count);
      const std::size_t at = static_cast<std::size_t>(low - origin);
      for (std::size_t n = 0; n < count; ++n) reference_[n] = at + n < signals[s].size() ? signals[s][at + n] : 0.0f;
      for (std::size_t k = 0; k < plan_.masks.size(); ++k) {
        double* const ring = overlap_[k * stems_ + s].data() + slot * plan_.hop;
        for (std::size_t n = 0; n < count; ++n) block_[n] = ring[skip + n] * norm_[skip + n];
        std::fill(ring, ring + plan_.hop, 0.0);
        const std::span<const double> estimate(block_.data(), count);
        Products& sums = products[k * stems_ + s];
        sums.estimate_reference += dot(estimate, reference);
        sums.estimate_estimate += dot(estimate, estimate);
        if (count > 0) out(k, s, at, estimate);
      }
    }
  }

  const Plan& plan_;
  std::size_t stems_;
  std::vector<double> time_;
  std::vector<Row> spectra_;  ///< stems, then the mixture
  Row product_;
  std::vector<std::vector<double>> gains_;
  std::vector<std::vector<double>> overlap_;  ///< [mask · stems + stem], a ring of one window
  std::vector<double> norm_, block_, reference_;
  std::vector<std::span<const std::complex<double>>> sources_;
  std::vector<std::span<double>> gain_rows_;
};

}  // namespace

OracleOptions OracleOptions::seed() {
  return {.masks = {"ibm", "irm", "wiener2", "wiener1"}, .trim_s = 10, .window = 1024, .hop = 256, .seed_arithmetic = true};
}

void OracleOptions::validate() const {
  for (auto name = masks.begin(); name != masks.end(); ++name) {
    if (*name != kMultichannelWiener) bin_mask(*name);
    if (std::find(masks.begin(), name, *name) != name) throw Error{ErrorCode::kUsage, "is asked for twice", *name};
  }
  if (masks.empty()) throw Error{ErrorCode::kUsage, "at least one mask is needed", "masks"};
  if (!(trim_s >= 0 && trim_s <= 1e6)) throw Error{ErrorCode::kUsage, "must lie between 0 (the whole track) and 1e6 s", "trim"};
  if (window > 0 && hop > 0 && (window % hop != 0 || 2 * hop > window)) {
    throw Error{ErrorCode::kUsage, "the hop divides the window and is at most half of it", "hop"};
  }
  if (hop == 0 && window % 4 != 0)
    throw Error{ErrorCode::kUsage, "the hop is a quarter of the window: choose a multiple of 4, or a hop", "window"};
  if (window % 2 != 0 || (window == 0 && hop > 0)) throw Error{ErrorCode::kUsage, "the window has an even length", "window"};
}

OracleResult oracle(const data::Track& track, const OracleOptions& options, RunContext& run, const OracleSink& sink) {
  options.validate();
  const OracleSources sources(track, options.trim_s);
  OracleResult result{.track = track.name,
                      .sample_rate = sources.info().sample_rate,
                      .channels = sources.info().channels,
                      .samples = sources.info().frames,
                      .trim_s = options.trim_s,
                      .seed_arithmetic = options.seed_arithmetic,
                      .stems = sources.labels(),
                      .skipped = sources.skipped(),
                      .warnings = track.warnings};
  const std::size_t window = window_samples(options, result.sample_rate), hop = options.hop ? options.hop : window / 4;
  const Plan plan(options, window, hop, result.samples);
  result.window = window;
  result.hop = hop;
  result.frames = plan.frames;

  const std::size_t stems = result.stems.size(), scores = plan.masks.size() * stems;
  const std::size_t all_scores = plan.filters() * stems;
  const std::size_t hops = (result.samples + window / 2 + hop - 1) / hop;  // the last one holds the last sample
  const std::size_t segment_hops = std::max<std::size_t>(kSegment / hop / kTaskHops, 1) * kTaskHops;
  std::vector<Products> totals(all_scores);
  OracleSums sums(stems);
  run.progress.start("oracle", result.samples, "frames");

  for (std::size_t first = 0; first < hops; first += segment_hops) {
    run.cancel.check();
    const std::size_t last = std::min(first + segment_hops, hops);
    // Samples of the hops themselves, and of all frames that reach into them.
    const auto half = static_cast<std::int64_t>(window / 2);
    const std::int64_t begin = std::max<std::int64_t>(static_cast<std::int64_t>(first * hop) - half - static_cast<std::int64_t>(window), 0);
    const std::int64_t end =
        std::min<std::int64_t>(static_cast<std::int64_t>(last * hop) + half, static_cast<std::int64_t>(result.samples));
    const std::vector<AudioBuffer> audio =
        sources.read(static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end - begin), run.pool);

    // Each sample counts once, in the segment whose hops hold it.
    const std::int64_t own_begin = std::max<std::int64_t>(static_cast<std::int64_t>(first * hop) - half, 0);
    const std::int64_t own_end =
        std::min<std::int64_t>(static_cast<std::int64_t>(last * hop) - half, static_cast<std::int64_t>(result.samples));
    if (own_end > own_begin) sums.add(audio, static_cast<std::size_t>(own_begin - begin), static_cast<std::size_t>(own_end - own_begin));

    std::vector<AudioBuffer> estimates;
    if (sink) estimates.assign(all_scores, AudioBuffer(result.channels, static_cast<std::size_t>(end - begin)));
    const std::size_t tasks = (last - first + kTaskHops - 1) / kTaskHops;
    std::vector<Products> partial(tasks * result.channels * scores);
    run.pool.parallel_ranges(tasks * result.channels, 1, [&](std::size_t from, std::size_t to) {
      Task task(plan, stems);
      for (std::size_t item = from; item < to; ++item) {
        const std::size_t channel = item % result.channels, task_first = first + item / result.channels * kTaskHops;
        std::vector<std::span<const float>> signals;
        for (const AudioBuffer& buffer : audio) signals.push_back(buffer.channel(channel));
        task.run(signals, begin, task_first, std::min(task_first + kTaskHops, last), std::span(partial).subspan(item * scores, scores),
                 [&](std::size_t k, std::size_t s, std::size_t at, std::span<const double> estimate) {
                   if (!sink) return;
                   const std::span<float> target = estimates[k * stems + s].channel(channel);
                   for (std::size_t n = 0; n < estimate.size(); ++n) target[at + n] = static_cast<float>(estimate[n]);
                 });
      }
    });
    for (std::size_t i = 0; i < partial.size(); ++i) {  // in the order of the samples, whoever computed them
      totals[i % scores].estimate_reference += partial[i].estimate_reference;
      totals[i % scores].estimate_estimate += partial[i].estimate_estimate;
    }
    if (own_end > own_begin) {
      const auto skip = static_cast<std::size_t>(own_begin - begin), own = static_cast<std::size_t>(own_end - own_begin);
      if (plan.multichannel) {
        std::vector<AudioBuffer> filtered = wiener_estimates(audio, window, hop, run);
        for (std::size_t s = 0; s < stems; ++s) {
          const Products sums_here = products_of(filtered[s].view().slice(skip, own), audio[s].view().slice(skip, own));
          totals[scores + s].estimate_reference += sums_here.estimate_reference;
          totals[scores + s].estimate_estimate += sums_here.estimate_estimate;
          if (sink) estimates[scores + s] = std::move(filtered[s]);
        }
      }
      for (std::size_t i = 0; i < estimates.size(); ++i) {
        const AudioView part = estimates[i].view().slice(skip, own);
        for (std::size_t name = 0; name < options.masks.size(); ++name) {
          if (plan.mask_of_request[name] == i / stems) sink(options.masks[name], result.stems[i % stems], part);
        }
      }
      run.progress.advance(static_cast<std::uint64_t>(own_end - own_begin));
    }
  }

  sums.finish(result, sources, options.seed_arithmetic);
  for (std::size_t name = 0; name < options.masks.size(); ++name) {
    OracleMask& mask = result.masks.emplace_back(OracleMask{options.masks[name], {}});
    double total = 0;
    std::size_t scored = 0;
    for (std::size_t s = 0; s < stems; ++s) {
      const double reference = sums.reference(s);
      const double score = si_sdr_db(totals[plan.mask_of_request[name] * stems + s], reference, options.seed_arithmetic);
      mask.si_sdr_db.push_back(score);
      if (std::isnan(score)) continue;
      total += score;
      ++scored;
    }
    if (scored > 0) mask.mean_db = total / static_cast<double>(scored);
  }
  return result;
}

}  // namespace unbraid::evaluate
