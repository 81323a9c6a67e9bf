#include "unbraid/evaluate/evaluate_track.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <optional>

#include "evaluate/level_grid.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/metrics/l1_norm.hpp"
#include "unbraid/metrics/l1_snr.hpp"
#include "unbraid/metrics/log_wmse.hpp"
#include "unbraid/metrics/mel_difference.hpp"
#include "unbraid/metrics/projection_scores.hpp"
#include "unbraid/metrics/scale_invariant.hpp"
#include "unbraid/metrics/sdr.hpp"
#include "unbraid/metrics/si_sdr_seed.hpp"
#include "unbraid/metrics/stft_distance.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::evaluate {

namespace {

constexpr double kNotApplicable = std::numeric_limits<double>::quiet_NaN();
constexpr double kStretchSeconds = 8;  ///< read at a time while BSS Eval streams

struct Target {
  std::string name;
  data::SourcePtr reference, estimate;
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Names of the sum of all stems but the vocals: the usual ones, and "bass+drums+other", as nussl calls a residual.
bool names_accompaniment(const std::string& name, const data::Track& reference) {
  std::vector<std::string> rest;
  for (const data::TrackStem& stem : reference.stems)
    if (lower(stem.name) != "vocals") rest.push_back(lower(stem.name));
  std::ranges::sort(rest);
  const std::string n = lower(name);
  return n == "accompaniment" || n == "instrumental" || n == "no_vocals" || n == fmt::format("{}", fmt::join(rest, "+"));
}

/// The stems that both have, the accompaniment last; what has no partner goes to `result`.
std::vector<Target> find_targets(const data::Track& reference, const data::Track& estimate, const EvaluateOptions& options,
                                 TrackResult& result) {
  const auto partner = [](const data::Track& track, const std::string& name) {
    const auto found = std::ranges::find(track.stems, lower(name), [](const auto& stem) { return lower(stem.name); });
    return found == track.stems.end() ? nullptr : &*found;
  };
  std::vector<Target> targets;
  std::vector<data::SourcePtr> rest, estimated_rest;
  for (const data::TrackStem& stem : reference.stems) {
    const data::TrackStem* const found = partner(estimate, stem.name);
    if (lower(stem.name) != "vocals") {
      rest.push_back(stem.audio);
      if (found) estimated_rest.push_back(found->audio);
    }
    if (found) targets.push_back({stem.name, stem.audio, found->audio});
    else result.missing.push_back(stem.name);
  }
  const bool has_vocals = partner(reference, "vocals") != nullptr;
  const data::TrackStem* accompaniment = nullptr;
  for (const data::TrackStem& stem : estimate.stems) {
    if (partner(reference, stem.name)) continue;
    if (names_accompaniment(stem.name, reference) && has_vocals && !rest.empty()) accompaniment = &stem;
    else result.extra.push_back(stem.name);
  }
  if (accompaniment) targets.push_back({"accompaniment", data::sum_source(rest), accompaniment->audio});
  else if (options.accompaniment && has_vocals && !rest.empty() && estimated_rest.size() == rest.size())
    targets.push_back({"accompaniment", data::sum_source(rest), data::sum_source(estimated_rest)});

  if (targets.empty())
    throw Error{ErrorCode::kNotFound,
                fmt::format("no stem has the name of a reference: references {}, estimates {}", fmt::join(reference.stem_names(), ", "),
                            fmt::join(estimate.stem_names(), ", ")),
                reference.name};
  return targets;
}

/// The frames that all signals have, after checking that they can be compared.
std::uint64_t common_frames(const std::vector<Target>& targets, const data::Track& reference, const EvaluateOptions& options,
                            TrackResult& result) {
  const data::SourceInfo first = targets[0].reference->info();
  std::uint64_t frames = first.frames;
  std::string shortest = fmt::format("reference {}", targets[0].name);
  bool differ = false;
  for (const Target& target : targets) {
    for (const bool estimated : {false, true}) {
      const data::SourceInfo info = (estimated ? target.estimate : target.reference)->info();
      const std::string what = fmt::format("{} {}", estimated ? "estimate" : "reference", target.name);
      if (info.sample_rate != first.sample_rate)
        throw Error{ErrorCode::kFormat,
                    fmt::format("{} is at {:g} Hz, reference {} at {:g} Hz; resample one of them first", what, info.sample_rate,
                                targets[0].name, first.sample_rate),
                    reference.name};
      if (info.channels != first.channels)
        throw Error{ErrorCode::kFormat,
                    fmt::format("{} has {} channel{}, reference {} has {}; they must agree", what, info.channels,
                                info.channels == 1 ? "" : "s", targets[0].name, first.channels),
                    reference.name};
      if (info.frames != frames && options.strict)
        throw Error{ErrorCode::kFormat, fmt::format("{} has {} frames, others have {}", what, info.frames, frames), reference.name};
      differ = differ || info.frames != first.frames;
      if (info.frames < frames) {
        frames = info.frames;
        shortest = what;
      }
    }
  }
  if (differ && frames == 0) throw Error{ErrorCode::kFormat, fmt::format("{} has no samples", shortest), reference.name};
  if (differ)
    result.warnings.push_back(fmt::format("signals of different lengths were cut to {} frames ({:.3f} s), which {} has", frames,
                                          static_cast<double>(frames) / first.sample_rate, shortest));
  return frames;
}

/// Exactly so many frames from `first` on.
AudioBuffer load(const data::AudioSource& source, std::uint64_t first, std::uint64_t frames) {
  AudioBuffer audio = source.read(first, frames);
  if (audio.frames() != frames)
    throw Error{ErrorCode::kFormat, fmt::format("{} frames where its header promises {}", audio.frames(), frames)};
  return audio;
}

struct Signals {
  std::vector<AudioBuffer> references, estimates;
  std::vector<AudioView> reference_views() const { return {references.begin(), references.end()}; }
  std::vector<AudioView> estimate_views() const { return {estimates.begin(), estimates.end()}; }
};

Signals load_all(const std::vector<Target>& targets, std::uint64_t first, std::uint64_t frames) {
  Signals signals;
  for (const Target& target : targets) {
    signals.references.push_back(load(*target.reference, first, frames));
    signals.estimates.push_back(load(*target.estimate, first, frames));
  }
  return signals;
}

metrics::BssEvalResult stream_bss_eval(const std::vector<Target>& targets, std::uint64_t frames, double sample_rate,
                                       const metrics::BssEvalOptions& options, RunContext& run) {
  metrics::BssEvalV4 eval(targets.size(), targets[0].reference->info().channels, options);
  const auto block = static_cast<std::uint64_t>(kStretchSeconds * sample_rate);
  for (std::uint64_t first = 0; first < frames; first += block) {
    const Signals signals = load_all(targets, first, std::min(block, frames - first));
    eval.measure(signals.reference_views(), signals.estimate_views(), run);
  }
  eval.solve(run);
  const std::uint64_t window = options.window_frames == 0 ? frames : std::min<std::uint64_t>(options.window_frames, frames);
  const std::uint64_t windows = frames == 0 ? 0 : (frames - window) / options.hop_frames + 1;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, block / options.hop_frames);
  for (std::uint64_t w = 0; w < windows; w += at_once) {
    const std::uint64_t count = std::min(at_once, windows - w);
    const Signals signals = load_all(targets, w * options.hop_frames, (count - 1) * options.hop_frames + window);
    eval.score(signals.reference_views(), signals.estimate_views(), run);
  }
  return eval.result();
}

bool wants(const EvaluateOptions& options, std::string_view metric) {
  return std::ranges::find(options.metrics, metric) != options.metrics.end();
}

void set_bss(TargetResult& target, const std::string& metric, const metrics::BssSourceScores& scores, bool with_isr = true) {
  target.metrics[metric + ".SDR"] = metrics::median_or_infinity(scores.sdr);
  if (with_isr) target.metrics[metric + ".ISR"] = metrics::median_or_infinity(scores.isr);
  target.metrics[metric + ".SIR"] = metrics::median_or_infinity(scores.sir);
  target.metrics[metric + ".SAR"] = metrics::median_or_infinity(scores.sar);
}

bool silent(std::span<const float> samples) {
  return std::ranges::all_of(samples, [](float x) { return x == 0; });
}

/// A reference channel of one value throughout has no score: without its mean it is silent.
bool constant(std::span<const float> samples) {
  return std::ranges::all_of(samples, [&](float x) { return x == samples.front(); });
}

/// The mean of score(channel) over the channels in which the reference sounds. Unlike metrics::mean() it hides nothing: where
/// the estimate of one of them is silent, so that its score is no number, or perfect, so that it is infinite, so is the mean.
double over_channels(AudioView reference, const auto& score) {
  double sum = 0;
  std::size_t sounding = 0;
  for (std::size_t c = 0; c < reference.channels(); ++c) {
    if (constant(reference.channel(c))) continue;
    sum += score(c);
    ++sounding;
  }
  return sounding > 0 ? sum / static_cast<double>(sounding) : kNotApplicable;
}

/// The scores that see all targets at once.
void score_together(const std::vector<Target>& targets, std::span<TargetResult* const> results, std::uint64_t frames, double sample_rate,
                    const EvaluateOptions& options, TrackResult& track, RunContext& run) {
  if (wants(options, "bsseval_v4")) {
    const auto in_frames = [&](double s) { return std::max<std::size_t>(static_cast<std::size_t>(std::llround(s * sample_rate)), 1); };
    const metrics::BssEvalOptions bss{.window_frames = options.window_s > 0 ? in_frames(options.window_s) : 0,
                                      .hop_frames = in_frames(options.hop_s),
                                      .filter_length = options.filter_length,
                                      .compat = options.compat};
    const auto scores = stream_bss_eval(targets, frames, sample_rate, bss, run);
    track.window_start_s.clear();
    for (const std::size_t start : scores.window_start_frames) track.window_start_s.push_back(static_cast<double>(start) / sample_rate);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      results[i]->windows = scores.sources[i];
      results[i]->not_applicable = scores.sources[i].not_applicable;
      set_bss(*results[i], "bsseval_v4", scores.sources[i]);
    }
  }
  const bool v3 = wants(options, "bsseval_v3"), sources = wants(options, "bsseval_v3_sources");
  const bool scale = wants(options, "scale"), projection = wants(options, "projection");
  if (!v3 && !sources && !scale && !projection) return;
  const Signals signals = load_all(targets, 0, frames);
  const auto references = signals.reference_views(), estimates = signals.estimate_views();
  for (const auto criteria : {metrics::BssCriteria::kImages, metrics::BssCriteria::kSources}) {
    const bool images = criteria == metrics::BssCriteria::kImages;
    if (!(images ? v3 : sources)) continue;
    metrics::BssEvalOptions bss = metrics::BssEvalOptions::v3(criteria);
    bss.filter_length = options.filter_length;
    bss.compat = options.compat;
    const auto scores = metrics::bss_eval(references, estimates, bss, run);
    for (std::size_t i = 0; i < targets.size(); ++i)
      set_bss(*results[i], images ? "bsseval_v3" : "bsseval_v3_sources", scores.sources[i], images);
  }
  if (scale) {
    const auto scores = metrics::scale_scores(references, estimates, {}, run);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto average = [&](double metrics::ScaleScores::*member, bool improvement) {
        return over_channels(references[i], [&](std::size_t c) {
          return scores.sources[i].channels[c].*member - (improvement ? scores.sources[i].mixture[c].*member : 0.0);
        });
      };
      using S = metrics::ScaleScores;
      auto& out = results[i]->metrics;
      out["scale.SI-SDR"] = average(&S::si_sdr, false);
      out["scale.SI-SIR"] = average(&S::si_sir, false);
      out["scale.SI-SAR"] = average(&S::si_sar, false);
      out["scale.SD-SDR"] = average(&S::sd_sdr, false);
      out["scale.SNR"] = average(&S::snr, false);
      out["scale.SRR"] = average(&S::srr, false);
      out["scale.SI-SDRi"] = average(&S::si_sdr, true);
      out["scale.SD-SDRi"] = average(&S::sd_sdr, true);
      out["scale.SNRi"] = average(&S::snr, true);
    }
  }
  if (projection) {
    const auto scores = metrics::projection_scores(references, estimates);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto average = [&](const std::vector<double>& of_channels) {
        return over_channels(references[i], [&](std::size_t c) { return of_channels[c]; });
      };
      results[i]->metrics["projection.SDR"] = average(scores[i].sdr);
      results[i]->metrics["projection.SIR"] = average(scores[i].sir);
      results[i]->metrics["projection.SAR"] = average(scores[i].sar);
    }
  }
}

