// Training mixtures per second: 5 s of four stems at 44.1 kHz, mono, from WAV files, by the recipe of
// configs/mix.
//
// The counter x_realtime is seconds of mixture per second of one core. The last argument says what is on:
// 0 nothing but levels and fades, 1 pitch and stretch, 2 effects as well.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <numbers>
#include <string>

#include "unbraid/core/rng.hpp"
#include "unbraid/data/mix.hpp"
#include "unbraid/io/writer.hpp"

namespace {

using namespace unbraid;
namespace fs = std::filesystem;

constexpr double kRate = 44100;
const std::vector<std::string> kStems{"vocals", "drums", "bass", "other"};

/// Four songs of 20 s as MUSDB18-HQ lays them out; removed at exit.
const fs::path& songs() {
  struct Folder {
    fs::path path;
    Folder() {
      std::string name = (fs::temp_directory_path() / "unbraid-bench-XXXXXX").string();
      path = mkdtemp(name.data());
      for (std::size_t t = 0; t < 4; ++t)
        for (std::size_t s = 0; s < kStems.size(); ++s) {
          Rng rng(t, s);
          AudioBuffer audio(2, static_cast<std::size_t>(20 * kRate));
          const double hz = 110 * static_cast<double>(1 + s) + 13 * static_cast<double>(t);
          for (std::size_t i = 0; i < audio.frames(); ++i) {
            const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / kRate;
            const double tone = std::sin(phase) + 0.5 * std::sin(2 * phase) + 0.3 * std::sin(3.01 * phase);
            for (std::size_t c = 0; c < 2; ++c) audio.channel(c)[i] = static_cast<float>(0.1 * tone + 0.02 * rng.uniform(-1, 1));
          }
          const auto writer = io::create_writer(path / ("Song " + std::to_string(t)) / (kStems[s] + ".wav"),
                                                {.format = io::SampleFormat::kPcm16, .sample_rate = kRate});
          writer->write(audio);
          writer->finish();
        }
    }
    ~Folder() { fs::remove_all(path); }
  };
  static const Folder folder;
  return folder.path;
}

void BM_Mix(benchmark::State& state) {
  data::MixRecipe recipe{.sources = {.path = songs()}, .stems = {}, .count = 1'000'000};
  for (const std::string& name : kStems) {
    data::MixStemSpec stem{.name = name};
    stem.event.source_time_s = data::Distribution::uniform(0, 7);
    stem.event.snr_db = data::Distribution::uniform(-5, 5);
    if (state.range(0) >= 1) {
      stem.event.pitch_shift = data::Distribution::uniform(-2, 2);
      stem.event.time_stretch = data::Distribution::uniform(0.8, 1.2);
    }
    if (state.range(0) >= 2) stem.event.effects = {{.kind = "eq"}, {.kind = "reverb"}, {.kind = "compress"}, {.kind = "saturate"}};
    recipe.stems.push_back(std::move(stem));
  }
  const data::MixtureDataset mixtures(data::open_mix_sources(recipe.sources), recipe);
  std::size_t item = 0;
  for (auto _ : state) benchmark::DoNotOptimize(mixtures.make(item++ % mixtures.size()));
  state.counters["x_realtime"] =
      benchmark::Counter(recipe.duration_s * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Mix)->Arg(0)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

}  // namespace
