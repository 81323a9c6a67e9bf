#include "unbraid/catalog/model_card.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

std::string document(const std::string& change_from = "", const std::string& change_to = "") {
  std::string text = R"({"schema": "unbraid.catalogue/1", "models": [{"name": "a-1", "family": "scnet", "authors": ["x"],
    "stems": ["vocals"], "paper": null, "scores": [{"metric": "SDR", "dataset": "d", "values": {"vocals": 8.0, "bass": 9}}],
    "training_data": null, "licence": "MIT", "commercial_use": true, "note": null, "source": "s", "files": [
    {"role": "weights", "name": "w.ckpt", "urls": ["https://h/w"], "sha256": "8726e21a", "bytes": 5}]}]})";
  if (!change_from.empty()) {
    const std::size_t at = text.find(change_from);
    EXPECT_NE(at, std::string::npos) << change_from;
    text.replace(at, change_from.size(), change_to);
  }
  return text;
}

TEST(ModelCards, AreReadWhole) {
  const auto cards = catalog::parse_cards(document(), "test");
  ASSERT_EQ(cards.size(), 1u);
  const catalog::ModelCard& card = cards[0];
  EXPECT_EQ(card.name, "a-1");
  EXPECT_EQ(card.licence, "MIT");
  EXPECT_EQ(card.commercial_use, true);
  EXPECT_FALSE(card.training_data);
  EXPECT_EQ(card.bytes(), 5u);
  EXPECT_DOUBLE_EQ(card.scores.at(0).mean(), 8.5);
  EXPECT_EQ(card.files.at(0).sha256, "8726e21a");
}

TEST(ModelCards, NamesAreOfLettersAndTheSizeIsOfTheWeights) {
  const auto cards = catalog::parse_cards(document("\"a-1\"", "\"A-1\""), "test");
  EXPECT_EQ(cards.at(0).name, "A-1");
  for (const char* name : {"", ".a", "a/b", "a b", "..", "é"}) EXPECT_FALSE(catalog::is_model_name(name)) << name;
  const auto with_config = catalog::parse_cards(
      document("\"bytes\": 5}", "\"bytes\": 5}, {\"role\": \"config\", \"name\": \"c.yaml\", \"urls\": [], \"bytes\": null}"), "test");
  EXPECT_EQ(with_config.at(0).bytes(), 5u);
}

TEST(ModelCards, AreRefusedWhenTheyAreNotOfTheSchema) {
  const std::pair<const char*, const char*> changes[] = {{"unbraid.catalogue/1", "unbraid.catalogue/9"},
                                                         {"\"a-1\"", "\"../a\""},
                                                         {"\"w.ckpt\"", "\"../w.ckpt\""},
                                                         {"\"w.ckpt\"", "\".hidden\""},
                                                         {"https://h/w", "file:///w"},
                                                         {"8726e21a", "8726E21A"},
                                                         {"\"dataset\": \"d\"", "\"dataset\": \"\""},
                                                         {"\"role\": \"weights\"", "\"role\": \"config\""},
                                                         {"\"bytes\": 5", "\"bytes\": -5"},
                                                         {"\"stems\": [\"vocals\"]", "\"stems\": \"vocals\""},
                                                         {"\"family\": \"scnet\",", ""},
                                                         {"{\"vocals\": 8.0, \"bass\": 9}", "{}"},
                                                         {"\"commercial_use\": true", "\"commercial_use\": \"yes\""},
                                                         {"\"models\": [", "\"models\": [7, "}};
  for (const auto& [from, to] : changes) EXPECT_THROW(catalog::parse_cards(document(from, to), "test"), Error) << to;
  EXPECT_THROW(catalog::parse_cards("not json", "test"), Error);
  EXPECT_THROW(catalog::parse_cards("[]", "test"), Error);
}

TEST(ModelCards, OfTheLibraryHoldFactsOnly) {
  const auto cards = catalog::model_cards();
  EXPECT_GE(cards.size(), 40u);
  std::set<std::string> families, names;
  for (const catalog::ModelCard& card : cards) {
    families.insert(card.family);
    EXPECT_TRUE(names.insert(card.name).second) << card.name;
    EXPECT_FALSE(card.stems.empty()) << card.name;
    EXPECT_TRUE(card.source.starts_with("https://")) << card.name;
    for (const catalog::CardFile& file : card.files) {
      EXPECT_FALSE(file.urls.empty()) << card.name;
      EXPECT_TRUE(file.sha256.empty() || file.sha256.size() == 8 || file.sha256.size() == 64) << card.name;
      for (const std::string& url : file.urls) EXPECT_TRUE(url.starts_with("https://")) << card.name;
    }
    for (const catalog::ModelScore& score : card.scores)
      for (const auto& [stem, value] : score.values) EXPECT_TRUE(value > -5 && value < 40) << card.name;
  }
  for (const char* family : {"bs_roformer", "mel_band_roformer", "htdemucs", "hdemucs", "scnet", "scnet_masked", "mdx23c", "open_unmix"})
    EXPECT_TRUE(families.contains(family)) << family;
  EXPECT_EQ(catalog::find_card("umxl").commercial_use, false);
  EXPECT_EQ(catalog::find_card("htdemucs").files.at(0).sha256, "8726e21a");
  try {
    catalog::find_card("umx-h");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

TEST(ModelCards, OfTheUserTakePrecedence) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "unbraid");
  std::ofstream(folder.path() / "unbraid/mine.json") << document("\"a-1\"", "\"htdemucs\"");
  ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
  EXPECT_EQ(catalog::find_card("htdemucs").family, "scnet");
  std::ofstream(folder.path() / "unbraid/worse.json") << "{";
  EXPECT_THROW(catalog::model_cards(), Error);
  ::unsetenv("XDG_CONFIG_HOME");
  EXPECT_EQ(catalog::find_card("htdemucs").family, "htdemucs");
}

}  // namespace
}  // namespace unbraid
