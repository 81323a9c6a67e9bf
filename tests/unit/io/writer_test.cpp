// All or nothing: a writer leaves the whole file or none.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/quantise.hpp"
#include "signals.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"

/// libsndfile forgets its Vorbis encoder when the disk is full. Only the sanitizers know this function.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis\nleak:libogg\n"; }

namespace unbraid::io {
namespace {

using testing::TemporaryFolder;

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_FALSE(error.message().empty());
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

constexpr Container kAll[] = {Container::kWav,  Container::kAiff, Container::kFlac, Container::kOgg,
                              Container::kOpus, Container::kMp3,  Container::kM4a};

WriterOptions options_for(Container container) {
  return {.container = container, .format = closest_format(container, SampleFormat::kPcm16), .sample_rate = 48000};
}

TEST(Writer, AppearsOnlyAtFinish) {
  const TemporaryFolder folder;
  for (const Container container : kAll) {
    const auto path = folder / ("x" + extension(container));
    {
      const auto writer = create_writer(path, options_for(container));
      writer->write(noise(2, 10000, 0.5f));
      EXPECT_FALSE(std::filesystem::exists(path));
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << to_string(container);
  }
}

TEST(Writer, ReplacesOnlyWhenAllowed) {
  const TemporaryFolder folder;
  const auto path = folder / "x.wav";
  put_bytes(path, "precious");
  EXPECT_EQ(code_of([&] { create_writer(path, {}); }), ErrorCode::kIo);
  EXPECT_EQ(file_bytes(path), "precious");
  write_audio(path, noise(2, 10, 0.5f), {.overwrite = true});
  EXPECT_EQ(probe(path).frames, 10u);
}

TEST(Writer, NamesOfAllKinds) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 5000, 0.5f);
  const std::string longest(251, 'x');
  for (const std::string& stem : {std::string("with spaces"), std::string("日本語の歌"), std::string("🎸🥁"),
                                  std::string("http:example"), std::string("%d"), std::string("-dash"), longest})
    for (const Container container : {Container::kWav, Container::kMp3}) {
      const auto path = folder / stem / (stem + extension(container));
      write_audio(path, audio, options_for(container));
      EXPECT_EQ(probe(path).frames, 5000u) << path;
    }
}

TEST(Writer, FailsWhereNothingCanBeWritten) {
  const TemporaryFolder folder;
  put_bytes(folder / "file", "x");
  EXPECT_EQ(code_of([&] { create_writer(folder / "file" / "x.wav", {}); }), ErrorCode::kIo);
  EXPECT_EQ(code_of([&] { create_writer(folder.path(), {.overwrite = true}); }), ErrorCode::kIo);
  EXPECT_EQ(code_of([&] { create_writer(folder / (std::string(300, 'x') + ".wav"), {}); }), ErrorCode::kIo);
}

// A disk that fills up, played by a limit on the size of files.
TEST(Writer, FullDiskLeavesNothing) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 48000, 0.5f);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  for (const Container container : kAll)
    for (const rlim_t limit : {rlim_t{10}, rlim_t{3000}, rlim_t{20000}}) {
      const auto path = folder / ("x" + extension(container));
      rlimit small = before;
      small.rlim_cur = limit;
      ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
      const ErrorCode code = code_of([&] { write_audio(path, audio, options_for(container)); });
      ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
      EXPECT_EQ(code, ErrorCode::kIo) << to_string(container) << " " << limit;
      EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << to_string(container) << " " << limit;
    }
  std::signal(SIGXFSZ, SIG_DFL);
}

TEST(Writer, RefusesWhatTheContainerCannotHold) {
  const TemporaryFolder folder;
  const auto refuse = [&](const WriterOptions& options, ErrorCode expected) {
    EXPECT_EQ(code_of([&] { create_writer(folder / "x", options); }), expected);
  };
  refuse({.container = Container::kFlac, .format = SampleFormat::kFloat32}, ErrorCode::kUnsupported);
  refuse({.container = Container::kFlac, .format = SampleFormat::kPcm16, .channels = 9}, ErrorCode::kUnsupported);
  refuse({.container = Container::kWav, .format = SampleFormat::kLossy}, ErrorCode::kUnsupported);
  refuse({.container = Container::kMp3, .channels = 3}, ErrorCode::kUnsupported);
  refuse({.container = Container::kMp3, .sample_rate = 96000}, ErrorCode::kUnsupported);
  refuse({.container = Container::kOpus, .sample_rate = 44100}, ErrorCode::kUnsupported);
  refuse({.container = Container::kM4a, .sample_rate = 192000}, ErrorCode::kUnsupported);
  refuse({.container = Container::kOther}, ErrorCode::kUsage);
  refuse({.sample_rate = 0}, ErrorCode::kUsage);
  refuse({.sample_rate = 44100.5}, ErrorCode::kUsage);
  refuse({.sample_rate = std::nan("")}, ErrorCode::kUsage);
  refuse({.channels = 0}, ErrorCode::kUsage);
  refuse({.bitrate_kbps = -1}, ErrorCode::kUsage);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Writer, ClosestOptionsAreAccepted) {
  const TemporaryFolder folder;
  for (const Container container : kAll)
    for (const double rate : {4000.0, 11000.0, 44100.0, 50000.0, 192000.0}) {
      const double closest = closest_sample_rate(container, rate);
      WriterOptions options = options_for(container);
      options.format = closest_format(container, SampleFormat::kFloat64);
      options.sample_rate = closest;
      options.overwrite = true;
      const auto path = folder / ("x" + extension(container));
      write_audio(path, noise(2, 3000, 0.5f), options);
      EXPECT_EQ(probe(path).sample_rate, closest) << to_string(container) << " " << rate;
    }
  EXPECT_EQ(closest_sample_rate(Container::kOpus, 44100), 48000);
  EXPECT_EQ(closest_sample_rate(Container::kMp3, 192000), 48000);
  EXPECT_EQ(closest_sample_rate(Container::kFlac, 192000), 192000);
  EXPECT_EQ(closest_format(Container::kFlac, SampleFormat::kFloat32), SampleFormat::kPcm24);
  EXPECT_EQ(closest_format(Container::kFlac, SampleFormat::kPcm16), SampleFormat::kPcm16);
  EXPECT_EQ(closest_format(Container::kWav, SampleFormat::kLossy), SampleFormat::kFloat32);
}

