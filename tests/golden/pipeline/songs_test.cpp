// Real recordings through the whole program: fixtures songs/<item>/<stem>.{opus,flac}, whose sum is the
// mixture.
#include <gtest/gtest.h>

#include <cmath>

#include "support/fixtures.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/separate_file.hpp"

namespace unbraid {
namespace {

namespace fs = std::filesystem;

constexpr double kSeconds = 8.0;  // of each song, from its middle

io::Audio mixture_of(const fs::path& item) {
  io::Audio mixture;
  for (const fs::directory_entry& entry : fs::directory_iterator(item)) {
    const io::AudioInfo info = io::probe(entry.path());
    const auto count = std::min(info.frames, static_cast<std::uint64_t>(kSeconds * info.sample_rate));
    const io::Audio stem = io::read_audio(entry.path(), {}, (info.frames - count) / 2, count);
    if (mixture.samples.empty()) mixture = {AudioBuffer(stem.samples.channels(), stem.samples.frames()), stem.sample_rate};
    add_scaled(stem.samples, 1.0f, mixture.samples);
  }
  return mixture;
}

/// Level of (sum of the files − mixture) in dB of full scale; sums in double.
double residual_dbfs(const AudioBuffer& mixture, const SeparationReport& report) {
  std::vector<double> rest(mixture.samples().begin(), mixture.samples().end());
  for (const StemReport& stem : report.stems) {
    const AudioBuffer audio = io::read_audio(stem.file).samples;
    EXPECT_EQ(audio.frames(), mixture.frames());
    EXPECT_EQ(audio.channels(), mixture.channels());
    for (std::size_t i = 0; i < rest.size(); ++i) rest[i] -= audio.samples()[i];
  }
  double power = 0.0;
  for (const double x : rest) power += x * x;
  return 10.0 * std::log10(power / static_cast<double>(rest.size()) + 1e-40);
}

TEST(Songs, AddUpToTheirMixtures) {
  UNBRAID_NEEDS_FIXTURE("songs/manifest.json");
  std::size_t songs = 0;
  for (const fs::directory_entry& item : fs::directory_iterator(testing::fixtures() / "songs")) {
    if (!item.is_directory()) continue;
    SCOPED_TRACE(item.path().filename());
    ++songs;
    const testing::TemporaryFolder folder;
    const io::Audio mixture = mixture_of(item.path());
    const auto writer = io::create_writer(
        folder / "mix.wav",
        {.format = io::SampleFormat::kFloat32, .sample_rate = mixture.sample_rate, .channels = mixture.samples.channels()});
    writer->write(mixture.samples);
    writer->finish();

    ThreadPool pool;
    RunContext run{pool};
    const Method& method = catalog::methods().front();
    const SeparationReport plain = separate_file(folder / "mix.wav", folder / "plain", method, {}, run);
    EXPECT_LT(residual_dbfs(mixture.samples, plain), -90.0);
    const SeparationReport consistent =
        separate_file(folder / "mix.wav", folder / "consistent", method, {.separation = {.consistent = true}}, run);
    EXPECT_LT(residual_dbfs(mixture.samples, consistent), -120.0);
    for (const StemReport& stem : consistent.stems) {
      const io::AudioInfo input = io::probe(folder / "mix.wav"), output = io::probe(stem.file);
      EXPECT_EQ(output.sample_rate, input.sample_rate);
      EXPECT_EQ(output.frames, input.frames);
      EXPECT_EQ(output.channels, input.channels);
      EXPECT_EQ(output.format, input.format);
    }
  }
  EXPECT_EQ(songs, 13u);
}

}  // namespace
}  // namespace unbraid
