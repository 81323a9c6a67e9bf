// Convolutive, supervised and score-informed factorisation: closed forms, and methods that need a file.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <set>
#include <string>
#include <vector>

#include "classic/component_groups.hpp"
#include "classic/tile_product.hpp"
#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/nmf.hpp"
#include "unbraid/classic/nmf_convolutive.hpp"
#include "unbraid/classic/nmf_dictionary.hpp"
#include "unbraid/classic/nmf_score.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/data/midi.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::classic {
namespace {

constexpr double kRate = 16000;

template <class T>
std::vector<T> random_values(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<T> values(count);
  for (T& x : values) x = static_cast<T>(rng.uniform(0.01, 1));
  return values;
}

template <class T>
class TileProduct : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(TileProduct, Types);

TYPED_TEST(TileProduct, EqualsTheDefinitionForEveryShape) {
  using T = TypeParam;
  for (const std::size_t rows : {1u, 5u, 6u, 13u, 48u})
    for (const std::size_t vectors : {1u, 2u, 3u, 4u, 7u})
      for (const std::size_t depth : {1u, 2u, 31u}) {
        const std::size_t columns = vectors * lanes<T>, stride = columns + lanes<T>;
        const auto x = random_values<T>(rows * depth, 1), y = random_values<T>(depth * stride, 2);
        const auto start = random_values<T>(rows * stride, 3);
        for (const bool turned : {false, true}) {
          std::vector<T> c = start;
          const Strided<T> operand{x.data(), turned ? 1 : depth, turned ? rows : 1};
          add_product<T>(rows, columns, depth, operand, y.data(), stride, c.data(), stride);
          for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t k = 0; k < stride; ++k) {
              double expected = start[r * stride + k];
              for (std::size_t d = 0; d < depth && k < columns; ++d)
                expected += static_cast<double>(x[turned ? d * rows + r : r * depth + d]) * y[d * stride + k];
              ASSERT_NEAR(c[r * stride + k], expected, 40 * std::numeric_limits<T>::epsilon() * expected)
                  << rows << 'x' << depth << 'x' << columns << " at " << r << ", " << k;
            }
        }
      }
}

TYPED_TEST(TileProduct, QuotientsAreOffByOneUnitAtMost) {
  using T = TypeParam;
  Rng rng(4);
  alignas(64) T a[lanes<T>], b[lanes<T>], result[lanes<T>];
  for (int i = 0; i < 1000; ++i) {
    for (std::size_t j = 0; j < lanes<T>; ++j) {
      a[j] = i == 0 ? T{0} : static_cast<T>(rng.uniform());
      b[j] = static_cast<T>(std::exp(rng.uniform(-16, 16)));
    }
    put(result, quotient<T>(get(a), get(b)));
    for (std::size_t j = 0; j < lanes<T>; ++j)
      ASSERT_NEAR(result[j], a[j] / b[j], std::numeric_limits<T>::epsilon() * (a[j] / b[j])) << a[j] << " / " << b[j];
  }
}

TEST(NmfConvolutive, WithASpanOfOneFrameIsNmf) {
  constexpr std::size_t kFrames = 130, kBins = 70, kComponents = 5;
  const auto v = random_values<double>(kFrames * kBins, 4);
  ThreadPool pool(2);
  RunContext run{pool};
  const ConvolutiveOptions options{.components = kComponents, .span_frames = 1, .iterations = 7};
  auto convolutive = convolutive_start<double>(v, kFrames, kBins, options, 8);
  NmfFactors<double> plain{kFrames, kBins, kComponents, convolutive.activations, convolutive.patterns};
  nmf_convolutive<double>(v, convolutive, options, run);
  nmf<double>(v, plain, {.components = kComponents, .beta = 1, .iterations = 7}, run);
  for (std::size_t i = 0; i < plain.activations.size(); ++i) ASSERT_NEAR(convolutive.activations[i], plain.activations[i], 1e-11);
  for (std::size_t i = 0; i < plain.dictionary.size(); ++i) ASSERT_NEAR(convolutive.patterns[i], plain.dictionary[i], 1e-11);
}

