#include "train/validation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "models/torch_separator.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/views.hpp"
#include "unbraid/metrics/scale_invariant.hpp"
#include "unbraid/metrics/sdr.hpp"
#include "unbraid/metrics/summary.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid::train {

namespace {

data::DatasetPtr open_tracks(const ValidationSpec& spec) {
  data::DatasetPtr tracks = open_sources(spec.sources);
  if (spec.recipe) return std::make_shared<data::MixtureDataset>(std::move(tracks), *spec.recipe);
  return data::excerpts(std::move(tracks), {.start_s = spec.start_s, .length_s = spec.length_s});
}

double mean_si_sdr(AudioView reference, AudioView estimate, RunContext& context) {
  const auto scores = metrics::scale_scores({&reference, 1}, {&estimate, 1}, {.interference = false}, context);
  double sum = 0;
  for (const metrics::ScaleScores& channel : scores.sources[0].channels) sum += channel.si_sdr;
  return sum / static_cast<double>(scores.sources[0].channels.size());
}

/// Stems of one channel are heard in all, those of several in the middle of one.
void add_in_its_channels(const AudioBuffer& audio, AudioBuffer& sum, const std::string& stem) {
  const std::size_t from = audio.channels(), to = sum.channels();
  if (from != to && from != 1 && to != 1)
    throw Error{ErrorCode::kUnsupported, fmt::format("has {} channels, and its mixture {}", from, to), stem};
  const std::size_t frames = std::min(audio.frames(), sum.frames());
  const float share = to == 1 ? 1 / static_cast<float>(from) : 1.0f;
  for (std::size_t c = 0; c < std::max(from, to); ++c) {
    const std::span<const float> source = audio.channel(std::min(c, from - 1));
    const std::span<float> target = sum.channel(std::min(c, to - 1));
    for (std::size_t n = 0; n < frames; ++n) target[n] += share * source[n];
  }
}

/// The sum of those stems of a track that it has; nothing when it has none, or they are silent.
AudioBuffer reference_of(const data::Track& track, const std::vector<std::string>& parts, const AudioBuffer& mix) {
  AudioBuffer sum(mix.channels(), mix.frames());
  for (const std::string& part : parts) {
    const data::TrackStem* stem = track.find(part);
    if (!stem) continue;
    const AudioBuffer audio = stem->audio->read();
    if (audio.empty()) continue;
    add_in_its_channels(audio, sum, fmt::format("{}: {}", track.name, part));
  }
  const bool sounds = std::ranges::any_of(sum.samples(), [](float sample) { return sample != 0; });
  return sounds ? std::move(sum) : AudioBuffer();
}

double mean_over_targets(const std::vector<TargetScores>& targets, double TargetScores::*score) {
  double sum = 0;
  std::size_t count = 0;
  for (const TargetScores& target : targets) {
    if (target.tracks == 0) continue;
    sum += target.*score;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

Validation::Validation(const ValidationSpec& spec, const models::ModelTraits& traits,
                       const std::map<std::string, std::vector<std::string>>& targets)
    : tracks_(open_tracks(spec)), traits_(traits), targets_(targets) {
  if (spec.tracks > 0 && spec.tracks < tracks_->size()) {
    std::vector<std::size_t> first(spec.tracks);
    std::iota(first.begin(), first.end(), std::size_t{0});
    tracks_ = data::subset(std::move(tracks_), std::move(first));
  }
  if (!spec.recipe) {
    bool some = false;
    for (std::size_t t = 0; !some && t < tracks_->size(); ++t) some = tracks_->track(t).mixture->info().frames > 0;
    if (!some)
      throw Error{ErrorCode::kUsage, fmt::format("no track to validate on lasts longer than {} s", spec.start_s), "validation.start_s"};
  }
  const auto has_a_target = [&](const data::Track& track) {
    return std::ranges::any_of(traits_.stems, [&](const std::string& target) {
      return std::ranges::any_of(parts_of(target), [&](const std::string& part) { return track.find(part) != nullptr; });
    });
  };
  bool some = false;
  for (std::size_t t = 0; !some && t < tracks_->size(); ++t) some = has_a_target(tracks_->track(t));
  if (!some)
    throw Error{ErrorCode::kUsage, fmt::format("no track to validate on has one of the stems {}", fmt::join(traits_.stems, ", ")),
                "validation.sources"};
  constexpr std::uint64_t kBudget = 2ull << 30;
  tracks_ = data::cached(data::at_rate(std::move(tracks_), traits.sample_rate), {.budget_bytes = kBudget});
}

std::vector<std::string> Validation::parts_of(const std::string& target) const {
  const auto given = targets_.find(target);
  return given != targets_.end() ? given->second : std::vector{target};
}

ValidationRecord Validation::run(std::shared_ptr<models::Model> model, torch::Device device, RunContext& context) const {
  const bool was_training = model->is_training();
  model->eval();
  const std::unique_ptr<Separator> separator =
      models::make_separator(model, device, {.sample_rate = traits_.sample_rate, .channels = static_cast<std::size_t>(traits_.channels)},
                             ParameterValues::resolve(model->settings()));
  struct Collected {
    std::vector<double> sdr, si_sdr, mix_sdr, mix_si_sdr;
  };
  std::vector<Collected> collected(traits_.stems.size());
  context.progress.start("validate", tracks_->size(), "tracks");
  RunContext quiet{.pool = context.pool, .cancel = context.cancel};  // tracks are counted, not their frames
  for (std::size_t t = 0; t < tracks_->size(); ++t) {
    context.cancel.check();
    const data::Track track = tracks_->track(t);
    const AudioBuffer mix = track.mixture->read();
    const Stems stems = separate(mix, traits_.sample_rate, *separator, {}, quiet);
    for (std::size_t s = 0; s < traits_.stems.size(); ++s) {
      const AudioBuffer reference = reference_of(track, parts_of(traits_.stems[s]), mix);
      if (reference.empty()) continue;
      collected[s].sdr.push_back(metrics::sdr(reference, stems.at(traits_.stems[s])));
      collected[s].si_sdr.push_back(mean_si_sdr(reference, stems.at(traits_.stems[s]), context));
      collected[s].mix_sdr.push_back(metrics::sdr(reference, mix));
      collected[s].mix_si_sdr.push_back(mean_si_sdr(reference, mix, context));
    }
    context.progress.advance(1);
  }
  if (was_training) model->train();
  if (std::ranges::all_of(collected, [](const Collected& of) { return of.sdr.empty(); }))
    throw Error{ErrorCode::kUsage, "no stem sounds in any of the tracks to validate on", "validation"};
  ValidationRecord record;
  for (std::size_t s = 0; s < traits_.stems.size(); ++s) {
    const Collected& of = collected[s];
    record.targets.push_back({.target = traits_.stems[s],
                              .sdr = metrics::median(of.sdr),
                              .si_sdr = metrics::median(of.si_sdr),
                              .mix_sdr = metrics::median(of.mix_sdr),
                              .mix_si_sdr = metrics::median(of.mix_si_sdr),
                              .tracks = of.sdr.size()});
  }
  record.sdr = mean_over_targets(record.targets, &TargetScores::sdr);
  record.si_sdr = mean_over_targets(record.targets, &TargetScores::si_sdr);
  return record;
}

}  // namespace unbraid::train
