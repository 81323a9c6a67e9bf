// What separate_file() leaves on disk and says of it: containers, rates, what an earlier run left, documents.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "support/quicktime.hpp"
#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/separate_file.hpp"

namespace unbraid {
namespace {

namespace fs = std::filesystem;
using testing::noise;
using testing::TemporaryFolder;

/// Two stems, each half of the input.
Method halves() {
  return {.name = "halves",
          .summary = "for tests",
          .stems = {"a", "b"},
          .make = [](const StreamFormat& format, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> {
            const SeparatorInfo info{
                .stems = {"a", "b"}, .sample_rate = format.sample_rate, .channels = format.channels, .blocks = Chunked{.length = 4096}};
            return std::make_unique<testing::FunctionSeparator>(info, [](AudioView block) {
              AudioBuffer half(block.channels(), block.frames());
              add_scaled(block, 0.5f, half);
              return std::vector{half, half};
            });
          }};
}

class StemOutput : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, double sample_rate, io::SampleFormat format = io::SampleFormat::kPcm16) {
    const AudioBuffer audio = noise(2, 20000, 1, 0.3);
    const auto writer = io::create_writer(
        folder_ / name,
        {.container = io::container_for(name), .format = format, .sample_rate = sample_rate, .channels = 2, .overwrite = true});
    writer->write(audio);
    writer->finish();
    return folder_ / name;
  }
  SeparationReport run(const fs::path& input, const SeparateOptions& options = {}) {
    ThreadPool pool(2);
    RunContext context{.pool = pool};
    return separate_file(input, out_, halves(), options, context);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(out_)) names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

