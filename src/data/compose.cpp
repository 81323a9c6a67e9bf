#include "unbraid/data/compose.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::data {
namespace {

constexpr int kTicksPerBeat = 480;
constexpr int kTicksPerStep = kTicksPerBeat / 4;  ///< a sixteenth
constexpr int kBeatsPerBar = 4;
constexpr int kStepsPerBar = 4 * kBeatsPerBar;
constexpr int kBarsPerPhrase = 4;
constexpr std::uint8_t kDrumChannel = 9;

template <class T>
const T& pick(Rng& rng, std::span<const T> choices) {
  return choices[rng.index(choices.size())];
}
template <class T, std::size_t N>
const T& pick(Rng& rng, const std::array<T, N>& choices) {
  return choices[rng.index(N)];
}

// ---- Harmony
// -------------------------------------------------------------------------------------------------

constexpr std::array<int, 7> kMajor{0, 2, 4, 5, 7, 9, 11}, kMinor{0, 2, 3, 5, 7, 8, 10};

/// One scale degree (0 = tonic) per bar of a phrase.
using Progression = std::array<int, kBarsPerPhrase>;
constexpr std::array<Progression, 8> kMajorProgressions{
    {{0, 4, 5, 3}, {0, 5, 3, 4}, {0, 3, 4, 3}, {5, 3, 0, 4}, {0, 2, 3, 4}, {1, 4, 0, 5}, {0, 3, 0, 4}, {3, 4, 2, 5}}};
constexpr std::array<Progression, 6> kMinorProgressions{
    {{0, 5, 2, 6}, {0, 3, 6, 2}, {0, 6, 5, 6}, {0, 3, 0, 4}, {5, 6, 0, 0}, {0, 2, 6, 5}}};

struct Harmony {
  int tonic = 0;  ///< pitch class
  bool is_minor = false;
  std::span<const int, 7> scale() const { return is_minor ? kMinor : kMajor; }
  /// The pitch of a scale step counted from the tonic at or above `base`; steps may leave one octave.
  int pitch(int step, int base) const {
    const int octave = static_cast<int>(std::floor(step / 7.0));
    return base + ((tonic - base) % 12 + 12) % 12 + 12 * octave + scale()[static_cast<std::size_t>(step - 7 * octave)];
  }
};

/// The chord on a degree: thirds stacked in the scale, laid as close as possible around `centre`.
std::vector<int> voicing(const Harmony& harmony, int degree, int voices, int centre) {
  std::vector<int> pitches;
  for (int i = 0; i < voices; ++i) {
    int pitch = harmony.pitch(degree + 2 * i, 0);
    while (pitch < centre - 6) pitch += 12;
    while (pitch > centre + 6) pitch -= 12;
    pitches.push_back(pitch);
  }
  std::sort(pitches.begin(), pitches.end());
  pitches.erase(std::unique(pitches.begin(), pitches.end()), pitches.end());
  return pitches;
}

// ---- Rhythm: one character per sixteenth, 'X' accented, 'x' normal, '.' silent, '-' held
// -------------------------

constexpr std::array<std::string_view, 6> kKicks{"X.......X.......", "X.....x.X.......", "X..x..x...X.....",
                                                 "X...X...X...X...", "X.....X..x..x...", "X.x.......x.X..."};
constexpr std::array<std::string_view, 4> kSnares{"....X.......X...", "....X..x....X..x", "........X.......", "....X....x..X..."};
constexpr std::array<std::string_view, 4> kHats{"x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "x...x...x...x...", "X.xxX.xxX.xxX.xx"};
constexpr std::array<std::string_view, 7> kBassLines{"X-x-x-x-X-x-x-x-", "X-----x-X-------", "X---..x-x---..x-", "X--x--x---X--x--",
                                                     "X.x.X.x.X.x.X.x.", "X---x---X---x---", "X-----..x-X---x-"};
constexpr std::array<std::string_view, 7> kComps{"X-------X-------", "X---x---X---x---", "..x-..x-..x-..x-", "X-..x-x-..x-x-..",
                                                 "X--x--x-X--x--x-", "X-----x---x-....", "X-x-x-x-X-x-x-x-"};
constexpr std::array<std::string_view, 6> kMelodies{"X---x---X-------", "x-x-x---X-----..", "..x-x-x-X---x---",
                                                    "X-----x-x---....", "x-x-..x-x-x-X---", "X---....x-x-x---"};

struct Step {
  int start = 0;   ///< sixteenths since the bar's start
  int length = 0;  ///< sixteenths
  bool accented = false;
};

std::vector<Step> steps_of(std::string_view pattern) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == 'X' || pattern[i] == 'x') steps.push_back({static_cast<int>(i), 1, pattern[i] == 'X'});
    else if (pattern[i] == '-' && !steps.empty()) ++steps.back().length;
  }
  return steps;
}

