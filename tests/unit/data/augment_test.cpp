#include "unbraid/data/augment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <fstream>
#include <numbers>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::data {
namespace {

constexpr double kRate = 44100;

AudioBuffer sine(double frequency_hz, double seconds, double amplitude = 0.5, std::size_t channels = 1) {
  AudioBuffer audio(channels, static_cast<std::size_t>(seconds * kRate));
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < audio.frames(); ++i)
      audio.channel(c)[i] = static_cast<float>(
          amplitude * std::sin(2 * std::numbers::pi * frequency_hz * static_cast<double>(i) / kRate + static_cast<double>(c)));
  return audio;
}

AudioBuffer noise(std::size_t channels, std::size_t frames, double amplitude = 0.3) {
  Rng rng(2);
  AudioBuffer audio(channels, frames);
  for (float& sample : audio.samples()) sample = static_cast<float>(rng.uniform(-amplitude, amplitude));
  return audio;
}

/// Amplitude of a frequency in the middle half of a channel.
double amplitude(const AudioBuffer& audio, double frequency_hz, std::size_t channel = 0) {
  std::complex<double> sum = 0;
  const std::size_t first = audio.frames() / 4, last = 3 * audio.frames() / 4;
  double weights = 0;
  for (std::size_t i = first; i < last; ++i) {
    const double t = static_cast<double>(i - first) / static_cast<double>(last - first);
    const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * t);
    weights += window;
    sum += window * static_cast<double>(audio.channel(channel)[i]) *
           std::polar(1.0, -2 * std::numbers::pi * frequency_hz * static_cast<double>(i) / kRate);
  }
  return 2 * std::abs(sum) / weights;
}

double rms(const AudioBuffer& audio) {
  double sum = 0;
  for (const float sample : audio.samples()) sum += static_cast<double>(sample) * sample;
  return std::sqrt(sum / static_cast<double>(audio.samples().size()));
}

TEST(Effects, GainInvertSwap) {
  const AudioBuffer original = noise(2, 1000);
  AudioBuffer audio = original;
  apply({.kind = "gain", .values = {{"gain_db", -6}}}, audio, kRate);
  EXPECT_NEAR(rms(audio) / rms(original), std::pow(10, -6.0 / 20), 1e-6);
  audio = original;
  apply({.kind = "invert"}, audio, kRate);
  EXPECT_EQ(audio.channel(1)[7], -original.channel(1)[7]);
  audio = original;
  apply({.kind = "swap_channels"}, audio, kRate);
  EXPECT_TRUE(std::ranges::equal(audio.channel(0), original.channel(1)));
  EXPECT_TRUE(std::ranges::equal(audio.channel(1), original.channel(0)));
  AudioBuffer mono = noise(1, 100);
  apply({.kind = "swap_channels"}, mono, kRate);  // nothing to swap
  EXPECT_TRUE(std::ranges::equal(mono.samples(), noise(1, 100).samples()));
}

TEST(Effects, WidthScalesTheDifferenceAlone) {
  const AudioBuffer original = noise(2, 1000);
  AudioBuffer narrow = original, mono = original;
  apply({.kind = "width", .values = {{"side_db", -20 * std::log10(2.0)}}}, narrow, kRate);
  apply({.kind = "width", .values = {{"side_db", -120}}}, mono, kRate);
  for (std::size_t i = 0; i < original.frames(); ++i) {
    const float left = original.channel(0)[i], right = original.channel(1)[i];
    EXPECT_NEAR(narrow.channel(0)[i] + narrow.channel(1)[i], left + right, 1e-6);
    EXPECT_NEAR(narrow.channel(0)[i] - narrow.channel(1)[i], (left - right) / 2, 1e-6);
    EXPECT_NEAR(mono.channel(0)[i], mono.channel(1)[i], 2e-6);
  }
}

