#include "unbraid/evaluate/benchmark.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "evaluate/benchmark_targets.hpp"
#include "evaluate/memory_budget.hpp"
#include "support/fixtures.hpp"
#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/evaluate/ranking.hpp"

namespace unbraid::evaluate {
namespace {

constexpr double kRate = 8000;
constexpr std::size_t kFrames = 16'000;

data::Track track_of(const std::string& name, const std::vector<std::pair<std::string, AudioBuffer>>& stems,
                     const std::vector<std::string>& instruments = {}) {
  data::Track track{.name = name, .sample_rate = kRate};
  std::vector<data::SourcePtr> sources;
  for (std::size_t i = 0; i < stems.size(); ++i) {
    sources.push_back(data::memory_source(stems[i].second, kRate));
    track.stems.push_back({.name = stems[i].first, .instrument = instruments.empty() ? "" : instruments[i], .audio = sources.back()});
  }
  track.mixture = data::sum_source(sources);
  return track;
}

/// Tracks in memory.
class Songs : public data::Dataset {
 public:
  explicit Songs(std::vector<data::Track> tracks) : tracks_(std::move(tracks)) {}
  std::size_t size() const override { return tracks_.size(); }
  data::Track track(std::size_t index) const override { return tracks_.at(index); }
  std::string track_name(std::size_t index) const override { return tracks_.at(index).name; }
  std::string split(std::size_t) const override { return {}; }
  std::string format() const override { return "memory"; }

 private:
  std::vector<data::Track> tracks_;
};

Songs three_songs() {
  std::vector<data::Track> tracks;
  for (std::uint64_t i = 0; i < 3; ++i)
    tracks.push_back(track_of("song" + std::to_string(i),
                              {{"vocals", testing::noise(1, kFrames, 10 + i, 0.4)}, {"drums", testing::noise(1, kFrames, 20 + i, 0.2)}}));
  return Songs(std::move(tracks));
}

/// A method whose stems are multiples of the mixture.
Method scaling(std::string name, std::vector<std::pair<std::string, float>> stems, int* made = nullptr) {
  Method method{.name = std::move(name), .summary = "test"};
  for (const auto& [stem, gain] : stems) method.stems.push_back(stem);
  method.make = [=](const StreamFormat& format, const ParameterValues&, std::uint64_t) {
    if (made) ++*made;
    return std::make_unique<testing::FunctionSeparator>(
        SeparatorInfo{.stems = method.stems, .sample_rate = format.sample_rate, .channels = format.channels}, [stems](AudioView block) {
          std::vector<AudioBuffer> signals;
          for (const auto& [stem, gain] : stems) {
            signals.emplace_back(block.channels(), block.frames());
            add_scaled(block, gain, signals.back());
          }
          return signals;
        });
  };
  return method;
}

class BenchmarkTest : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};
  const BenchmarkOptions quick{.scores = {.metrics = {"sdr", "si_sdr"}}};
};

TEST_F(BenchmarkTest, TheMixtureScoresWhatTheEnergiesSay) {
  const Songs songs = three_songs();
  const BenchmarkOptions whole{.scores = {.metrics = {"bsseval_v4"}, .window_s = 0, .filter_length = 16}};
  const BenchmarkRun result = benchmark(songs, {Contender::mixture()}, whole, run);
  EXPECT_EQ(result.targets(), (std::vector<std::string>{"vocals", "drums", "accompaniment"}));
  for (std::size_t t = 0; t < 3; ++t) {
    const data::Track track = songs.track(t);
    const AudioBuffer stems[] = {track.stems[0].audio->read(), track.stems[1].audio->read()};
    double vocals = 0, drums = 0;
    for (const float x : stems[0].samples()) vocals += static_cast<double>(x) * x;
    for (const float x : stems[1].samples()) drums += static_cast<double>(x) * x;
    // SDR = ‖s‖² / ‖s − mix‖², and what is too much is the other stem.
    EXPECT_NEAR(result.score(t, 0, "vocals", "bsseval_v4.SDR"), 10 * std::log10(vocals / drums), 1e-4);
    EXPECT_NEAR(result.score(t, 0, "drums", "bsseval_v4.SDR"), 10 * std::log10(drums / vocals), 1e-4);
    EXPECT_NEAR(result.score(t, 0, "accompaniment", "bsseval_v4.SDR"), 10 * std::log10(drums / vocals), 1e-4);
  }
  EXPECT_TRUE(std::isnan(result.score(0, 0, "piano", "bsseval_v4.SDR")));
  EXPECT_TRUE(std::isnan(result.realtime_factor(0))) << "the mixture is no work";
}

