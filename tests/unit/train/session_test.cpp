#include "train/session.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/fixtures.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {
namespace {

using testing::TemporaryFolder;

/// Number 1 of several, all of which do the same.
class Pretended : public Processes {
 public:
  explicit Pretended(int count) : Processes(1, count) {}
  void average(torch::Tensor&) const override {}
  void share(torch::Tensor&) const override {}
};

TrainConfig tiny(const std::vector<std::string>& overrides) {
  return TrainConfig::parse(
      "architecture: mask_inference\n"
      "audio: {sample_rate: 8000, num_channels: 1, n_fft: 64, hop_length: 16}\n"
      "model: {hidden_size: 4, num_layers: 1}\n"
      "training: {instruments: [a, b], steps: 5, batch: 3, accumulate: 2}\n"
      "data: {sources: {path: x}, mixtures: {stems: [a, b]}}\n",
      "tiny.yaml", ".", overrides);
}

TEST(Session, CountsTheItemsOfAllProcesses) {
  const TemporaryFolder folder;
  const auto counted = [&](int processes) {
    const Pretended all(processes);
    Session(tiny({}), "cpu", all).save_model_file(folder / "m.safetensors", nullptr);
    const checkpoint::Checkpoint file = checkpoint::load(folder / "m.safetensors");
    const auto card = nlohmann::json::parse(file.metadata.at("unbraid.card"));
    return nlohmann::json::parse(card.at("training").get<std::string>()).at("items_per_step").get<int>();
  };
  EXPECT_EQ(counted(1), 3 * 2);
  EXPECT_EQ(counted(4), 3 * 2 * 4);
}

TEST(Session, AScoreThatIsNoNumberCostsNoPatience) {
  const Pretended all(1);
  Session session(tiny({"validation.patience=2"}), "cpu", all);
  session.owe_validation();
  EXPECT_TRUE(session.observe(1));
  EXPECT_FALSE(session.validation_due());
  EXPECT_FALSE(session.observe(0));
  for (int i = 0; i < 3; ++i) {
    session.owe_validation();
    EXPECT_FALSE(session.observe(std::numeric_limits<double>::quiet_NaN()));
    EXPECT_FALSE(session.validation_due());
  }
  EXPECT_FALSE(session.stopped_early());
  EXPECT_EQ(session.best_score(), 1);
  EXPECT_FALSE(session.observe(0.5));
  EXPECT_TRUE(session.stopped_early());
}

TEST(Session, PatienceIsThatOfTheConfigurationWhichGoesOn) {
  const TemporaryFolder folder;
  const Pretended all(1);
  Session first(tiny({"validation.patience=2"}), "cpu", all);
  for (const double score : {1, 0, 0}) first.observe(score);
  ASSERT_TRUE(first.stopped_early());
  first.save(folder / "state.safetensors");
  for (const auto& [patience, stopped] : {std::pair{"2", true}, {"3", false}, {"0", false}}) {
    Session next(tiny({std::string("validation.patience=") + patience}), "cpu", all);
    next.restore(folder / "state.safetensors");
    EXPECT_EQ(next.stopped_early(), stopped) << patience;
  }
}

TEST(Processes, LocalRankIsWhatTheLauncherSays) {
  unsetenv("LOCAL_RANK");
  unsetenv("SLURM_LOCALID");
  EXPECT_EQ(local_rank(), 0);
  setenv("SLURM_LOCALID", "2", 1);
  EXPECT_EQ(local_rank(), 2);
  setenv("LOCAL_RANK", "3", 1);
  EXPECT_EQ(local_rank(), 3);
  setenv("LOCAL_RANK", "third", 1);
  EXPECT_THROW(local_rank(), Error);
  unsetenv("LOCAL_RANK");
  unsetenv("SLURM_LOCALID");
}

}  // namespace
}  // namespace unbraid::train
