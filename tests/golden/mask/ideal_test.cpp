// Ideal masks against the oracle notebook (seed 000) and nussl.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/fixtures.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/mask/apply.hpp"
#include "unbraid/mask/ideal.hpp"

namespace unbraid::mask {
namespace {

using testing::load_json;
using testing::load_npy;
using testing::Npy;

const dsp::StftOptions kSeedStft{.window = {.length = 1024}, .hop = 256, .scaling = dsp::StftScaling::kScipySpectrum};

/// The notebook's masks: scipy scaling, ε = 1e−10 in every denominator.
IdealMask seed_mask(std::string_view name) {
  IdealMask mask = ideal_mask(name);
  mask.epsilon = 1e-10;
  return mask;
}

/// A mixture and its stems, [channel][sample] in double, with their spectrograms.
struct Scene {
  dsp::Stft<double> stft;
  std::size_t channels, samples;
  std::vector<std::vector<double>> stems = {};
  dsp::Spectrogram<double> mixture = {};
  std::vector<dsp::Spectrogram<double>> sources = {};

  std::vector<double> load(const std::filesystem::path& path, std::size_t first_channel) const {
    const io::Audio audio = io::read_audio(testing::fixtures() / path, {}, 0, samples);
    std::vector<double> wide;
    for (std::size_t c = first_channel; c < first_channel + channels; ++c) {
      const auto channel = audio.samples.channel(c);
      wide.insert(wide.end(), channel.begin(), channel.end());
    }
    return wide;
  }
  Scene(const dsp::StftOptions& options, std::size_t channel_count, std::size_t sample_count, const std::filesystem::path& mix,
        const std::vector<std::filesystem::path>& stem_files, std::size_t first_channel, ThreadPool& pool)
      : stft(options), channels(channel_count), samples(sample_count) {
    const auto forward = [&](const std::vector<double>& x) { return stft.forward({x.data(), channels, samples, samples}, pool); };
    mixture = forward(load(mix, first_channel));
    for (const auto& file : stem_files) {
      stems.push_back(load(file, first_channel));
      sources.push_back(forward(stems.back()));
    }
  }
  std::vector<double> masked(const dsp::Mask<double>& mask, ThreadPool& pool) const {
    std::vector<double> x(channels * samples);
    stft.inverse(apply(mask, mixture, pool), {x.data(), channels, samples, samples}, pool);
    return x;
  }
};

/// The notebook's SI-SDR with its ε, of n samples.
double seed_si_sdr(const double* reference, const double* estimate, std::size_t n) {
  constexpr double kEpsilon = 1e-10;
  double er = 0, rr = 0;
  for (std::size_t i = 0; i < n; ++i) {
    er += estimate[i] * reference[i];
    rr += reference[i] * reference[i];
  }
  const double alpha = er / (rr + kEpsilon);
  double target = 0, residual = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = alpha * reference[i];
    target += t * t;
    residual += (estimate[i] - t) * (estimate[i] - t);
  }
  return 10 * std::log10((target + kEpsilon) / (residual + kEpsilon));
}

void expect_stats(const dsp::Mask<double>& mask, const nlohmann::json& stats) {
  double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
  for (const double m : mask.values()) {
    sum += m;
    squares += m * m;
    low = std::min(low, m);
    high = std::max(high, m);
  }
  // Sums of 3·10⁵ to 10⁶ values, added in another order.
  EXPECT_NEAR(sum, stats["sum"].get<double>(), 1e-10 * sum + 1e-12);
  EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), 1e-10 * squares + 1e-12);
  EXPECT_NEAR(low, stats["min"].get<double>(), 1e-12);
  EXPECT_NEAR(high, stats["max"].get<double>(), 1e-12);
}

/// (stem, bin, frame) of a stored excerpt that begins at frame 300.
void expect_mask_excerpt(const std::vector<dsp::Mask<double>>& masks, const Npy& want) {
  double worst = 0;
  for (std::size_t i = 0; i < want.shape[0]; ++i) {
    for (std::size_t k = 0; k < want.shape[1]; ++k) {
      for (std::size_t t = 0; t < want.shape[2]; ++t) {
        const double expected = want.real[(i * want.shape[1] + k) * want.shape[2] + t];
        worst = std::max(worst, std::abs(masks[i].at(0, 300 + t, k) - expected));
      }
    }
  }
  EXPECT_LT(worst, want.dtype == "<f8" ? 1e-12 : 1e-6);
}

