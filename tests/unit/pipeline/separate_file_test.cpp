#include "unbraid/pipeline/separate_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "pipeline/level_meter.hpp"
#include "pipeline/stem_files.hpp"
#include "support/fixtures.hpp"
#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/inputs.hpp"
#include "unbraid/pipeline/plan.hpp"

namespace unbraid {
namespace {

namespace fs = std::filesystem;
using testing::largest_difference;
using testing::noise;
using testing::TemporaryFolder;

/// Two stems, each half of the input; at the rate and channels of the input, or at others.
Method halves(std::optional<Chunked> blocks = Chunked{.length = 4096}, double sample_rate = 0,
              Normalization normalize = Normalization::kNone) {
  return {.name = "halves",
          .summary = "for tests",
          .stems = {"left_half", "right_half"},
          .parameters = {{.name = "gain", .help = "of both", .value = 0.5, .minimum = 0.0, .maximum = 1.0}},
          .whole_track = !blocks,
          .make = [=](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
            SeparatorInfo info{.stems = {"left_half", "right_half"},
                               .sample_rate = sample_rate > 0 ? sample_rate : format.sample_rate,
                               .channels = format.channels,
                               .normalize = normalize};
            if (blocks) info.blocks = *blocks;
            const float gain = static_cast<float>(values.number("gain"));
            return std::make_unique<testing::FunctionSeparator>(info, [gain](AudioView block) {
              AudioBuffer half(block.channels(), block.frames());
              add_scaled(block, gain, half);
              return std::vector{half, half};
            });
          }};
}

fs::path write(const fs::path& path, AudioView audio, double sample_rate = 44100, io::SampleFormat format = io::SampleFormat::kFloat32) {
  const auto writer = io::create_writer(path, {.container = io::container_for(path),
                                               .format = format,
                                               .sample_rate = sample_rate,
                                               .channels = audio.channels(),
                                               .overwrite = true});
  writer->write(audio);
  writer->finish();
  return path;
}

class SeparateFile : public ::testing::Test {
 protected:
  SeparationReport run(const fs::path& input, const SeparateOptions& options = {}, const Method& method = halves()) {
    ThreadPool pool(2);
    RunContext context{.pool = pool, .progress = watch_, .cancel = stop_.token()};
    return separate_file(input, folder_ / "out" / "song", method, options, context);
  }
  ErrorCode code_of(const fs::path& input, const SeparateOptions& options = {}, const Method& method = halves()) {
    try {
      run(input, options, method);
    } catch (const Error& error) {
      message_ = error.what();
      return error.code();
    }
    ADD_FAILURE() << "no error";
    return ErrorCode::kInternal;
  }
  void expect_nothing_left() { EXPECT_FALSE(fs::exists(folder_ / "out")); }

