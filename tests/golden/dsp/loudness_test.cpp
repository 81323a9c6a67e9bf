// Loudness against pyloudnorm (fixtures dsp/loudness.json).
#include "unbraid/dsp/loudness.hpp"

#include <cmath>

#include "support/fixtures.hpp"
#include "unbraid/dsp/biquad.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::dsp {
namespace {

using namespace unbraid::testing;
using nlohmann::json;

class LoudnessGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("dsp/loudness.json");
    expected_ = load_json("dsp/loudness.json");
  }

  static io::Audio load(const std::string& file) { return io::read_audio(fixtures() / "dsp" / file); }

  json expected_;
};

TEST_F(LoudnessGolden, BlockLoudnessIsPyloudnorms) {
  int compared = 0;
  for (const auto& [name, entry] : expected_.at("cases").items()) {
    if (entry.at("filter_class") != "K-weighting" || name == "six_channels") continue;
    const io::Audio audio = load(entry.at("file"));
    ASSERT_EQ(audio.samples.frames(), entry.at("shape").at(0).get<std::size_t>()) << name;
    const json& integrated = entry.at("integrated");
    if (integrated.contains("raises")) {
      EXPECT_ANY_THROW(block_loudness_lufs(audio.samples, entry.at("rate"))) << name;
    } else {
      const double expected = number(integrated.at("returns")), lufs = block_loudness_lufs(audio.samples, entry.at("rate"));
      if (std::isinf(expected)) {
        EXPECT_EQ(lufs, expected) << name;
      } else {
        EXPECT_NEAR(lufs, expected, 1e-6) << name;
      }
    }
    ++compared;
  }
  EXPECT_EQ(compared, 9);
}

// The shelf and the high-pass by themselves, at every rate of the fixtures.
TEST_F(LoudnessGolden, KWeightingCoefficients) {
  for (const double rate : {16000.0, 44100.0, 48000.0}) {
    const json& stage = expected_.at("coefficients").at(std::to_string(static_cast<int>(rate)) + "|K-weighting");
    const auto compare = [&](const Biquad& section, const json& coefficients) {
      const json &b = coefficients.at("b"), &a = coefficients.at("a");
      EXPECT_NEAR(section.b0, b.at(0), 1e-12);
      EXPECT_NEAR(section.b1, b.at(1), 1e-12);
      EXPECT_NEAR(section.b2, b.at(2), 1e-12);
      EXPECT_NEAR(section.a1, a.at(1), 1e-12);
      EXPECT_NEAR(section.a2, a.at(2), 1e-12);
    };
    compare(high_shelf({.sample_rate = rate, .frequency_hz = 1500, .q = std::sqrt(0.5), .gain_db = 4}), stage.at("high_shelf"));
    compare(high_pass({.sample_rate = rate, .frequency_hz = 38, .q = 0.5}), stage.at("high_pass"));
  }
}

// pyloudnorm's "DeMan" filters are those of the standard's tables. What is left is the last, partial block.
TEST_F(LoudnessGolden, TheStandardsMeterAgreesWithTheExactFilters) {
  const json& entry = expected_.at("cases").at("music_mono|DeMan");
  const io::Audio audio = load("loud_music_mono.flac");
  LoudnessMeter meter({.sample_rate = entry.at("rate"), .channels = 1, .true_peak = false});
  meter.add(audio.samples);
  EXPECT_NEAR(meter.integrated_lufs(), entry.at("integrated").at("returns"), 0.02);
}

}  // namespace
}  // namespace unbraid::dsp
