// The readers against files whose content is known from elsewhere.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "io/byte_file.hpp"
#include "io/ffmpeg_backend.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {
namespace {

using namespace unbraid::testing;

TEST(IoGolden, RealMixIsTheExactSumOfItsStems) {
  UNBRAID_NEEDS_FIXTURE("audio/real.json");
  const nlohmann::json facts = load_json("audio/real.json");
  const auto folder = fixtures() / "audio";
  const Audio mix = read_audio(folder / "real_mix.flac");
  EXPECT_EQ(mix.sample_rate, facts.at("sr").get<double>());
  ASSERT_EQ(mix.samples.frames(), facts.at("samples").get<std::size_t>());
  ASSERT_EQ(mix.samples.channels(), 2u);
  AudioBuffer sum(2, mix.samples.frames());
  for (const auto& name : facts.at("stems")) {
    const auto path = folder / ("real_" + name.get<std::string>() + ".flac");
    EXPECT_EQ(probe(path).format, SampleFormat::kPcm16);
    add_scaled(read_audio(path).samples, 1.0f, sum);
  }
  std::size_t loud = 0;
  for (std::size_t i = 0; i < sum.samples().size(); ++i) {
    ASSERT_EQ(sum.samples()[i], mix.samples.samples()[i]) << i;  // sums of multiples of 2^-15 are exact
    loud += std::fabs(sum.samples()[i]) > 0.01f;
  }
  EXPECT_GT(loud, 100000u);
}

// Rate, channels, length and sample format of every WAV and FLAC file there is, as another program saw them.
TEST(IoGolden, FactsOfEveryFixture) {
  UNBRAID_NEEDS_FIXTURE("manifest.json");
  const std::map<std::string, SampleFormat> formats{{"PCM_16", SampleFormat::kPcm16},
                                                    {"PCM_24", SampleFormat::kPcm24},
                                                    {"FLOAT", SampleFormat::kFloat32},
                                                    {"DOUBLE", SampleFormat::kFloat64}};
  int compared = 0;
  const nlohmann::json files = load_json("manifest.json").at("files");
  for (const auto& [name, facts] : files.items()) {
    if (!facts.contains("subtype") || !formats.contains(facts["subtype"].get<std::string>())) continue;
    const AudioInfo info = probe(fixtures() / name);
    EXPECT_EQ(info.sample_rate, facts.at("rate").get<double>()) << name;
    EXPECT_EQ(info.channels, facts.at("channels").get<std::size_t>()) << name;
    EXPECT_EQ(info.frames, facts.at("samples").get<std::uint64_t>()) << name;
    EXPECT_EQ(info.format, formats.at(facts["subtype"].get<std::string>())) << name;
    EXPECT_TRUE(info.exact_length) << name;
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST(IoGolden, SongsHaveTheirLengthAtTheirRate) {
  UNBRAID_NEEDS_FIXTURE("songs/manifest.json");
  int compared = 0;
  const nlohmann::json songs = load_json("songs/manifest.json");
  for (const auto& item : songs) {
    const auto folder = fixtures() / "songs" / item.at("item").get<std::string>();
    const bool opus = item.at("codec").get<std::string>().starts_with("opus");
    std::set<std::uint64_t> lengths;
    for (const auto& [stem, unused] : item.at("stems").items()) {
      const AudioInfo info = probe(folder / (stem + (opus ? ".opus" : ".flac")));
      EXPECT_EQ(info.container, opus ? Container::kOpus : Container::kFlac);
      EXPECT_EQ(info.sample_rate, opus ? 48000 : 44100);
      EXPECT_EQ(info.channels, 2u);
      // The length is given in milliseconds.
      EXPECT_NEAR(info.seconds(), item.at("length_s").get<double>(), 0.0006) << folder << " " << stem;
      lengths.insert(info.frames);
      ++compared;
    }
    EXPECT_EQ(lengths.size(), 1u) << folder;
  }
  EXPECT_GT(compared, 30);
}

// libsndfile and FFmpeg are two programs that drop Opus' pre-skip and trim its end on their own. The codec
// leaves decoders some freedom, but a shift by one frame would show.
TEST(IoGolden, TwoDecodersAgree) {
  UNBRAID_NEEDS_FIXTURE("songs/mdb_beatles/vocals.opus");
  for (const char* name : {"songs/mdb_beatles/vocals.opus", "songs/musdb_80srock_7s/vocals.flac"}) {
    const auto path = fixtures() / name;
    const Audio ours = read_audio(path);
    const auto other = ffmpeg_backend().open_reader(ByteFile::open_to_read(path), {});
    ASSERT_EQ(other->info().frames, ours.samples.frames()) << name;
    AudioBuffer theirs(2, ours.samples.frames());
    ASSERT_EQ(other->read(theirs), theirs.frames());
    double energy = 0;
    double difference = 0;
    double shifted = 0;
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t f = 1; f < theirs.frames(); ++f) {
        const double x = ours.samples.channel(c)[f];
        energy += x * x;
        difference += std::pow(x - theirs.channel(c)[f], 2);
        shifted += std::pow(x - theirs.channel(c)[f - 1], 2);
      }
    EXPECT_LT(difference, energy * 1e-8) << name;  // −80 dB
    EXPECT_GT(shifted, energy * 1e-4) << name;
  }
}

}  // namespace
}  // namespace unbraid::io