  TemporaryFolder folder_;
  CancelSource stop_;
  Progress watch_;
  std::string message_;
};

TEST_F(SeparateFile, KeepsRateChannelsLengthAndFormat) {
  struct Case {
    const char* name;
    double rate;
    std::size_t channels, frames;
    io::SampleFormat format;
  };
  const Case cases[] = {{"a.wav", 44100, 2, 50000, io::SampleFormat::kPcm16}, {"b.wav", 8000, 1, 1, io::SampleFormat::kPcm24},
                        {"c.flac", 48000, 1, 4097, io::SampleFormat::kPcm24}, {"d.wav", 192000, 6, 7001, io::SampleFormat::kFloat32},
                        {"e.aiff", 22050, 2, 4095, io::SampleFormat::kPcm16}, {"f.wav", 11025, 3, 200000, io::SampleFormat::kPcm8}};
  for (const Method& method : {halves(), halves({}), halves(Chunked{.length = 3000, .overlap = 0.7}, 32000, Normalization::kShared)})
    for (const Case& one : cases) {
      SCOPED_TRACE(one.name);
      const fs::path input = write(folder_ / one.name, noise(one.channels, one.frames, 1, 0.5), one.rate, one.format);
      const SeparationReport report = run(input, {.overwrite = true}, method);
      EXPECT_EQ(report.frames, one.frames);
      ASSERT_EQ(report.stems.size(), 2u);
      for (const StemReport& stem : report.stems) {
        const io::AudioInfo expected = io::probe(input), written = io::probe(stem.file);
        EXPECT_EQ(written.sample_rate, one.rate);
        EXPECT_EQ(written.channels, one.channels);
        EXPECT_EQ(written.frames, one.frames);
        EXPECT_EQ(written.format, one.format);
        EXPECT_EQ(written.container, expected.container);
        EXPECT_EQ(stem.bytes, fs::file_size(stem.file));
      }
    }
}

TEST_F(SeparateFile, ReportsLevels) {
  AudioBuffer audio(1, 10000);
  for (std::size_t t = 0; t < audio.frames(); ++t) audio.channel(0)[t] = t % 2 ? 0.5f : -0.5f;  // −6.02 dB rms and peak
  const SeparationReport report = run(write(folder_ / "a.wav", audio), {.parameters = {{"gain", "0.25"}}});
  for (const StemReport& stem : report.stems) {
    EXPECT_NEAR(stem.rms_db, 20.0 * std::log10(0.125), 1e-3);
    EXPECT_NEAR(stem.peak_db, 20.0 * std::log10(0.125), 1e-3);
    EXPECT_NEAR(stem.energy_share, 0.5, 1e-6);
  }
  EXPECT_NEAR(report.residual_db, 20.0 * std::log10(0.5), 1e-3);  // half of the mixture is missing
  EXPECT_GT(report.peak_memory_bytes, 1'000'000u);
}

TEST_F(SeparateFile, AddsUpWhenConsistent) {
  const AudioBuffer audio = noise(2, 30000, 3, 0.5);
  const fs::path input = write(folder_ / "a.wav", audio);
  const SeparationReport report = run(input, {.parameters = {{"gain", "0.3"}}, .separation = {.consistent = true}});
  EXPECT_LT(report.residual_db, -120.0);
  AudioBuffer sum(2, audio.frames());
  for (const StemReport& stem : report.stems) add_scaled(io::read_audio(stem.file).samples, 1.0f, sum);
  EXPECT_LT(largest_difference(sum, audio), 1e-6);
}

TEST_F(SeparateFile, AddingUpExactlyIsANumber) {
  const SeparationReport report = run(write(folder_ / "a.wav", noise(1, 5000, 1, 0.5)), {}, halves({}));
  EXPECT_EQ(report.residual_db, kExactDb);
}

TEST(Residual, OfStemsThatAreNoNumbersIsNone) {
  const AudioBuffer mix = noise(1, 100, 1, 0.5);
  AudioBuffer stem(mix);
  const auto residual = [&] {
    ResidualMeter meter;
    meter.add(mix, std::vector<AudioView>{stem});
    return meter.db();
  };
  EXPECT_EQ(residual(), kExactDb);
  stem.channel(0)[7] = std::nanf("");
  EXPECT_TRUE(std::isnan(residual()));
}

TEST_F(SeparateFile, SilenceIsNoDivisionByZero) {
  const SeparationReport report = run(write(folder_ / "a.wav", AudioBuffer(2, 5000)), {.separation = {.consistent = true}});
  EXPECT_TRUE(std::isnan(report.residual_db));
  EXPECT_EQ(report.stems[0].energy_share, 0.0);
  const auto document = nlohmann::json::parse(to_json(std::vector{report}));
  EXPECT_TRUE(document["inputs"][0]["stems"][0]["rms_db"].is_null());
  EXPECT_TRUE(document["inputs"][0]["residual_db"].is_null());
}

TEST_F(SeparateFile, WritesWhatWasChosen) {
  const fs::path input = write(folder_ / "a.wav", noise(2, 5000, 1, 0.5));
  const SeparationReport report =
      run(input, {.selection = {.two_stems = "left_half"}, .container = io::Container::kFlac, .sample_format = io::SampleFormat::kPcm16});
  ASSERT_EQ(report.stems.size(), 2u);
  EXPECT_EQ(report.stems[1].file, folder_ / "out" / "song" / "no_left_half.flac");
  EXPECT_EQ(io::probe(report.stems[1].file).format, io::SampleFormat::kPcm16);
  EXPECT_LT(report.residual_db, -120.0);
}

TEST_F(SeparateFile, ResamplesForFormatsWithoutTheRate) {
  const fs::path input = write(folder_ / "a.wav", noise(2, 44100, 1, 0.1), 44100);
  const SeparationReport report = run(input, {.container = io::Container::kOpus});
  EXPECT_EQ(io::probe(report.stems[0].file).sample_rate, 48000);
  EXPECT_NEAR(static_cast<double>(io::probe(report.stems[0].file).frames), 48000.0, 1.0);
}

TEST_F(SeparateFile, WritesAStemFile) {
  AudioBuffer audio(2, 44100);  // a tone, which AAC codes well
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t t = 0; t < audio.frames(); ++t) audio.channel(c)[t] = 0.3f * std::sin(0.05f * static_cast<float>(t));
  for (const double rate : {44100.0, 100000.0}) {  // the second one AAC cannot hold
    const fs::path input = write(folder_ / "a.wav", audio, rate);
    const SeparationReport report = run(input, {.container = io::Container::kStemMp4, .overwrite = true});
    ASSERT_EQ(report.stems.size(), 2u);
    EXPECT_EQ(report.stems[1].file, folder_ / "out" / "song" / "song.stem.mp4");
    EXPECT_EQ(report.stems[1].bytes, fs::file_size(report.stems[1].file));
    EXPECT_EQ(io::probe(report.stems[1].file).streams, 3u);
    // Stream 0 is the mixture, the others are half of it: −6 dB, AAC's loss aside.
    const auto energy = [&](std::size_t stream) {
      const io::Audio decoded = io::read_audio(report.stems[0].file, {.stream = stream});
      double sum = 0.0;
      for (const float x : decoded.samples.samples()) sum += static_cast<double>(x) * x;
      return sum;
    };
    EXPECT_NEAR(10.0 * std::log10(energy(2) / energy(0)), 20.0 * std::log10(0.5), 0.5);
    EXPECT_TRUE(run(input, {.container = io::Container::kStemMp4, .resume = true}).resumed);
  }
}

TEST(StemPaths, NameAStemFileLikeItsFolder) {
  const auto name = [](const char* folder) { return stem_paths(folder, {"a", "b"}, io::Container::kStemMp4).at(0).filename(); };
  for (const char* folder : {"some/out", "some/out/", "some/out/.", "./out", "/out/", "out/x/.."})
    EXPECT_EQ(name(folder), "out.stem.mp4") << folder;
  EXPECT_EQ(name("."), fs::current_path().filename().string() + ".stem.mp4");
}

TEST_F(SeparateFile, CountsClippedSamples) {
  AudioBuffer audio(1, 1000);
  for (std::size_t t = 0; t < 10; ++t) audio.channel(0)[t] = 3.0f;
  const fs::path input = write(folder_ / "a.wav", audio);
  EXPECT_EQ(run(input, {.sample_format = io::SampleFormat::kPcm16}).stems[0].clipped_samples, 10u);
  EXPECT_EQ(run(input, {.overwrite = true}).stems[0].clipped_samples, 0u);
}

TEST_F(SeparateFile, WritesAManifestThatProvesTheJob) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  const SeparationReport first = run(input);
  const auto manifest = nlohmann::json::parse(std::ifstream(folder_ / "out" / "song" / "manifest.json"));
  EXPECT_EQ(manifest["schema"], "unbraid.manifest/1");
  EXPECT_EQ(manifest["input"]["sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(manifest["request"]["parameters"]["gain"], 0.5);
  EXPECT_EQ(manifest["stems"][1]["file"], "right_half.wav");

  const SeparationReport again = run(input, {.resume = true});
  EXPECT_TRUE(again.resumed);
  EXPECT_EQ(again.stems[1].rms_db, first.stems[1].rms_db);
  EXPECT_EQ(again.frames, first.frames);
}

TEST_F(SeparateFile, ResumesOnlyWhatIsProven) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  const fs::path stem = run(input).stems[0].file;
  const fs::path manifest = folder_ / "out" / "song" / "manifest.json";
  const auto redone = [&] { return !run(input, {.resume = true}).resumed; };
  EXPECT_FALSE(redone());
  fs::resize_file(stem, 100);
  EXPECT_TRUE(redone());
  fs::remove(stem);
  EXPECT_TRUE(redone());
  fs::remove(manifest);
  EXPECT_TRUE(redone());
  std::ofstream(manifest) << "{\"schema\":\"unbraid.manifest/1\"}";
  EXPECT_TRUE(redone());
  EXPECT_FALSE(redone());
  // Another request or another input: the earlier results are not to be lost.
  EXPECT_EQ(code_of(input, {.parameters = {{"gain", "0.4"}}, .resume = true}), ErrorCode::kIo);
  write(input, noise(1, 3000, 2, 0.5));
  EXPECT_EQ(code_of(input, {.resume = true}), ErrorCode::kIo);
  EXPECT_FALSE(run(input, {.overwrite = true, .resume = true}).resumed);
}

TEST_F(SeparateFile, EveryOptionThatDecidesTheResultMakesAnotherRequest) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  run(input);
  ASSERT_TRUE(run(input, {.resume = true}).resumed);
  const SeparateOptions others[] = {{.separation = {.overlap = 0.25}},
                                    {.separation = {.shifts = 2}},
                                    {.separation = {.seed = 1}},
                                    {.separation = {.augment = true}},
                                    {.separation = {.consistent = true}},
                                    {.selection = {.stems = {"left_half"}}},
                                    {.selection = {.two_stems = "left_half"}},
                                    {.selection = {.derived = {DerivedStem::parse("sum=left_half+right_half")}}},
                                    {.container = io::Container::kFlac},
                                    {.sample_format = io::SampleFormat::kPcm16},
                                    {.gain_db = -1},
                                    {.dither = true}};
  for (std::size_t i = 0; i < std::size(others); ++i) {
    SeparateOptions other = others[i];
    other.resume = true;
    EXPECT_EQ(code_of(input, other), ErrorCode::kIo) << "option " << i;
  }
}

