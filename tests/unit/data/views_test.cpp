#include "unbraid/data/views.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/data/name_pattern.hpp"
#include "unbraid/dsp/resample.hpp"

namespace unbraid::data {
namespace {

/// Samples that count how often they are read whole.
class CountingSource final : public AudioSource {
 public:
  explicit CountingSource(SourcePtr source) : source_(std::move(source)) {}
  SourceInfo info() const override { return source_->info(); }
  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    ++reads;
    return source_->read(first, count);
  }
  mutable std::atomic<int> reads{0};

 private:
  SourcePtr source_;
};

/// Tracks t0, t1, … of noise at 100 Hz, track i lasting 2 + i seconds, with stems of the classes given.
class Fake final : public Dataset {
 public:
  Fake(std::size_t tracks, std::vector<std::string> classes) : tracks_(tracks), classes_(std::move(classes)) {
    for (std::size_t i = 0; i < tracks; ++i) {
      for (std::size_t s = 0; s <= classes_.size(); ++s) {
        const std::size_t frames = 100 * (2 + i);
        sources_.push_back(std::make_shared<CountingSource>(memory_source(testing::noise(1, frames, 31 * i + s, 0.1), 100)));
      }
    }
  }
  std::size_t size() const override { return tracks_; }
  std::string track_name(std::size_t i) const override { return fmt::format("t{}", i); }
  std::string split(std::size_t i) const override { return i % 2 ? "test" : "train"; }
  std::string format() const override { return "fake"; }
  Track track(std::size_t i) const override {
    Track track{.name = track_name(i), .split = split(i), .sample_rate = 100, .mixture = source(i, 0)};
    for (std::size_t s = 0; s < classes_.size(); ++s) {
      track.stems.push_back({fmt::format("S0{}", s), classes_[s], source(i, s + 1), {{"inst_class", classes_[s]}}});
    }
    return track;
  }
  std::shared_ptr<CountingSource> source(std::size_t i, std::size_t s) const { return sources_[i * (classes_.size() + 1) + s]; }

 private:
  std::size_t tracks_;
  std::vector<std::string> classes_;
  std::vector<std::shared_ptr<CountingSource>> sources_;
};

std::vector<std::string> names(const Dataset& dataset) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < dataset.size(); ++i) out.push_back(dataset.track_name(i));
  return out;
}

TEST(Sources, ExcerptsAndSumsAtTheirEdges) {
  const AudioBuffer samples = testing::noise(2, 10, 1);
  const SourcePtr source = memory_source(samples, 44100);
  for (const std::uint64_t first : {0u, 3u, 9u, 10u, 11u}) {
    const AudioBuffer got = source->read(first, 4);
    EXPECT_EQ(got.channels(), 2u);
    EXPECT_EQ(got.frames(), first >= 10 ? 0 : std::min<std::size_t>(4, 10 - first));
  }
  const SourcePtr excerpt = excerpt_source(source, 2, 5);
  EXPECT_EQ(excerpt->info().frames, 5u);
  EXPECT_EQ(testing::largest_difference(excerpt->read(1), AudioBuffer(samples.view().slice(3, 4))), 0);
  EXPECT_EQ(excerpt->read(5).frames(), 0u);
  EXPECT_EQ(excerpt_source(source, 8, 5)->info().frames, 2u);
  EXPECT_EQ(excerpt_source(source, 80, 5)->read().frames(), 0u);

  const AudioBuffer longer = testing::noise(2, 13, 2);
  const SourcePtr sum = sum_source({source, memory_source(longer, 44100)});
  EXPECT_EQ(sum->info().frames, 13u);
  const AudioBuffer tail = sum->read(8);
  EXPECT_EQ(tail.channel(1)[0], samples.channel(1)[8] + longer.channel(1)[8]);
  EXPECT_EQ(tail.channel(1)[4], longer.channel(1)[12]);
  EXPECT_THROW(sum_source({}), Error);
  EXPECT_THROW(sum_source({source, memory_source(AudioBuffer(1, 3), 44100)})->info(), Error);
}

