#include "train/validation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
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

/// The sum of those stems of a track that it has; nothing when it has none, or they are silent.
AudioBuffer reference_of(const data::Track& track, const std::vector<std::string>& parts, const AudioBuffer& mix) {
  AudioBuffer sum(mix.channels(), mix.frames());
  bool sounds = false;
  for (const std::string& part : parts) {
    const data::TrackStem* stem = track.find(part);
    if (!stem) continue;
    const AudioBuffer audio = stem->audio->read();
    const std::size_t frames = std::min(audio.frames(), sum.frames());
    if (audio.channels() != sum.channels() || frames == 0) continue;
    add_scaled(audio.view().slice(0, frames), 1.0f, sum.view().slice(0, frames));
    sounds = sounds || std::ranges::any_of(audio.samples(), [](float sample) { return sample != 0; });
  }
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
  constexpr std::uint64_t kBudget = 2ull << 30;
  tracks_ = data::cached(data::at_rate(std::move(tracks_), traits.sample_rate), {.budget_bytes = kBudget});
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
  for (std::size_t t = 0; t < tracks_->size(); ++t) {
    context.cancel.check();
    const data::Track track = tracks_->track(t);
    const AudioBuffer mix = track.mixture->read();
    const Stems stems = separate(mix, traits_.sample_rate, *separator, {}, context);
    for (std::size_t s = 0; s < traits_.stems.size(); ++s) {
      const auto given = targets_.find(traits_.stems[s]);
      const AudioBuffer reference = reference_of(track, given != targets_.end() ? given->second : std::vector{traits_.stems[s]}, mix);
      if (reference.empty()) continue;
      collected[s].sdr.push_back(metrics::sdr(reference, stems.at(traits_.stems[s])));
      collected[s].si_sdr.push_back(mean_si_sdr(reference, stems.at(traits_.stems[s]), context));
      collected[s].mix_sdr.push_back(metrics::sdr(reference, mix));
      collected[s].mix_si_sdr.push_back(mean_si_sdr(reference, mix, context));
    }
    context.progress.advance(1);
  }
  if (was_training) model->train();
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