TEST_F(SeparateFile, AGainInDecibelsIsAppliedToEveryStem) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  const SeparationReport before = run(input);
  const SeparationReport after = run(input, {.gain_db = -6, .overwrite = true});
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(after.stems[i].rms_db, before.stems[i].rms_db - 6, 1e-4);  // floats round by −150 dB
}

TEST_F(SeparateFile, ReadsAPipeOnceAndTakesItForNoOther) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto feed = [&](std::uint64_t seed) {
    const fs::path file = write(folder_ / "a.wav", noise(1, 3000, seed, 0.5));
    return std::jthread([=] { std::ofstream(pipe) << std::ifstream(file).rdbuf(); });
  };
  {
    const std::jthread feeder = feed(1);
    EXPECT_EQ(run(pipe).frames, 3000u);
  }
  {
    const std::jthread feeder = feed(2);
    EXPECT_EQ(code_of(pipe, {.resume = true}), ErrorCode::kIo);  // what is there may be of another recording
  }
  const std::jthread feeder = feed(3);
  EXPECT_FALSE(run(pipe, {.overwrite = true, .resume = true}).resumed);
}

TEST_F(SeparateFile, KeepsFilesThatExist) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  fs::create_directories(folder_ / "out" / "song");
  std::ofstream(folder_ / "out" / "song" / "right_half.wav") << "precious";
  EXPECT_EQ(code_of(input), ErrorCode::kIo);
  EXPECT_EQ(fs::file_size(folder_ / "out" / "song" / "right_half.wav"), 8u);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "song" / "left_half.wav"));
  EXPECT_GT(run(input, {.overwrite = true}).stems[1].bytes, 8u);
}