bool finite(const AudioBuffer& audio) {
  return std::ranges::all_of(audio.samples(), [](float x) { return std::isfinite(x); });
}

/// Why there are no scores of this estimate, or empty.
std::string not_applicable(const AudioBuffer& reference, const AudioBuffer& estimate) {
  if (reference.frames() == 0) return "no samples";
  if (!finite(reference)) return "the reference has values that are not finite";
  if (!finite(estimate)) return "the estimate has values that are not finite";
  if (silent(reference.samples())) return "the reference is silent throughout";
  return "";
}

/// The scores of one estimate against one reference. The mixture is empty where no metric needs it.
void score_alone(const Target& target, const AudioBuffer& mixture, std::uint64_t frames, double sample_rate, const EvaluateOptions& options,
                 TargetResult& result, TrackResult& track, RunContext& run) {
  const AudioBuffer s = load(*target.reference, 0, frames), x = load(*target.estimate, 0, frames);
  if (options.pictures && frames > 0) {
    result.reference_levels = level_grid(s, sample_rate);
    result.estimate_levels = level_grid(x, sample_rate);
  }
  const std::string why_not = not_applicable(s, x);
  const bool apply = why_not.empty(), mixture_applies = finite(mixture);
  if (result.not_applicable.empty())
    result.not_applicable = apply && !mixture_applies ? "the mixture has values that are not finite" : why_not;
  if (apply && !silent(x.samples()))
    for (std::size_t c = 0; c < s.channels(); ++c)
      if (silent(x.channel(c)) && !constant(s.channel(c)))
        track.warnings.push_back(fmt::format("channel {} of estimate {} is silent, its reference is not", c + 1, target.name));
  const auto set = [&](std::string_view metric, const std::string& name, const auto& compute) {
    if (wants(options, metric)) result.metrics[name] = apply ? compute() : kNotApplicable;
  };
  if (wants(options, "si_sdr")) {
    result.metrics["si_sdr"] = result.metrics["si_sdr_improvement"] = kNotApplicable;
    if (apply) {
      const AudioView reference = s, estimate = x;
      const auto scores = metrics::scale_scores({&reference, 1}, {&estimate, 1}, {.interference = false}, run, mixture);
      const metrics::ScaleSource& source = scores.sources[0];
      result.metrics["si_sdr"] = over_channels(s, [&](std::size_t c) { return source.channels[c].si_sdr; });
      if (mixture_applies)
        result.metrics["si_sdr_improvement"] =
            over_channels(s, [&](std::size_t c) { return source.channels[c].si_sdr - source.mixture[c].si_sdr; });
    }
  }
  set("sdr", "sdr", [&] { return metrics::sdr(s, x); });
  set("k_sdr", "k_sdr", [&] { return metrics::k_sdr(metrics::sdr(s, x)); });
  set("si_sdr_msst", "si_sdr_msst", [&] { return metrics::si_sdr_msst(s, x); });
  set("si_sdr_seed", "si_sdr_seed",
      [&] { return over_channels(s, [&](std::size_t c) { return metrics::si_sdr_seed(s.channel(c), x.channel(c)); }); });
  set("l1_time", "l1_time", [&] { return metrics::l1_time(s, x); });
  set("l1_freq", "l1_freq", [&] { return metrics::l1_score(metrics::l1_frequency(s, x, run.pool)); });
  set("l1_snr", "l1_snr", [&] { return metrics::l1_snr(s, x, run.pool); });
  set("log_wmse", "log_wmse", [&] { return mixture_applies ? metrics::log_wmse(s, x, mixture, run.pool, sample_rate) : kNotApplicable; });
  set("aura_stft", "aura_stft", [&] { return metrics::stft_score(metrics::stft_distance(s, x, run.pool).loss()); });
  set("aura_mrstft", "aura_mrstft",
      [&] { return metrics::stft_score(metrics::multi_resolution_stft_distance(s, x, run.pool, sample_rate)); });
  if (wants(options, "bleedless") || wants(options, "fullness")) {
    metrics::MelScores scores{.bleedless = kNotApplicable, .fullness = kNotApplicable};
    if (apply) scores = metrics::mel_scores(metrics::db_difference_mel(s, x, run.pool, sample_rate));
    if (wants(options, "bleedless")) result.metrics["bleedless"] = scores.bleedless;
    if (wants(options, "fullness")) result.metrics["fullness"] = scores.fullness;
  }
}

}  // namespace

