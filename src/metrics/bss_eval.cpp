#include "unbraid/metrics/bss_eval.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "metrics/block_toeplitz.hpp"
#include "metrics/correlation.hpp"
#include "metrics/projection.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::metrics {

namespace {

constexpr double kNotApplicable = std::numeric_limits<double>::quiet_NaN();
/// Where references hold nothing in some direction (below −110 dB), they get the noise that a 16-bit file at −20 dBFS has:
/// the material that BSS Eval v4 was made for. Without, filters amplify rounding noise by thousands, and the edges of the
/// windows, which are broad-band, with it.
constexpr Damping kSixteenBits{.below = 1e-11, .ridge = 1e-8};
constexpr std::size_t kMaxPermuted = 8;  ///< 8! orders, 64 pairs

using Views = std::span<const AudioView>;
using Scores = std::array<double, 4>;  ///< SDR, ISR, SIR, SAR
constexpr Scores kNoScores = {kNotApplicable, kNotApplicable, kNotApplicable, kNotApplicable};

double decibels(double above, double below) {
  if (below == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(above / below);
}

Scores scores(const Energies& e, BssCriteria criteria) {
  if (criteria == BssCriteria::kImages)
    return {decibels(e.source, e.total_error), decibels(e.source, e.spatial), decibels(e.filtered, e.interference),
            decibels(e.projected, e.artifacts)};
  return {decibels(e.filtered, e.filtered_error), kNotApplicable, decibels(e.filtered, e.interference), decibels(e.projected, e.artifacts)};
}

bool silent(AudioView audio, bool sum_of_channels) {
  if (sum_of_channels) {
    for (std::size_t n = 0; n < audio.frames(); ++n) {
      double sum = 0;
      for (std::size_t c = 0; c < audio.channels(); ++c) sum += audio.channel(c)[n];
      if (sum != 0) return false;
    }
    return true;
  }
  for (std::size_t c = 0; c < audio.channels(); ++c)
    if (!std::ranges::all_of(audio.channel(c), [](float x) { return x == 0; })) return false;
  return true;
}

void check_shapes(Views references, Views estimates, std::size_t sources, std::size_t channels) {
  if (references.size() != sources || estimates.size() != sources)
    throw Error{ErrorCode::kUsage, fmt::format("{} references and {} estimates, where there must be {} of each", references.size(),
                                               estimates.size(), sources)};
  for (const Views views : {references, estimates})
    for (const AudioView& view : views)
      if (view.channels() != channels || view.frames() != references[0].frames())
        throw Error{ErrorCode::kUsage, fmt::format("{} channels × {} frames among signals of {} × {}: references and estimates must "
                                                   "have the same shape",
                                                   view.channels(), view.frames(), channels, references[0].frames())};
}

std::vector<Window> windows_of(std::size_t frames, const BssEvalOptions& options) {
  if (frames == 0) return {};
  if (options.window_frames == 0 || options.window_frames >= frames) return {{0, frames}};
  std::vector<Window> windows;
  for (std::size_t first = 0; first + options.window_frames <= frames; first += options.hop_frames)
    windows.push_back({first, options.window_frames});
  return windows;
}

/// Which signals can be scored at all; an empty reason means yes.
struct Roster {
  std::vector<std::string> references, estimates;

  explicit Roster(std::size_t sources) : references(sources), estimates(sources) {}

  /// In this window some signal is silent that is not silent throughout.
  bool silent_within(Views reference_views, Views estimate_views, const Window& window, bool compat) const {
    const auto any = [&](Views views, const std::vector<std::string>& reasons) {
      for (std::size_t i = 0; i < views.size(); ++i)
        if (reasons[i].empty() && silent(views[i].slice(window.first, window.frames), compat)) return true;
      return false;
    };
    return any(reference_views, references) || any(estimate_views, estimates);
  }
};

void mark_silent(std::string& reason, const char* kind, std::size_t index, bool compat) {
  if (compat) throw Error{ErrorCode::kUnsupported, fmt::format("{} {} is silent throughout", kind, index)};
  reason = fmt::format("the {} is silent throughout", kind);
}

/// The best order in the sense of the mean SIR; the first of equals. pair_sir(j, e) lists the SIRs to average.
template <class PairSir>
std::vector<std::size_t> best_order(std::size_t sources, bool compat, const PairSir& pair_sir) {
  std::vector<std::size_t> order(sources), best;
  std::iota(order.begin(), order.end(), std::size_t{0});
  best = order;
  double best_mean = -std::numeric_limits<double>::infinity();
  do {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t j = 0; j < sources; ++j) {
      for (const double sir : pair_sir(j, order[j])) {
        if (std::isnan(sir) && !compat) continue;
        sum += sir;
        ++count;
      }
    }
    const double mean = count > 0 ? sum / static_cast<double>(count) : kNotApplicable;
    if (compat && std::isnan(mean)) return order;  // NumPy's argmax: the first NaN wins
    if (mean > best_mean) {
      best_mean = mean;
      best = order;
    }
  } while (std::ranges::next_permutation(order).found);
  return best;
}

}  // namespace

