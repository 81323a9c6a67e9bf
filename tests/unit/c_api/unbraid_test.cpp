#include "unbraid/unbraid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid {
namespace {

using testing::largest_difference;
using testing::noise;

struct Close {
  void operator()(unbraid_context* context) const { unbraid_context_close(context); }
  void operator()(unbraid_method* method) const { unbraid_method_close(method); }
  void operator()(unbraid_stream* stream) const { unbraid_stream_close(stream); }
};
using Context = std::unique_ptr<unbraid_context, Close>;
using OpenMethod = std::unique_ptr<unbraid_method, Close>;
using Stream = std::unique_ptr<unbraid_stream, Close>;

Context context_of(std::size_t threads = 2) {
  unbraid_context* context = nullptr;
  EXPECT_EQ(unbraid_context_open(threads, &context), UNBRAID_OK) << unbraid_last_error();
  return Context(context);
}

OpenMethod method_of(const char* name) {
  unbraid_method* method = nullptr;
  EXPECT_EQ(unbraid_method_open(name, &method), UNBRAID_OK) << unbraid_last_error();
  return OpenMethod(method);
}

Stream stream_of(const Context& context, const OpenMethod& method, double sample_rate, std::size_t channels) {
  unbraid_stream* stream = nullptr;
  EXPECT_EQ(unbraid_stream_open(context.get(), method.get(), sample_rate, channels, nullptr, &stream), UNBRAID_OK) << unbraid_last_error();
  return Stream(stream);
}

std::vector<float*> rows_of(MutableAudioView audio) {
  std::vector<float*> rows;
  for (std::size_t c = 0; c < audio.channels(); ++c) rows.push_back(audio.channel(c).data());
  return rows;
}

std::vector<float*> rows_of(std::vector<AudioBuffer>& stems) {
  std::vector<float*> rows;
  for (AudioBuffer& stem : stems)
    for (float* const row : rows_of(stem.view())) rows.push_back(row);
  return rows;
}

/// What the C++ interface gives.
Stems expected(const char* method, const AudioBuffer& mix, double sample_rate) {
  ThreadPool pool(1);
  RunContext run{.pool = pool};
  const Method& found = catalog::find(method);
  const auto separator =
      found.make({.sample_rate = sample_rate, .channels = mix.channels()}, ParameterValues::resolve(found.parameters), 0);
  return separate(mix, sample_rate, *separator, {}, run);
}

TEST(CApi, SaysItsVersion) { EXPECT_EQ(unbraid_version(), version()); }

TEST(CApi, ListsTheBuiltInMethods) {
  const auto methods = catalog::methods();
  for (std::size_t i = 0; i < methods.size(); ++i) EXPECT_EQ(unbraid_builtin_method(i), methods[i].name);
  EXPECT_EQ(unbraid_builtin_method(methods.size()), nullptr);
}

TEST(CApi, SeparatesMemoryAsTheCppInterfaceDoes) {
  AudioBuffer mix = noise(2, 100'000, 1, 0.5);  // more than a piece
  const Context context = context_of();
  const OpenMethod method = method_of("hpss");
  ASSERT_STREQ(unbraid_method_name(method.get()), "hpss");
  ASSERT_STREQ(unbraid_method_stem(method.get(), 0), "harmonic");
  ASSERT_STREQ(unbraid_method_stem(method.get(), 1), "percussive");
  ASSERT_EQ(unbraid_method_stem(method.get(), 2), nullptr);

  std::vector<AudioBuffer> stems(2, AudioBuffer(2, mix.frames()));
  const std::vector<float*> rows = rows_of(stems);
  std::uint64_t told = 0;
  unbraid_context_on_progress(
      context.get(),
      [](void* user, const char* stage, const char* unit, std::uint64_t done, std::uint64_t total) {
        EXPECT_STREQ(stage, "separate");
        EXPECT_STREQ(unit, "frames");
        EXPECT_EQ(total, 100'000u);
        *static_cast<std::uint64_t*>(user) = done;
      },
      &told);
  ASSERT_EQ(unbraid_separate(context.get(), method.get(), rows_of(mix).data(), 2, mix.frames(), 22050, nullptr, rows.data()), UNBRAID_OK)
      << unbraid_last_error();
  EXPECT_STREQ(unbraid_last_error(), "");
  EXPECT_EQ(told, 100'000u);
  const Stems wanted = expected("hpss", mix, 22050);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(largest_difference(stems[i], wanted[i].audio), 0.0) << i;
}

TEST(CApi, ProgressOfAWholeTrackCountsItsFrames) {
  AudioBuffer mix = noise(2, 8000, 6, 0.5);
  const Context context = context_of();
  const OpenMethod method = method_of("ica");
  std::vector<AudioBuffer> stems(2, AudioBuffer(2, mix.frames()));
  const std::vector<float*> rows = rows_of(stems);
  std::uint64_t told = 0;
  unbraid_context_on_progress(
      context.get(),
      [](void* user, const char* stage, const char*, std::uint64_t done, std::uint64_t) {
        EXPECT_STREQ(stage, "separate");
        *static_cast<std::uint64_t*>(user) = done;
      },
      &told);
  ASSERT_EQ(unbraid_separate(context.get(), method.get(), rows_of(mix).data(), 2, mix.frames(), 8000, nullptr, rows.data()), UNBRAID_OK)
      << unbraid_last_error();
  EXPECT_EQ(told, mix.frames());
}

TEST(CApi, StreamsGiveTheSameInPieces) {
  AudioBuffer mix = noise(1, 70'001, 2, 0.5);
  const Context context = context_of();
  const OpenMethod method = method_of("lowpass");
  const Stream stream = stream_of(context, method, 8000, 1);
  ASSERT_STREQ(unbraid_stream_stem_name(stream.get(), 0), "low");
  EXPECT_EQ(unbraid_stream_stem_name(stream.get(), 2), nullptr);
  EXPECT_EQ(unbraid_stream_stem(stream.get(), 0, 0), nullptr);  // nothing was taken yet

  AudioBuffer low(1, mix.frames()), copy(1, mix.frames());
  std::size_t at = 0;
  const auto drain = [&] {
    std::size_t frames = 0;
    while (unbraid_stream_take(stream.get(), &frames) == UNBRAID_OK && frames > 0) {
      ASSERT_LE(at + frames, mix.frames());
      std::copy_n(unbraid_stream_stem(stream.get(), 0, 0), frames, low.channel(0).data() + at);
      std::copy_n(unbraid_stream_mix(stream.get(), 0), frames, copy.channel(0).data() + at);
      EXPECT_EQ(unbraid_stream_stem(stream.get(), 2, 0), nullptr);
      EXPECT_EQ(unbraid_stream_stem(stream.get(), 0, 1), nullptr);
      EXPECT_EQ(unbraid_stream_mix(stream.get(), 1), nullptr);
      at += frames;
    }
  };
  for (std::size_t first = 0; first < mix.frames(); first += 999) {
    const float* const row = mix.channel(0).data() + first;
    ASSERT_EQ(unbraid_stream_push(stream.get(), &row, std::min<std::size_t>(999, mix.frames() - first)), UNBRAID_OK);
    drain();
  }
  ASSERT_EQ(unbraid_stream_finish(stream.get()), UNBRAID_OK);
  drain();
  EXPECT_EQ(at, mix.frames());
  EXPECT_EQ(largest_difference(copy, mix), 0.0);
  EXPECT_EQ(largest_difference(low, expected("lowpass", mix, 8000)[0].audio), 0.0);
}

TEST(CApi, ParametersCanBeReadAndSet) {
  const OpenMethod method = method_of("lowpass");
  unbraid_parameter parameter{};
  ASSERT_EQ(unbraid_method_parameter(method.get(), 0, &parameter), UNBRAID_OK);
  const Parameter& declared = catalog::find("lowpass").parameters.at(0);
  EXPECT_EQ(parameter.name, declared.name);
  EXPECT_EQ(parameter.help, declared.help);
  EXPECT_EQ(parameter.unit, declared.unit);
  EXPECT_STREQ(parameter.type, "number");
  EXPECT_EQ(parameter.value, to_string(declared.value));
  EXPECT_EQ(parameter.minimum, declared.minimum);
  EXPECT_EQ(parameter.maximum, declared.maximum);
  EXPECT_EQ(unbraid_method_parameter(method.get(), 1000, &parameter), UNBRAID_USAGE);

  ASSERT_EQ(unbraid_method_set(method.get(), declared.name.c_str(), "321"), UNBRAID_OK);
  ASSERT_EQ(unbraid_method_set(method.get(), declared.name.c_str(), "loud"), UNBRAID_USAGE);
  EXPECT_EQ(std::string(unbraid_last_error()), declared.name + ": 'loud' is not a number");
  EXPECT_EQ(unbraid_method_set(method.get(), "volume", "1"), UNBRAID_USAGE);
  ASSERT_EQ(unbraid_method_parameter(method.get(), 0, &parameter), UNBRAID_OK);
  EXPECT_STREQ(parameter.value, "321");

  // It is heard: the stems differ from those by default.
  AudioBuffer mix = noise(1, 8000, 3, 0.5);
  AudioBuffer low(1, 8000), high(1, 8000);
  float* rows[] = {low.channel(0).data(), high.channel(0).data()};
  const float* const row = mix.channel(0).data();
  ASSERT_EQ(unbraid_separate(context_of().get(), method.get(), &row, 1, 8000, 8000, nullptr, rows), UNBRAID_OK);
  EXPECT_GT(largest_difference(low, expected("lowpass", mix, 8000)[0].audio), 0.01);
}

TEST(CApi, SeparatesFiles) {
  const testing::TemporaryFolder folder;
  const auto input = folder / "song.wav";
  {
    const auto writer = io::create_writer(input, {.container = io::Container::kWav, .sample_rate = 44100, .channels = 2});
    writer->write(noise(2, 30'000, 4, 0.5));
    writer->finish();
  }
  const Context context = context_of();
  const OpenMethod method = method_of("lowpass");
  const std::string stems = (folder / "stems").string();
  ASSERT_EQ(unbraid_separate_file(context.get(), method.get(), input.c_str(), stems.c_str(), nullptr), UNBRAID_OK) << unbraid_last_error();
  EXPECT_TRUE(std::filesystem::exists(stems + "/low.wav"));
  EXPECT_EQ(unbraid_separate_file(context.get(), method.get(), input.c_str(), stems.c_str(), nullptr), UNBRAID_IO);  // in the way
  unbraid_options options;
  unbraid_options_init(&options);
  options.overwrite = true;
  EXPECT_EQ(unbraid_separate_file(context.get(), method.get(), input.c_str(), stems.c_str(), &options), UNBRAID_OK);
  options.max_memory = 1000;
  EXPECT_EQ(unbraid_separate_file(context.get(), method.get(), input.c_str(), stems.c_str(), &options), UNBRAID_RESOURCE);
  EXPECT_EQ(unbraid_separate_file(context.get(), method.get(), "no such file.wav", stems.c_str(), nullptr), UNBRAID_NOT_FOUND);
  EXPECT_STREQ(unbraid_last_error(), "no such file.wav: no such file");
}

TEST(CApi, WhatIsCancelledStays) {
  const Context context = context_of();
  const OpenMethod method = method_of("lowpass");
  const Stream stream = stream_of(context, method, 44100, 1);
  unbraid_context_cancel(context.get());
  const std::vector<float> silence(1'000'000);
  const float* const row = silence.data();
  unbraid_status status = unbraid_stream_push(stream.get(), &row, silence.size());
  if (status == UNBRAID_OK) status = unbraid_stream_finish(stream.get());
  EXPECT_EQ(status, UNBRAID_CANCELLED);
}

TEST(CApi, RefusesWhatMakesNoSense) {
  unbraid_method* none = nullptr;
  EXPECT_EQ(unbraid_method_open("hpsss", &none), UNBRAID_NOT_FOUND);
  EXPECT_EQ(none, nullptr);
  EXPECT_NE(std::string(unbraid_last_error()), "");
  EXPECT_EQ(unbraid_method_open("no/such/model.safetensors", &none), UNBRAID_NOT_FOUND);
  EXPECT_EQ(unbraid_method_open("hpss", nullptr), UNBRAID_USAGE);

  const Context context = context_of(1);
  const OpenMethod method = method_of("lowpass");
  AudioBuffer mix = noise(1, 100, 5);
  const float* row = mix.channel(0).data();
  float* rows[] = {nullptr, nullptr};
  const auto separate_it = [&](double rate, std::size_t channels, const unbraid_options* options) {
    return unbraid_separate(context.get(), method.get(), &row, channels, 100, rate, options, rows);
  };
  EXPECT_EQ(separate_it(44100, 1, nullptr), UNBRAID_USAGE);
  EXPECT_STREQ(unbraid_last_error(), "stems: must not be NULL");
  AudioBuffer low(1, 100), high(1, 100);
  rows[0] = low.channel(0).data();
  rows[1] = high.channel(0).data();
  EXPECT_EQ(separate_it(44100, 1, nullptr), UNBRAID_OK);
  for (const double rate : {0.0, -1.0, std::nan("")}) EXPECT_EQ(separate_it(rate, 1, nullptr), UNBRAID_USAGE) << rate;
  EXPECT_EQ(separate_it(44100, 0, nullptr), UNBRAID_USAGE);
  unbraid_options options;
  unbraid_options_init(&options);
  options.overlap = 1;
  EXPECT_EQ(separate_it(44100, 1, &options), UNBRAID_USAGE);
  options.overlap = std::nan("");
  EXPECT_EQ(separate_it(44100, 1, &options), UNBRAID_USAGE);
  mix.channel(0)[50] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(separate_it(44100, 1, nullptr), UNBRAID_FORMAT);
  EXPECT_EQ(unbraid_separate(nullptr, method.get(), &row, 1, 100, 44100, nullptr, rows), UNBRAID_USAGE);
  EXPECT_EQ(unbraid_stream_push(nullptr, &row, 100), UNBRAID_USAGE);
  unbraid_context_close(nullptr);
  unbraid_method_close(nullptr);
  unbraid_stream_close(nullptr);
}

}  // namespace
}  // namespace unbraid