TEST_F(BenchmarkTest, OraclesBeatTheMixtureAndMethodsAreTimed) {
  const Songs songs = three_songs();
  const BenchmarkRun result =
      benchmark(songs, {Contender::mixture(), Contender::oracle("psm"), Contender::of(scaling("half", {{"vocals", 0.5f}}))}, quick, run);
  ASSERT_TRUE(result.failures.empty());
  for (std::size_t t = 0; t < 3; ++t)
    for (const char* target : {"vocals", "drums", "accompaniment"})
      EXPECT_GT(result.score(t, 1, target, "sdr"), result.score(t, 0, target, "sdr") + 3) << target;
  EXPECT_GT(result.realtime_factor(2), 0);
  EXPECT_TRUE(std::isnan(result.score(0, 2, "drums", "sdr"))) << "it has no drums";
}

TEST_F(BenchmarkTest, DoesNotDependOnThreads) {
  const Songs songs = three_songs();
  const std::vector<Contender> who{Contender::mixture(), Contender::oracle("irm"), Contender::oracle("ibm")};
  ThreadPool one{1}, four{4};
  RunContext alone{one}, together{four};
  const BenchmarkRun a = benchmark(songs, who, quick, alone), b = benchmark(songs, who, quick, together);
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t c = 0; c < who.size(); ++c) EXPECT_EQ(a.score(t, c, "vocals", "si_sdr"), b.score(t, c, "vocals", "si_sdr"));
}

TEST_F(BenchmarkTest, ResumesWhatIsThereAndRepeatsWhatIsNot) {
  const testing::TemporaryFolder folder;
  const Songs songs = three_songs();
  BenchmarkOptions options = quick;
  options.folder = folder.path();
  options.resume = true;
  int made = 0;
  ThreadPool single{1};  // `made` is counted without a lock
  RunContext alone{single};
  const std::vector<Contender> who{Contender::mixture(), Contender::of(scaling("half", {{"vocals", 0.5f}}, &made))};
  const BenchmarkRun first = benchmark(songs, who, options, alone);
  EXPECT_EQ(first.resumed, 0u);
  EXPECT_EQ(made, 3);

  std::filesystem::remove(folder / "tracks/song1/half.json");
  std::ofstream(folder / "tracks/song2/half.json") << "{\"version\": ";  // cut short
  const BenchmarkRun second = benchmark(songs, who, options, alone);
  EXPECT_EQ(second.resumed, 4u);
  EXPECT_EQ(made, 5);
  for (std::size_t t = 0; t < 3; ++t) EXPECT_EQ(first.score(t, 1, "vocals", "sdr"), second.score(t, 1, "vocals", "sdr"));

  BenchmarkOptions other = options;  // other conditions: nothing can be taken over
  other.seed = 1;
  EXPECT_EQ(benchmark(songs, who, other, alone).resumed, 0u);
  other.scores.accompaniment = true;
  EXPECT_EQ(benchmark(songs, who, other, alone).resumed, 0u);
  other.scores.strict = true;
  EXPECT_EQ(benchmark(songs, who, other, alone).resumed, 0u);
  options.folder.clear();
  EXPECT_THROW(benchmark(songs, who, options, alone), Error);
}

