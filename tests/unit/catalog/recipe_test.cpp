#include "unbraid/catalog/recipe.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

class RecipeTest : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& text, const std::string& name = "recipe.yaml") const {
    std::ofstream(folder_.path() / name) << text;
    return folder_.path() / name;
  }
  Method read(const std::string& text) const { return catalog::recipe_method(file(text), {.device = "cpu"}); }
  SeparatorInfo made(const Method& method) const { return method.make({.sample_rate = 44100, .channels = 2}, {}, 0)->info(); }
  ErrorCode refusal(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "accepted: " << text;
    return ErrorCode::kInternal;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(RecipeTest, MakesEnsembles) {
  const Method method = read(R"(
ensemble:
  combine: median
  members:
    - model: hpss
      weights: {percussive: 0}
    - model: hpss
      weights: 2
)");
  const SeparatorInfo info = made(method);
  EXPECT_EQ(info.stems, method.stems);
  EXPECT_NE(method.fingerprint.find("hpss"), std::string::npos);
  const Ensemble& ensemble = std::get<Ensemble>(info.blocks);
  EXPECT_EQ(ensemble.combine, Ensemble::Combine::kMedian);
  ASSERT_EQ(ensemble.members.size(), 2u);
  for (std::size_t i = 0; i < info.stems.size(); ++i) {
    EXPECT_EQ(ensemble.members[0].weights[i], info.stems[i] == "percussive" ? 0.0 : 1.0);
    EXPECT_EQ(ensemble.members[1].weights[i], 2.0);
  }
}

TEST_F(RecipeTest, AFolderCalledLikeAMethodIsNotAMember) {
  std::filesystem::create_directories(folder_.path() / "lowpass");  // as stems lie in
  EXPECT_EQ(read("chain: [{model: lowpass}]").stems, (std::vector<std::string>{"low", "high"}));
}

TEST_F(RecipeTest, KnowsEveryWayToCombine) {
  using Combine = Ensemble::Combine;
  const std::pair<const char*, Combine> kWays[] = {{"average", Combine::kMean}, {"median", Combine::kMedian},
                                                   {"min", Combine::kMin},      {"max", Combine::kMax},
                                                   {"blend", Combine::kBlend},  {"geometric", Combine::kGeometric}};
  for (const auto& [word, way] : kWays) {
    const SeparatorInfo info = made(read(std::string("ensemble: {combine: ") + word + ", members: [{model: hpss}]}"));
    EXPECT_EQ(std::get<Ensemble>(info.blocks).combine, way) << word;
  }
  EXPECT_EQ(std::get<Ensemble>(made(read("ensemble: {members: [{model: hpss}]}")).blocks).combine, Combine::kMean);
}

TEST_F(RecipeTest, RunsOnlyTheMembersThatAreNeeded) {
  const Method method = read("ensemble: {members: [{model: hpss, weights: {percussive: 0}}, {model: hpss, weights: {harmonic: 0}}]}");
  const auto separator = method.make({.sample_rate = 44100, .channels = 2}, {}, 0);
  const std::vector<std::string> wanted{"harmonic"};
  ASSERT_TRUE(separator->keep_only(wanted));
  EXPECT_EQ(separator->info().stems, wanted);
  const Ensemble& ensemble = std::get<Ensemble>(separator->info().blocks);
  ASSERT_EQ(ensemble.members.size(), 1u);
  EXPECT_EQ(ensemble.members[0].weights, std::vector<double>{1.0});
}

TEST_F(RecipeTest, SparesMembersStemsWithoutWeight) {
  file("ensemble: {members: [{model: hpss}]}", "inner.yaml");
  const SeparatorInfo info =
      made(read("ensemble: {combine: blend, members: [{model: inner.yaml}, {model: inner.yaml, weights: {percussive: 0}}]}"));
  const Ensemble& ensemble = std::get<Ensemble>(info.blocks);
  EXPECT_EQ(ensemble.members[0].separator->info().stems, info.stems);
  EXPECT_EQ(ensemble.members[1].separator->info().stems, std::vector<std::string>{"harmonic"});
}

TEST_F(RecipeTest, ASoloGateNeedsAllStems) {
  const Method method = read("ensemble: {combine: blend, sharpness: 2, solo_db: -17, members: [{model: hpss}]}");
  const auto separator = method.make({.sample_rate = 44100, .channels = 2}, {}, 0);
  EXPECT_EQ(std::get<Ensemble>(separator->info().blocks).solo_db, -17);
  EXPECT_EQ(std::get<Ensemble>(separator->info().blocks).sharpness, 2);
  const std::vector<std::string> wanted{"harmonic"};
  EXPECT_FALSE(separator->keep_only(wanted));
  EXPECT_FALSE(read("ensemble: {solo_db: -17, members: [{model: hpss}]}").make({}, {}, 0)->keep_only(wanted));
}

TEST_F(RecipeTest, MakesChains) {
  const SeparatorInfo info = made(read(R"(
chain:
  - model: hpss
    stems: [percussive]
  - model: hpss
    input: mix - percussive
    stems: [harmonic]
)"));
  EXPECT_EQ(info.stems, (std::vector<std::string>{"percussive", "harmonic"}));
  const Chain& chain = std::get<Chain>(info.blocks);
  ASSERT_EQ(chain.steps.size(), 2u);
  EXPECT_EQ(chain.steps[1].input, (std::vector<std::pair<double, std::string>>{{1.0, "mix"}, {-1.0, "percussive"}}));
}

TEST_F(RecipeTest, FindsOtherRecipesBesideIt) {
  file("ensemble: {members: [{model: hpss}]}", "inner.yaml");
  EXPECT_EQ(made(read("chain: [{model: inner.yaml}]")).stems.size(), 2u);
  EXPECT_EQ(refusal("ensemble: {members: [{model: recipe.yaml}]}"), ErrorCode::kFormat);  // itself
}

TEST_F(RecipeTest, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"[]",
                           "{}",
                           "a: [",
                           "ensemble: {members: []}",
                           "ensemble: {members: [{}]}",
                           "chain: []",
                           "ensemble: {members: [{model: hpss}], mode: average}",
                           "ensemble: {combine: mode, members: [{model: hpss}]}",
                           "ensemble: {members: [{model: hpss, weight: 1}]}",
                           "ensemble: {members: [{model: hpss, weights: -1}]}",
                           "ensemble: {members: [{model: hpss, weights: 0}]}",
                           "ensemble: {members: [{model: hpss, weights: .inf}]}",
                           "ensemble: {members: [{model: hpss, weights: {percussive: .nan}}]}",
                           "chain: [{model: hpss, input: mix -}]",
                           "chain: [{model: hpss, input: mix mix}]",
                           "ensemble: {members: [{model: hpss, weights: loud}]}",
                           "ensemble: {combine: blend, sharpness: 0, members: [{model: hpss}]}",
                           "ensemble: {combine: blend, sharpness: 17, members: [{model: hpss}]}",
                           "ensemble: {combine: geometric, sharpness: much, members: [{model: hpss}]}",
                           "ensemble: {combine: average, sharpness: 2, members: [{model: hpss}]}",
                           "ensemble: {solo_db: 0, members: [{model: hpss}]}",
                           "ensemble: {solo_db: -101, members: [{model: hpss}]}",
                           "ensemble: {solo_db: soft, members: [{model: hpss}]}",
                           "ensemble: {solo_db: .nan, members: [{model: hpss}]}",
                           "models: []",
                           "models: ['29814b9b']\nsegment: .inf",
                           "models: ['29814b9b']\nsegment: -1",
                           "chain: [{model: hpss}]\nmore: 1"})
    EXPECT_EQ(refusal(text), ErrorCode::kFormat) << text;
  EXPECT_EQ(refusal("chain: [{model: hpss, stems: [vocals]}]"), ErrorCode::kUsage);
  EXPECT_EQ(refusal("chain: [{model: hpss, input: mix - vocals}]"), ErrorCode::kUsage);
  EXPECT_EQ(refusal("chain: [{model: hpss}, {model: hpss}]"), ErrorCode::kUsage);  // two steps, the same stems
  EXPECT_EQ(refusal("ensemble: {members: [{model: no-such-model}]}"), ErrorCode::kNotFound);
  EXPECT_EQ(refusal("models: ['29814b9b']"), ErrorCode::kNotFound);
  EXPECT_THROW(catalog::recipe_method(folder_.path() / "none.yaml", {}), Error);
}

}  // namespace
}  // namespace unbraid