TEST(Sources, RoundToTheStepsOfARecording) {
  AudioBuffer audio(1, 5);
  const float values[] = {0.3F, -1.5F, 1.0F, 0.49F / 32768, 0.51F / 32768};
  std::ranges::copy(values, audio.channel(0).begin());
  const AudioBuffer rounded = rounded_source(memory_source(audio, 44100), 16)->read(0, 5);
  const float expected[] = {9830.0F / 32768, -1.0F, 32767.0F / 32768, 0.0F, 1.0F / 32768};
  EXPECT_TRUE(std::ranges::equal(rounded.channel(0), expected));
  EXPECT_EQ(rounded_source(memory_source(audio, 44100), 16)->read(3, 9).frames(), 2u);
  EXPECT_THROW(rounded_source(memory_source(audio, 44100), 1), Error);
  EXPECT_THROW(rounded_source(memory_source(audio, 44100), 25), Error);
}

TEST(Views, SubsetSplitShuffleConcatenate) {
  const DatasetPtr fake = std::make_shared<Fake>(6, std::vector<std::string>{"Bass"});
  EXPECT_EQ(names(*subset(fake, {4, 0, 4})), (std::vector<std::string>{"t4", "t0", "t4"}));
  EXPECT_THROW(subset(fake, {6}), Error);
  EXPECT_EQ(names(*with_split(fake, "test")), (std::vector<std::string>{"t1", "t3", "t5"}));
  EXPECT_THROW(with_split(fake, "valid"), Error);
  const auto a = names(*shuffled(fake, 1)), b = names(*shuffled(fake, 1)), c = names(*shuffled(fake, 2));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_EQ(std::set(a.begin(), a.end()).size(), 6u);
  const DatasetPtr both = concatenated({with_split(fake, "test"), subset(fake, {0})});
  EXPECT_EQ(names(*both), (std::vector<std::string>{"t1", "t3", "t5", "t0"}));
  EXPECT_EQ(both->track(3).name, "t0");
  EXPECT_EQ(concatenated({})->size(), 0u);
}

TEST(Views, ExcerptsCoverTheTrackInStep) {
  const auto fake = std::make_shared<Fake>(2, std::vector<std::string>{"Bass"});  // 2 s and 3 s
  const DatasetPtr one = excerpts(fake, {.start_s = 0.5, .length_s = 1});
  ASSERT_EQ(one->size(), 2u);
  EXPECT_EQ(one->track(1).name, "t1");
  EXPECT_EQ(testing::largest_difference(one->track(1).stems[0].audio->read(), fake->track(1).stems[0].audio->read(50, 100)), 0);

  const DatasetPtr many = excerpts(fake, {.length_s = 1.25, .hop_s = 0.75});
  EXPECT_EQ(names(*many), (std::vector<std::string>{"t0@0", "t0@0.75", "t1@0", "t1@0.75", "t1@1.5"}));
  for (std::size_t i = 0; i < many->size(); ++i) EXPECT_EQ(many->track(i).mixture->info().frames, 125u);
  const DatasetPtr tails = excerpts(fake, {.length_s = 1.5, .hop_s = 1.5, .keep_short_tail = true});
  EXPECT_EQ(names(*tails), (std::vector<std::string>{"t0@0", "t0@1.5", "t1@0", "t1@1.5"}));
  EXPECT_EQ(tails->track(1).mixture->info().frames, 50u);
  // A track that is shorter than an excerpt is still one item.
  EXPECT_EQ(excerpts(fake, {.length_s = 9, .hop_s = 9})->size(), 2u);
  EXPECT_THROW(excerpts(fake, {.length_s = 0}), Error);
}