// ---- The band
// ------------------------------------------------------------------------------------------------

enum class Role { kDrums, kBass, kChords, kArpeggio, kPad, kLead, kStabs, kOstinato, kSwell };

struct Player {
  Role role;
  int program = 0;
  int centre = 60;                 ///< middle of its range, a MIDI pitch
  std::string_view verse, chorus;  ///< rhythms, for those who need one
  double presence = 1;             ///< the chance to play in a verse; everybody plays the chorus
};

struct Choice {
  int first, last;  ///< General MIDI programs
  int centre;
};
// Ranges of programs that can take a role, with the register that suits them. Between them they reach every
// class of Slakh.
constexpr std::array<Choice, 5> kChordPlayers{{{0, 5, 60}, {24, 28, 57}, {16, 21, 60}, {29, 30, 52}, {6, 7, 60}}};
constexpr std::array<Choice, 4> kArpeggioPlayers{{{8, 14, 72}, {24, 27, 60}, {45, 46, 62}, {107, 108, 64}}};
constexpr std::array<Choice, 4> kPadPlayers{{{48, 51, 60}, {52, 54, 62}, {88, 95, 60}, {97, 99, 62}}};
constexpr std::array<Choice, 6> kLeadPlayers{{{80, 87, 72}, {64, 71, 67}, {72, 79, 77}, {56, 60, 67}, {40, 42, 67}, {104, 111, 66}}};
constexpr std::array<Choice, 2> kStabPlayers{{{61, 63, 62}, {55, 55, 60}}};
constexpr std::array<Choice, 2> kOstinatoPlayers{{{112, 118, 60}, {47, 47, 45}}};

Player hire(Rng& rng, Role role, std::span<const Choice> choices) {
  const Choice& choice = pick(rng, choices);
  Player player{.role = role};
  player.program = choice.first + static_cast<int>(rng.index(static_cast<std::size_t>(choice.last - choice.first) + 1));
  player.centre = choice.centre;
  return player;
}

std::vector<Player> hire_band(Rng& rng) {
  std::vector<Player> band{{.role = Role::kDrums, .verse = pick(rng, kKicks), .chorus = pick(rng, kKicks)}};
  Player bass{.role = Role::kBass, .program = 32 + static_cast<int>(rng.index(8)), .centre = 36};
  bass.verse = pick(rng, kBassLines);
  bass.chorus = pick(rng, kBassLines);
  band.push_back(bass);
  const auto add = [&](Player player, std::span<const std::string_view> rhythms, double presence) {
    player.verse = pick(rng, rhythms);
    player.chorus = pick(rng, rhythms);
    player.presence = presence;
    band.push_back(player);
  };
  add(hire(rng, Role::kChords, kChordPlayers), kComps, 1.0);
  if (rng.uniform() < 0.7) add(hire(rng, Role::kChords, kChordPlayers), kComps, 0.6);
  if (rng.uniform() < 0.6) add(hire(rng, Role::kArpeggio, kArpeggioPlayers), kComps, 0.5);
  add(hire(rng, Role::kPad, kPadPlayers), kComps, 0.6);
  add(hire(rng, Role::kLead, kLeadPlayers), kMelodies, 0.9);
  if (rng.uniform() < 0.4) add(hire(rng, Role::kLead, kLeadPlayers), kMelodies, 0.2);
  if (rng.uniform() < 0.4) add(hire(rng, Role::kStabs, kStabPlayers), kComps, 0.2);
  if (rng.uniform() < 0.35) add(hire(rng, Role::kOstinato, kOstinatoPlayers), kComps, 0.4);
  if (rng.uniform() < 0.2) band.push_back({.role = Role::kSwell, .program = 119, .centre = 60});  // reverse cymbal
  return band;
}

