#include "unbraid/data/mix.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <utility>

#include "unbraid/core/error.hpp"
#include "unbraid/data/name_pattern.hpp"
#include "unbraid/data/views.hpp"
#include "unbraid/dsp/loudness.hpp"
#include "unbraid/dsp/resample.hpp"

namespace unbraid::data {
namespace {

constexpr double kLoudnessFloor_lufs = -70;
constexpr double kShortestMeasured_s = 0.5;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

std::size_t whole_frames(double seconds, double sample_rate) {
  return static_cast<std::size_t>(seconds * sample_rate);  // cut, as Scaper does
}

AudioBuffer with_channels(AudioBuffer audio, std::size_t channels, const std::string& source) {
  if (audio.channels() == channels) return audio;
  AudioBuffer out(channels, audio.frames());
  if (channels == 1) {
    const float share = 1 / static_cast<float>(audio.channels());
    for (std::size_t c = 0; c < audio.channels(); ++c)
      for (std::size_t i = 0; i < audio.frames(); ++i) out.channel(0)[i] += share * audio.channel(c)[i];
  } else if (audio.channels() == 1) {
    for (std::size_t c = 0; c < channels; ++c) std::ranges::copy(audio.channel(0), out.channel(c).begin());
  } else {
    throw Error{ErrorCode::kUnsupported, fmt::format("has {} channels, and the recipe wants {}", audio.channels(), channels), source};
  }
  return out;
}

double loudness_lufs(const AudioBuffer& audio, double sample_rate) {
  const auto needed = static_cast<std::size_t>(std::ceil(kShortestMeasured_s * sample_rate));
  if (audio.frames() >= needed) return std::max(kLoudnessFloor_lufs, dsp::block_loudness_lufs(audio, sample_rate));
  const std::size_t tiles = (needed + audio.frames() - 1) / audio.frames();
  AudioBuffer repeated(audio.channels(), tiles * audio.frames());
  for (std::size_t i = 0; i < tiles; ++i) copy(audio.view(), repeated.view().slice(i * audio.frames(), audio.frames()));
  return std::max(kLoudnessFloor_lufs, dsp::block_loudness_lufs(repeated, sample_rate));
}

/// Quarter sines from 0 to 1 and back; on an event shorter than a fade, the part of it that fits.
void fade(AudioBuffer& audio, std::size_t length) {
  if (length < 2) return;
  const double step = std::numbers::pi / 2 / static_cast<double>(length - 1);
  const std::size_t frames = audio.frames();
  for (std::size_t i = 0; i < std::min(length, frames); ++i) {
    const auto in = static_cast<float>(std::sin(step * static_cast<double>(i)));
    for (std::size_t c = 0; c < audio.channels(); ++c) {
      audio.channel(c)[i] *= in;
      audio.channel(c)[frames - 1 - i] *= in;
    }
  }
}

float peak_of(const AudioBuffer& audio) {
  float peak = 0;
  for (const float sample : audio.samples()) peak = std::max(peak, std::abs(sample));
  return peak;
}

bool is_finite(const AudioBuffer& audio) {
  float probe = 0;  // zero times anything finite is zero
  for (const float sample : audio.samples()) probe += 0 * sample;
  return probe == 0;
}

bool allows(const NameChoice& choice, const std::string& name) {
  return choice.names.empty() || std::ranges::any_of(choice.names, [&](const auto& pattern) { return fits_pattern(name, pattern); });
}

}  // namespace

/// What the dataset and its tracks share: the recipe and where its stems are.
class MixtureDataset::State {
 public:
  State(DatasetPtr sources, MixRecipe mix_recipe) : recipe(std::move(mix_recipe)) {
    recipe.validate();
    pools_.resize(recipe.stems.size());
    for (std::size_t t = 0; t < sources->size(); ++t) {
      const Track track = sources->track(t);
      std::vector<Candidate> song;
      for (std::size_t s = 0; s < recipe.stems.size(); ++s) {
        const TrackStem* stem = track.find(recipe.stems[s].name);
        song.push_back({t, track.name, nullptr});
        if (!stem || !allows(recipe.stems[s].event.source, track.name)) continue;
        song.back().audio = stem->audio;
        pools_[s].push_back(song.back());
      }
      const auto there =
          static_cast<std::size_t>(std::ranges::count_if(song, [](const Candidate& candidate) { return candidate.audio != nullptr; }));
      const bool is_whole = there == song.size();
      if (!is_whole && (recipe.partial_songs == PartialSongs::kLeftOut || there < 2)) continue;
      if (allows(recipe.coherent_source, track.name)) songs_.push_back(std::move(song));
    }
    for (std::size_t s = 0; s < pools_.size(); ++s)
      if (pools_[s].empty())
        throw Error{ErrorCode::kNotFound, fmt::format("no track has a stem '{}' that the recipe allows", recipe.stems[s].name),
                    recipe.sources.path.string()};
    if (recipe.coherent > 0 && songs_.empty())
      throw Error{ErrorCode::kNotFound, "no track that the recipe allows has all its stems, which coherent mixtures need",
                  recipe.sources.path.string()};
  }

