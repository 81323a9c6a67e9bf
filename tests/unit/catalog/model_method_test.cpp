#include "unbraid/catalog/model_method.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "support/fixtures.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

/// A home and a current folder of its own, with one imported model, "my-model".
class ModelNames : public ::testing::Test {
 protected:
  ModelNames() {
    for (const char* name : kVariables) {
      const char* const value = std::getenv(name);
      variables_.push_back(value ? std::optional<std::string>(value) : std::nullopt);
      ::unsetenv(name);
    }
    ::setenv("HOME", (folder_ / "home").c_str(), 1);
    fs::create_directories(folder_ / "here");
    std::ofstream(folder_ / "weights.ckpt") << "weights";
    import("my-model");
    fs::current_path(folder_ / "here");
  }
  ~ModelNames() override {
    fs::current_path(before_);
    for (std::size_t i = 0; i < variables_.size(); ++i)
      if (variables_[i]) ::setenv(kVariables[i], variables_[i]->c_str(), 1);
      else ::unsetenv(kVariables[i]);
  }
  void import(const std::string& name) const {
    ModelCard card;
    card.name = name;
    card.family = "mdx23c";
    card.stems = {"vocals"};
    ThreadPool pool(1);
    RunContext run{pool};
    ModelStore().import(card, {{.path = folder_ / "weights.ckpt"}}, run);
  }
  static std::string message_of(std::string_view name) {
    try {
      installed_files(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      return error.what();
    }
    return "no error";
  }

  static constexpr const char* kVariables[] = {"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"};
  TemporaryFolder folder_;
  fs::path before_ = fs::current_path();
  std::vector<std::optional<std::string>> variables_;
};

TEST_F(ModelNames, AreNotThoseOfFoldersThatHappenToBeHere) {
  const std::string usual = usual_method();
  for (const char* name : {"default", "classic4", "htdemucs", "my-model", "nobody-s"}) fs::create_directories(name);
  fs::copy_file(ModelStore().folder() / "my-model" / "installed.json", "default/installed.json");
  EXPECT_EQ(usual_method(), usual);
  EXPECT_EQ(names_model_file("default"), !ModelStore().installed("default"));
  for (const char* name : {"classic4", "htdemucs", "my-model", "nobody-else-s"}) EXPECT_FALSE(names_model_file(name)) << name;
  for (const char* name : {"nobody-s", "./htdemucs", "htdemucs/", "missing.ckpt"}) EXPECT_TRUE(names_model_file(name)) << name;
}

TEST_F(ModelNames, AreOfferedWhereTheyAreSpeltAlike) {
  EXPECT_NE(message_of("htdemuc").find("did you mean htdemucs or "), std::string::npos) << message_of("htdemuc");
  EXPECT_EQ(message_of("my_model"), "my_model: no such method or model; did you mean my-model?");
  EXPECT_EQ(message_of("hpps"), "hpps: no such method or model; did you mean hpss?");
  EXPECT_NE(message_of("zzzzzzzz").find("there are "), std::string::npos);
  EXPECT_EQ(message_of("htdemucs"), "htdemucs: not on this machine; get it with unbraid models pull htdemucs");
}

TEST_F(ModelNames, OfModelsWithMissingFilesSayWhatToDo) {
  fs::remove(ModelStore().folder() / "my-model/weights.ckpt");
  EXPECT_EQ(message_of("my-model"),
            "my-model: damaged: weights.ckpt is missing; remove it with unbraid models rm my-model, and import it again");
}

TEST_F(ModelNames, OfMethodsCannotBeTaken) {
  for (const Method& method : methods()) EXPECT_THROW(import(method.name), Error) << method.name;
  EXPECT_EQ(ModelStore().names().front(), ModelStore().all().front().name);
}

TEST_F(ModelNames, NeedNoHome) {
  const std::string usual = usual_method();
  ::unsetenv("HOME");
  const ModelStore store;
  EXPECT_TRUE(store.folder().empty());
  EXPECT_FALSE(store.installed("my-model"));
  EXPECT_EQ(usual_method(), usual);
  EXPECT_EQ(usual == "default", store.installed("default").has_value());
  for (const ModelCard& card : store.all()) EXPECT_FALSE(store.files(card.name).weights.empty());
  fs::create_directories("my-model");  // is not taken for the store
  EXPECT_FALSE(store.installed("my-model"));
  EXPECT_THROW(store.remove("my-model"), Error);
  EXPECT_TRUE(fs::exists("my-model"));
  try {
    import("mine");
    ADD_FAILURE() << "imported into nowhere";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(error.message().find("HOME"), std::string::npos);
  }
}

}  // namespace
}  // namespace unbraid::catalog