const std::vector<MetricInfo>& known_metrics() {
  const auto bss = [](const std::string& name) {
    return std::vector<std::string>{name + ".SDR", name + ".ISR", name + ".SIR", name + ".SAR"};
  };
  static const std::vector<MetricInfo> metrics{
      {"bsseval_v4", bss("bsseval_v4"), "BSS Eval v4 as museval: median over windows, dB"},
      {"bsseval_v3", bss("bsseval_v3"), "BSS Eval v3, images, whole track, dB"},
      {"bsseval_v3_sources",
       {"bsseval_v3_sources.SDR", "bsseval_v3_sources.SIR", "bsseval_v3_sources.SAR"},
       "BSS Eval v3, sources, whole track, dB"},
      {"si_sdr", {"si_sdr", "si_sdr_improvement"}, "scale-invariant SDR and its gain over the mixture, dB"},
      {"scale",
       {"scale.SI-SDR", "scale.SI-SIR", "scale.SI-SAR", "scale.SD-SDR", "scale.SNR", "scale.SRR", "scale.SI-SDRi", "scale.SD-SDRi",
        "scale.SNRi"},
       "SI-SDR's whole family as nussl, dB"},
      {"sdr", {"sdr"}, "plain SDR of the whole track, dB"},
      {"k_sdr", {"k_sdr"}, "MSST's bounded SDR, 0 to 100", ""},
      {"si_sdr_msst", {"si_sdr_msst"}, "MSST's SI-SDR, dB"},
      {"si_sdr_seed", {"si_sdr_seed"}, "the oracle notebook's SI-SDR with its epsilon, dB"},
      {"projection", {"projection.SDR", "projection.SIR", "projection.SAR"}, "single-tap BSS Eval, dB"},
      {"l1_time", {"l1_time"}, "mean absolute difference of samples, lower is better", "", true},
      {"l1_freq", {"l1_freq"}, "MSST's L1 score of magnitudes, 0 to 100", ""},
      {"l1_snr", {"l1_snr"}, "L1-SNR in time and three resolutions, dB"},
      {"log_wmse", {"log_wmse"}, "logWMSE, frequency-weighted, 73.68 is perfect", ""},
      {"bleedless", {"bleedless"}, "how little is too much, 0 to 100", ""},
      {"fullness", {"fullness"}, "how little is missing, 0 to 100", ""},
      {"aura_stft", {"aura_stft"}, "STFT distance as a score, 0 to 100", ""},
      {"aura_mrstft", {"aura_mrstft"}, "multi-resolution mel STFT distance as a score, 0 to 100", ""}};
  return metrics;
}

