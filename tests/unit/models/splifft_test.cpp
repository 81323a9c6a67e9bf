#include "models/splifft.hpp"

#include <gtest/gtest.h>

#include "unbraid/core/error.hpp"

namespace unbraid::models {
namespace {

YAML::Node translated(const std::string& more) {
  const Config theirs = Config::parse(
      "model_type: bs_roformer\n"
      "model: {chunk_size: 8192, output_stem_names: [vocals, drums], dim: 8, depth: 2, band_config: {kind: fixed}" +
          more + "}\n",
      "splifft.json");
  return from_splifft(theirs).node()["model"];
}

TEST(SplifftConfiguration, TellsWhatMsstCallsAlike) {
  const YAML::Node plain = translated("");
  EXPECT_EQ(plain["num_stems"].as<int>(), 2);
  EXPECT_FALSE(plain["skip_connection"]);
  EXPECT_TRUE(translated(", skip_connection: true")["skip_connection"].as<bool>());
  EXPECT_FALSE(translated(", skip_connection: false")["skip_connection"].as<bool>());
  EXPECT_THROW(translated(", use_shared_bias: true"), Error);
}

}  // namespace
}  // namespace unbraid::models
