#include "unbraid/classic/nmf_score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "classic/component_groups.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/nmf.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/midi.hpp"

namespace unbraid::classic {

namespace {

/// One component: an instrument's pitch.
using Voice = std::tuple<std::size_t, bool, int>;  ///< stem, percussion, key

double hz_of(double key) { return 440 * std::exp2((key - 69) / 12); }

/// 1/h in bands around the harmonics of a key, 0 elsewhere. A band has at least the bin nearest to its middle.
void fill_harmonics(int key, double hz_per_bin, const ScoreOptions& options, std::span<float> spectrum) {
  for (std::size_t h = 1; h <= options.harmonics; ++h) {
    const auto bin_at = [&](double semitones) { return static_cast<double>(h) * hz_of(key + semitones) / hz_per_bin; };
    const auto first = static_cast<std::size_t>(std::max(0.0, std::floor(bin_at(-options.width_semitones / 2))));
    const auto last = static_cast<std::size_t>(std::ceil(bin_at(options.width_semitones / 2)));
    for (std::size_t k = first; k <= std::min(last, spectrum.size() - 1); ++k)
      spectrum[k] = std::max(spectrum[k], 1 / static_cast<float>(h));
    if (first >= spectrum.size()) break;
  }
}

}  // namespace

void ScoreOptions::validate() const {
  if (iterations == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "iterations"};
  if (harmonics == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "harmonics"};
  if (!(width_semitones > 0 && width_semitones <= 12)) throw Error{ErrorCode::kUsage, "must lie above 0 and up to 12", "width_semitones"};
  if (!(early_s >= 0 && late_s >= 0)) throw Error{ErrorCode::kUsage, "must not be negative", "early_s, late_s"};
}

Score read_score(const std::filesystem::path& midi) {
  const data::MidiFile file = data::read_midi(midi);
  const data::TempoMap tempo(file);
  Score score;
  for (const data::MidiPart& part : data::split_by_instrument(file)) {
    const std::string name(data::instrument_class(part.is_drum ? data::kDrumProgram : part.program));
    auto stem = std::ranges::find(score.stems, name);
    if (stem == score.stems.end()) stem = score.stems.insert(stem, name);
    const auto place = static_cast<std::size_t>(stem - score.stems.begin());
    std::map<int, double> sounding;  // key → start
    for (const data::MidiEvent& event : part.events) {
      const int key = event.data[0];
      const double now = tempo.seconds(event.tick);
      if (event.is_note_on() || event.is_note_off())
        if (const auto held = sounding.find(key); held != sounding.end()) {
          score.notes.push_back({place, key, part.is_drum, held->second, now});
          sounding.erase(held);
        }
      if (event.is_note_on()) sounding[key] = now;
    }
  }
  if (score.notes.empty()) throw Error{ErrorCode::kFormat, "holds no note", midi.string()};
  return score;
}

std::vector<dsp::Mask<float>> score_masks(const dsp::Magnitudes<float>& magnitudes, double sample_rate, std::size_t hop, const Score& score,
                                          const ScoreOptions& options, RunContext& run) {
  options.validate();
  const std::size_t frames = magnitudes.frames(), bins = magnitudes.bins();
  if (magnitudes.channels() != 1 || bins < 2) throw Error{ErrorCode::kUsage, "needs one channel and at least two bins", "nmf_score"};
  if (!(sample_rate > 0) || hop == 0) throw Error{ErrorCode::kUsage, "must be above 0", "sample_rate, hop"};
  for (const ScoreNote& note : score.notes)
    if (note.stem >= score.stems.size() || note.key < 0 || note.key > 127)
      throw Error{ErrorCode::kUsage, fmt::format("key {} of stem {} does not exist", note.key, note.stem), "score"};
  std::map<Voice, std::size_t> voices;  // → component
  for (const ScoreNote& note : score.notes) voices.try_emplace({note.stem, note.percussion, note.key}, 0);
  std::vector<std::size_t> stem_of;
  for (auto& [voice, component] : voices) component = stem_of.size(), stem_of.push_back(std::get<0>(voice));

  NmfFactors<float> factors{frames, bins, voices.size(), std::vector<float>(frames * voices.size()),
                            std::vector<float>(voices.size() * bins)};
  const double hz_per_bin = sample_rate / static_cast<double>(2 * (bins - 1));
  for (const auto& [voice, component] : voices) {
    const std::span<float> spectrum = std::span(factors.dictionary).subspan(component * bins, bins);
    if (std::get<1>(voice)) std::ranges::fill(spectrum, 1.0f);
    else fill_harmonics(std::get<2>(voice), hz_per_bin, options, spectrum);
  }
  const double frames_per_s = sample_rate / static_cast<double>(hop);
  for (const ScoreNote& note : score.notes) {
    const std::size_t component = voices.at({note.stem, note.percussion, note.key});
    const double first = std::max(0.0, std::floor((note.start_s - options.early_s) * frames_per_s));
    const double last = std::ceil((note.end_s + options.late_s) * frames_per_s);
    for (auto m = static_cast<std::size_t>(first); m < frames && static_cast<double>(m) <= last; ++m)
      factors.activations[m * voices.size() + component] = 1;
  }
  nmf<float>(magnitudes.values(), factors, {.components = voices.size(), .beta = 1, .iterations = options.iterations}, run);
  return group_masks(factors, stem_of, score.stems.size(), run.pool);
}

Method nmf_score_method() {
  Method method{
      .name = "nmf_score",
      .summary = "the instruments of a MIDI file, by a factorisation that follows its notes",
      .paper = "Ewert, Müller, Using score-informed constraints for NMF-based source separation, ICASSP 2012",
      .parameters = {{.name = "score", .help = "a MIDI file that is aligned with the recording", .value = std::string(), .required = true},
                     window_parameter(93.0),
                     {.name = "iterations", .help = "iterations", .value = std::int64_t{30}, .minimum = 1, .maximum = 100000},
                     {.name = "harmonics",
                      .help = "harmonics of a pitch that are looked for",
                      .value = std::int64_t{20},
                      .minimum = 1,
                      .maximum = 200},
                     {.name = "width_semitones",
                      .help = "width of the band around a harmonic",
                      .unit = "semitones",
                      .value = 1.0,
                      .minimum = 0.01,
                      .maximum = 12},
                     {.name = "early_s",
                      .help = "how long before its written start a note may sound",
                      .unit = "s",
                      .value = 0.1,
                      .minimum = 0,
                      .maximum = 10},
                     {.name = "late_s",
                      .help = "how long after its written end a note may sound",
                      .unit = "s",
                      .value = 0.3,
                      .minimum = 0,
                      .maximum = 10}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const ScoreOptions options{.iterations = static_cast<std::size_t>(values.integer("iterations")),
                               .harmonics = static_cast<std::size_t>(values.integer("harmonics")),
                               .width_semitones = values.number("width_semitones"),
                               .early_s = values.number("early_s"),
                               .late_s = values.number("late_s")};
    const Score score = read_score(values.text("score"));
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    SeparatorInfo info{.stems = score.stems, .sample_rate = format.sample_rate, .channels = format.channels, .blocks = WholeTrack{}};
    return make_masking_separator(info, stft,
                                  [=, rate = format.sample_rate, hop = stft.hop](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    return score_masks(joint_magnitudes(mix, run.pool), rate, hop, score, options, run);
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