// Tracks of the same names and lengths are not the same tracks.
TEST_F(BenchmarkTest, ResumesNothingOfOtherAudio) {
  const testing::TemporaryFolder folder;
  BenchmarkOptions options = quick;
  options.folder = folder.path();
  options.resume = true;
  benchmark(three_songs(), {Contender::mixture()}, options, run);
  std::vector<data::Track> tracks;
  for (std::size_t i = 0; i < 3; ++i) tracks.push_back(three_songs().track(i));
  const AudioBuffer louder = testing::noise(1, kFrames, 99, 0.4);
  tracks[1] = track_of("song1", {{"vocals", louder}, {"drums", tracks[1].stems[1].audio->read()}});
  tracks[2].stems[1].instrument = "Bass";  // another target
  const BenchmarkRun second = benchmark(Songs(tracks), {Contender::mixture()}, options, run);
  EXPECT_EQ(second.resumed, 1u);
  options.resume = false;
  options.folder.clear();
  EXPECT_EQ(second.score(1, 0, "vocals", "sdr"),
            benchmark(Songs(tracks), {Contender::mixture()}, options, run).score(1, 0, "vocals", "sdr"));
  EXPECT_EQ(
      benchmark(three_songs(), {Contender::mixture()}, {.scores = quick.scores, .folder = folder.path(), .resume = true}, run).resumed, 1u);
}

TEST_F(BenchmarkTest, PassesOnWhatIsWrongWithTracks) {
  std::vector<data::Track> tracks;
  for (std::size_t i = 0; i < 3; ++i) tracks.push_back(three_songs().track(i));
  tracks[1].warnings = {"S10 is listed but there is no S10.wav"};
  const BenchmarkRun result = benchmark(Songs(tracks), {Contender::mixture()}, quick, run);
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_EQ(result.warnings[0], std::pair(std::size_t{1}, std::string("S10 is listed but there is no S10.wav")));
}

TEST_F(BenchmarkTest, ContendersDoNotShareAFile) {
  const testing::TemporaryFolder folder;
  BenchmarkOptions options = quick;
  options.folder = folder.path();
  options.resume = true;
  std::vector<Contender> who{Contender::oracle("irm")};
  for (const char* name : {"half:file=a/b", "half:file=a b", "half:file=a_b"}) {
    who.push_back(Contender::of(scaling("half", {{"vocals", 0.5f}})));
    who.back().name = name;
  }
  benchmark(three_songs(), who, options, run);
  EXPECT_EQ(benchmark(three_songs(), who, options, run).resumed, 12u);
  EXPECT_TRUE(std::filesystem::exists(folder / "tracks/song0/oracle_irm.json"));
  EXPECT_TRUE(std::filesystem::exists(folder / "tracks/song0/half_file=a_b.json"));
}