/// Σ d_KL(v | model).
double divergence(const std::vector<double>& v, const ConvolutiveFactors<double>& factors, ThreadPool& pool) {
  std::vector<double> model(v.size());
  const auto all = std::make_unique<bool[]>(factors.components);
  std::fill_n(all.get(), factors.components, true);
  convolutive_model<double>(factors, {all.get(), factors.components}, model, pool);
  double sum = 0;
  for (std::size_t i = 0; i < v.size(); ++i) sum += v[i] * std::log(v[i] / model[i]) - v[i] + model[i];
  return sum;
}

TEST(NmfConvolutive, NeverRisesAndFindsPatternsInTime) {
  constexpr std::size_t kFrames = 200, kBins = 30, kSpan = 6;
  const ConvolutiveOptions options{.components = 2, .span_frames = kSpan, .iterations = 1};
  // Two patterns that begin at different places; nothing before a beginning.
  ConvolutiveFactors<double> truth{
      kFrames, kBins, 2, kSpan, std::vector<double>(kFrames * 2, 1e-4), random_values<double>(kSpan * 2 * kBins, 9)};
  Rng rng(10);
  for (std::size_t m = 0; m + kSpan < kFrames; m += 5 + rng.index(6)) truth.activations[m * 2 + rng.index(2)] = 1;
  ThreadPool pool(2);
  RunContext run{pool};
  std::vector<double> v(kFrames * kBins);
  const bool both[] = {true, true};
  convolutive_model<double>(truth, both, v, pool);
  auto factors = convolutive_start<double>(v, kFrames, kBins, options, 3);
  const double start = divergence(v, factors, pool);
  double last = start;
  for (int i = 0; i < 200; ++i) {
    nmf_convolutive<double>(v, factors, options, run);
    const double now = divergence(v, factors, pool);
    ASSERT_LE(now, last * (1 + 1e-12)) << i;
    last = now;
  }
  EXPECT_LT(last, 0.02 * start);
  EXPECT_THROW(nmf_convolutive<double>(std::vector<double>(3), factors, options, run), Error);
}

/// A tone of harmonics, with an attack and a decay of its own.
void add_note(AudioBuffer& audio, double hz, double start_s, double length_s, double decay) {
  const auto first = static_cast<std::size_t>(start_s * kRate), count = static_cast<std::size_t>(length_s * kRate);
  for (std::size_t i = 0; i < count && first + i < audio.frames(); ++i) {
    const double t = static_cast<double>(i) / kRate;
    double value = 0;
    for (int h = 1; h <= 8; ++h) value += std::pow(decay, h) * std::sin(2 * std::numbers::pi * hz * h * t);
    audio.channel(0)[first + i] += static_cast<float>(0.3 * value * std::min(1.0, 200 * t) * std::min(1.0, 50 * (length_s - t)));
  }
}

double si_sdr(AudioView estimate, AudioView truth) {
  double xx = 0, ss = 0, xs = 0;
  for (std::size_t i = 0; i < truth.frames(); ++i) {
    const double x = estimate.channel(0)[i], s = truth.channel(0)[i];
    xx += x * x, ss += s * s, xs += x * s;
  }
  return 10 * std::log10(xs * xs / (xx * ss - xs * xs));
}

/// A low instrument with a dull colour and a high one with a bright one, which overlap in time.
struct Duo {
  AudioBuffer low{1, 48000}, high{1, 48000}, mix{1, 48000};
  Duo() {
    for (int i = 0; i < 6; ++i) {
      add_note(low, 440 * std::exp2((45 + 2 * i - 69) / 12.0), 0.5 * i, 0.45, 0.4);
      add_note(high, 440 * std::exp2((76 - i - 69) / 12.0), 0.5 * i + 0.2, 0.45, 0.8);
    }
    add_scaled(low, 1, mix);
    add_scaled(high, 1, mix);
  }
};

