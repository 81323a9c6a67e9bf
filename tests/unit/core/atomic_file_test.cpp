#include "unbraid/core/atomic_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  const testing::TemporaryFolder folder;
  const fs::path target = folder / "ein Lied ✨.txt";
  {
    AtomicFile file(target);
    std::ofstream(file.temporary()) << "half";
    EXPECT_FALSE(fs::exists(target));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  AtomicFile file(target);
  std::ofstream(file.temporary()) << "whole";
  file.commit();
  EXPECT_EQ(content(target), "whole");
}

TEST(AtomicFile, MakesFoldersAndUnmakesThemWithoutCommit) {
  const testing::TemporaryFolder folder;
  { AtomicFile file(folder / "a/b/c.txt"); }
  EXPECT_FALSE(fs::exists(folder / "a"));
  write_file_atomically(folder / "a/b/c.txt", "x");
  EXPECT_EQ(content(folder / "a/b/c.txt"), "x");
}

TEST(AtomicFile, AnUncommittedFileLeavesTheFoldersThatOthersUse) {
  const testing::TemporaryFolder folder;
  {
    AtomicFile file(folder / "a/one");
    write_file_atomically(folder / "a/two", "2");
  }
  EXPECT_FALSE(fs::exists(folder / "a/one"));
  EXPECT_EQ(content(folder / "a/two"), "2");
}

TEST(AtomicFile, ReplacesOnlyWhenAskedTo) {
  const testing::TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  EXPECT_THROW(write_file_atomically(folder / "f", "new", false), Error);
  EXPECT_EQ(content(folder / "f"), "old");
  write_file_atomically(folder / "f", "new");
  EXPECT_EQ(content(folder / "f"), "new");
}

TEST(AtomicFile, ReplacesNothingButRegularFiles) {
  const testing::TemporaryFolder folder;
  const fs::path pipe = folder / "pipe.wav";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_directory(folder / "folder.wav");
  for (const char* name : {"pipe.wav", "folder.wav", "/dev/null"})
    for (const bool overwrite : {false, true}) {
      const fs::path target = folder / name;
      try {
        AtomicFile file(target, overwrite);
        ADD_FAILURE() << target << " was accepted";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kIo);
        EXPECT_EQ(error.message(), fs::is_directory(target) ? "is a directory" : "is not a regular file");
      }
    }
  EXPECT_TRUE(fs::is_fifo(pipe));
  fs::create_symlink("song.wav", folder / "link.wav");  // to nothing
  write_file_atomically(folder / "link.wav", "x");
  EXPECT_EQ(content(folder / "link.wav"), "x");
}

TEST(AtomicFile, TakesTheLongestNamesAndTwoAtOnce) {
  const testing::TemporaryFolder folder;
  const std::string longest(251, 'x');
  AtomicFile first(folder / (longest + ".wav")), second(folder / (longest + ".wav"));
  EXPECT_NE(first.temporary(), second.temporary());
  first.commit();
  second.commit();
  EXPECT_TRUE(fs::exists(folder / (longest + ".wav")));
}

TEST(AtomicFile, SaysWhichFolderCannotBeWritten) {
  try {
    AtomicFile file("/proc/unbraid/none.wav");
    FAIL() << "a file in /proc was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("/proc/unbraid"), std::string::npos);
  }
}

}  // namespace
}  // namespace unbraid
