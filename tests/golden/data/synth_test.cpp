// Rendering against the Slakh fixtures: stems that the `fluidsynth` program rendered at 44.1 kHz from the
// same SoundFont, mixed to mono, resampled by scipy.signal.resample_poly and normalised as Slakh is.

#include <gtest/gtest.h>

#include <yaml-cpp/yaml.h>
#include <cmath>
#include <numbers>

#include "data/synth_render.hpp"
#include "support/fixtures.hpp"
#include "unbraid/data/synth.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::data {
namespace {

/// resample_poly(x, 160, 441) with its default filter: a sinc under a Kaiser window (β = 5) of 10 zero
/// crossings.
std::vector<double> resample_as_scipy(const std::vector<double>& x, std::size_t out_frames) {
  constexpr int kUp = 160, kDown = 441, kHalf = 10 * kDown;
  std::vector<double> taps(2 * kHalf + 1);
  double sum = 0;
  for (int i = -kHalf; i <= kHalf; ++i) {
    const double t = static_cast<double>(i) / kDown;
    const double sinc = i == 0 ? 1 : std::sin(std::numbers::pi * t) / (std::numbers::pi * t);
    const double edge = static_cast<double>(i) / kHalf;
    taps[static_cast<std::size_t>(i + kHalf)] = sinc * std::cyl_bessel_i(0, 5 * std::sqrt(1 - edge * edge));
    sum += taps[static_cast<std::size_t>(i + kHalf)];
  }
  std::vector<double> out(out_frames);
  for (std::size_t k = 0; k < out_frames; ++k) {
    const long centre = static_cast<long>(k) * kDown;
    for (long j = (centre - kHalf + kUp - 1) / kUp; j * kUp <= centre + kHalf; ++j)
      if (j >= 0 && j < static_cast<long>(x.size()))
        out[k] += kUp / sum * taps[static_cast<std::size_t>(centre - j * kUp + kHalf)] * x[static_cast<std::size_t>(j)];
  }
  return out;
}

/// 10 lg |reference|² / |reference − g·estimate|², the gain g best.
double snr_db(std::span<const float> reference, const std::vector<double>& estimate) {
  double xy = 0, yy = 0, xx = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    xy += reference[i] * estimate[i];
    yy += estimate[i] * estimate[i];
    xx += reference[i] * static_cast<double>(reference[i]);
  }
  return 10 * std::log10(xx / (xx - xy * xy / yy));
}

class SlakhFixture : public ::testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const { return unbraid::testing::fixtures() / "slakh" / GetParam(); }
  /// The fixture lists S07 of Track00002 although it plays no note, as a stem that is silent.
  std::filesystem::path stem(std::size_t part) const {
    const bool is_behind_the_silent_one = GetParam() == std::string("Track00002") && part >= 7;
    return folder() / "stems" / ("S0" + std::to_string(part + is_behind_the_silent_one) + ".wav");
  }
};

TEST_P(SlakhFixture, StemsAreThoseOfTheFluidsynthProgram) {
  UNBRAID_NEEDS_FIXTURE("slakh/Track00001/metadata.yaml");
  if (!std::filesystem::exists(SynthOptions{}.soundfont)) GTEST_SKIP() << "no " << SynthOptions{}.soundfont;
  constexpr std::size_t kRate = 44100, kLatency = 64;  // the program is one block of FluidSynth's late
  const MidiFile song = read_midi(folder() / "all_src.mid");
  const TempoMap tempo(song);
  const auto parts = split_by_instrument(song);
  ASSERT_GE(parts.size(), 7u);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const io::Audio reference = io::read_audio(stem(i));
    const std::size_t frames = reference.samples.frames() * 441 / 160 + 1000;  // the reference was cut afterwards
    const AudioBuffer audio = render_part(parts[i], tempo, {.soundfont = SynthOptions{}.soundfont, .sample_rate = kRate}, frames);
    std::vector<double> mono(frames);
    for (std::size_t n = kLatency; n < frames; ++n) mono[n] = 0.5 * (audio.channel(0)[n - kLatency] + audio.channel(1)[n - kLatency]);
    // What is left is the reference's own 16-bit rounding, before and after resampling: measured 74.5 to 81.8
    // dB.
    EXPECT_GT(snr_db(reference.samples.channel(0), resample_as_scipy(mono, reference.samples.frames())), 72)
        << program_name(parts[i].program);
  }
}

TEST_P(SlakhFixture, TheWholeTrackComesClose) {
  UNBRAID_NEEDS_FIXTURE("slakh/Track00001/metadata.yaml");
  if (!std::filesystem::exists(SynthOptions{}.soundfont)) GTEST_SKIP() << "no " << SynthOptions{}.soundfont;
  ThreadPool pool(2);
  RunContext run{pool};
  const SynthTrack track = synthesize(read_midi(folder() / "all_src.mid"), {.sample_rate = 16000, .length_s = 12}, run);
  std::vector<double> expected;
  for (const auto& stem : YAML::LoadFile((folder() / "metadata.yaml").string())["stems"])
    if (const auto lufs = stem.second["integrated_loudness"].as<double>(); std::isfinite(lufs)) expected.push_back(lufs);
  ASSERT_EQ(track.stems.size(), expected.size());
  // Our resampler keeps the octave below 8 kHz that scipy's default filter bends: measured 0.02 LU at most.
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(track.stems[i].loudness_lufs, expected[i], 0.03) << program_name(track.stems[i].program);
}

INSTANTIATE_TEST_SUITE_P(Slakh, SlakhFixture, ::testing::Values("Track00001", "Track00002"));

}  // namespace
}  // namespace unbraid::data
