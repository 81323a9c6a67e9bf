#include "unbraid/catalog/download.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <iterator>

#include "support/fixtures.hpp"
#include "support/http_server.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

namespace fs = std::filesystem;
using catalog::download;
using catalog::Download;
using testing::HttpServer;
using testing::TemporaryFolder;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

class DownloadTest : public ::testing::Test {
 protected:
  DownloadTest() {
    for (std::size_t i = 0; i < 5000; ++i) content_ += static_cast<char>(i * i % 251);
    const fs::path copy = folder_.path() / "content";
    write(copy, content_);
    hash_ = catalog::sha256_of_file(copy);
    fs::remove(copy);
    target_ = folder_.path() / "models" / "model.ckpt";
    part_ = target_.string() + ".part";
    corrupt_ = target_.string() + ".corrupt";
  }

  Download request(std::vector<std::string> urls) const {
    return {.urls = std::move(urls), .target = target_, .sha256 = hash_, .attempts = 3, .stall_seconds = 1, .retry_milliseconds = 1};
  }
  /// The whole file, or what the request asks for of it.
  HttpServer::Reply serve(const HttpServer::Request& request) const {
    if (!request.from) return {.body = content_};
    if (*request.from >= content_.size()) return {.status = 416};
    return {.status = 206,
            .body = content_.substr(*request.from),
            .headers = {"Content-Range: bytes " + std::to_string(*request.from) + "-" + std::to_string(content_.size() - 1) + "/" +
                        std::to_string(content_.size())}};
  }
  void get(const Download& what) {
    ThreadPool pool(1);
    RunContext run{.pool = pool, .cancel = stop_.token()};
    download(what, run);
  }
  Error failure(const Download& what) {
    try {
      get(what);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "it was downloaded";
    return {ErrorCode::kInternal, ""};
  }

  TemporaryFolder folder_;
  std::string content_, hash_;
  fs::path target_, part_, corrupt_;
  CancelSource stop_;
};

TEST_F(DownloadTest, FetchesTheWholeFile) {
  HttpServer server([&](const auto& request) { return serve(request); });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  EXPECT_FALSE(fs::exists(part_));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(DownloadTest, ChecksTheDigitsThatArePublished) {
  HttpServer server([&](const auto& request) { return serve(request); });
  Download wanted = request({server.url("/model")});
  wanted.sha256 = hash_.substr(0, 8);
  get(wanted);
  EXPECT_EQ(read(target_), content_);
  wanted.sha256 = "00000000";
  EXPECT_EQ(failure(wanted).code(), ErrorCode::kFormat);
}

TEST_F(DownloadTest, ResumesAPart) {
  fs::create_directories(target_.parent_path());
  write(part_, content_.substr(0, 1234));
  HttpServer server([&](const auto& request) { return serve(request); });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].from, 1234u);
}

TEST_F(DownloadTest, ResumesWithoutAHashByTheServersTag) {
  // The first answer is cut off; a later call goes on with the tag, if the file is still the same.
  for (const bool changed : {false, true}) {
    fs::remove_all(target_.parent_path());
    std::string now = content_, tag = "\"one\"";
    HttpServer server([&](const HttpServer::Request& request) -> HttpServer::Reply {
      const std::vector<std::string> tagged{"ETag: " + tag};
      if (request.number == 0) return {.body = now.substr(0, 1234), .headers = tagged, .content_length = now.size()};
      if (!request.from || request.if_range != tag) return {.body = now, .headers = tagged};
      HttpServer::Reply rest = serve(request);
      rest.headers.push_back(tagged[0]);
      return rest;
    });
    Download wanted = request({server.url("/model")});
    wanted.sha256.clear();
    wanted.attempts = 1;
    EXPECT_EQ(failure(wanted).code(), ErrorCode::kIo);
    EXPECT_EQ(fs::file_size(part_), 1234u);
    if (changed) {
      std::ranges::reverse(now);
      tag = "\"two\"";
    }
    get(wanted);
    EXPECT_EQ(read(target_), now);
    EXPECT_FALSE(fs::exists(part_.string() + ".etag"));
    ASSERT_EQ(server.requests().size(), changed ? 3u : 2u);
    EXPECT_EQ(server.requests()[1].from, 1234u);
    EXPECT_EQ(server.requests()[1].if_range, "\"one\"");
  }
}