TEST(Effects, PanKeepsThePowerOfEqualChannels) {
  const AudioBuffer one = noise(1, 1000);
  AudioBuffer audio(2, one.frames());
  for (std::size_t c = 0; c < 2; ++c) std::ranges::copy(one.channel(0), audio.channel(c).begin());
  const double before = rms(audio);
  apply({.kind = "pan", .values = {{"balance_db", 6}}}, audio, kRate);
  EXPECT_NEAR(rms(audio), before, 1e-6);
  EXPECT_NEAR(audio.channel(0)[500] / audio.channel(1)[500], std::pow(10, 6.0 / 20), 1e-5);
  AudioBuffer mono = one;
  apply({.kind = "pan", .values = {{"balance_db", 6}}}, mono, kRate);  // there is no side to go to
  EXPECT_EQ(mono.samples()[7], one.samples()[7]);
}

TEST(Effects, EqualisersHaveTheirGains) {
  AudioBuffer audio = sine(1000, 1);
  apply({.kind = "eq", .values = {{"frequency_hz", 1000}, {"gain_db", 6}, {"q", 1}}}, audio, kRate);
  EXPECT_NEAR(20 * std::log10(amplitude(audio, 1000) / 0.5), 6, 0.01);
  audio = sine(50, 1);
  apply({.kind = "low_shelf", .values = {{"frequency_hz", 1000}, {"gain_db", -5}}}, audio, kRate);
  EXPECT_NEAR(20 * std::log10(amplitude(audio, 50) / 0.5), -5, 0.05);
  audio = sine(18000, 1);
  apply({.kind = "high_shelf", .values = {{"frequency_hz", 2000}, {"gain_db", 4}}}, audio, kRate);
  EXPECT_NEAR(20 * std::log10(amplitude(audio, 18000) / 0.5), 4, 0.05);
  // A band above half the sample rate holds nothing.
  AudioBuffer low_rate = sine(1000, 0.1);
  const AudioBuffer before = low_rate;
  apply({.kind = "eq", .values = {{"frequency_hz", 6000}, {"gain_db", 6}, {"q", 1}}}, low_rate, 8000);
  EXPECT_TRUE(std::ranges::equal(low_rate.samples(), before.samples()));
}

TEST(Effects, RoomsDecayAsAsked) {
  AudioBuffer impulse(2, 44100);
  impulse.channel(0)[0] = impulse.channel(1)[0] = 1;
  apply({.kind = "reverb", .values = {{"rt60_s", 0.5}, {"pre_delay_s", 0.01}, {"wet_db", -10}}, .seed = 9}, impulse, kRate);
  for (std::size_t c = 0; c < 2; ++c) {
    const auto response = impulse.channel(c);
    EXPECT_NEAR(response[0], 1, 1e-5);
    double early = 0, energy = 0, first_half = 0, second_half = 0;
    for (std::size_t i = 1; i < 441; ++i) early += response[i] * response[i];
    EXPECT_LT(early, 1e-9);  // the pre-delay
    for (std::size_t i = 441; i < response.size(); ++i) energy += response[i] * response[i];
    EXPECT_NEAR(10 * std::log10(energy), -10, 0.01);
    // Energy falls by 60 dB in 0.5 s: by 12 dB from one tenth of a second to the next (± 0.5 dB: it is
    // noise).
    for (std::size_t i = 0; i < 4410; ++i) {
      first_half += std::pow(response[442 + i], 2);
      second_half += std::pow(response[442 + 4410 + i], 2);
    }
    EXPECT_NEAR(10 * std::log10(first_half / second_half), 12, 0.5);
  }
  EXPECT_NE(impulse.channel(0)[1000], impulse.channel(1)[1000]);  // channels differ: the room is wide
}