// Two notes by turns; the first has partials 74 dB below it. With Itakura-Saito, which hears the quiet as well as the loud,
// they belong to it; a model that has lost them shares them evenly.
TEST(Nmf, ItakuraSaitoOfPowersKeepsTheQuiet) {
  constexpr std::size_t kLength = 4000;
  AudioBuffer mix(1, 8 * kLength);
  for (std::size_t i = 0; i < mix.frames(); ++i) {
    const double turn = 2 * std::numbers::pi * static_cast<double>(i) / kRate;
    const double swell = std::sin(std::numbers::pi * static_cast<double>(i % kLength) / kLength);
    const bool first = i / kLength % 2 == 0;
    const double value = first ? std::sin(220 * turn) + 2e-4 * (std::sin(5000 * turn) + std::sin(6500 * turn))
                               : std::sin(300 * turn) + 0.5 * std::sin(600 * turn);
    mix.channel(0)[i] = static_cast<float>(0.5 * swell * value);
  }
  const Method method = nmf_method();
  ThreadPool pool(2);
  RunContext run{pool};
  for (const char* start : {"random", "nndsvd"}) {
    const Stems stems =
        method
            .make({.sample_rate = kRate, .channels = 1},
                  ParameterValues::resolve(method.parameters,
                                           {{"sources", "2"}, {"components", "2"}, {"beta", "0"}, {"spectrum", "power"}, {"start", start}}),
                  1)
            ->process(mix, run);
    const dsp::Stft<float> stft({.window = {.length = 1024}, .hop = 256});
    double energy[2] = {};
    for (std::size_t s = 0; s < 2; ++s) {
      const auto x = stft.forward(stems[s].audio, pool);
      for (std::size_t m = 0; m < x.frames(); ++m)
        for (const std::size_t k : {319u, 320u, 321u, 415u, 416u, 417u}) energy[s] += std::norm(x.at(0, m, k));  // 15.625 Hz apart
    }
    EXPECT_GT(std::max(energy[0], energy[1]), 0.9 * (energy[0] + energy[1])) << start;
  }
}

TEST(NmfScore, FollowsTheNotes) {
  const Duo duo;
  Score score{.stems = {"Bass", "Organ"}};
  for (int i = 0; i < 6; ++i) {
    score.notes.push_back({0, 45 + 2 * i, false, 0.5 * i, 0.5 * i + 0.45});
    score.notes.push_back({1, 76 - i, false, 0.5 * i + 0.2, 0.5 * i + 0.65});
  }
  const testing::TemporaryFolder folder;
  // The same notes as a MIDI file, read back.
  data::MidiFile file{.division = 480, .tracks = {{}, {}}};
  for (const std::size_t t : {0u, 1u}) {
    const auto channel = static_cast<std::uint8_t>(t);
    file.tracks[t].push_back({0, static_cast<std::uint8_t>(0xC0 + channel), {static_cast<std::uint8_t>(t == 0 ? 33 : 17), 0}});
    std::vector<data::MidiEvent> notes;
    for (const ScoreNote& note : score.notes) {
      if (note.stem != t) continue;
      const auto tick = [](double s) { return static_cast<std::uint64_t>(std::lround(s * 960)); };  // 120 to the minute
      const auto key = static_cast<std::uint8_t>(note.key);
      notes.push_back({tick(note.start_s), static_cast<std::uint8_t>(0x90 + channel), {key, 90}});
      notes.push_back({tick(note.end_s), static_cast<std::uint8_t>(0x80 + channel), {key, 0}});
    }
    std::ranges::stable_sort(notes, {}, &data::MidiEvent::tick);
    file.tracks[t].insert(file.tracks[t].end(), notes.begin(), notes.end());
  }
  write_file_atomically(folder / "duo.mid", data::encode_midi(file));
  const Score read = read_score(folder / "duo.mid");
  ASSERT_EQ(read.stems, score.stems);
  ASSERT_EQ(read.notes.size(), score.notes.size());
  EXPECT_EQ(read.notes[0].key, 45);
  EXPECT_NEAR(read.notes[1].start_s, 0.5, 1e-3);
  EXPECT_NEAR(read.notes[1].end_s, 0.95, 1e-3);

  const Method method = nmf_score_method();
  const auto separator = method.make({.sample_rate = kRate, .channels = 1},
                                     ParameterValues::resolve(method.parameters, {{"score", (folder / "duo.mid").string()}}), 0);
  ThreadPool pool(2), one(1);
  RunContext run{pool}, alone{one};
  const Stems stems = separator->process(duo.mix, run);
  EXPECT_EQ(stems.names(), score.stems);
  EXPECT_GT(si_sdr(stems[0].audio, duo.low), 15);
  EXPECT_GT(si_sdr(stems[1].audio, duo.high), 15);
  EXPECT_EQ(testing::largest_difference(stems[0].audio, separator->process(duo.mix, alone)[0].audio), 0);
  for (const std::size_t frames : {0u, 1u, 600u}) {
    const Stems edge = separator->process(AudioBuffer(1, frames), run);
    EXPECT_EQ(edge[0].audio.frames(), frames);
  }
}

