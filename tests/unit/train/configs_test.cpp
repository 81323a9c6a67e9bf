// The configurations in configs/ can be used as they are.

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/family.hpp"
#include "support/fixtures.hpp"
#include "train/config.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"

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
  EXPECT_EQ(parameters_of(configs.at("default_bass")), 315616);
  EXPECT_EQ(parameters_of(configs.at("default_unet")),
            460168 + 4 * 50112);  // a path: norm 128, BLSTM 2 · (192 · (64 + 48) + 384), linear 96 · 64 + 64
  // The sizes that the seeds' documents print.
  EXPECT_EQ(parameters_of(configs.at("mask_inference_musdb18")), 210871);
  EXPECT_EQ(parameters_of(configs.at("deepconvsep_dsd100")), 489142);
  EXPECT_EQ(configs.at("deepconvsep_dsd100").optimizer.name, "adadelta");
  for (const auto& [name, config] : configs) EXPECT_GT(config.frames, 0) << name;
}

TEST(Configs, OneIsLaidOverItsBase) {
  const testing::TemporaryFolder folder;
  const auto write = [&](const char* name, std::string_view text) { write_file_atomically(folder / name, text); };
  std::filesystem::create_directory(folder / "below");
  const std::string whole =
      "architecture: deepconvsep\nseed: 1\naudio: {sample_rate: 44100, num_channels: 1, n_fft: 1024, hop_length: 512}\n"
      "training: {instruments: [a, b], steps: 5, batch: 2}\ndata: {sources: &here [{path: x}], mixtures: {stems: [a, b, c]}}\n"
      "validation: {sources: *here, every_steps: 5}\n";
  write("whole.yaml", whole);
  write("below/over.yaml", "base: ../whole.yaml\nseed: 2\ntraining: {instruments: [c], batch: ~}\ndata: {sources: [{path: y}]}\n");
  const YAML::Node over = YAML::Load(TrainConfig::load(folder / "below/over.yaml", {"training.steps=7"}).text);
  EXPECT_FALSE(over["base"]);
  EXPECT_EQ(over["seed"].as<int>(), 2);
  EXPECT_EQ(over["training"]["instruments"].as<std::vector<std::string>>(), std::vector<std::string>{"c"});
  EXPECT_EQ(over["training"]["steps"].as<int>(), 7);
  EXPECT_FALSE(over["training"]["batch"]);
  EXPECT_EQ(over["data"]["sources"][0]["path"].as<std::string>(), "y");
  EXPECT_EQ(over["validation"]["sources"][0]["path"].as<std::string>(), "x") << "what an alias stands for was changed";

  write("self.yaml", "base: self.yaml\n");
  EXPECT_THROW(TrainConfig::load(folder / "self.yaml"), Error);
  write("none.yaml", "base: nowhere.yaml\n");
  EXPECT_THROW(TrainConfig::load(folder / "none.yaml"), Error);
}

}  // namespace
}  // namespace unbraid::train