BssEvalOptions BssEvalOptions::v4(double sample_rate) {
  const auto second = static_cast<std::size_t>(sample_rate);
  return {.window_frames = second, .hop_frames = second};
}

BssEvalOptions BssEvalOptions::v3(BssCriteria criteria) { return {.window_frames = 0, .framewise_filters = true, .criteria = criteria}; }

void BssEvalOptions::validate() const {
  if (filter_length == 0) throw Error{ErrorCode::kUsage, "filters need at least one tap", "filter_length"};
  if (hop_frames == 0) throw Error{ErrorCode::kUsage, "windows must move on", "hop_frames"};
}

struct BssEvalV4::Impl {
  std::size_t sources;
  std::size_t channels;
  BssEvalOptions options;
  Roster roster;
  std::vector<bool> heard_references, heard_estimates;  ///< not silent so far
  std::optional<LagCorrelator> correlator;
  std::optional<Projector> projector;
  std::vector<Pair> pairs;
  std::vector<std::size_t> starts;
  std::vector<std::vector<Scores>> table;  ///< [window][pair_index]
  std::size_t frames_scored = 0;
  double residual = 0;

  Impl(std::size_t source_count, std::size_t channel_count, const BssEvalOptions& given)
      : sources(source_count),
        channels(channel_count),
        options(given),
        roster(sources),
        heard_references(sources),
        heard_estimates(sources) {
    options.validate();
    if (sources == 0 || channels == 0) throw Error{ErrorCode::kUsage, "nothing to evaluate: no sources"};
    if (options.permute && sources > kMaxPermuted)
      throw Error{ErrorCode::kUsage, fmt::format("the order of {} sources cannot be searched for: at most {}", sources, kMaxPermuted)};
  }

  std::size_t pair_index(std::size_t reference, std::size_t estimate) const {
    return options.permute ? reference * sources + estimate : reference;
  }

  void measure(Views references, Views estimates, ThreadPool& pool) {
    check_shapes(references, estimates, sources, channels);
    if (!correlator) correlator.emplace(2 * sources * channels, sources * channels, options.filter_length);
    std::vector<std::span<const float>> rows;
    for (const Views views : {references, estimates})
      for (const AudioView& view : views)
        for (std::size_t c = 0; c < channels; ++c) rows.push_back(view.channel(c));
    for (std::size_t i = 0; i < sources; ++i) {
      heard_references[i] = heard_references[i] || !silent(references[i], options.compat);
      heard_estimates[i] = heard_estimates[i] || !silent(estimates[i], options.compat);
    }
    correlator->add(rows, pool);
  }

  void find_out_who_counts(const Correlations& r) {
    for (std::size_t i = 0; i < sources; ++i) {
      if (!heard_references[i]) mark_silent(roster.references[i], "reference", i, options.compat);
      if (!heard_estimates[i]) mark_silent(roster.estimates[i], "estimate", i, options.compat);
    }
    // One value that is not finite spoils every correlation of its signal.
    std::vector<bool> spoilt(sources);
    for (std::size_t y = 0; y < sources * channels; ++y)
      if (!std::isfinite(r.at(y, y)[0])) spoilt[y / channels] = true;
    if (std::ranges::find(spoilt, true) != spoilt.end()) {  // and those of every estimate with it
      for (std::size_t i = 0; i < sources; ++i)
        roster.references[i] = fmt::format("{} reference has values that are not finite", spoilt[i] ? "the" : "another");
      return;
    }
    for (std::size_t x = 0; x < sources * channels; ++x)
      if (!std::isfinite(r.at(sources * channels + x, 0)[0]))
        roster.estimates[x / channels] = "the estimate has values that are not finite";
  }

  /// Whether filters of the whole track are applied to pieces of it, whose edges are not in what the filters were made for.
  bool windows_are_cut_out() const { return !options.framewise_filters && options.window_frames > 0; }

