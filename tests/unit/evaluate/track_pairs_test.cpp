#include "evaluate/track_pairs.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {
namespace {

using Both = std::vector<std::pair<std::size_t, std::size_t>>;

TEST(PairTracks, SplitAndNameComeFirst) {
  const std::vector<TrackId> first{{"test", "x"}, {"train", "x"}, {"train", "y"}}, second{{"train", "x"}, {"valid", "z"}, {"test", "x"}};
  const TrackPairs pairs = pair_tracks(first, second);
  EXPECT_EQ(pairs.both, (Both{{0, 2}, {1, 0}}));
  EXPECT_EQ(pairs.only_first, std::vector<std::size_t>{2});
  EXPECT_EQ(pairs.only_second, std::vector<std::size_t>{1});
}

TEST(PairTracks, ANameAloneWillDoWhereThereIsOneOfIt) {
  const std::vector<TrackId> first{{"test", "x"}, {"train", "y"}}, second{{"", "y"}, {"", "x"}};
  EXPECT_EQ(pair_tracks(first, second).both, (Both{{0, 1}, {1, 0}}));
  // The partner of test/x is known, so that train/x has none.
  const std::vector<TrackId> splits{{"test", "x"}, {"train", "x"}}, one{{"test", "x"}};
  const TrackPairs pairs = pair_tracks(splits, one);
  EXPECT_EQ(pairs.both, (Both{{0, 0}}));
  EXPECT_EQ(pairs.only_first, std::vector<std::size_t>{1});
  EXPECT_TRUE(pair_tracks({}, one).both.empty());
}

TEST(PairTracks, DoesNotGuess) {
  const std::vector<TrackId> splits{{"test", "x"}, {"train", "x"}}, flat{{"", "x"}}, twice{{"test", "x"}, {"test", "x"}};
  EXPECT_THROW(pair_tracks(splits, flat), Error);
  EXPECT_THROW(pair_tracks(flat, splits), Error);
  EXPECT_THROW(pair_tracks(twice, splits), Error);
}

}  // namespace
}  // namespace unbraid::evaluate