TEST_F(SeparateFile, LeavesNothingBehindAfterAnError) {
  AudioBuffer audio = noise(2, 200000, 1, 0.5);
  audio.channel(1)[150000] = std::nanf("");
  EXPECT_EQ(code_of(write(folder_ / "a.wav", audio)), ErrorCode::kFormat);
  EXPECT_NE(message_.find("a.wav: sample 150000 of channel 2 is not a finite number"), std::string::npos) << message_;
  expect_nothing_left();
  EXPECT_EQ(code_of(folder_ / "missing.wav"), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(write(folder_ / "empty.wav", AudioBuffer(2, 0))), ErrorCode::kFormat);
  const fs::path good = write(folder_ / "good.wav", noise(2, 200000, 1, 0.5));
  EXPECT_EQ(code_of(good, {.parameters = {{"nonsense", "1"}}}), ErrorCode::kUsage);
  EXPECT_EQ(code_of(good, {.parameters = {{"gain", "2"}}}), ErrorCode::kUsage);
  EXPECT_EQ(code_of(good, {.selection = {.stems = {"piano"}}}), ErrorCode::kUsage);
  EXPECT_EQ(code_of(good, {.container = io::Container::kFlac, .sample_format = io::SampleFormat::kFloat32}), ErrorCode::kUsage);
  EXPECT_EQ(code_of(good, {.container = io::Container::kMp3, .sample_format = io::SampleFormat::kPcm16}), ErrorCode::kUsage);
  EXPECT_EQ(code_of(good, {.max_memory_bytes = 1000}), ErrorCode::kResource);
  expect_nothing_left();
}

