#include "models/torch_separator.hpp"

#include "networks.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

/// Gives zeros of any number of stems and channels, whatever its traits say.
class Careless : public Model {
 public:
  Careless(std::int64_t stems, std::int64_t channels)
      : Model({.family = "careless", .stems = {"a", "b"}, .channels = 2, .blocks = {.length = 8}}), stems_(stems), channels_(channels) {}
  torch::Tensor forward(const torch::Tensor& mix) override { return torch::zeros({mix.size(0), stems_, channels_, mix.size(2)}); }

 private:
  std::int64_t stems_, channels_;
};

Stems processed(std::int64_t stems, std::int64_t channels) {
  const auto model = std::make_shared<Careless>(stems, channels);
  const auto separator = make_separator(model, torch::kCPU, {.sample_rate = 44100, .channels = 2}, ParameterValues::resolve({}));
  ThreadPool pool(1);
  RunContext run{pool};
  return separator->process(AudioBuffer(2, 8), run);
}

TEST(TorchSeparator, RefusesStemsAndChannelsThatAreNotThose) {
  EXPECT_EQ(processed(2, 2).size(), 2u);
  for (const auto& [stems, channels] : {std::pair{1, 2}, {3, 2}, {2, 1}}) EXPECT_THROW(processed(stems, channels), Error);
}

}  // namespace
}  // namespace unbraid::models::testing