TEST(Writer, NamesTellContainers) {
  EXPECT_EQ(container_for("a/b.WAV"), Container::kWav);
  EXPECT_EQ(container_for("song.stem.mp4"), Container::kStemMp4);
  EXPECT_EQ(container_for("x.aif"), Container::kAiff);
  EXPECT_EQ(code_of([] { container_for("song.mp4x"); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([] { container_for("song"); }), ErrorCode::kUsage);
  for (const Container container : kAll) EXPECT_EQ(container_for("x" + extension(container)), container);
}

// Their decoders need a first packet to tell anything.
TEST(Writer, LossyFilesNeedAFrame) {
  const TemporaryFolder folder;
  for (const Container container : {Container::kOgg, Container::kOpus, Container::kMp3, Container::kM4a})
    EXPECT_EQ(code_of([&] { write_audio(folder / "x", AudioBuffer(2, 0), options_for(container)); }), ErrorCode::kUnsupported);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Writer, WrongCallsAreCaught) {
  const TemporaryFolder folder;
  const auto writer = create_writer(folder / "x.wav", {});
  EXPECT_EQ(code_of([&] { writer->write(AudioBuffer(1, 10)); }), ErrorCode::kInternal);
  writer->finish();
  EXPECT_EQ(code_of([&] { writer->write(AudioBuffer(2, 10)); }), ErrorCode::kInternal);
  EXPECT_EQ(code_of([&] { writer->finish(); }), ErrorCode::kInternal);
}

TEST(Writer, LossyFormatsSurviveNanAndCountOverloads) {
  const TemporaryFolder folder;
  AudioBuffer audio = noise(2, 20000, 0.5f);
  audio.channel(0)[5000] = std::nanf("");
  audio.channel(1)[6000] = std::numeric_limits<float>::infinity();
  audio.channel(1)[7000] = 1.25f;
  for (const Container container : {Container::kOgg, Container::kOpus, Container::kMp3, Container::kM4a}) {
    const auto path = folder / ("x" + extension(container));
    EXPECT_EQ(write_audio(path, audio, options_for(container)).clipped_samples, 3u) << to_string(container);
    const Audio back = read_audio(path);
    for (const float x : back.samples.samples()) ASSERT_TRUE(std::isfinite(x));
  }
}

// Also a second later: no file holds the time of day.
TEST(Writer, SameInputSameBytes) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 20000, 0.5f);
  std::vector<std::pair<Container, SampleFormat>> kinds{{Container::kWav, SampleFormat::kFloat32},
                                                        {Container::kAiff, SampleFormat::kFloat32}};
  for (const Container container : {Container::kWav, Container::kAiff, Container::kFlac, Container::kMp3, Container::kM4a})
    kinds.emplace_back(container, SampleFormat::kPcm16);
  std::vector<std::string> first;
  for (const auto& [container, format] : kinds) {
    write_audio(folder / "x", audio, {.container = container, .format = format, .overwrite = true});
    first.push_back(file_bytes(folder / "x"));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto& [container, format] = kinds[i];
    write_audio(folder / "x", audio, {.container = container, .format = format, .overwrite = true});
    EXPECT_TRUE(file_bytes(folder / "x") == first[i]) << to_string(container) << " " << to_string(format);
  }
}