// ---- Playing
// -------------------------------------------------------------------------------------------------

/// Collects one player's notes.
class Performance {
 public:
  Performance(Rng& rng, std::uint8_t channel, double swing) : rng_(rng), channel_(channel), swing_(swing) {}

  /// start and length in sixteenths since the start of the piece.
  void note(int start, double length, int pitch, int velocity, int delay_ticks = 0) {
    if (pitch < 0 || pitch > 127) return;
    // Swing delays every second eighth; people are a few milliseconds off.
    const double swung = start % 4 == 2 ? swing_ * kTicksPerStep : 0;
    const double jitter = std::clamp(rng_.normal(0, 4), -12.0, 12.0);
    const auto begin = std::max(0L, std::lround(start * kTicksPerStep + swung + jitter) + delay_ticks);
    const auto end = begin + std::max(24L, std::lround(length * kTicksPerStep * 0.92));
    const int loudness = std::clamp(velocity + static_cast<int>(std::lround(rng_.normal(0, 5))), 1, 127);
    const auto key = static_cast<std::uint8_t>(pitch);
    events_.push_back(
        {.tick = static_cast<std::uint64_t>(begin), .status = status(0x90), .data = {key, static_cast<std::uint8_t>(loudness)}});
    events_.push_back({.tick = static_cast<std::uint64_t>(end), .status = status(0x80), .data = {key, 64}});
  }
  void control(std::uint64_t tick, std::uint8_t controller, int value) {
    events_.push_back({.tick = tick, .status = status(0xB0), .data = {controller, static_cast<std::uint8_t>(value)}});
  }
  std::vector<MidiEvent> take() {
    // At one tick, notes end before others start: the same key may be struck again.
    std::stable_sort(events_.begin(), events_.end(), [](const MidiEvent& a, const MidiEvent& b) {
      return a.tick != b.tick ? a.tick < b.tick : a.is_note_off() && !b.is_note_off();
    });
    return std::move(events_);
  }

 private:
  std::uint8_t status(int kind) const { return static_cast<std::uint8_t>(kind | channel_); }
  Rng& rng_;
  std::uint8_t channel_;
  double swing_;
  std::vector<MidiEvent> events_;
};

struct Phrase {
  int first_step = 0;
  bool is_chorus = false;
  bool is_last = false;
  Progression chords{};
};

class Piece {
 public:
  explicit Piece(const ComposeOptions& options) : rng_(options.seed, options.item) {
    harmony_ = {.tonic = static_cast<int>(rng_.index(12)), .is_minor = rng_.uniform() < 0.45};
    tempo_bpm_ = static_cast<double>(70 + rng_.index(91));
    swing_ = rng_.uniform() < 0.3 ? rng_.uniform(0.3, 0.66) : 0.0;
    const Progression verse = progression(), chorus = progression();
    const double phrase_s = kBarsPerPhrase * kBeatsPerBar * 60 / tempo_bpm_;
    const int count = std::max(1, static_cast<int>(std::lround(options.length_s / phrase_s)));
    for (int i = 0; i < count; ++i) {
      const bool is_chorus = i % 4 >= 2;  // A A B B
      phrases_.push_back({i * kBarsPerPhrase * kStepsPerBar, is_chorus, i + 1 == count, is_chorus ? chorus : verse});
    }
  }