TEST_F(BenchmarkTest, AFailureIsListedAndStopsNobody) {
  Method broken = scaling("broken", {{"vocals", 1.0f}});
  broken.make = [](const StreamFormat&, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> {
    throw Error{ErrorCode::kUnsupported, "needs two channels", "broken"};
  };
  const BenchmarkRun result = benchmark(
      three_songs(), {Contender::of(broken), Contender::of(scaling("piano", {{"piano", 1.0f}})), Contender::mixture()}, quick, run);
  ASSERT_EQ(result.failures.size(), 6u);
  EXPECT_NE(result.failures[0].reason.find("needs two channels"), std::string::npos);
  EXPECT_EQ(result.failures[0].code, ErrorCode::kUnsupported);
  EXPECT_NE(result.failures[1].reason.find("piano"), std::string::npos);
  EXPECT_EQ(result.entries.size(), 3u);
}

TEST_F(BenchmarkTest, NoMemoryForOneMethodStopsNobody) {
  Method greedy = scaling("greedy", {{"vocals", 1.0f}});
  greedy.make = [](const StreamFormat&, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> { throw std::bad_alloc(); };
  const BenchmarkRun result = benchmark(three_songs(), {Contender::of(greedy), Contender::mixture()}, quick, run);
  ASSERT_EQ(result.failures.size(), 3u);
  EXPECT_EQ(result.failures[0].code, ErrorCode::kResource);
  EXPECT_EQ(result.failures[0].reason, "not enough memory");
  EXPECT_EQ(result.entries.size(), 3u);
}

TEST_F(BenchmarkTest, RefusesBeforeItWorks) {
  const Songs songs = three_songs();
  EXPECT_THROW(benchmark(songs, {Contender::mixture(), Contender::mixture()}, quick, run), Error);
  EXPECT_THROW(benchmark(songs, {Contender::oracle("magic")}, quick, run), Error);
  EXPECT_THROW(benchmark(songs, {Contender::of(scaling("half", {{"vocals", 0.5f}}), {{"speed", "9"}})}, quick, run), Error);
}

TEST_F(BenchmarkTest, StaysWithinItsMemory) {
  BenchmarkOptions options = quick;
  options.max_memory_bytes = 1000;
  const BenchmarkRun result = benchmark(three_songs(), {Contender::mixture()}, options, run);
  ASSERT_EQ(result.failures.size(), 3u);
  EXPECT_NE(result.failures[0].reason.find("more than"), std::string::npos);

  MemoryBudget budget(100);
  auto first = std::make_unique<MemoryBudget::Share>(budget, 0);
  first.reset();
  std::future<void> waiting;
  {
    const MemoryBudget::Share large = budget.take(80);
    waiting = std::async(std::launch::async, [&] { const MemoryBudget::Share other = budget.take(30); });
    EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  }
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(BenchmarkTargets, InstrumentsAreSummed) {
  const AudioBuffer a = testing::noise(1, 100, 1), b = testing::noise(1, 100, 2), c = testing::noise(1, 100, 3);
  const data::Track parts = with_parts(track_of("t", {{"S00", a}, {"S01", b}, {"S02", c}}, {"Guitar", "Bass", "Guitar"}));
  EXPECT_EQ(parts.stem_names(), (std::vector<std::string>{"Guitar", "Bass"}));
  AudioBuffer guitars(a);
  add_scaled(c, 1, guitars);
  EXPECT_EQ(testing::largest_difference(parts.stems[0].audio->read(), guitars), 0);
}

TEST(BenchmarkTargets, OtherIsAllThatTheMethodHasNoNameFor) {
  const AudioBuffer a = testing::noise(1, 100, 1), b = testing::noise(1, 100, 2), c = testing::noise(1, 100, 3);
  const data::Track parts = track_of("t", {{"Guitar", a}, {"Bass", b}, {"Piano", c}});
  Stems stems({"vocals", "drums", "bass", "other"}, 1, 100);
  const TargetPairs pairs = pair_targets(parts, stems);
  EXPECT_FALSE(pairs.chosen);
  EXPECT_EQ(pairs.references.stem_names(), (std::vector<std::string>{"Bass", "other"}));
  EXPECT_EQ(pairs.estimates.stem_names(), (std::vector<std::string>{"Bass", "other"})) << "no vocals, no accompaniment";
  AudioBuffer rest(a);
  add_scaled(c, 1, rest);
  EXPECT_EQ(testing::largest_difference(pairs.references.stem("other").audio->read(), rest), 0);
}

TEST(BenchmarkTargets, KnownNamesStandForInstruments) {
  const data::Track parts = track_of("t", {{"vocals", testing::noise(1, 100, 1)}, {"drums", testing::noise(1, 100, 2)}});
  Stems stems;
  stems.add("background", testing::noise(1, 100, 4));
  stems.add("foreground", testing::noise(1, 100, 5));
  const TargetPairs pairs = pair_targets(parts, stems);
  EXPECT_EQ(pairs.estimates.stem_names(), (std::vector<std::string>{"vocals", "accompaniment"}));
  EXPECT_EQ(testing::largest_difference(pairs.estimates.stem("vocals").audio->read(), stems.at("foreground")), 0);
  EXPECT_EQ(testing::largest_difference(pairs.estimates.stem("accompaniment").audio->read(), stems.at("background")), 0);

  Stems unknown;
  unknown.add("reverb", testing::noise(1, 100, 6));
  EXPECT_THROW(pair_targets(parts, unknown), Error);
}

TEST(BenchmarkTargets, NumberedStemsGoWhereTheyFit) {
  const AudioBuffer vocals = testing::noise(1, 4000, 1), drums = testing::noise(1, 4000, 2);
  const data::Track parts = track_of("t", {{"vocals", vocals}, {"drums", drums}});
  Stems stems({"source1", "source2", "source3"}, 1, 4000);
  add_scaled(drums, 0.1f, stems[0].audio);  // quiet, but the right shape
  add_scaled(vocals, -3.0f, stems[2].audio);
  add_scaled(drums, 0.5f, stems[2].audio);
  const TargetPairs pairs = pair_targets(parts, stems);
  EXPECT_TRUE(pairs.chosen);
  EXPECT_EQ(testing::largest_difference(pairs.estimates.stem("vocals").audio->read(), stems[2].audio), 0);
  EXPECT_EQ(testing::largest_difference(pairs.estimates.stem("drums").audio->read(), stems[0].audio), 0);
  EXPECT_EQ(testing::largest_difference(pairs.estimates.stem("accompaniment").audio->read(), stems[0].audio), 0);
}

/// A run whose contenders have these scores of one target, a vector per contender.
BenchmarkRun run_with(const std::vector<std::vector<double>>& scores) {
  BenchmarkRun result;
  for (std::size_t c = 0; c < scores.size(); ++c) result.contenders.push_back({.name = std::string(1, static_cast<char>('a' + c))});
  for (std::size_t t = 0; t < scores[0].size(); ++t) {
    result.tracks.push_back("t" + std::to_string(t));
    for (std::size_t c = 0; c < scores.size(); ++c) {
      BenchmarkEntry& entry = result.entries.emplace_back();
      entry.track = t;
      entry.contender = c;
      entry.scores.targets.push_back({.name = "bass", .metrics = {{"sdr", scores[c][t]}}});
    }
  }
  return result;
}

TEST(Ranking, OrdersByMedianAndTestsInPairs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // b − a is 1 … 6 and all positive: the exact two-sided p of six pairs is 2/2⁶. c ties with a but for one track.
  const std::vector<double> a{0, 0, 0, 0, 0, 0}, b{1, 2, 3, 4, 5, 6}, c{nan, 0, 0, 0, 0, 0.5};
  const auto rankings = rank(run_with({a, b, c}), "sdr");
  ASSERT_EQ(rankings.size(), 1u);
  const auto& rows = rankings[0].rows;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].contender, 1u);
  EXPECT_DOUBLE_EQ(rows[0].median, 3.5);
  EXPECT_TRUE(std::isnan(rows[0].p_best));
  EXPECT_EQ(rows[1].contender, 0u) << "of equals, the first asked for";
  EXPECT_NEAR(rows[1].p_next, 2.0 / 64, 1e-12);
  EXPECT_NEAR(rows[1].p_best, 2 * 2.0 / 64, 1e-12) << "Holm: the smallest of two is doubled";
  EXPECT_NEAR(rows[2].p_best, 2 * 2.0 / 64, 1e-12) << "2/2⁵, and never below a smaller one's";
  EXPECT_EQ(rows[2].tracks, 5u);
  EXPECT_EQ(rows[2].p_next, 1.0) << "one difference says nothing";
  EXPECT_THROW(rank(run_with({a}), "nonsense"), Error);
}

// Two easy tracks of eight do not win; nobody is tested against a method that lacks tracks.
TEST(Ranking, WhoLacksTracksStandsBelow) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> easy{9, 9, nan, nan, nan, nan, nan, nan}, most{9, 9, 9, 9, 9, 9, 9, nan}, all{1, 2, 3, 4, 5, 6, 7, 8};
  const auto ranking = rank(run_with({easy, most, all}), "sdr")[0];
  EXPECT_EQ(ranking.tracks, 8u);
  ASSERT_EQ(ranking.rows.size(), 3u);
  EXPECT_EQ(ranking.rows[0].contender, 2u);
  EXPECT_EQ(ranking.rows[1].contender, 1u);
  EXPECT_EQ(ranking.rows[1].tracks, 7u);
  EXPECT_EQ(ranking.rows[2].contender, 0u);
  EXPECT_NEAR(ranking.rows[1].p_best, 2 * 2.0 / 128, 1e-12) << "seven pairs of one sign, Holm";
  ASSERT_EQ(ranking.find(1), &ranking.rows[1]);
  EXPECT_EQ(ranking.find(7), nullptr);

  const std::vector<double> last{nan, nan, nan, nan, nan, nan, nan, 1};
  const std::vector<double> some{1, 2, 3, 4, 5, 6, nan, nan};  // six pairs with the best, whose p would be 2 / 64
  const auto incomplete = rank(run_with({easy, most, last, some}), "sdr")[0];
  EXPECT_EQ(incomplete.tracks, 8u);
  EXPECT_EQ(incomplete.rows[0].contender, 1u);
  for (const RankingRow& row : incomplete.rows) EXPECT_TRUE(std::isnan(row.p_best));

  // A track that nobody has a score of is no track; a perfect score is one.
  const auto silent = rank(run_with({{nan, 1, 2}, {nan, INFINITY, 1}}), "sdr")[0];
  EXPECT_EQ(silent.tracks, 2u);
  EXPECT_EQ(silent.rows[1].tracks, 2u);
}