// Non-subtractive triangular dither: the mean error is 0 and its power is 1/4 LSB² whatever the signal (1/12
// from rounding and 1/6 from the dither). The bounds are four standard errors wide.
TEST(Dither, ErrorDoesNotDependOnTheSignal) {
  constexpr std::size_t kFrames = 200000;
  for (const double level : {0.0, 0.25, 0.5, 0.3}) {  // LSB
    AudioBuffer audio(1, kFrames);
    for (float& x : audio.samples()) x = static_cast<float>(level / 32768.0);
    std::vector<std::int32_t> integers(kFrames);
    Quantiser quantiser(16, 1, {.dither = true, .dither_seed = 3});
    quantiser.interleave(audio, integers.data());
    double sum = 0;
    double power = 0;
    for (const std::int32_t x : integers) {
      const double error = (x >> 16) - level;
      sum += error;
      power += error * error;
    }
    EXPECT_NEAR(sum / kFrames, 0.0, 4 * 0.5 / std::sqrt(kFrames));
    EXPECT_NEAR(power / kFrames, 0.25, 0.004);
  }
}

TEST(Dither, IsSeededAndIndependentOfBlocks) {
  const AudioBuffer audio = noise(2, 10000, 0.5f);
  const auto quantise = [&](std::uint64_t seed, std::size_t block) {
    std::vector<std::int32_t> integers(20000);
    Quantiser quantiser(16, 2, {.dither = true, .dither_seed = seed});
    for (std::size_t first = 0; first < 10000; first += block)
      quantiser.interleave(audio.view().slice(first, std::min<std::size_t>(block, 10000 - first)), integers.data() + 2 * first);
    return integers;
  };
  EXPECT_EQ(quantise(1, 10000), quantise(1, 777));
  EXPECT_NE(quantise(1, 10000), quantise(2, 10000));
}

TEST(Quantise, RoundsToNearest) {
  AudioBuffer audio(1, 5);
  const float values[] = {0.4f, 0.6f, -0.4f, -0.6f, 1.5f};  // LSB of 24 bits
  const int expected[] = {0, 1, 0, -1, 2};
  for (int i = 0; i < 5; ++i) audio.channel(0)[i] = std::ldexp(values[i], -23);
  std::int32_t integers[5];
  Quantiser quantiser(24, 1, {});
  quantiser.interleave(audio, integers);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(integers[i] >> 8, expected[i]) << i;
  EXPECT_EQ(quantiser.clipped_samples(), 0u);
}

/// Puts something in the place of a standard stream until the end of the scope.
class Redirected {
 public:
  Redirected(int standard, int replacement) : standard_(standard), saved_(dup(standard)) { dup2(replacement, standard); }
  ~Redirected() {
    dup2(saved_, standard_);
    close(saved_);
  }

 private:
  int standard_;
  int saved_;
};

TEST(StandardStreams, ReadAndWrite) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 30000, 0.5f);
  for (const Container container : {Container::kWav, Container::kFlac, Container::kMp3, Container::kM4a}) {
    SCOPED_TRACE(to_string(container));
    const auto path = folder / ("x" + extension(container));
    write_audio(path, audio, options_for(container));
    const std::string bytes = file_bytes(path);
    const Audio expected = read_audio(path);

    std::FILE* const captured = std::tmpfile();
    {
      std::fflush(stdout);
      const Redirected redirected(STDOUT_FILENO, fileno(captured));
      write_audio("-", audio, options_for(container));
    }
    std::string written(bytes.size() + 1, '\0');
    std::rewind(captured);
    written.resize(std::fread(written.data(), 1, written.size(), captured));
    EXPECT_TRUE(written == bytes);

    {  // a file
      std::rewind(captured);
      const Redirected redirected(STDIN_FILENO, fileno(captured));
      EXPECT_EQ(max_difference(read_audio("-").samples, expected.samples), 0.0f);
    }
    std::fclose(captured);

    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    std::thread feeder([&] {
      for (std::size_t done = 0; done < bytes.size();)
        done += static_cast<std::size_t>(
            std::max<ssize_t>(0, write(pipe_ends[1], bytes.data() + done, std::min<std::size_t>(5000, bytes.size() - done))));
      close(pipe_ends[1]);
    });
    {
      const Redirected redirected(STDIN_FILENO, pipe_ends[0]);
      const auto reader = open_reader("-");
      AudioBuffer block(2, 30000);
      EXPECT_EQ(reader->read(block), 30000u);
      EXPECT_EQ(max_difference(block, expected.samples), 0.0f);
      reader->seek(100);
      EXPECT_EQ(reader->read(block), 29900u);
    }
    feeder.join();
    close(pipe_ends[0]);
  }
}

TEST(StandardStreams, ASignalEndsTheWaitingWhenCancelled) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);  // nothing ever comes
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  CancelSource stop;
  std::atomic<bool> ended{false};
  std::thread stopper([&, waiting = pthread_self()] {
    for (int i = 0; !ended; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (i == 5) stop.cancel();  // the signals before are somebody else's
      pthread_kill(waiting, SIGUSR1);
    }
  });
  {
    const Redirected redirected(STDIN_FILENO, pipe_ends[0]);
    EXPECT_EQ(code_of([&] { open_reader("-", {.cancel = stop.token()}); }), ErrorCode::kCancelled);
  }
  EXPECT_TRUE(stop.token().cancelled());
  ended = true;
  stopper.join();
  sigaction(SIGUSR1, &before, nullptr);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace unbraid::io