TEST(Views, StemsAndSubmixes) {
  const auto fake = std::make_shared<Fake>(1, std::vector<std::string>{"Guitar", "Bass", "Organ", "Guitar"});
  EXPECT_EQ(with_stems(fake, {"S02", "S00"})->track(0).stem_names(), (std::vector<std::string>{"S02", "S00"}));
  EXPECT_THROW(with_stems(fake, {"S09"})->track(0), Error);

  const Track track = submixed(fake, SubmixRecipe::four_stems())->track(0);
  EXPECT_EQ(track.stem_names(), (std::vector<std::string>{"Bass", "Drums", "Guitar", "Piano", "residuals"}));
  AudioBuffer guitars = fake->source(0, 1)->read(0, 200);
  add_scaled(fake->source(0, 4)->read(0, 200), 1, guitars);
  EXPECT_EQ(testing::largest_difference(track.stem("Guitar").audio->read(), guitars), 0);
  EXPECT_EQ(testing::largest_difference(track.stem("Drums").audio->read(), AudioBuffer(1, 200)), 0);
  EXPECT_EQ(testing::largest_difference(track.stem("residuals").audio->read(), fake->source(0, 3)->read(0, 200)), 0);
}

TEST(Views, SubmixFilesOfTheSlakhUtilities) {
  const testing::TemporaryFolder folder;
  const auto load = [&](const std::string& text) {
    std::ofstream(folder / "band.yaml") << text;
    return SubmixRecipe::load(folder / "band.yaml");
  };
  const SubmixRecipe recipe = load("Mixing key: \"program_num\"\nRecipes:\n  Piano: [0, 1]\n  Drums:\n    - 128\n");
  EXPECT_EQ(recipe.key, "program_num");
  ASSERT_EQ(recipe.parts.size(), 2u);
  EXPECT_EQ(recipe.parts[0].values, (std::vector<std::string>{"0", "1"}));
  for (const char* bad : {"Recipes: {}", "Mixing key: a\nRecipes: 3", "Mixing key: a\nRecipes: {A: [1], B: [1]}",
                          "Mixing key: a\nRecipes: {residuals: [1]}", "Mixing key: ["}) {
    EXPECT_THROW(load(bad), Error) << bad;
  }
  EXPECT_THROW(SubmixRecipe::load(folder / "gone.yaml"), Error);
}

TEST(Views, CacheReadsOnceWithinItsBudget) {
  const auto fake = std::make_shared<Fake>(3, std::vector<std::string>{"Bass"});  // 200, 300, 400 frames
  const DatasetPtr roomy = cached(fake);
  for (int n = 0; n < 3; ++n) {
    const AudioBuffer got = roomy->track(0).stems[0].audio->read(20, 50);
    EXPECT_EQ(testing::largest_difference(got, AudioBuffer(fake->source(0, 1)->read(0, 200).view().slice(20, 50))), 0);
  }
  EXPECT_EQ(fake->source(0, 1)->reads, 1 + 3);  // one by the cache, three by this test

  // Room for 600 frames: tracks 0 and 1 fit together, 2 pushes out the one that was used longest ago.
  const DatasetPtr tight = cached(fake, {.budget_bytes = 600 * sizeof(float)});
  const auto read = [&](std::size_t track) {
    const int before = fake->source(track, 0)->reads;
    tight->track(track).mixture->read(0, 1);
    return fake->source(track, 0)->reads - before;
  };
  EXPECT_EQ(read(0), 1);
  EXPECT_EQ(read(1), 1);
  EXPECT_EQ(read(0), 0);
  EXPECT_EQ(read(2), 1);
  EXPECT_EQ(read(0), 0);
  EXPECT_EQ(read(1), 1);
  // What does not fit at all is read through.
  const DatasetPtr none = cached(fake, {.budget_bytes = 8});
  EXPECT_EQ(none->track(0).mixture->read(0, 7).frames(), 7u);
}

TEST(Views, CacheServesManyThreads) {
  const auto fake = std::make_shared<Fake>(4, std::vector<std::string>{"Bass", "Drums"});
  const DatasetPtr items = cached(shuffled(excerpts(fake, {.length_s = 0.5, .hop_s = 0.25}), 7), {.budget_bytes = 900 * sizeof(float)});
  ThreadPool pool(4);
  std::vector<int> wrong(200, 0);
  pool.parallel_for(wrong.size(), [&](std::size_t n) {
    const Track track = items->track(n % items->size());
    for (const TrackStem& stem : track.stems) wrong[n] += stem.audio->read().frames() != 50;
  });
  EXPECT_EQ(std::count(wrong.begin(), wrong.end(), 0), 200);
}