TEST_F(SeparateFile, LeavesNothingBehindWhenCancelledHalfWay) {
  const fs::path input = write(folder_ / "a.wav", noise(2, 200000, 1, 0.5));
  std::uintmax_t begun = 0;
  watch_ = Progress([&](const Progress::Update& update) {
    if (update.done == 0) return;
    for (const fs::directory_entry& file : fs::directory_iterator(folder_ / "out" / "song")) begun += file.is_regular_file();
    stop_.cancel();
  });
  EXPECT_EQ(code_of(input), ErrorCode::kCancelled);
  EXPECT_GE(begun, 2u);  // a block of both stems was there
  expect_nothing_left();
}

TEST_F(SeparateFile, RemovesFinishedStemsWhenALaterOneFails) {
  // The last name cannot be a file: the folder of that name is in the way only when the file gets its name.
  Method method = halves();
  const auto make = method.make;
  const fs::path in_the_way = folder_ / "out" / "song" / "right_half.wav";
  method.make = [=](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) -> std::unique_ptr<Separator> {
    const SeparatorInfo info = make(format, values, seed)->info();
    return std::make_unique<testing::FunctionSeparator>(info, [in_the_way](AudioView block) {
      fs::create_directories(in_the_way);
      return std::vector{AudioBuffer(block), AudioBuffer(block)};
    });
  };
  EXPECT_EQ(code_of(write(folder_ / "a.wav", noise(1, 3000, 1, 0.5)), {}, method), ErrorCode::kIo);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "song" / "left_half.wav"));
  EXPECT_FALSE(fs::exists(folder_ / "out" / "song" / "manifest.json"));
}

TEST_F(SeparateFile, GivesErrorsOfTheLibraryOnly) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  const auto throwing = [](auto exception) {
    Method method = halves();
    method.make = [=](const StreamFormat& format, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> {
      const SeparatorInfo info{.stems = {"left_half"}, .sample_rate = format.sample_rate, .channels = 1};
      return std::make_unique<testing::FunctionSeparator>(info, [=](AudioView) -> std::vector<AudioBuffer> { throw exception; });
    };
    return method;
  };
  EXPECT_EQ(code_of(input, {}, throwing(std::bad_alloc())), ErrorCode::kResource);
  EXPECT_EQ(message_, input.string() + ": not enough memory");
  EXPECT_EQ(code_of(input, {}, throwing(std::length_error("vector"))), ErrorCode::kResource);
  const std::error_code full = std::make_error_code(std::errc::no_space_on_device);
  EXPECT_EQ(code_of(input, {}, throwing(fs::filesystem_error("write", "there", full))), ErrorCode::kIo);
  EXPECT_EQ(message_, "there: " + full.message());
  expect_nothing_left();
}