TEST(Effects, ImpulseResponsesComeFromFiles) {
  const unbraid::testing::TemporaryFolder folder;
  AudioBuffer response(1, 30);
  response.channel(0)[10] = 0.3f;   // moved to time 0
  response.channel(0)[15] = -0.4f;  // not the peak of the louder kind: this one is
  const auto writer = io::create_writer(folder / "room.wav", {.sample_rate = kRate, .channels = 1});
  writer->write(response);
  writer->finish();
  AudioBuffer impulse(2, 100);
  impulse.channel(1)[50] = 1;
  apply({.kind = "reverb", .values = {{"rt60_s", 1}, {"pre_delay_s", 0}, {"wet_db", 0}}, .file = folder / "room.wav"}, impulse, kRate);
  EXPECT_NEAR(impulse.channel(1)[50], -1, 1e-6);  // only what comes after the peak is kept, with energy 1
  EXPECT_NEAR(impulse.channel(1)[45], 0, 1e-6);
  EXPECT_NEAR(rms(impulse), std::sqrt(1.0 / 200), 1e-6);
}

TEST(Effects, CompressorFollowsItsStaticCurve) {
  // A square wave has one level: 20 dB above a threshold of −20 dB against RMS, at 4:1, comes out 15 dB
  // lower.
  AudioBuffer audio(2, 44100);
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t i = 0; i < audio.frames(); ++i) audio.channel(c)[i] = i % 100 < 50 ? 0.5f : -0.5f;
  apply({.kind = "compress", .values = {{"threshold_db", -20}, {"ratio", 4}, {"attack_ms", 5}, {"release_ms", 50}}}, audio, kRate);
  EXPECT_NEAR(20 * std::log10(std::abs(audio.channel(1)[44099]) / 0.5), -15, 1e-3);
  // After one attack constant, 1 − 1/e of it.
  const auto n = static_cast<std::size_t>(0.005 * kRate);
  EXPECT_NEAR(20 * std::log10(std::abs(audio.channel(0)[n]) / 0.5), -15 * (1 - std::exp(-1)), 0.1);
  AudioBuffer quiet = noise(1, 1000);
  const AudioBuffer before = quiet;
  apply({.kind = "compress", .values = {{"threshold_db", 60}, {"ratio", 4}, {"attack_ms", 5}, {"release_ms", 50}}}, quiet, kRate);
  EXPECT_TRUE(std::ranges::equal(quiet.samples(), before.samples()));
}

TEST(Effects, SaturationIsTanh) {
  AudioBuffer audio = sine(100, 0.1, 0.8);
  apply({.kind = "saturate", .values = {{"drive_db", 6}}}, audio, kRate);
  float peak = 0;
  for (const float x : audio.samples()) peak = std::max(peak, std::abs(x));
  const double drive = std::pow(10, 6.0 / 20);
  EXPECT_NEAR(peak, 0.8 / drive * std::tanh(drive), 1e-3);
  AudioBuffer gentle = sine(100, 0.1, 0.8);
  apply({.kind = "saturate", .values = {{"drive_db", -40}}}, gentle, kRate);
  EXPECT_NEAR(rms(gentle), rms(sine(100, 0.1, 0.8)), 1e-4);
}

TEST(Effects, CodecsKeepLengthPlaceAndLevel) {
  for (const char* kind : {"mp3", "aac"}) {
    AudioBuffer audio = sine(440, 1, 0.4, 2);
    const AudioBuffer before = audio;
    try {
      apply({.kind = kind, .values = {{"bitrate_kbps", 192}}}, audio, kRate);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      GTEST_SKIP() << error.what();
    }
    ASSERT_EQ(audio.frames(), before.frames());
    double error = 0, energy = 0;
    for (std::size_t i = 4410; i < 39690; ++i) {
      error += std::pow(audio.channel(1)[i] - before.channel(1)[i], 2);
      energy += std::pow(before.channel(1)[i], 2);
    }
    // Misplaced by one sample the error would be 24 dB below the signal.
    EXPECT_GT(10 * std::log10(energy / error), 30) << kind;
    EXPECT_GT(error, 0) << kind << " changed nothing";
  }
}