  MixPlan plan(std::size_t index) const {
    Rng rng(recipe.seed, index);
    MixPlan plan;
    plan.coherent = rng.uniform() < recipe.coherent;
    if (plan.coherent) {
      const bool has_own = !recipe.coherent_source.names.empty();
      const NameChoice& choice = has_own ? recipe.coherent_source : recipe.stems[0].event.source;
      const std::vector<Candidate>& song = songs_[pick(songs_, choice, rng)];
      const MixEvent* shared = nullptr;
      plan.events.reserve(recipe.stems.size());
      for (std::size_t s = 0; s < recipe.stems.size(); ++s) {
        if (!song[s].audio && recipe.partial_songs == PartialSongs::kFilled) {
          plan.events.push_back(draw_alone(s, rng));
          continue;
        }
        plan.events.push_back(draw_event(recipe.stems[s], song[s], shared, rng));
        if (!shared && !plan.events.back().silent) shared = &plan.events.back();
      }
    } else {
      for (std::size_t s = 0; s < recipe.stems.size(); ++s) plan.events.push_back(draw_alone(s, rng));
    }
    if (recipe.solo > 0 && rng.uniform() < recipe.solo) leave_one(plan.events, rng);
    plan.mixture_effects = draw_effects(recipe.mixture_effects, rng);
    return plan;
  }

  Mixture make(std::size_t index) const {
    const std::size_t frames = whole_frames(recipe.duration_s, recipe.sample_rate);
    Mixture mixture{.plan = plan(index), .audio = AudioBuffer(recipe.channels, frames)};
    for (std::size_t s = 0; s < recipe.stems.size(); ++s)
      mixture.stems.add(recipe.stems[s].name, render(mixture.plan.events[s], s, frames));
    const auto sum = [&] {
      std::ranges::fill(mixture.audio.samples(), 0.0f);
      for (const Stem& stem : mixture.stems) add_scaled(stem.audio, 1.0f, mixture.audio);
    };
    sum();
    const float peak = peak_of(mixture.audio);
    if (recipe.fix_clipping && peak > 1) {
      mixture.scale = 1 / static_cast<double>(peak);
      for (Stem& stem : mixture.stems)
        for (float& sample : stem.audio.samples()) sample *= static_cast<float>(mixture.scale);
      sum();
    }
    for (const DrawnEffect& effect : mixture.plan.mixture_effects) apply(effect, mixture.audio, recipe.sample_rate);
    return mixture;
  }

  MixRecipe recipe;

 private:
  struct Candidate {
    std::size_t track;
    std::string name;
    SourcePtr audio;  ///< null where a song lacks the stem
  };
  static const std::string& name_of(const Candidate& candidate) { return candidate.name; }
  static const std::string& name_of(const std::vector<Candidate>& song) { return song[0].name; }

  /// An index into the candidates, which the choice allows all. What fits a pattern shares its weight; of names
  /// that are not there the weight is shared out.
  template <class Candidates>
  static std::size_t pick(const Candidates& candidates, const NameChoice& choice, Rng& rng) {
    if (choice.kind == NameChoice::Kind::kChoose) return rng.index(candidates.size());
    std::vector<std::size_t> fitted;  // per candidate: the first name it fits
    std::vector<double> fits(choice.names.size());
    for (const auto& candidate : candidates) {
      const auto at = std::ranges::find_if(choice.names, [&](const auto& pattern) { return fits_pattern(name_of(candidate), pattern); });
      fitted.push_back(static_cast<std::size_t>(at - choice.names.begin()));
      if (fitted.back() < fits.size()) ++fits[fitted.back()];
    }
    std::vector<double> weights;
    double sum = 0;
    for (const std::size_t name : fitted)  // a song without the first stem fits none of the names
      sum += weights.emplace_back(name < fits.size() ? choice.weights[name] / fits[name] : 0);
    if (!(sum > 0)) throw Error{ErrorCode::kUsage, "every track that is there has the weight 0", "source_file"};
    for (double& weight : weights) weight /= sum;
    return choose_weighted(rng, weights);
  }