TEST_F(SeparateFile, LeavesNothingBehindWhenALaterFileCannotBeMade) {
  const DerivedStem too_long{.name = std::string(300, 'x'), .terms = {{1.0, "mix"}}};
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  EXPECT_EQ(code_of(input, {.selection = {.derived = {too_long}}, .overwrite = true}), ErrorCode::kIo);
  expect_nothing_left();
}

TEST_F(SeparateFile, AnOverwriteThatStopsHalfWayLeavesNoProof) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 3000, 1, 0.5));
  const fs::path in_the_way = run(input).stems[1].file;
  Method method = halves();
  method.make = [=](const StreamFormat& format, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> {
    const SeparatorInfo info{
        .stems = {"left_half", "right_half"}, .sample_rate = format.sample_rate, .channels = 1, .blocks = Chunked{.length = 4096}};
    return std::make_unique<testing::FunctionSeparator>(info, [in_the_way](AudioView block) {
      fs::remove(in_the_way);
      fs::create_directory(in_the_way);  // the second stem cannot get its name, after the first one got it
      return std::vector{AudioBuffer(block), AudioBuffer(block)};
    });
  };
  EXPECT_EQ(code_of(input, {.overwrite = true}, method), ErrorCode::kIo);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "song" / "manifest.json"));
}

TEST_F(SeparateFile, CountsProgressInMillisecondsOfAudio) {
  const fs::path input = write(folder_ / "a.wav", noise(1, 441000, 1, 0.5));
  for (const Method& method : {halves(), halves({})}) {
    std::map<std::string, std::uint64_t> done;
    ThreadPool pool(1);
    RunContext run{.pool = pool, .progress = Progress([&](const Progress::Update& update) {
                                   done[update.stage] = update.done;
                                   EXPECT_EQ(update.total, 10000u);
                                   EXPECT_EQ(update.unit, "ms");
                                 })};
    separate_file(input, folder_ / method.name, method, {.overwrite = true}, run);
    const std::map<std::string, std::uint64_t> chunked{{"separate", 10000}}, whole{{"read", 10000}, {"write", 10000}};
    EXPECT_EQ(done, method.whole_track ? whole : chunked);
  }
}

TEST(FindInputs, WalksFolders) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "album/disc 1");
  fs::create_directories(folder / "album/.hidden");
  fs::create_directories(folder / "album/result");
  for (const char* name : {"album/b.MP3", "album/a.wav", "album/._a.wav", "album/cover.jpg", "album/disc 1/日本.flac",
                           "album/.hidden/x.wav", "album/result/vocals.wav", "album/t.stem.mp4"})
    std::ofstream(folder / name) << "x";
  std::ofstream(folder / "album/result/manifest.json") << R"({"schema":"unbraid.manifest/1"})";
  const std::vector<fs::path> paths{folder / "album", "-"};
  const std::vector<Input> inputs = find_inputs(paths).inputs;
  std::vector<fs::path> names;
  for (const Input& input : inputs) names.push_back(input.name);
  EXPECT_EQ(names, (std::vector<fs::path>{"a", "b", "disc 1/日本", "t", "stdin"}));
}

TEST(FindInputs, TellsNamesApart) {
  const TemporaryFolder folder;
  for (const char* name : {"song.wav", "song.mp3", "other.wav"}) std::ofstream(folder / name) << "x";
  const std::vector<fs::path> paths{folder.path()};
  const std::vector<Input> inputs = find_inputs(paths).inputs;
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_EQ(inputs[0].name, "other");
  EXPECT_EQ(inputs[1].name, "song.mp3");
  EXPECT_EQ(inputs[2].name, "song.wav");
  const std::vector<fs::path> twice{folder / "song.wav", folder / "song.wav"};
  EXPECT_THROW(find_inputs(twice), Error);
}

TEST(FindInputs, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  const std::vector<fs::path> missing{folder / "no.wav"}, empty{folder.path()};
  EXPECT_THROW(find_inputs(missing), Error);
  EXPECT_THROW(find_inputs(empty), Error);
}