  /// Filters from the given sources to each of the estimates, by least squares. Channels without energy have none.
  double solve_filters(const Correlations& r, const std::vector<std::size_t>& from, const std::vector<std::size_t>& to,
                       std::vector<FilterBank>& banks) const {
    const std::size_t taps = options.filter_length;
    std::vector<std::size_t> rows;  // position among from's channels
    const auto signal = [&](std::size_t row) { return from[row / channels] * channels + row % channels; };
    for (std::size_t row = 0; row < from.size() * channels; ++row)
      if (r.at(signal(row), signal(row))[0] > 0) rows.push_back(row);
    const std::size_t p = rows.size();

    std::vector<double> first_row(p * p * taps);
    for (std::size_t i = 0; i < p; ++i)
      for (std::size_t j = 0; j < p; ++j)
        for (std::size_t m = 0; m < taps; ++m) first_row[(m * p + i) * p + j] = r.at(signal(rows[i]), signal(rows[j]))[m];
    // museval's regularisation: an absolute machine epsilon, felt by very quiet signals only.
    for (std::size_t i = 0; i < p; ++i) first_row[i * p + i] += std::numeric_limits<double>::epsilon();

    const std::size_t columns = to.size() * channels, n = p * taps;
    std::vector<double> solution(columns * n);
    for (std::size_t e = 0; e < to.size(); ++e)
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < p; ++i) {
          const auto d = r.at((sources + to[e]) * channels + c, signal(rows[i]));
          for (std::size_t t = 0; t < taps; ++t) solution[(e * channels + c) * n + t * p + i] = d[t];
        }
    const double error =
        BlockToeplitz(first_row, p, taps).solve(solution, columns, windows_are_cut_out() && !options.compat ? kSixteenBits : Damping{});

    for (std::size_t e = 0; e < to.size(); ++e) {
      FilterBank bank{.sources = from, .taps = std::vector<double>(from.size() * channels * channels * taps)};
      for (std::size_t i = 0; i < p; ++i)
        for (std::size_t c = 0; c < channels; ++c)
          for (std::size_t t = 0; t < taps; ++t)
            bank.taps[(rows[i] * channels + c) * taps + t] = solution[(e * channels + c) * n + t * p + i];
      banks.push_back(std::move(bank));
    }
    return error;
  }

  void solve(ThreadPool& pool) {
    if (!correlator) return;
    const Correlations r = correlator->finish(pool);
    correlator.reset();
    find_out_who_counts(r);
    std::vector<std::size_t> active, scored;
    for (std::size_t i = 0; i < sources; ++i) {
      if (roster.references[i].empty()) active.push_back(i);
      if (roster.estimates[i].empty()) scored.push_back(i);
    }
    if (active.empty() || scored.empty()) return;

    // Job 0 is the system of all references, by far the largest; then one for each reference.
    std::vector<FilterBank> joint_banks;
    std::vector<std::vector<FilterBank>> target_banks(active.size());
    std::vector<std::vector<std::size_t>> wanted(active.size());
    for (std::size_t i = 0; i < active.size(); ++i)
      for (const std::size_t e : scored)
        if (options.permute || e == active[i]) wanted[i].push_back(e);
    std::vector<double> errors(active.size() + 1);
    pool.parallel_for(active.size() + 1, [&](std::size_t job) {
      if (job == 0) {
        // With a single reference both projections are the same, and the interference is exactly nothing.
        if (active.size() > 1) errors[0] = solve_filters(r, active, scored, joint_banks);
      } else if (!wanted[job - 1].empty()) {
        errors[job] = solve_filters(r, {active[job - 1]}, wanted[job - 1], target_banks[job - 1]);
      }
    });
    residual = std::ranges::max(errors);

    std::vector<FilterBank> joint(sources);
    for (std::size_t e = 0; e < joint_banks.size(); ++e) joint[scored[e]] = std::move(joint_banks[e]);
    for (std::size_t i = 0; i < active.size(); ++i)
      for (std::size_t e = 0; e < wanted[i].size(); ++e) pairs.push_back({active[i], wanted[i][e], std::move(target_banks[i][e])});
    projector.emplace(channels, options.filter_length, joint, pairs);
  }

  void score(Views references, Views estimates, ThreadPool& pool) {
    check_shapes(references, estimates, sources, channels);
    const std::vector<Window> windows = windows_of(references[0].frames(), options);
    const std::size_t first_row = table.size();
    std::vector<Window> audible;
    std::vector<std::size_t> rows;
    for (const Window& window : windows) {
      if (!roster.silent_within(references, estimates, window, options.compat)) {
        audible.push_back(window);
        rows.push_back(table.size());
      }
      starts.push_back(frames_scored + window.first);
      table.emplace_back(options.permute ? sources * sources : sources, kNoScores);
    }
    if (projector && !audible.empty()) {
      const auto energies = projector->measure(references, estimates, audible, pool);
      for (std::size_t w = 0; w < rows.size(); ++w)
        for (std::size_t p = 0; p < pairs.size(); ++p)
          table[rows[w]][pair_index(pairs[p].reference, pairs[p].estimate)] = scores(energies[w][p], options.criteria);
    }
    frames_scored += (table.size() - first_row) * options.hop_frames;
  }

  BssEvalResult result() const {
    BssEvalResult out{.sources = std::vector<BssSourceScores>(sources), .window_start_frames = starts, .residual = residual};
    std::vector<std::size_t> identity(sources);
    std::iota(identity.begin(), identity.end(), std::size_t{0});
    const auto sirs = [&](std::size_t first, std::size_t last) {
      return [&, first, last](std::size_t j, std::size_t e) {
        std::vector<double> values;
        for (std::size_t w = first; w < last; ++w) values.push_back(table[w][pair_index(j, e)][2]);
        return values;
      };
    };
    const std::size_t orders = options.framewise_filters ? table.size() : 1;
    for (std::size_t w = 0; w < orders; ++w) {
      const std::size_t last = options.framewise_filters ? w + 1 : table.size();
      out.permutation.push_back(options.permute ? best_order(sources, options.compat, sirs(w, last)) : identity);
    }
    for (std::size_t w = 0; w < table.size(); ++w) {
      const auto& order = out.permutation[options.framewise_filters ? w : 0];
      for (std::size_t j = 0; j < sources; ++j) {
        const Scores& s = table[w][pair_index(j, order[j])];
        out.sources[j].sdr.push_back(s[0]);
        out.sources[j].isr.push_back(s[1]);
        out.sources[j].sir.push_back(s[2]);
        out.sources[j].sar.push_back(s[3]);
      }
    }
    for (std::size_t j = 0; j < sources; ++j) {
      const std::size_t e = out.permutation.empty() ? j : out.permutation[0][j];
      out.sources[j].not_applicable = table.empty()                   ? "no samples"
                                      : !roster.references[j].empty() ? roster.references[j]
                                                                      : roster.estimates[e];
    }
    return out;
  }
};