TEST(NmfScore, RefusesWhatIsNoScore) {
  ThreadPool pool(1);
  RunContext run{pool};
  const Score good{.stems = {"Bass"}, .notes = {{.end_s = 1}}};
  const auto refuses = [&](const Score& score, std::size_t bins, double rate, std::size_t hop) {
    try {
      score_masks(dsp::Magnitudes<float>(1, 4, bins), rate, hop, score, {}, run);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::kUsage;
    }
  };
  EXPECT_FALSE(refuses(good, 9, kRate, 4));
  EXPECT_TRUE(refuses({.stems = {"Bass"}, .notes = {{.stem = 1, .end_s = 1}}}, 9, kRate, 4));
  EXPECT_TRUE(refuses({.stems = {"Bass"}, .notes = {{.key = 128, .end_s = 1}}}, 9, kRate, 4));
  for (const std::size_t bins : {0u, 1u}) EXPECT_TRUE(refuses(good, bins, kRate, 4)) << bins;
  EXPECT_TRUE(refuses(good, 9, std::nan(""), 4));
  EXPECT_TRUE(refuses(good, 9, kRate, 0));
  const testing::TemporaryFolder folder;
  write_file_atomically(folder / "empty.mid", data::encode_midi({.tracks = {{}}}));
  EXPECT_THROW(read_score(folder / "empty.mid"), Error);
  EXPECT_THROW(read_score(folder / "none.mid"), Error);
  EXPECT_THROW(ParameterValues::resolve(nmf_score_method().parameters), Error) << "a score is needed";
}

class OneTrack : public data::Dataset {
 public:
  explicit OneTrack(data::Track track) : track_(std::move(track)) {}
  std::size_t size() const override { return 1; }
  data::Track track(std::size_t) const override { return track_; }
  std::string track_name(std::size_t) const override { return track_.name; }
  std::string split(std::size_t) const override { return {}; }
  std::string format() const override { return "memory"; }

 private:
  data::Track track_;
};