TEST(Plan, ShrinksTheBatchBeforeItRefuses) {
  const SeparatorInfo info{.stems = {"a", "b"},
                           .sample_rate = 44100,
                           .channels = 2,
                           .blocks = Chunked{.length = 441000, .batch = 16},
                           .working_bytes = [](std::size_t frames) { return 400 * frames; }};
  const StreamFormat format{.sample_rate = 44100, .channels = 2};
  const std::uint64_t hour = 3600ull * 44100;
  const std::size_t all = estimate_memory(info, format, hour, {});
  const std::size_t least = estimate_memory(info, format, hour, {.batch = 1});
  EXPECT_EQ(choose_batch(info, format, hour, {}, 0), 16u);
  EXPECT_EQ(choose_batch(info, format, hour, {}, all + 1'000'000'000), 16u);
  const std::size_t chosen = choose_batch(info, format, hour, {}, (all + least) / 2);
  EXPECT_GT(chosen, 1u);
  EXPECT_LT(chosen, 16u);
  EXPECT_THROW(choose_batch(info, format, hour, {}, least), Error);  // the process has something already
  EXPECT_EQ(estimate_memory(info, format, 100 * hour, {}), all);     // streaming: not a matter of length
}

TEST(Plan, KnowsTheMachinesMemory) {
  const std::size_t ram = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  EXPECT_LE(machine_memory_bytes(), ram);
  EXPECT_GE(machine_memory_bytes(), 64'000'000u);  // this test runs in it
}

TEST(Plan, TimeOfAWholeTrackMayGrowWithTheSquare) {
  EXPECT_DOUBLE_EQ(estimate_seconds(1, 2, 10), 20);   // a line
  EXPECT_DOUBLE_EQ(estimate_seconds(1, 4, 10), 400);  // a square
  EXPECT_DOUBLE_EQ(estimate_seconds(1, 3, 2), 10);    // n + 2·n²
  EXPECT_DOUBLE_EQ(estimate_seconds(2, 1, 3), 3);     // the first trial was disturbed
  EXPECT_DOUBLE_EQ(estimate_seconds(0, 1, 3), 9);     // or the second one was
}

TEST(Plan, SaysWhatItWillTake) {
  const TemporaryFolder folder;
  const fs::path input = write(folder / "a.wav", noise(2, 200000, 1, 0.5));
  ThreadPool pool(1);
  RunContext run{pool};
  const SeparationPlan chunked = plan_file(input, halves(Chunked{.length = 4096, .overlap = 0.5, .batch = 4}), {}, run);
  EXPECT_EQ(chunked.blocks, 99u);  // ⌈(200000 + 2048) / 2048⌉
  EXPECT_EQ(chunked.batch, 4u);
  EXPECT_GT(chunked.seconds, 0.0);
  const SeparationPlan whole = plan_file(input, halves({}), {.separation = {.shifts = 3}}, run);
  EXPECT_TRUE(whole.whole_track);
  EXPECT_EQ(whole.blocks, 3u);

  // A member that needs the whole track, too, is tried on ten seconds.
  const fs::path long_input = write(folder / "b.wav", noise(1, 200000, 1, 0.5), 8000);  // 25 s
  std::size_t tried = 0;
  const auto member = std::make_shared<testing::FunctionSeparator>(SeparatorInfo{.stems = {"all"}, .sample_rate = 8000, .channels = 1},
                                                                   [&tried](AudioView block) {
                                                                     tried = block.frames();
                                                                     return std::vector{AudioBuffer(block)};
                                                                   });
  const Method ensemble{
      .name = "ensemble",
      .summary = "for tests",
      .stems = {"all"},
      .parameters = {},
      .make = [member](const StreamFormat&, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> {
        return std::make_unique<testing::FunctionSeparator>(
            SeparatorInfo{.stems = {"all"}, .sample_rate = 8000, .channels = 1, .blocks = Ensemble{.members = {{member, {1}}}}},
            [](AudioView block) { return std::vector{AudioBuffer(block)}; });
      }};
  EXPECT_TRUE(plan_file(long_input, ensemble, {}, run).whole_track);
  EXPECT_EQ(tried, 80000u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2) << "something was written";
}

}  // namespace
}  // namespace unbraid