TEST_F(DownloadTest, DoesNotRelyOnWeakTags) {
  HttpServer server([&](const HttpServer::Request& request) -> HttpServer::Reply {
    if (request.number > 0) return {.body = content_, .headers = {"ETag: W/\"one\""}};
    return {.body = content_.substr(0, 1234), .headers = {"ETag: W/\"one\""}, .content_length = content_.size()};
  });
  Download wanted = request({server.url("/model")});
  wanted.sha256.clear();
  wanted.attempts = 1;
  EXPECT_EQ(failure(wanted).code(), ErrorCode::kIo);
  get(wanted);
  EXPECT_EQ(read(target_), content_);
  EXPECT_FALSE(server.requests()[1].from);
}

TEST_F(DownloadTest, ResumesOnlyWhatAHashWillCheck) {
  fs::create_directories(target_.parent_path());
  write(part_, "something else");
  HttpServer server([&](const auto& request) { return serve(request); });
  Download wanted = request({server.url("/model")});
  wanted.sha256.clear();
  get(wanted);
  EXPECT_EQ(read(target_), content_);
}

TEST_F(DownloadTest, BeginsAgainWhereThereAreNoRanges) {
  fs::create_directories(target_.parent_path());
  write(part_, content_.substr(0, 1234));
  HttpServer server([&](const auto&) { return HttpServer::Reply{.body = content_}; });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
}

TEST_F(DownloadTest, BeginsAgainWhenThePartIsLongerThanTheFile) {
  fs::create_directories(target_.parent_path());
  write(part_, content_ + "too much");
  HttpServer server([&](const auto& request) { return serve(request); });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
}

TEST_F(DownloadTest, BeginsAgainWhenThePartIsOfAnotherFile) {
  fs::create_directories(target_.parent_path());
  write(part_, std::string(1234, 'x'));
  HttpServer server([&](const auto& request) { return serve(request); });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
}

TEST_F(DownloadTest, GoesOnAfterServersThatTruncate) {
  HttpServer server([&](const auto& request) {
    HttpServer::Reply reply = serve(request);
    reply.content_length = reply.body.size();
    reply.body.resize(std::min<std::size_t>(reply.body.size(), 700));  // eight connections for one file
    return reply;
  });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  EXPECT_EQ(server.requests().size(), 8u);
}

TEST_F(DownloadTest, GoesOnWhenOnlyTheCardKnowsTheLength) {
  HttpServer server([&](const auto& request) {
    HttpServer::Reply reply = serve(request);
    reply.says_length = false;
    if (request.number == 0) reply.body.resize(700);
    return reply;
  });
  Download wanted = request({server.url("/model")});
  wanted.sha256.clear();
  wanted.bytes = content_.size();
  get(wanted);
  EXPECT_EQ(read(target_), content_);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].from, 700u);
}

TEST_F(DownloadTest, GivesUpOnServersThatTruncateAndHaveNoRanges) {
  HttpServer server([&](const auto& request) {
    return HttpServer::Reply{.body = content_.substr(0, request.number < 50 ? 700 : content_.size()), .content_length = content_.size()};
  });
  EXPECT_EQ(failure(request({server.url("/model")})).code(), ErrorCode::kIo);
  EXPECT_EQ(server.requests().size(), 3u);  // the start, no ranges, the start again
}

TEST_F(DownloadTest, GoesOnAfterAStall) {
  HttpServer server([&](const auto& request) {
    HttpServer::Reply reply = serve(request);
    if (request.number > 0) return reply;
    reply.content_length = reply.body.size();
    reply.body.resize(100);
    reply.stall = std::chrono::seconds(4);
    return reply;
  });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  EXPECT_EQ(server.requests().at(1).from, 100u);
}

TEST_F(DownloadTest, GivesUpOnServersThatPromiseMoreThanTheyHave) {
  HttpServer server([&](const auto& request) {
    if (request.from) return HttpServer::Reply{.status = 206, .headers = {"Content-Range: bytes 5000-5999/6000"}, .content_length = 1000};
    return HttpServer::Reply{.body = content_, .content_length = 6000};
  });
  const Error error = failure(request({server.url("/model")}));
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_EQ(read(part_), content_);
}

TEST_F(DownloadTest, RefusesAFileThatIsShorterThanItShould) {
  HttpServer server([&](const auto&) { return HttpServer::Reply{.body = content_, .content_length = 4000}; });
  EXPECT_EQ(failure(request({server.url("/model")})).code(), ErrorCode::kFormat);
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_EQ(read(corrupt_), content_.substr(0, 4000));
}