TEST(Views, CacheOfSixteenBitsIsWithinHalfAStep) {
  const auto fake = std::make_shared<Fake>(1, std::vector<std::string>{"Bass"});
  const AudioBuffer exact = fake->source(0, 1)->read(0, 200);
  float peak = 0;
  for (const float sample : exact.samples()) peak = std::max(peak, std::abs(sample));
  // 400 bytes would not hold the 200 frames as floats.
  const DatasetPtr items = cached(fake, {.budget_bytes = 400, .sixteen_bit = true});
  const AudioBuffer got = items->track(0).stems[0].audio->read();
  const double half_step = peak / 32767 / 2;
  EXPECT_LE(testing::largest_difference(got, exact), half_step + peak * 6e-8);  // and a rounding of the product
  EXPECT_GT(testing::largest_difference(got, exact), 0);
  EXPECT_EQ(testing::largest_difference(items->track(0).stems[0].audio->read(37, 90), AudioBuffer(got.view().slice(37, 90))), 0);
  EXPECT_EQ(items->track(0).stems[0].audio->read(200, 5).frames(), 0u);
}

TEST(Views, AtRateConvertsWhatHasAnotherRate) {
  const auto fake = std::make_shared<Fake>(1, std::vector<std::string>{"Bass"});
  const DatasetPtr fast = at_rate(fake, 200);
  const Track track = fast->track(0);
  EXPECT_EQ(track.sample_rate, 200);
  EXPECT_EQ(track.stems[0].audio->info().frames, 400u);
  const AudioBuffer whole = track.stems[0].audio->read();
  ThreadPool pool(1);
  EXPECT_EQ(testing::largest_difference(whole, dsp::resample(fake->source(0, 1)->read(0, 200), 100, 200, pool)), 0);
  EXPECT_EQ(testing::largest_difference(track.stems[0].audio->read(390, 50), AudioBuffer(whole.view().slice(390, 10))), 0);
  const int before = fake->source(0, 1)->reads;
  EXPECT_EQ(at_rate(fake, 100)->track(0).stems[0].audio->read(3, 4).frames(), 4u);  // nothing to convert
  EXPECT_EQ(fake->source(0, 1)->reads, before + 1);
  EXPECT_THROW(at_rate(fake, 0.5), Error);
}

TEST(Views, NamesByPattern) {
  const auto fake = std::make_shared<Fake>(12, std::vector<std::string>{"Bass"});
  EXPECT_EQ(with_names(fake, {"t1*"})->size(), 3u);  // t1, t10, t11
  EXPECT_EQ(with_names(fake, {"t1*"}, {"*0"})->size(), 2u);
  EXPECT_EQ(with_names(fake, {}, {"t1", "t2"})->size(), 10u);
  EXPECT_EQ(renamed(fake, {{"S00", "bass"}})->track(0).stem_names(), std::vector<std::string>{"bass"});
  const auto two = std::make_shared<Fake>(1, std::vector<std::string>{"Bass", "Drums"});
  EXPECT_THROW(renamed(two, {{"S00", "S01"}})->track(0), Error);

  EXPECT_TRUE(fits_pattern("", ""));
  EXPECT_TRUE(fits_pattern("", "*"));
  EXPECT_FALSE(fits_pattern("a", ""));
  EXPECT_TRUE(fits_pattern("abcabd", "*abd"));
  EXPECT_TRUE(fits_pattern("abc", "a**c"));
  EXPECT_FALSE(fits_pattern("abc", "a*b"));
  EXPECT_FALSE(fits_pattern("abc", "abcd*"));
}

}  // namespace
}  // namespace unbraid::data