void expect_argmax(const std::vector<dsp::Mask<double>>& masks, const Npy& want) {
  std::size_t wrong = 0;
  for (std::size_t k = 0; k < want.shape[0]; ++k) {
    for (std::size_t t = 0; t < want.shape[1]; ++t) {
      wrong += masks[static_cast<std::size_t>(want.real[k * want.shape[1] + t])].at(0, t, k) != 1.0;
    }
  }
  EXPECT_EQ(wrong, 0u);
}

TEST(IdealMaskGolden, EqualsTheNotebookOnSlakhTracks) {
  UNBRAID_NEEDS_FIXTURE("masks/seed000_pipeline.json");
  ThreadPool pool(2);
  const nlohmann::json runs = load_json("masks/seed000_pipeline.json")["runs"];
  for (const auto& [key, run] : runs.items()) {
    SCOPED_TRACE(key);
    const std::filesystem::path folder = std::filesystem::path("slakh") / run["track"].get<std::string>();
    std::vector<std::filesystem::path> files;
    for (const std::string name : run["stem_names"]) files.push_back(folder / "stems" / (name.substr(0, 3) + ".wav"));
    const Scene scene(kSeedStft, 1, run["samples"], folder / "mix.wav", files, 0, pool);
    EXPECT_EQ(scene.mixture.frames(), run["stft_shape"][1].get<std::size_t>());
    for (const std::string method : {"ibm", "irm", "wiener1", "wiener2"}) {
      SCOPED_TRACE(method);
      const auto masks = ideal_masks<double>(seed_mask(method), scene.sources, scene.mixture, pool);
      const auto stored = [&](const std::string& what) {
        return run.contains(method + what) ? load_npy("masks/" + run[method + what].get<std::string>()) : Npy{};
      };
      const Npy recon = stored("_recon_excerpt_file");
      for (std::size_t i = 0; i < masks.size(); ++i) {
        const std::string stem = run["stem_names"][i];
        SCOPED_TRACE(stem);
        expect_stats(masks[i], run["mask_stats"][method][i]);
        const std::vector<double> estimate = scene.masked(masks[i], pool);
        EXPECT_NEAR(seed_si_sdr(scene.stems[i].data(), estimate.data(), scene.samples), run["si_sdr"][method][stem].get<double>(), 1e-6);
        double worst = 0;
        const std::size_t count = recon.shape.empty() ? 0 : recon.shape[1];
        for (std::size_t n = 0; n < count; ++n) worst = std::max(worst, std::abs(estimate[60000 + n] - recon.real[i * count + n]));
        EXPECT_LT(worst, 1e-7);  // stored as float32, |x| < 1
      }
      if (const Npy want = stored("_mask_excerpt_file"); want.size() > 0) expect_mask_excerpt(masks, want);
      if (const Npy want = stored("_argmax_file"); want.size() > 0) expect_argmax(masks, want);
    }
  }
}

TEST(IdealMaskGolden, TiesZerosAndEpsilon) {
  UNBRAID_NEEDS_FIXTURE("masks/ties_and_epsilon.json");
  ThreadPool pool(1);
  const nlohmann::json json = load_json("masks/ties_and_epsilon.json");
  const std::size_t stems = json["stft_re"].size(), bins = json["stft_re"][0].size(), frames = json["stft_re"][0][0].size();
  std::vector<dsp::Spectrogram<double>> sources(stems, dsp::Spectrogram<double>(1, frames, bins));
  const auto each = [&](auto visit) {
    for (std::size_t i = 0; i < stems; ++i) {
      for (std::size_t k = 0; k < bins; ++k) {
        for (std::size_t t = 0; t < frames; ++t) visit(i, k, t);
      }
    }
  };
  each([&](std::size_t i, std::size_t k, std::size_t t) {
    sources[i].at(0, t, k) = {json["stft_re"][i][k][t].get<double>(), json["stft_im"][i][k][t].get<double>()};
  });
  for (const auto& [key, name] : {std::pair{"ibm", "ibm"}, {"irm=wiener1", "irm"}, {"wiener2", "wiener2"}}) {
    SCOPED_TRACE(key);
    const auto masks = ideal_masks<double>(seed_mask(name), sources, sources[0], pool);
    each([&](std::size_t i, std::size_t k, std::size_t t) {
      EXPECT_NEAR(masks[i].at(0, t, k), json[key][i][k][t].get<double>(), 1e-12) << i << " " << k << " " << t;
    });
  }
}