TEST_F(DownloadTest, FollowsRedirectsButNotForEver) {
  HttpServer server([&](const auto& request) {
    if (request.path == "/model") return serve(request);
    return HttpServer::Reply{.status = 302, .headers = {request.path == "/loop" ? "Location: /loop" : "Location: /model"}};
  });
  get(request({server.url("/elsewhere")}));
  EXPECT_EQ(read(target_), content_);
  fs::remove(target_);
  EXPECT_EQ(failure(request({server.url("/loop")})).code(), ErrorCode::kIo);
}

TEST_F(DownloadTest, DoesNotFollowRedirectsToFiles) {
  HttpServer server([&](const auto&) { return HttpServer::Reply{.status = 302, .headers = {"Location: file:///etc/passwd"}}; });
  EXPECT_EQ(failure(request({server.url("/model")})).code(), ErrorCode::kIo);
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(DownloadTest, SetsWrongBytesAsideAndTriesTheMirror) {
  HttpServer server(
      [&](const auto& request) { return request.path == "/wrong" ? HttpServer::Reply{.body = "an error page"} : serve(request); });
  get(request({server.url("/wrong"), server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  EXPECT_EQ(read(corrupt_), "an error page");
  fs::remove(target_);
  const Error error = failure(request({server.url("/wrong")}));
  EXPECT_EQ(error.code(), ErrorCode::kFormat);
  EXPECT_NE(error.message().find("SHA-256"), std::string::npos) << error.message();
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(DownloadTest, TriesAgainWhenAServerIsBusyAndNotWhenTheFileIsGone) {
  HttpServer server([&](const auto& request) {
    if (request.path == "/gone") return HttpServer::Reply{.status = 404, .body = "not here"};
    return request.number == 0 ? HttpServer::Reply{.status = 503} : serve(request);
  });
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  fs::remove(target_);
  const std::size_t before = server.requests().size();
  const Error error = failure(request({server.url("/gone")}));
  EXPECT_NE(error.message().find("404"), std::string::npos) << error.message();
  EXPECT_EQ(server.requests().size(), before + 1);
}

TEST_F(DownloadTest, SaysThatThereIsNoConnection) {
  std::string url;
  {
    HttpServer gone([&](const auto& request) { return serve(request); });
    url = gone.url("/model");
  }
  const Error error = failure(request({url}));
  EXPECT_NE(error.message().find("no connection"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("models import"), std::string::npos) << error.message();
}

TEST_F(DownloadTest, LeavesAResumablePartWhenStopped) {
  HttpServer server([&](const auto& request) {
    HttpServer::Reply reply = serve(request);
    if (request.number > 0) return reply;
    reply.content_length = reply.body.size();
    reply.body.resize(2000);
    reply.stall = std::chrono::milliseconds(1200);
    return reply;
  });
  auto running = std::async(std::launch::async, [&] { return failure(request({server.url("/model")})); });
  while (server.requests().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  stop_.cancel();
  EXPECT_EQ(running.get().code(), ErrorCode::kCancelled);
  EXPECT_EQ(read(part_), content_.substr(0, 2000));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(target_.parent_path())) ++files;
  EXPECT_EQ(files, 1u);
  stop_ = CancelSource();
  get(request({server.url("/model")}));
  EXPECT_EQ(read(target_), content_);
  EXPECT_EQ(server.requests().back().from, 2000u);
}

// The store

class StoreTest : public DownloadTest {
 protected:
  catalog::ModelCard card(const std::string& url) const {
    catalog::ModelCard card;
    card.name = "tiny";
    card.family = "mdx23c";
    card.stems = {"vocals"};
    card.files = {{.role = catalog::FileRole::kWeights, .name = "model.ckpt", .urls = {url}, .sha256 = hash_, .bytes = {}},
                  {.role = catalog::FileRole::kConfig, .name = "model.yaml", .urls = {url}, .sha256 = {}, .bytes = {}}};
    return card;
  }
  void pull(const catalog::ModelCard& what) {
    ThreadPool pool(1);
    RunContext run{pool};
    store_.pull(what, run);
  }
  catalog::ModelStore store_{folder_.path() / "store"};
};

TEST_F(StoreTest, PullsOnceAndKnowsItsFiles) {
  HttpServer server([&](const auto& request) { return serve(request); });
  EXPECT_FALSE(store_.installed("tiny"));
  EXPECT_THROW(store_.files("tiny"), Error);
  pull(card(server.url("/model")));
  pull(card(server.url("/model")));
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(store_.files("tiny").weights, store_.folder() / "tiny/model.ckpt");
  EXPECT_EQ(store_.files("tiny").config, store_.folder() / "tiny/model.yaml");
  ASSERT_EQ(store_.all().size(), 1u);
  EXPECT_EQ(store_.all()[0].bytes(), content_.size());
  store_.remove("tiny");
  EXPECT_TRUE(store_.all().empty());
  EXPECT_FALSE(fs::exists(store_.folder() / "tiny"));
  EXPECT_THROW(store_.remove("tiny"), Error);
  EXPECT_THROW(store_.remove(".."), Error);
}

TEST_F(StoreTest, PullsThatMeetFetchOnce) {
  HttpServer server([&](const auto& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return serve(request);
  });
  auto other = std::async(std::launch::async, [&] { pull(card(server.url("/model"))); });
  pull(card(server.url("/model")));
  other.get();
  EXPECT_EQ(server.requests().size(), 2u);  // two files
  EXPECT_TRUE(store_.installed("tiny"));
}

TEST_F(StoreTest, RemoveWaitsForWhoHoldsTheModel) {
  HttpServer server([&](const auto& request) { return serve(request); });
  pull(card(server.url("/model")));
  const fs::path lock = store_.folder() / ".tiny.lock";
  const int held = ::open(lock.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(held, LOCK_EX | LOCK_NB), 0);
  stop_.cancel();
  EXPECT_THROW(store_.remove("tiny", stop_.token()), Error);
  EXPECT_TRUE(store_.installed("tiny"));
  ::close(held);
  store_.remove("tiny");
  EXPECT_FALSE(store_.installed("tiny"));
  EXPECT_TRUE(fs::exists(lock));  // others may wait on it
}

TEST_F(StoreTest, VerifySetsChangedFilesAsideAndPullFetchesThemAgain) {
  HttpServer server([&](const auto& request) { return serve(request); });
  pull(card(server.url("/model")));
  ThreadPool pool(1);
  RunContext run{pool};
  EXPECT_TRUE(std::ranges::all_of(store_.verify("tiny", run), &catalog::FileCheck::good));
  write(store_.folder() / "tiny/model.ckpt", "rotten");
  const auto checks = store_.verify("tiny", run);
  EXPECT_FALSE(checks.at(0).good);
  EXPECT_TRUE(checks.at(1).good);
  EXPECT_TRUE(fs::exists(store_.folder() / "tiny/model.ckpt.corrupt"));
  EXPECT_FALSE(store_.installed("tiny"));
  pull(card(server.url("/model")));
  EXPECT_TRUE(std::ranges::all_of(store_.verify("tiny", run), &catalog::FileCheck::good));
}

TEST_F(StoreTest, VerifyRefusesADamagedRecord) {
  fs::create_directories(store_.folder() / "tiny");
  write(store_.folder() / "tiny/installed.json", R"({"schema": "unbraid.catalogue/1", "models": []})");
  ThreadPool pool(1);
  RunContext run{pool};
  try {
    store_.verify("tiny", run);
    ADD_FAILURE() << "it was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat) << error.what();
  }
}

TEST_F(StoreTest, ImportsFilesUnderAName) {
  const fs::path weights = folder_.path() / "my model.ckpt";
  write(weights, content_);
  catalog::ModelCard mine;
  mine.name = "mine";
  mine.family = "mdx23c";
  mine.stems = {"vocals"};
  ThreadPool pool(1);
  RunContext run{pool};
  store_.import(mine, {{.path = weights}}, run);
  EXPECT_EQ(read(store_.files("mine").weights), content_);
  EXPECT_EQ(store_.installed("mine")->files.at(0).sha256, hash_);
  EXPECT_THROW(store_.import(mine, {{.path = weights}}, run), Error);
  mine.name = "../outside";
  EXPECT_THROW(store_.import(mine, {{.path = weights}}, run), Error);
  EXPECT_FALSE(fs::exists(folder_.path() / "outside"));
}

TEST_F(StoreTest, TouchesNothingButTheModelOfTheName) {
  const fs::path weights = folder_.path() / "model.ckpt", victim = folder_.path() / "victim.new";
  write(weights, content_);
  fs::create_directories(victim);
  ThreadPool pool(1);
  RunContext run{pool};
  const auto import = [&](const std::string& name) {
    catalog::ModelCard mine;
    mine.name = name;
    mine.family = "mdx23c";
    mine.stems = {"vocals"};
    store_.import(mine, {{.path = weights}}, run);
  };
  for (const char* name : {"../victim", ".victim", "", "a/b"}) {
    EXPECT_THROW(import(name), Error) << name;
    EXPECT_THROW(store_.verify(name, run), Error) << name;
    EXPECT_THROW(store_.remove(name), Error) << name;
    EXPECT_FALSE(store_.installed(name)) << name;
  }
  EXPECT_TRUE(fs::exists(victim));
  EXPECT_FALSE(fs::exists(folder_.path() / "victim.lock"));
  EXPECT_FALSE(fs::exists(store_.folder()));

  import("foo.new");
  import("foo.lock");
  import("foo");
  for (const char* name : {"foo.new", "foo.lock", "foo"}) EXPECT_TRUE(store_.installed(name)) << name;

  // What an import that was killed leaves is no model, and not in the way of the next one.
  fs::rename(store_.folder() / "foo", store_.folder() / ".foo.new");
  EXPECT_EQ(store_.all().size(), 2u);
  import("foo");
  EXPECT_EQ(store_.all().size(), 3u);
}

TEST_F(StoreTest, ReadsWhatComesWithTheLibraryAndLeavesItAlone) {
  const fs::path weights = folder_.path() / "model.ckpt", share = folder_.path() / "share";
  write(weights, content_);
  catalog::ModelCard card;
  card.name = "default";
  card.family = "bsrnn";
  card.stems = {"vocals"};
  ThreadPool pool(1);
  RunContext run{pool};
  catalog::ModelStore(share).import(card, {{.path = weights}}, run);

  const catalog::ModelStore store(folder_.path() / "store", share);
  EXPECT_EQ(read(store.files("default").weights), content_);
  ASSERT_EQ(store.all().size(), 1u);
  EXPECT_TRUE(store.verify("default", run).at(0).good);
  EXPECT_THROW(store.remove("default"), Error);

  write(share / "default" / "model.ckpt", "damaged");
  EXPECT_FALSE(store.verify("default", run).at(0).good);
  EXPECT_TRUE(fs::exists(share / "default" / "model.ckpt"));  // not set aside: it is not the user's
  EXPECT_FALSE(fs::exists(folder_.path() / "store"));

  store.import(card, {{.path = weights}}, run);  // the user's own goes first, and can be removed
  EXPECT_EQ(read(store.files("default").weights), content_);
  EXPECT_EQ(store.all().size(), 1u);
  store.remove("default");
  EXPECT_EQ(read(store.files("default").weights), "damaged");
}

TEST_F(StoreTest, PullRefusesTheNameOfAnImport) {
  HttpServer server([&](const auto& request) { return serve(request); });
  const fs::path weights = folder_.path() / "model.ckpt", config = folder_.path() / "model.yaml";
  write(weights, "another model");
  write(config, content_);
  catalog::ModelCard mine = card(server.url("/model"));
  ThreadPool pool(1);
  RunContext run{pool};
  store_.import(mine, {{.path = weights}, {.role = catalog::FileRole::kConfig, .path = config}}, run);
  try {
    pull(mine);
    ADD_FAILURE() << "another model was taken for it";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
  }
  EXPECT_EQ(read(store_.files("tiny").weights), "another model");
  store_.remove("tiny");

  write(weights, content_);  // the published one, got in another way
  store_.import(mine, {{.path = weights}, {.role = catalog::FileRole::kConfig, .path = config}}, run);
  pull(mine);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(StoreTest, DamageIsNotForgotten) {
  const fs::path weights = folder_.path() / "model.ckpt";
  write(weights, content_);
  catalog::ModelCard mine;
  mine.name = "mine";
  mine.family = "mdx23c";
  mine.stems = {"vocals"};
  ThreadPool pool(1);
  RunContext run{pool};
  store_.import(mine, {{.path = weights}}, run);
  write(store_.folder() / "mine/model.ckpt", "rotten");
  for (const char* problem : {"has changed", "is missing", "is missing"}) {
    ASSERT_EQ(store_.names(), std::vector<std::string>{"mine"});
    const catalog::FileCheck check = store_.verify("mine", run).at(0);
    EXPECT_FALSE(check.good);
    EXPECT_NE(check.problem.find(problem), std::string::npos) << check.problem;
    EXPECT_NE(check.problem.find("import it again"), std::string::npos) << check.problem;
  }
  EXPECT_TRUE(store_.all().empty());
}

TEST(UsualMethod, IsNeitherAFolderThatHappensToBeHereNorAMissingModel) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "default");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const std::string name = catalog::usual_method();
  fs::current_path(before);
  EXPECT_TRUE(name == "default" ? catalog::ModelStore().installed(name).has_value() : catalog::find_method(name) != nullptr) << name;
}

}  // namespace
}  // namespace unbraid
