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

/// A slip of the pen is an error that names it, at least in what we make the keys for.
TEST(Configs, RefuseWhatNobodyReads) {
  const std::string data = "data: {sources: {path: x}, mixtures: {stems: [vocals, drums, bass, other]}}\n";
  const std::string own =
      "architecture: cunet\naudio: {n_fft: 64, hop_length: 16}\nmodel: {depth: 2, filters: 2}\n"
      "training: {instruments: [vocals, drums, bass, other], steps: 5}\n" +
      data;
  const std::string published =
      "architecture: bs_roformer\naudio: {chunk_size: 4096, dim_f: 1024, min_mean_abs: 0.0}\n"
      "model: {dim: 8, depth: 1, heads: 1, dim_head: 2, stft_n_fft: 64, stft_hop_length: 16, stft_win_length: 64,"
      " freqs_per_bands: [33], num_stems: 4}\ninference: {num_overlap: 4, batch_size: 1, dim_t: 801}\n"
      "training: {instruments: [vocals, drums, bass, other], target_instrument: ~, steps: 5}\n" +
      data;
  const std::string demucs =
      "architecture: htdemucs\nmodel: htdemucs\n"
      "htdemucs: {channels: 8, nfft: 1024, depth: 3, t_layers: 2, t_heads: 2, bottom_channels: 16}\n"
      "training: {instruments: [vocals, drums, bass, other], segment: 1, steps: 5}\n" +
      data;
  const auto refuses = [&](const std::string& yaml, const std::string& override, const std::string& words) {
    try {
      TrainConfig::parse(yaml, "c.yaml", ".", {override});
      ADD_FAILURE() << "accepted " << override;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  for (const std::string& yaml : {own, published, demucs}) EXPECT_NO_THROW(TrainConfig::parse(yaml, "c.yaml", ".", {"loss.name=l1"}));
  EXPECT_NO_THROW(TrainConfig::parse(published, "c.yaml", ".", {"loss.name=deepconvsep"}));
  refuses(own, "audio.windw=hann", "audio: unknown options: windw");
  refuses(own, "inference.chunk_sze=3", "inference: unknown options: chunk_sze");
  refuses(own, "training.target_instrument=vocals", "training: unknown options: target_instrument");
  refuses(own, "data.targets={vocls: [other]}", "targets: vocls");
  refuses(own, "htdemucs.depth=3", "htdemucs");
  refuses(own, "loss.name=deepconvsep", "one at a time");
  refuses(published, "hdemucs.depth=3", "hdemucs");
  refuses(published, "model.num_stems=1", "num_stems is 1");
  refuses(demucs, "hdemucs.depth=3", "hdemucs");
  for (const char* section : {"optimizer", "schedule", "audio", "data", "validation", "training"})
    refuses(own, std::string(section) + "=sgd", std::string("the key ") + section);
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