TEST(Ranking, LessCanBeBetter) {
  BenchmarkRun result = run_with({{0, 0, 0}, {0, 0, 0}});
  for (BenchmarkEntry& entry : result.entries) entry.scores.targets[0].metrics = {{"l1_time", entry.contender == 0 ? 0.3 : 0.1}};
  const auto ranking = rank(result, "l1_time")[0];
  EXPECT_EQ(ranking.rows[0].contender, 1u);
  EXPECT_EQ(ranking.rows[1].contender, 0u);
}

TEST(Ranking, BoundsAreNotRanked) {
  BenchmarkRun result = run_with({{9, 9, 9}, {1, 2, 3}});
  result.contenders[0].kind = Contender::Kind::kOracle;
  const auto rankings = rank(result, "sdr");
  ASSERT_EQ(rankings[0].rows.size(), 1u);
  EXPECT_EQ(rankings[0].rows[0].rank, 1u);
  ASSERT_EQ(rankings[0].bounds.size(), 1u);
  EXPECT_EQ(rankings[0].bounds[0].rank, 0u);
  EXPECT_DOUBLE_EQ(mean_over_targets(result, 1, "sdr"), 2);
}

TEST(Ranking, HolmStepsDown) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> p{0.01, 0.04, nan, 0.03, 0.005};
  const auto corrected = holm(p);
  const std::vector<double> expected{0.03, 0.06, nan, 0.06, 0.02};  // R: p.adjust(c(.01, .04, .03, .005), "holm")
  for (std::size_t i = 0; i < p.size(); ++i)
    if (i == 2) EXPECT_TRUE(std::isnan(corrected[i]));
    else EXPECT_NEAR(corrected[i], expected[i], 1e-15) << i;
}

}  // namespace
}  // namespace unbraid::evaluate