  MidiFile compose() {
    MidiFile file{.format = 1, .division = kTicksPerBeat, .tracks = {conductor()}};
    std::uint8_t channel = 0;
    for (const Player& player : hire_band(rng_)) {
      const bool is_drums = player.role == Role::kDrums;
      file.tracks.push_back(perform(player, is_drums ? kDrumChannel : channel));
      if (!is_drums && ++channel == kDrumChannel) ++channel;
    }
    return file;
  }

 private:
  Progression progression() { return harmony_.is_minor ? pick(rng_, kMinorProgressions) : pick(rng_, kMajorProgressions); }
  int end_tick() const { return static_cast<int>(phrases_.size()) * kBarsPerPhrase * kStepsPerBar * kTicksPerStep; }

  static MidiEvent tempo_event(int tick, double bpm) {
    const auto microseconds = static_cast<std::uint32_t>(std::lround(60e6 / bpm));
    std::string payload;
    for (const int shift : {16, 8, 0}) payload.push_back(static_cast<char>(microseconds >> shift & 0xFF));
    return {.tick = static_cast<std::uint64_t>(tick), .status = 0xFF, .data = {kMetaTempo, 0}, .payload = payload};
  }

  std::vector<MidiEvent> conductor() {
    // Fifths up from C (sharps) or down (flats, negative), of the major scale with the same notes.
    const int major_tonic = harmony_.is_minor ? (harmony_.tonic + 3) % 12 : harmony_.tonic;
    const int fifths = (major_tonic * 7 + 5) % 12 - 5;
    std::vector<MidiEvent> events{
        {.status = 0xFF, .data = {kMetaTimeSignature, 0}, .payload = {kBeatsPerBar, 2, 24, 8}},
        {.status = 0xFF, .data = {kMetaKeySignature, 0}, .payload = {static_cast<char>(fifths), static_cast<char>(harmony_.is_minor)}},
        tempo_event(0, tempo_bpm_)};
    const int last_bar = end_tick() - kStepsPerBar * kTicksPerStep;  // the last bar slows down
    for (int beat = 1; beat < kBeatsPerBar; ++beat)
      events.push_back(tempo_event(last_bar + beat * kTicksPerBeat, tempo_bpm_ * (1 - 0.06 * beat)));
    return events;
  }

  std::vector<MidiEvent> perform(const Player& player, std::uint8_t channel) {
    Performance performance(rng_, channel, swing_);
    const bool has_program = player.role != Role::kDrums;
    constexpr std::uint8_t kPan = 10;
    const bool is_central = player.role == Role::kDrums || player.role == Role::kBass || player.role == Role::kLead;
    performance.control(0, kPan, is_central ? 64 : 24 + static_cast<int>(rng_.index(81)));
    for (const Phrase& phrase : phrases_) {
      if (!phrase.is_chorus && phrases_.size() > 1 && rng_.uniform() >= player.presence) continue;
      play(player, phrase, performance);
    }
    std::vector<MidiEvent> events{
        {.status = 0xFF, .data = {kMetaTrackName, 0}, .payload = std::string(program_name(has_program ? player.program : kDrumProgram))}};
    if (has_program)
      events.push_back({.status = static_cast<std::uint8_t>(0xC0 | channel), .data = {static_cast<std::uint8_t>(player.program), 0}});
    for (MidiEvent& event : performance.take()) events.push_back(std::move(event));
    return events;
  }

  void play(const Player& player, const Phrase& phrase, Performance& out) {
    const std::string_view rhythm = phrase.is_chorus ? player.chorus : player.verse;
    switch (player.role) {
      case Role::kDrums: return drums(rhythm, phrase, out);
      case Role::kBass: return bass(player, rhythm, phrase, out);
      case Role::kChords: return chords(player, rhythm, phrase, out);
      case Role::kArpeggio: return arpeggio(player, phrase, out);
      case Role::kPad: return pad(player, phrase, out);
      case Role::kLead: return lead(player, rhythm, phrase, out);
      case Role::kStabs: return stabs(player, phrase, out);
      case Role::kOstinato: return ostinato(player, rhythm, phrase, out);
      case Role::kSwell: return swell(player, phrase, out);
    }
  }

