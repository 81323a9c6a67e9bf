// The configurations in configs/ can be used as they are.

#include <gtest/gtest.h>

#include <map>

#include "models/family.hpp"
#include "train/config.hpp"

namespace unbraid::train {
namespace {

std::int64_t parameters_of(const TrainConfig& config) {
  std::int64_t count = 0;
  for (const auto& parameter : models::make_model(config.architecture, config.model, 0)->parameters()) count += parameter.numel();
  return count;
}

TEST(Configs, AllAreComplete) {
  std::map<std::string, TrainConfig> configs;
  for (const auto& entry : std::filesystem::directory_iterator(UNBRAID_CONFIGS))
    if (entry.path().extension() == ".yaml") configs.emplace(entry.path().stem().string(), TrainConfig::load(entry.path()));
  ASSERT_GE(configs.size(), 8u);
  // The sizes that the seeds' documents print.
  EXPECT_EQ(parameters_of(configs.at("mask_inference_musdb18")), 210871);
  EXPECT_EQ(parameters_of(configs.at("deepconvsep_dsd100")), 489142);
  EXPECT_EQ(configs.at("deepconvsep_dsd100").optimizer.name, "adadelta");
  for (const auto& [name, config] : configs) EXPECT_GT(config.frames, 0) << name;
}

}  // namespace
}  // namespace unbraid::train
