#include "unbraid/pipeline/inputs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

TEST(FindInputs, LeavesOutFoldersThatCannotBeRead) {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  for (const char* name : {"album", "album/a", "album/locked", "album/z"}) {
    fs::create_directories(folder / name);
    std::ofstream(folder / name / "song.wav") << "x";
  }
  fs::permissions(folder / "album/locked", fs::perms::none);
  const uid_t user = ::geteuid();
  ASSERT_EQ(user == 0 ? ::seteuid(65534) : 0, 0);  // root may read everything
  const std::vector<fs::path> paths{folder / "album"}, locked{folder / "album/locked"};
  FoundInputs found;
  bool refused = false;
  try {
    found = find_inputs(paths);
    find_inputs(locked);
  } catch (const std::exception& exception) {
    const Error error = error_of(exception);
    refused = error.code() == ErrorCode::kIo && error.context() == locked.front();
  }
  ASSERT_EQ(user == 0 ? ::seteuid(0) : 0, 0);
  fs::permissions(folder / "album/locked", fs::perms::owner_all);
  EXPECT_EQ(found.unreadable, locked);
  std::vector<fs::path> names;
  for (const Input& input : found.inputs) names.push_back(input.name);
  EXPECT_EQ(names, (std::vector<fs::path>{"a/song", "song", "z/song"}));
  EXPECT_TRUE(refused) << "a folder that was asked for itself";
}

TEST(TrackName, NeverLeadsOutOfTheFolder) {
  EXPECT_EQ(track_name("music/...wav"), "...wav");
  EXPECT_EQ(track_name("music/..wav"), "..wav");
  EXPECT_EQ(track_name("music/....wav"), "...");
  EXPECT_EQ(track_name("music/.wav"), ".wav");
  EXPECT_EQ(track_name("music/song.wav"), "song");
  EXPECT_EQ(track_name("music/song.STEM.MP4"), "song");
  EXPECT_EQ(track_name("-"), "stdin");
}

}  // namespace
}  // namespace unbraid