TEST(IdealMaskGolden, EqualsTheNotebookOnRealStems) {
  UNBRAID_NEEDS_FIXTURE("masks/real_seed000.json");
  ThreadPool pool(2);
  const nlohmann::json json = load_json("masks/real_seed000.json");
  std::vector<std::filesystem::path> files;
  for (const std::string name : json["stems"]) files.push_back(fmt::format("audio/real_{}.flac", name));
  for (const std::size_t channel : {0u, 1u}) {
    const nlohmann::json& expected = json["channels"][std::to_string(channel)];
    const Scene scene(kSeedStft, 1, expected["samples"], "audio/real_mix.flac", files, channel, pool);
    for (const std::string method : {"ibm", "irm", "wiener2"}) {
      const auto masks = ideal_masks<double>(seed_mask(method), scene.sources, scene.mixture, pool);
      for (std::size_t i = 0; i < masks.size(); ++i) {
        const std::string stem = json["stems"][i];
        SCOPED_TRACE(method + " " + stem);
        expect_stats(masks[i], expected[method]["mask_stats"][i]);
        const std::vector<double> estimate = scene.masked(masks[i], pool);
        EXPECT_NEAR(seed_si_sdr(scene.stems[i].data(), estimate.data(), scene.samples), expected[method]["si_sdr"][stem].get<double>(),
                    1e-6);
      }
    }
  }
}

TEST(IdealMaskGolden, EqualsNussl) {
  UNBRAID_NEEDS_FIXTURE("masks/nussl_ideal_masks.json");
  ThreadPool pool(2);
  const nlohmann::json results = load_json("masks/nussl_ideal_masks.json")["results"];
  constexpr std::size_t kSamples = 308700;
  std::vector<std::filesystem::path> files;
  for (const char* name : {"bass", "clav", "drums", "horns", "guitar"}) files.push_back(fmt::format("audio/real_{}.flac", name));
  const dsp::StftOptions stft{
      .window = {.kind = dsp::WindowKind::kSqrtHann, .length = 2048}, .hop = 512, .scaling = dsp::StftScaling::kScipySpectrum};
  const Scene scene(stft, 2, kSamples, "audio/real_mix.flac", files, 0, pool);
  const std::pair<const char*, IdealMask> cases[] = {{"IdealBinaryMask", {.kind = IdealKind::kBinary}},
                                                     {"IdealRatioMask[msa]", {.kind = IdealKind::kRatio, .epsilon = 1e-8}},
                                                     {"IdealRatioMask[psa]", {.kind = IdealKind::kPhaseSensitiveRatio, .epsilon = 1e-8}}};
  for (const auto& [key, mask] : cases) {
    const auto masks = ideal_masks<double>(mask, scene.sources, scene.mixture, pool);
    const nlohmann::json& expected = results[key]["returns"];
    for (std::size_t i = 0; i < masks.size(); ++i) {
      SCOPED_TRACE(std::string(key) + " " + files[i].string());
      expect_stats(masks[i], expected["mask_stats"][i]);
      const std::vector<double> estimate = scene.masked(masks[i], pool);
      for (std::size_t c = 0; c < 2; ++c) {
        EXPECT_NEAR(seed_si_sdr(&scene.stems[i][c * kSamples], &estimate[c * kSamples], kSamples),
                    expected["si_sdr_seed_formula [channel][stem]"][c][i].get<double>(), 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace unbraid::mask
