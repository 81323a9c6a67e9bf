#include "unbraid/pipeline/derive.hpp"

#include <gtest/gtest.h>

#include "support/signals.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

AudioBuffer constant(float value) {
  AudioBuffer audio(1, 2);
  for (float& sample : audio.samples()) sample = value;
  return audio;
}

/// mix 10, vocals 1, drums 2, bass 4: every sum of stems is another number.
float derived(const std::vector<std::string>& rules, const std::string& name) {
  Stems stems;
  stems.add("vocals", constant(1));
  stems.add("drums", constant(2));
  stems.add("no-bass", constant(4));
  std::vector<DerivedStem> parsed;
  for (const std::string& rule : rules) parsed.push_back(DerivedStem::parse(rule));
  return derive_stems(constant(10), stems, parsed).at(name).channel(0)[1];
}

TEST(DerivedStem, ReadsSumsDifferencesAndGains) {
  EXPECT_EQ(derived({"instrumental=mix-vocals"}, "instrumental"), 9);
  EXPECT_EQ(derived({"a=vocals+0.5*drums"}, "a"), 2);
  EXPECT_EQ(derived({" a = - vocals * 2 + .5 * mixture "}, "a"), 3);
  EXPECT_EQ(derived({"a=+drums"}, "a"), 2);
  EXPECT_EQ(derived({"a=mix-\"no-bass\""}, "a"), 6);
  EXPECT_EQ(derived({"a=vocals+vocals+vocals"}, "a"), 3);
  EXPECT_EQ(derived({"a=vocals-vocals"}, "a"), 0);
  EXPECT_EQ(derived({"a=1e1*vocals"}, "a"), 10);
}

TEST(DerivedStem, MayUseAndReplaceEarlierOnes) {
  EXPECT_EQ(derived({"beat=drums+\"no-bass\"", "rest=mix-beat"}, "rest"), 4);
  EXPECT_EQ(derived({"drums=2*drums", "x=drums"}, "x"), 4);
  EXPECT_EQ(derived({"drums=2*drums", "x=drums"}, "drums"), 4);
}

TEST(DerivedStem, RefusesWhatItCannotRead) {
  for (const char* rule : {"", "a", "a=", "=b", "a=b+", "a=b c", "a=2", "a=2*", "a=*b", "a=b**2", "a=\"b", "a=1*2", "2a=b", "a==b"})
    EXPECT_THROW(DerivedStem::parse(rule), Error) << rule;
}

TEST(StemMixer, RefusesUnknownStemsAndUnsafeNames) {
  const auto attempt = [](const StemSelection& selection) { StemMixer({"vocals", "drums"}, selection); };
  EXPECT_THROW(attempt({.stems = {"piano"}}), Error);
  EXPECT_THROW(attempt({.two_stems = "piano"}), Error);
  EXPECT_THROW(attempt({.derived = {DerivedStem::parse("a=piano")}}), Error);
  EXPECT_THROW(attempt({.derived = {DerivedStem::parse("a=b"), DerivedStem::parse("b=mix")}}), Error);
  EXPECT_THROW(attempt({.stems = {"vocals"}, .two_stems = "vocals"}), Error);
  for (const char* rule : {"\"../a\"=mix", "\"a\\\\b\"=mix", "\".a\"=mix"})
    EXPECT_THROW(attempt({.derived = {DerivedStem::parse(rule)}}), Error) << rule;
  try {
    attempt({.stems = {"piano"}});
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "piano: no such stem; there are vocals, drums");
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

TEST(StemMixer, RefusesUnsafeNamesOfTheSeparator) {
  using namespace std::string_literals;
  for (const std::string& name : {"../../x"s, "/tmp/x"s, "a\\b"s, ".."s, ".a"s, ""s, "a\0b"s}) {
    const std::vector<std::string> separated{"vocals", name};
    try {
      StemMixer(separated, {});
      ADD_FAILURE() << "no error for " << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
    }
    EXPECT_THROW(StemMixer(separated, {.stems = {name}}), Error) << name;
    EXPECT_EQ(StemMixer(separated, {.stems = {"vocals"}}).names().size(), 1u);  // the other is not given out
  }
}

TEST(StemMixer, SelectsInTheOrderOfTheSeparator) {
  const std::vector<std::string> separated{"vocals", "drums", "bass"};
  using Names = std::vector<std::string>;
  EXPECT_EQ(StemMixer(separated, {}).names(), separated);
  EXPECT_EQ(StemMixer(separated, {.stems = {"bass", "vocals"}}).names(), (Names{"vocals", "bass"}));
  EXPECT_EQ(StemMixer(separated, {.two_stems = "drums"}).names(), (Names{"drums", "no_drums"}));
  const std::vector<DerivedStem> rules{DerivedStem::parse("beat=drums+bass")};
  EXPECT_EQ(StemMixer(separated, {.stems = {"vocals"}, .derived = rules}).names(), (Names{"vocals", "beat"}));
  EXPECT_EQ(StemMixer(separated, {.two_stems = "vocals", .derived = rules}).names(), (Names{"vocals", "no_vocals", "beat"}));
}

TEST(StemMixer, TwoStemsAddUpToTheMixture) {
  const AudioBuffer mix = testing::noise(2, 500, 1);
  Stems stems;
  stems.add("vocals", testing::noise(2, 500, 2));
  stems.add("drums", testing::noise(2, 500, 3));
  Stems two = StemMixer(stems.names(), {.two_stems = "vocals"}).apply(mix, stems);
  EXPECT_EQ(testing::largest_difference(two.at("vocals"), stems.at("vocals")), 0.0);
  add_scaled(two.at("no_vocals"), 1.0f, two.at("vocals"));
  EXPECT_LT(testing::largest_difference(two.at("vocals"), mix), 2e-7);  // one rounding of values up to 2
}

}  // namespace
}  // namespace unbraid