  static std::vector<DrawnEffect> draw_effects(const std::vector<EffectSpec>& specs, Rng& rng) {
    std::vector<DrawnEffect> drawn;
    for (const EffectSpec& spec : specs)
      if (auto effect = draw(spec, rng)) drawn.push_back(std::move(*effect));
    return drawn;
  }

  /// Silences all events but one of those that sound.
  static void leave_one(std::vector<MixEvent>& events, Rng& rng) {
    std::vector<std::size_t> sounding;
    for (std::size_t s = 0; s < events.size(); ++s)
      if (!events[s].silent) sounding.push_back(s);
    if (sounding.empty()) return;
    const std::size_t alone = sounding[rng.index(sounding.size())];
    for (const std::size_t s : sounding)
      if (s != alone) events[s] = {.stem = events[s].stem, .source = events[s].source, .track = events[s].track, .silent = true};
  }

  /// An event of the stem from any track that has it.
  MixEvent draw_alone(std::size_t stem, Rng& rng) const {
    const MixStemSpec& spec = recipe.stems[stem];
    return draw_event(spec, pools_[stem][pick(pools_[stem], spec.event.source, rng)], nullptr, rng);
  }

  /// shared: the first event of a coherent mixture, whose time, pitch and stretch the others take over.
  MixEvent draw_event(const MixStemSpec& stem, const Candidate& candidate, const MixEvent* shared, Rng& rng) const {
    const MixEventSpec& spec = stem.event;
    if (!candidate.audio || (spec.silence > 0 && rng.uniform() < spec.silence))
      return {.stem = stem.name, .source = candidate.name, .track = candidate.track, .silent = true};
    const double source_s = candidate.audio->info().seconds();
    if (!(source_s > 0)) throw Error{ErrorCode::kFormat, fmt::format("the stem '{}' is empty", stem.name), candidate.name};
    MixEvent event{.stem = stem.name, .source = candidate.name, .track = candidate.track};
    const double duration =
        spec.event_duration_s ? spec.event_duration_s->sample_within(rng, 1e-3, kUnlimited, "event_duration") : recipe.duration_s;
    event.event_duration_s = std::min(duration, source_s);
    if (shared) {
      event.time_stretch = shared->time_stretch;
    } else if (spec.time_stretch) {
      event.time_stretch = spec.time_stretch->sample_within(rng, 0.25, 4, "time_stretch");
    }
    const double stretch = event.time_stretch.value_or(1);
    event.event_duration_s = std::min(event.event_duration_s, recipe.duration_s / stretch);
    const double room_s = source_s - event.event_duration_s;
    event.source_time_s = shared ? std::min(shared->source_time_s, room_s)
                                 : std::min(room_s, spec.source_time_s.limited_to(room_s).sample_within(rng, 0, kUnlimited, "source_time"));
    event.event_time_s = std::min(spec.event_time_s.sample_within(rng, 0, kUnlimited, "event_time"),
                                  std::max(0.0, recipe.duration_s - event.event_duration_s * stretch));
    if (spec.snr_db) event.snr_db = spec.snr_db->sample(rng);
    if (shared) {
      event.pitch_shift = shared->pitch_shift;
    } else if (spec.pitch_shift) {
      event.pitch_shift = spec.pitch_shift->sample_within(rng, -24, 24, "pitch_shift");
    }
    event.effects = draw_effects(spec.effects, rng);
    return event;
  }

  AudioBuffer render(const MixEvent& event, std::size_t stem, std::size_t frames) const {
    if (event.silent) return AudioBuffer(recipe.channels, frames);
    const auto found = std::ranges::lower_bound(pools_[stem], event.track, {}, &Candidate::track);  // pools are sorted
    const SourceInfo info = found->audio->info();
    const std::size_t first = whole_frames(event.source_time_s, info.sample_rate);
    const std::size_t last = whole_frames(event.source_time_s + event.event_duration_s, info.sample_rate);
    AudioBuffer audio = with_channels(found->audio->read(first, last - first), recipe.channels, event.source);
    if (info.sample_rate != recipe.sample_rate && !audio.empty()) {
      ThreadPool alone(1);
      audio = dsp::resample(audio, static_cast<std::uint32_t>(info.sample_rate), static_cast<std::uint32_t>(recipe.sample_rate), alone);
    }
    AudioBuffer placed(recipe.channels, frames);
    if (audio.empty()) return placed;
    if (!is_finite(audio))
      throw Error{ErrorCode::kFormat, fmt::format("the stem '{}' has samples that are no numbers", event.stem), event.source};
    if (event.pitch_shift.value_or(0) != 0 || event.time_stretch.value_or(1) != 1)
      audio = shift_and_stretch(audio, recipe.sample_rate, event.pitch_shift.value_or(0), event.time_stretch.value_or(1));
    for (const DrawnEffect& effect : event.effects) apply(effect, audio, recipe.sample_rate);
    if (event.snr_db) {
      const double lufs = loudness_lufs(audio, recipe.sample_rate);
      const double gain = std::pow(10, (recipe.ref_db + *event.snr_db - lufs) / 20);
      for (float& sample : audio.samples()) sample *= static_cast<float>(gain);
    }
    fade(audio, whole_frames(recipe.fade_s, recipe.sample_rate));
    const std::size_t start = std::min(frames, whole_frames(event.event_time_s, recipe.sample_rate));
    const std::size_t kept = std::min(audio.frames(), frames - start);
    copy(audio.view().slice(0, kept), placed.view().slice(start, kept));
    return placed;
  }