BssEvalV4::BssEvalV4(std::size_t sources, std::size_t channels, const BssEvalOptions& options)
    : impl_(std::make_unique<Impl>(sources, channels, options)) {
  if (options.framewise_filters) throw Error{ErrorCode::kUsage, "filters of each window need the window in memory: use bss_eval()"};
}
BssEvalV4::~BssEvalV4() = default;
BssEvalV4::BssEvalV4(BssEvalV4&&) noexcept = default;
BssEvalV4& BssEvalV4::operator=(BssEvalV4&&) noexcept = default;

void BssEvalV4::measure(Views references, Views estimates, RunContext& run) {
  run.cancel.check();
  impl_->measure(references, estimates, run.pool);
}
void BssEvalV4::solve(RunContext& run) {
  run.cancel.check();
  impl_->solve(run.pool);
}
void BssEvalV4::score(Views references, Views estimates, RunContext& run) {
  run.cancel.check();
  impl_->score(references, estimates, run.pool);
}
BssEvalResult BssEvalV4::result() const { return impl_->result(); }

BssEvalResult bss_eval(Views references, Views estimates, const BssEvalOptions& options, RunContext& run) {
  if (references.empty()) throw Error{ErrorCode::kUsage, "nothing to evaluate: no sources"};
  const std::size_t sources = references.size(), channels = references[0].channels();
  if (!options.framewise_filters) {
    BssEvalV4 eval(sources, channels, options);
    eval.measure(references, estimates, run);
    eval.solve(run);
    eval.score(references, estimates, run);
    return eval.result();
  }

  // `whole` never has filters of its own: it knows who is silent throughout and collects the windows' scores.
  BssEvalV4::Impl whole(sources, channels, options);
  check_shapes(references, estimates, sources, channels);
  for (std::size_t i = 0; i < sources; ++i) {
    if (silent(references[i], options.compat)) mark_silent(whole.roster.references[i], "reference", i, options.compat);
    if (silent(estimates[i], options.compat)) mark_silent(whole.roster.estimates[i], "estimate", i, options.compat);
  }
  const auto slices = [](Views views, const Window& window) {
    std::vector<AudioView> result;
    for (const AudioView& view : views) result.push_back(view.slice(window.first, window.frames));
    return result;
  };
  for (const Window& window : windows_of(references[0].frames(), options)) {
    run.cancel.check();
    whole.starts.push_back(window.first);
    whole.table.emplace_back(options.permute ? sources * sources : sources, kNoScores);
    if (whole.roster.silent_within(references, estimates, window, options.compat)) continue;
    BssEvalOptions single = options;
    single.window_frames = 0;
    BssEvalV4::Impl eval(sources, channels, single);
    const auto reference_slices = slices(references, window), estimate_slices = slices(estimates, window);
    eval.measure(reference_slices, estimate_slices, run.pool);
    eval.solve(run.pool);
    eval.score(reference_slices, estimate_slices, run.pool);
    whole.table.back() = eval.table[0];
    whole.residual = std::max(whole.residual, eval.residual);
  }
  return whole.result();
}

}  // namespace unbraid::metrics