const MetricInfo* metric_of(const std::string& result) {
  const auto gives = [&](const MetricInfo& info) { return std::ranges::find(info.results, result) != info.results.end(); };
  const auto found = std::ranges::find_if(known_metrics(), gives);
  return found == known_metrics().end() ? nullptr : &*found;
}

bool lower_is_better(const std::string& result) {
  const MetricInfo* const metric = metric_of(result);
  return metric && metric->lower_is_better;
}

std::string with_unit(const std::string& result) {
  const MetricInfo* const metric = metric_of(result);
  return !metric || metric->unit.empty() ? result : fmt::format("{} ({})", result, metric->unit);
}

void EvaluateOptions::validate() const {
  for (const std::string& metric : metrics) {
    if (std::ranges::find(known_metrics(), metric, &MetricInfo::name) != known_metrics().end()) continue;
    std::vector<std::string> names;
    for (const MetricInfo& info : known_metrics()) names.push_back(info.name);
    throw Error{ErrorCode::kUsage, fmt::format("unknown metric; there are {}", fmt::join(names, ", ")), metric};
  }
  if (metrics.empty()) throw Error{ErrorCode::kUsage, "no metric was asked for", "metrics"};
  if (!(window_s >= 0 && window_s <= 1e6)) throw Error{ErrorCode::kUsage, "must lie between 0 and 1e6 s", "window"};
  if (!(hop_s > 0 && hop_s <= 1e6)) throw Error{ErrorCode::kUsage, "must lie above 0 and up to 1e6 s", "hop"};
  if (filter_length == 0 || filter_length > 8192) throw Error{ErrorCode::kUsage, "must lie between 1 and 8192 taps", "filter length"};
}