  TemporaryFolder folder_;
  fs::path out_ = folder_ / "song";
};

TEST_F(StemOutput, OverwritingTakesTheEarlierStemsAlong) {
  const fs::path input = write("x.wav", 44100);
  run(input, {.selection = {.two_stems = "a"}});
  std::ofstream(out_ / "notes.txt") << "mine";
  std::ofstream(folder_ / "other.wav") << "mine";
  EXPECT_EQ(files(), (std::vector<std::string>{"a.wav", "manifest.json", "no_a.wav", "notes.txt"}));
  run(input, {.container = io::Container::kFlac, .overwrite = true});
  EXPECT_EQ(files(), (std::vector<std::string>{"a.flac", "b.flac", "manifest.json", "notes.txt"}));

  // What is not as the manifest says was not written by that run, or not only; what lies elsewhere is nobody's stem.
  nlohmann::json manifest = nlohmann::json::parse(std::ifstream(out_ / "manifest.json"));
  manifest["stems"].push_back({{"file", "../other.wav"}, {"bytes", 4}});
  manifest["stems"].push_back({{"file", ".."}, {"bytes", 4}});
  manifest["stems"].push_back({{"file", (folder_ / "other.wav").string()}, {"bytes", 4}});
  std::ofstream(out_ / "manifest.json") << manifest;
  std::ofstream(out_ / "a.flac", std::ios::app) << "edited";
  run(input, {.container = io::Container::kAiff, .overwrite = true});
  EXPECT_EQ(files(), (std::vector<std::string>{"a.aiff", "a.flac", "b.aiff", "manifest.json", "notes.txt"}));
  EXPECT_TRUE(fs::exists(folder_ / "other.wav"));

  // A stem that is itself the recording stays.
  run(out_ / "b.aiff", {.container = io::Container::kWav, .overwrite = true});
  EXPECT_EQ(files(), (std::vector<std::string>{"a.flac", "a.wav", "b.aiff", "b.wav", "manifest.json", "notes.txt"}));
}

TEST_F(StemOutput, SaysTheRateAndTheFormatOfTheFiles) {
  const fs::path input = write("x.wav", 192000);
  for (const auto& [container, format] : {std::pair{io::Container::kMp3, io::SampleFormat::kLossy},
                                          {io::Container::kOpus, io::SampleFormat::kLossy},
                                          {io::Container::kFlac, io::SampleFormat::kPcm16}}) {
    SCOPED_TRACE(to_string(container));
    const SeparationReport report = run(input, {.container = container, .overwrite = true});
    EXPECT_EQ(report.sample_rate, 192000.0);
    EXPECT_EQ(report.stem_sample_rate, io::probe(report.stems[0].file).sample_rate);
    EXPECT_EQ(report.stem_format, format);
    const SeparationReport again = run(input, {.container = container, .resume = true});
    EXPECT_TRUE(again.resumed);
    EXPECT_EQ(again.stem_sample_rate, report.stem_sample_rate);
    EXPECT_EQ(again.stem_format, format);
  }
}

TEST_F(StemOutput, WhatIsExactStaysExactWhereItsContainerWouldNot) {
  std::ofstream(folder_ / "x.mov", std::ios::binary) << testing::quicktime(std::vector<std::int16_t>(2 * 5000, 1000));
  ASSERT_EQ(io::probe(folder_ / "x.mov").container, io::Container::kM4a);
  const SeparationReport report = run(folder_ / "x.mov");
  EXPECT_EQ(report.stems[0].file, out_ / "a.flac");
  EXPECT_EQ(io::probe(report.stems[0].file).format, io::SampleFormat::kPcm16);
  EXPECT_EQ(io::read_audio(report.stems[0].file).samples.view().channel(1)[4999], 500.0f / 32768.0f);
  const SeparationReport floats = run(folder_ / "x.mov", {.sample_format = io::SampleFormat::kFloat32, .overwrite = true});
  EXPECT_EQ(floats.stems[0].file, out_ / "a.wav");
  const SeparationReport lossy = run(folder_ / "x.mov", {.container = io::Container::kM4a, .overwrite = true});  // asked for
  EXPECT_EQ(lossy.stems[0].file, out_ / "a.m4a");
  const SeparationReport as_before = run(write("y.m4a", 44100), {.overwrite = true});
  EXPECT_EQ(as_before.stems[0].file, out_ / "a.m4a");
}

TEST_F(StemOutput, BitRatesAreForLossyFiles) {
  const fs::path input = write("x.wav", 44100);
  std::uint64_t before = 0;
  for (const int kbps : {64, 128, 256}) {
    const SeparationReport report = run(input, {.container = io::Container::kMp3, .bitrate_kbps = kbps, .overwrite = true});
    EXPECT_GT(report.stems[0].bytes, before);
    before = report.stems[0].bytes;
  }
  try {
    run(input, {.bitrate_kbps = 128, .overwrite = true});  // as the input: WAV
    ADD_FAILURE() << "a bit rate of WAV";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_EQ(error.context(), input.string());
  }
}

// A file of MPEG audio of which something is missing in the middle.
TEST_F(StemOutput, WarningsOfTheReaderAreReported) {
  const fs::path input = write("x.mp3", 44100);
  std::ifstream file(input, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  bytes.erase(bytes.size() / 2, 300);
  std::ofstream(input, std::ios::binary) << bytes;
  const SeparationReport report = run(input);
  ASSERT_EQ(report.warnings.size(), 1u);
  const auto document = nlohmann::json::parse(to_json(std::vector{report}));
  EXPECT_EQ(document["inputs"][0]["warnings"], report.warnings);
  EXPECT_EQ(run(input, {.resume = true}).warnings, report.warnings);
}

TEST(SeparateDocument, NamesWhatFailed) {
  const std::vector<SeparationFailure> failed{{.input = "a.wav", .error = "a.wav: is empty"}};
  const auto document = nlohmann::json::parse(to_json({}, failed));
  EXPECT_EQ(document["inputs"], nlohmann::json::array());
  EXPECT_EQ(document["failed"], (nlohmann::json{{{"input", "a.wav"}, {"error", "a.wav: is empty"}}}));
  EXPECT_EQ(nlohmann::json::parse(to_json({}))["failed"], nlohmann::json::array());
}

}  // namespace
}  // namespace unbraid