  static int bar_start(const Phrase& phrase, int bar) { return phrase.first_step + bar * kStepsPerBar; }

  void drums(std::string_view kick, const Phrase& phrase, Performance& out) {
    constexpr int kKick = 36, kSnare = 38, kClosedHat = 42, kOpenHat = 46, kCrash = 49, kRide = 51, kTom = 45;
    const std::string_view snare = pick(rng_, kSnares), hat = pick(rng_, kHats);
    const int cymbal = phrase.is_chorus && rng_.uniform() < 0.5 ? kRide : kClosedHat;
    out.note(phrase.first_step, 4, kCrash, phrase.is_chorus ? 105 : 80);
    for (int bar = 0; bar < kBarsPerPhrase; ++bar) {
      const int start = bar_start(phrase, bar);
      const bool has_fill = bar + 1 == kBarsPerPhrase;
      for (const Step& step : steps_of(kick)) out.note(start + step.start, 1, kKick, step.accented ? 112 : 92);
      for (const Step& step : steps_of(hat)) out.note(start + step.start, 1, cymbal, step.accented ? 84 : 66);
      for (const Step& step : steps_of(snare))
        if (!has_fill || step.start < 12) out.note(start + step.start, 1, kSnare, step.accented ? 108 : 60);
      if (has_fill)
        for (int i = 0; i < 4; ++i) out.note(start + 12 + i, 1, rng_.uniform() < 0.5 ? kSnare : kTom + i, 80 + 8 * i);
      else if (rng_.uniform() < 0.4) out.note(start + 14, 2, kOpenHat, 76);
    }
  }

  void bass(const Player& player, std::string_view rhythm, const Phrase& phrase, Performance& out) {
    for (int bar = 0; bar < kBarsPerPhrase; ++bar) {
      const int degree = phrase.chords[static_cast<std::size_t>(bar)];
      const int root = harmony_.pitch(degree, player.centre - 8) % 12 + (player.centre - player.centre % 12);
      const int fifth = root + 7;
      for (const Step& step : steps_of(rhythm)) {
        const bool on_root = step.start == 0 || rng_.uniform() < 0.65;
        out.note(bar_start(phrase, bar) + step.start, step.length,
                 on_root                ? root
                 : rng_.uniform() < 0.6 ? fifth
                                        : root + 12,
                 step.accented ? 104 : 90);
      }
    }
  }

  void chords(const Player& player, std::string_view rhythm, const Phrase& phrase, Performance& out) {
    const bool is_strummed = player.program >= 24 && player.program <= 31;
    const int voices = player.program == 29 || player.program == 30 ? 3 : 4;
    for (int bar = 0; bar < kBarsPerPhrase; ++bar) {
      const auto pitches = voicing(harmony_, phrase.chords[static_cast<std::size_t>(bar)], voices, player.centre);
      for (const Step& step : steps_of(rhythm)) {
        int delay = 0;
        for (const int pitch : pitches) {
          out.note(bar_start(phrase, bar) + step.start, step.length, pitch, step.accented ? 88 : 76, delay);
          if (is_strummed) delay += 10;
        }
      }
    }
  }

  void arpeggio(const Player& player, const Phrase& phrase, Performance& out) {
    const int stride = rng_.uniform() < 0.5 ? 2 : 1;  // eighths or sixteenths
    for (int bar = 0; bar < kBarsPerPhrase; ++bar) {
      const auto pitches = voicing(harmony_, phrase.chords[static_cast<std::size_t>(bar)], 4, player.centre);
      const int count = static_cast<int>(pitches.size()), period = std::max(1, 2 * (count - 1));
      for (int i = 0; i * stride < kStepsPerBar; ++i) {
        const int at = i % period;
        out.note(bar_start(phrase, bar) + i * stride, stride, pitches[static_cast<std::size_t>(at < count ? at : period - at)],
                 i * stride % 4 == 0 ? 86 : 70);
      }
    }
  }