  std::vector<std::vector<Candidate>> pools_;  ///< per stem: the tracks that have it
  std::vector<std::vector<Candidate>> songs_;  ///< for coherent mixtures: per track, one candidate per stem
};

namespace {

/// One item that its sources share, made when the first of them is read.
class LazyMixture {
 public:
  LazyMixture(std::function<Mixture()> make) : make_(std::move(make)) {}
  const Mixture& get() const {
    std::call_once(once_, [&] { mixture_ = make_(); });
    return mixture_;
  }

 private:
  std::function<Mixture()> make_;
  mutable std::once_flag once_;
  mutable Mixture mixture_;
};

class LazySource final : public AudioSource {
 public:
  static constexpr std::size_t kSum = SIZE_MAX;
  LazySource(std::shared_ptr<const LazyMixture> item, std::size_t stem, SourceInfo info)
      : item_(std::move(item)), stem_(stem), info_(info) {}

  SourceInfo info() const override { return info_; }
  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    const Mixture& mixture = item_->get();
    const AudioBuffer& audio = stem_ == kSum ? mixture.audio : mixture.stems[stem_].audio;
    if (first >= audio.frames()) return AudioBuffer(audio.channels(), 0);
    return AudioBuffer(audio.view().slice(first, std::min<std::uint64_t>(count, audio.frames() - first)));
  }

 private:
  std::shared_ptr<const LazyMixture> item_;
  std::size_t stem_;
  SourceInfo info_;
};

}  // namespace

MixtureDataset::MixtureDataset(DatasetPtr sources, MixRecipe recipe)
    : state_(std::make_shared<const State>(std::move(sources), std::move(recipe))) {}

const MixRecipe& MixtureDataset::recipe() const noexcept { return state_->recipe; }
MixPlan MixtureDataset::plan(std::size_t index) const { return state_->plan(index); }
Mixture MixtureDataset::make(std::size_t index) const { return state_->make(index); }
std::size_t MixtureDataset::size() const { return state_->recipe.count; }
std::string MixtureDataset::track_name(std::size_t index) const { return fmt::format("{:06}", index); }
std::string MixtureDataset::split(std::size_t) const { return state_->recipe.sources.split; }

Track MixtureDataset::track(std::size_t index) const {
  const MixRecipe& recipe = state_->recipe;
  const auto item = std::make_shared<const LazyMixture>([state = state_, index] { return state->make(index); });
  const SourceInfo info{recipe.sample_rate, recipe.channels, whole_frames(recipe.duration_s, recipe.sample_rate)};
  Track track{.name = track_name(index),
              .split = split(index),
              .sample_rate = recipe.sample_rate,
              .mixture = std::make_shared<LazySource>(item, LazySource::kSum, info),
              .has_mixture_file = false,
              .stems = {}};
  for (std::size_t s = 0; s < recipe.stems.size(); ++s)
    track.stems.push_back({.name = recipe.stems[s].name, .instrument = {}, .audio = std::make_shared<LazySource>(item, s, info)});
  return track;
}

DatasetPtr open_mix_sources(const MixSources& sources) {
  DatasetPtr dataset = open_dataset(sources.path, {.format = sources.format});
  if (!sources.split.empty()) dataset = with_split(dataset, sources.split);
  if (sources.submix == "four_stems") return submixed(dataset, SubmixRecipe::four_stems());
  if (!sources.submix.empty()) return submixed(dataset, SubmixRecipe::load(sources.submix));
  return dataset;
}

}  // namespace unbraid::data