TrackResult evaluate_track(const data::Track& reference, const data::Track& estimate, const EvaluateOptions& options, RunContext& run) {
  options.validate();
  TrackResult result{.name = reference.name, .split = reference.split, .sample_rate = reference.sample_rate, .window_s = options.window_s};
  for (const std::string& warning : reference.warnings) result.warnings.push_back("references: " + warning);
  for (const std::string& warning : estimate.warnings) result.warnings.push_back("estimates: " + warning);
  const std::vector<Target> targets = find_targets(reference, estimate, options, result);
  const std::uint64_t frames = common_frames(targets, reference, options, result);
  result.sample_rate = targets[0].reference->info().sample_rate;
  result.seconds = static_cast<double>(frames) / result.sample_rate;
  for (const Target& target : targets) result.targets.push_back({.name = target.name});

  // With an accompaniment there are two evaluations: all stems, then vocals and accompaniment, whose scores of the
  // vocals are the ones that count.
  const bool accompanied = targets.back().name == "accompaniment";
  const auto is_vocals = [&](std::size_t i) { return lower(targets[i].name) == "vocals"; };
  for (const bool pair : {false, true}) {
    std::vector<Target> group;
    std::vector<TargetResult*> results;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const bool last = accompanied && i + 1 == targets.size();
      if (pair ? !accompanied || !(last || is_vocals(i)) : last) continue;
      group.push_back(targets[i]);
      results.push_back(&result.targets[i]);
    }
    const bool only_vocals = accompanied && !pair && group.size() == 1 && is_vocals(0);
    if (!group.empty() && !only_vocals) score_together(group, results, frames, result.sample_rate, options, result, run);
  }

  AudioBuffer mixture;
  if (wants(options, "si_sdr") || wants(options, "log_wmse")) {
    mixture = reference.mixture->read(0, frames);
    if (mixture.frames() != frames || mixture.channels() != targets[0].reference->info().channels)
      throw Error{ErrorCode::kFormat, "the mixture is shorter than its stems or has other channels", reference.name};
  }
  if (frames == 0)
    for (TargetResult& target : result.targets) target.not_applicable = "no samples";
  const bool alone = options.pictures || std::ranges::any_of(options.metrics, [](const std::string& metric) {
                       return !metric.starts_with("bsseval") && metric != "scale" && metric != "projection";
                     });
  for (std::size_t i = 0; alone && i < targets.size(); ++i) {
    run.cancel.check();
    score_alone(targets[i], mixture, frames, result.sample_rate, options, result.targets[i], result, run);
  }
  return result;
}

}  // namespace unbraid::evaluate
