#include "evaluate/benchmark_targets.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

namespace {

constexpr std::string_view kVocals = "vocals", kOther = "other", kAccompaniment = "accompaniment";

/// Stems that are named for how they are found, and the instrument they are known to find.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kKnownFor{{{"foreground", kVocals},
                                                                                  {"centre", kVocals},
                                                                                  {"melody", kVocals},
                                                                                  {"background", kAccompaniment},
                                                                                  {"sides", kAccompaniment},
                                                                                  {"instrumental", kAccompaniment},
                                                                                  {"no_vocals", kAccompaniment},
                                                                                  {"percussive", "drums"},
                                                                                  {"low", "bass"}}};

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

const data::TrackStem* part_named(const data::Track& parts, std::string_view name) {
  const auto found = std::ranges::find_if(parts.stems, [&](const auto& stem) { return lower(stem.name) == name; });
  return found == parts.stems.end() ? nullptr : &*found;
}

data::TrackStem stem_of(std::string name, data::SourcePtr audio) {
  return {.name = std::move(name), .instrument = {}, .audio = std::move(audio)};
}

/// A track without stems that has the parts' name, rate and mixture.
data::Track empty_like(const data::Track& parts) {
  return {.name = parts.name, .split = parts.split, .sample_rate = parts.sample_rate, .mixture = parts.mixture};
}

/// ⟨x, s⟩² / (‖x‖²·‖s‖² − ⟨x, s⟩²): SI-SDR without its logarithm.
double fit(const AudioBuffer& x, const AudioBuffer& s) {
  double xx = 0, ss = 0, xs = 0;
  for (std::size_t i = 0; i < x.samples().size(); ++i) {
    const double a = x.samples()[i], b = s.samples()[i];
    xx += a * a;
    ss += b * b;
    xs += a * b;
  }
  const double rest = xx * ss - xs * xs;
  return rest > 0 ? xs * xs / rest : xs > 0 ? std::numeric_limits<double>::infinity() : 0;
}

/// Every target's best stem. The references are the parts; the accompaniment is made from them by evaluate_track().
TargetPairs choose(const data::Track& parts, const Stems& stems) {
  TargetPairs pairs{.references = parts, .estimates = empty_like(parts), .chosen = true};
  const auto add_best = [&](const std::string& name, const data::AudioSource& reference) {
    const AudioBuffer truth = reference.read();
    std::size_t best = 0;
    double best_fit = -1;
    for (std::size_t i = 0; i < stems.size(); ++i) {
      if (stems[i].audio.samples().size() != truth.samples().size()) continue;  // evaluate_track() says what is wrong
      if (const double f = fit(stems[i].audio, truth); f > best_fit) best = i, best_fit = f;
    }
    pairs.estimates.stems.push_back(stem_of(name, data::memory_source(stems[best].audio, parts.sample_rate)));
  };
  std::vector<data::SourcePtr> rest;
  for (const data::TrackStem& part : parts.stems) {
    add_best(part.name, *part.audio);
    if (lower(part.name) != kVocals) rest.push_back(part.audio);
  }
  if (part_named(parts, kVocals) && !rest.empty()) add_best(std::string(kAccompaniment), *data::sum_source(rest));
  return pairs;
}

}  // namespace

std::string target_of_stem(std::string_view stem) {
  const std::string name = lower(stem);
  const auto known = std::ranges::find(kKnownFor, name, [](const auto& pair) { return pair.first; });
  return known == kKnownFor.end() ? name : std::string(known->second);
}

bool is_numbered(std::string_view stem) { return !stem.empty() && std::isdigit(static_cast<unsigned char>(stem.back())); }

data::Track with_parts(const data::Track& track) {
  std::vector<std::pair<std::string, std::vector<data::SourcePtr>>> groups;
  for (const data::TrackStem& stem : track.stems) {
    const std::string name = stem.instrument.empty() ? stem.name : stem.instrument;
    auto group = std::ranges::find(groups, name, [](const auto& g) { return g.first; });
    if (group == groups.end()) group = groups.insert(groups.end(), {name, {}});
    group->second.push_back(stem.audio);
  }
  data::Track parts = empty_like(track);
  for (auto& [name, sources] : groups) parts.stems.push_back(stem_of(name, sources.size() == 1 ? sources[0] : data::sum_source(sources)));
  return parts;
}

TargetPairs pair_targets(const data::Track& parts, const Stems& stems) {
  const auto only_numbered = [&](const Stem& stem) { return is_numbered(stem.name) && !part_named(parts, lower(stem.name)); };
  if (std::ranges::all_of(stems, only_numbered)) return choose(parts, stems);
  TargetPairs pairs{.references = empty_like(parts), .estimates = empty_like(parts)};
  const auto source = [&](const AudioBuffer& audio) { return data::memory_source(audio, parts.sample_rate); };

  std::vector<std::string> named;  // targets that the method has, in lower case
  const Stem* accompaniment = nullptr;
  std::vector<data::SourcePtr> beside_vocals;
  for (const Stem& stem : stems) {
    // "Percussive" is a class of Slakh, "percussive" what a median filter finds.
    const bool is_part = parts.find(stem.name) != nullptr;
    const std::string target = is_part ? lower(stem.name) : target_of_stem(stem.name);
    named.push_back(target);
    if (target == kAccompaniment) accompaniment = &stem;
    if (target != kVocals) beside_vocals.push_back(source(stem.audio));
    if (const data::TrackStem* part = part_named(parts, target)) pairs.estimates.stems.push_back(stem_of(part->name, source(stem.audio)));
  }
  const auto has = [&](std::string_view name) { return std::ranges::find(named, name) != named.end(); };

  // References: the parts, those without a name at the method summed to "other" where it has that.
  const bool sums_other = has(kOther) && !part_named(parts, kOther);
  std::vector<data::SourcePtr> rest;
  for (const data::TrackStem& part : parts.stems) {
    if (sums_other && !has(lower(part.name))) rest.push_back(part.audio);
    else pairs.references.stems.push_back(part);
  }
  if (!rest.empty()) {
    pairs.references.stems.push_back(stem_of(std::string(kOther), data::sum_source(rest)));
    const auto other = std::ranges::find_if(stems, [](const Stem& stem) { return lower(stem.name) == kOther; });
    pairs.estimates.stems.push_back(stem_of(std::string(kOther), source(other->audio)));
  }
  if (part_named(parts, kVocals) && pairs.references.stems.size() > 1) {
    if (accompaniment) pairs.estimates.stems.push_back(stem_of(std::string(kAccompaniment), source(accompaniment->audio)));
    else if (has(kVocals) && !beside_vocals.empty())
      pairs.estimates.stems.push_back(stem_of(std::string(kAccompaniment), data::sum_source(beside_vocals)));
  }
  if (pairs.estimates.stems.empty())
    throw Error{ErrorCode::kNotFound, fmt::format("none of its stems ({}) stands for one of the track's parts ({})",
                                                  fmt::join(stems.names(), ", "), fmt::join(parts.stem_names(), ", "))};
  return pairs;
}

TargetPairs pair_with_mixture(const data::Track& parts, const AudioBuffer& mixture) {
  TargetPairs pairs{.references = parts, .estimates = empty_like(parts)};
  const data::SourcePtr mix = data::memory_source(mixture, parts.sample_rate);
  for (const data::TrackStem& part : parts.stems) pairs.estimates.stems.push_back(stem_of(part.name, mix));
  if (part_named(parts, kVocals) && parts.stems.size() > 1) pairs.estimates.stems.push_back(stem_of(std::string(kAccompaniment), mix));
  return pairs;
}

}  // namespace unbraid::evaluate