TEST(NmfSupervised, SeparatesWhatItHasLearnt) {
  const Duo duo;
  data::Track track{.name = "duo", .sample_rate = kRate};
  track.stems.push_back({.name = "low", .instrument = {}, .audio = data::memory_source(duo.low, kRate)});
  track.stems.push_back({.name = "high", .instrument = {}, .audio = data::memory_source(duo.high, kRate)});
  const OneTrack songs(track);
  ThreadPool pool(2), one(1);
  RunContext run{pool}, alone{one};
  const DictionaryOptions learn{.components = 12, .iterations = 80};
  const NmfDictionary learnt = learn_dictionary(songs, learn, run);
  EXPECT_EQ(learnt.stems, (std::vector<std::string>{"low", "high"}));
  EXPECT_EQ(learnt.spectra, learn_dictionary(songs, learn, alone).spectra);
  std::set<std::string> stages;  // of tracks and stems, not of the factorisations
  RunContext told{.pool = pool, .progress = Progress([&](const Progress::Update& update) { stages.insert(update.stage); })};
  learn_dictionary(songs, {.components = 2, .iterations = 2}, told);
  EXPECT_EQ(stages, std::set<std::string>{"learn"});

  const testing::TemporaryFolder folder;
  const auto path = folder / "dictionary.safetensors";
  save_dictionary(path, learnt);
  const NmfDictionary loaded = load_dictionary(path);
  EXPECT_EQ(loaded.stems, learnt.stems);
  EXPECT_EQ(loaded.spectra, learnt.spectra);
  EXPECT_EQ(loaded.sample_rate, kRate);

  const Method method = nmf_supervised_method();
  const StreamFormat format{.sample_rate = kRate, .channels = 1};
  const auto make = [&](const std::string& free_components) {
    return method.make(
        format, ParameterValues::resolve(method.parameters, {{"dictionary", path.string()}, {"free_components", free_components}}), 1);
  };
  const Stems stems = make("0")->process(duo.mix, run);
  EXPECT_EQ(stems.names(), learnt.stems);
  EXPECT_GT(si_sdr(stems[0].audio, duo.low), 12);
  EXPECT_GT(si_sdr(stems[1].audio, duo.high), 12);
  const auto semi = make("4");
  EXPECT_EQ(semi->info().stems, (std::vector<std::string>{"low", "high", "rest"}));
  EXPECT_EQ(testing::largest_difference(semi->process(duo.mix, run)[2].audio, semi->process(duo.mix, alone)[2].audio), 0);
  for (const Stem& stem : make("0")->process(AudioBuffer(1, 5000), run))
    EXPECT_TRUE(std::ranges::all_of(stem.audio.samples(), [](float x) { return x == 0; }));
  EXPECT_EQ(make("0")->process(AudioBuffer(1, 1), run)[0].audio.frames(), 1u);
  EXPECT_THROW(learn_dictionary(songs, {.stems = {"piano"}}, run), Error);
}

TEST(NmfSupervised, RefusesOtherFiles) {
  const testing::TemporaryFolder folder;
  checkpoint::TensorMap tensors;
  tensors.add("weight", checkpoint::Tensor::from_floats({1, 2}, std::vector<float>{1, 2}));
  checkpoint::save_safetensors(folder / "model.safetensors", tensors);
  try {
    load_dictionary(folder / "model.safetensors");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("unbraid train nmf"), std::string::npos);
  }
  checkpoint::save_safetensors(folder / "shape.safetensors", tensors,
                               {{"format", "unbraid.nmf/1"}, {"sample_rate", "8000"}, {"window", "64"}, {"hop", "16"}});
  EXPECT_THROW(load_dictionary(folder / "shape.safetensors"), Error);
  // Two bins, which the shape fits; a window that is half a number.
  for (const char* window : {"2", "2 frames"}) {
    checkpoint::save_safetensors(folder / "window.safetensors", tensors,
                                 {{"format", "unbraid.nmf/1"}, {"sample_rate", "8000"}, {"window", window}, {"hop", "1"}});
    if (std::string_view(window) == "2") EXPECT_NO_THROW(load_dictionary(folder / "window.safetensors"));
    else EXPECT_THROW(load_dictionary(folder / "window.safetensors"), Error);
  }
}

TEST(ComponentGroups, MasksAreSharesOfTheModel) {
  const NmfFactors<float> factors{1, 3, 3, {1, 2, 0}, {1, 0, 0, 1, 1, 0, 5, 5, 5}};
  ThreadPool pool(1);
  const std::size_t group[] = {0, 1, 0};
  const auto masks = group_masks(factors, group, 2, pool);
  EXPECT_FLOAT_EQ(masks[0].at(0, 0, 0), 1.0f / 3);
  EXPECT_FLOAT_EQ(masks[1].at(0, 0, 0), 2.0f / 3);
  EXPECT_FLOAT_EQ(masks[1].at(0, 0, 1), 1);
  EXPECT_FLOAT_EQ(masks[0].at(0, 0, 2), 0.5f) << "nothing is modelled there";
  EXPECT_EQ(component_levels(factors), (std::vector<double>{1, 4, 0}));
}

}  // namespace
}  // namespace unbraid::classic