TEST(Effects, NothingHappensToNothing) {
  for (const EffectKind& kind : effect_kinds()) {
    Rng rng(4);
    const auto drawn = draw({.kind = kind.name}, rng);
    ASSERT_TRUE(drawn);
    AudioBuffer empty(2, 0), silence(2, 500);
    EXPECT_NO_THROW(apply(*drawn, empty, kRate)) << kind.name;
    EXPECT_NO_THROW(apply(*drawn, silence, kRate)) << kind.name;
    for (const float sample : silence.samples()) EXPECT_EQ(sample, 0) << kind.name;
  }
}

TEST(Effects, ProbabilityDoesNotMoveLaterDraws) {
  Rng always(1), never(1);
  EXPECT_TRUE(draw({.kind = "eq", .probability = 1}, always));
  EXPECT_FALSE(draw({.kind = "eq", .probability = 0}, never));
  EXPECT_EQ(always.bits64(), never.bits64());
}

TEST(Effects, AreValidated) {
  const auto refuses = [](const EffectSpec& spec) { EXPECT_THROW(spec.validate(), Error); };
  refuses({.kind = "echo"});
  refuses({.kind = "gain", .probability = 1.5});
  refuses({.kind = "gain", .parameters = {{"db", Distribution::constant(1)}}});
  refuses({.kind = "gain", .parameters = {{"gain_db", Distribution::uniform(0, 1000)}}});
  refuses({.kind = "gain", .parameters = {{"gain_db", Distribution(Distribution::Kind::kNormal, {0, 1})}}});
  refuses({.kind = "gain", .files = {"x.wav"}});
  for (const EffectKind& kind : effect_kinds()) {
    EXPECT_NO_THROW(EffectSpec{.kind = kind.name}.validate());
    for (const EffectParameter& parameter : kind.parameters) {  // the defaults obey their own ranges
      EXPECT_GE(parameter.value.lowest(), parameter.minimum) << kind.name << " " << parameter.name;
      EXPECT_LE(parameter.value.highest(), parameter.maximum) << kind.name << " " << parameter.name;
    }
  }
}

TEST(ShiftAndStretch, MovesPitchAndLengthApart) {
  const AudioBuffer tone = sine(440, 3);
  for (const auto& [semitones, stretch] : {std::pair{2.0, 1.0}, {-2.0, 1.0}, {0.0, 1.2}, {0.0, 0.8}, {1.3, 0.85}}) {
    const AudioBuffer out = shift_and_stretch(tone, kRate, semitones, stretch);
    EXPECT_EQ(out.frames(), static_cast<std::size_t>(std::llround(static_cast<double>(tone.frames()) * stretch)));
    const double expected = 440 * std::pow(2, semitones / 12);
    double best = 0, best_hz = 0;
    for (double f = expected - 20; f < expected + 20; f += 0.5)
      if (const double a = amplitude(out, f); a > best) best = a, best_hz = f;
    EXPECT_NEAR(best_hz, expected, 1.5) << semitones << " " << stretch;
    EXPECT_GT(best, 0.35) << semitones << " " << stretch;  // of 0.5: overlap-add smears a little
  }
}

TEST(ShiftAndStretch, Edges) {
  const AudioBuffer some = noise(2, 100);
  EXPECT_TRUE(std::ranges::equal(shift_and_stretch(some, kRate, 0, 1).samples(), some.samples()));
  EXPECT_EQ(shift_and_stretch(AudioBuffer(2, 0), kRate, 2, 1.1).frames(), 0u);
  EXPECT_EQ(shift_and_stretch(noise(1, 1), kRate, 2, 1.2).frames(), 1u);
  EXPECT_EQ(shift_and_stretch(some, 8000, -2, 0.8).frames(), 80u);
  EXPECT_THROW(shift_and_stretch(some, kRate, 30, 1), Error);
  EXPECT_THROW(shift_and_stretch(some, kRate, 0, 0), Error);
}

}  // namespace
}  // namespace unbraid::data