  void pad(const Player& player, const Phrase& phrase, Performance& out) {
    for (int bar = 0; bar < kBarsPerPhrase; ++bar)
      for (const int pitch : voicing(harmony_, phrase.chords[static_cast<std::size_t>(bar)], 4, player.centre))
        out.note(bar_start(phrase, bar), kStepsPerBar, pitch, 70);
  }

  /// A walk over the scale that meets a tone of the chord on accents; the second half of a phrase varies the
  /// first.
  void lead(const Player& player, std::string_view rhythm, const Phrase& phrase, Performance& out) {
    const std::string_view answer = pick(rng_, kMelodies);
    std::array<int, kStepsPerBar> contour{};
    for (int& move : contour) move = static_cast<int>(rng_.index(5)) - 2;
    int step = static_cast<int>(rng_.index(5));
    for (int bar = 0; bar < kBarsPerPhrase; ++bar) {
      const int degree = phrase.chords[static_cast<std::size_t>(bar)];
      for (const Step& beat : steps_of(bar % 2 == 0 ? rhythm : answer)) {
        step = std::clamp(step + contour[static_cast<std::size_t>(beat.start)], -3, 9);
        if (beat.accented) {
          int nearest = step;  // of degree, degree + 2, degree + 4 in any octave
          for (int distance = 0; distance < 4; ++distance) {
            const auto is_chord_tone = [&](int s) {
              const int above = ((s - degree) % 7 + 7) % 7;
              return above == 0 || above == 2 || above == 4;
            };
            if (is_chord_tone(step + distance)) {
              nearest = step + distance;
              break;
            }
            if (is_chord_tone(step - distance)) {
              nearest = step - distance;
              break;
            }
          }
          step = nearest;
        }
        const bool is_end = phrase.is_last && bar + 1 == kBarsPerPhrase && beat.start >= 8;
        out.note(bar_start(phrase, bar) + beat.start, beat.length, harmony_.pitch(is_end ? 0 : step, player.centre - 6),
                 beat.accented ? 104 : 92);
        if (is_end) break;
      }
    }
  }

  void stabs(const Player& player, const Phrase& phrase, Performance& out) {
    const int at = pick(rng_, std::array{0, 6, 10, 14});
    for (int bar = 1; bar < kBarsPerPhrase; bar += 2)
      for (const int pitch : voicing(harmony_, phrase.chords[static_cast<std::size_t>(bar)], 3, player.centre))
        out.note(bar_start(phrase, bar) + at, 2, pitch, 106);
  }

  void ostinato(const Player& player, std::string_view rhythm, const Phrase& phrase, Performance& out) {
    for (int bar = 0; bar < kBarsPerPhrase; ++bar)
      for (const Step& step : steps_of(rhythm))
        out.note(bar_start(phrase, bar) + step.start, step.length, harmony_.pitch(step.accented ? 0 : 4, player.centre - 6),
                 step.accented ? 96 : 78);
  }

  void swell(const Player& player, const Phrase& phrase, Performance& out) {
    if (phrase.is_last) return;
    out.note(bar_start(phrase, kBarsPerPhrase - 1) + 8, 8, player.centre, 90);
  }

  Rng rng_;
  Harmony harmony_;
  double tempo_bpm_ = 0;
  double swing_ = 0;  ///< of a sixteenth, by which every second eighth comes late
  std::vector<Phrase> phrases_;
};

}  // namespace

void ComposeOptions::validate() const {
  if (!(length_s >= 1 && length_s <= 600)) throw Error{ErrorCode::kUsage, "must lie between 1 and 600 s", "length"};
}

MidiFile compose(const ComposeOptions& options) {
  options.validate();
  return Piece(options).compose();
}

}  // namespace unbraid::data
