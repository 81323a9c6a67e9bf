#include "models/cunet/cunet.hpp"

#include "networks.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

const std::vector<std::string> kStems{"vocals", "drums", "bass"};

std::string small(const std::string& model = "") {
  return "audio: {n_fft: 64, hop_length: 16, padding: zeros}\nmodel: {depth: 3, filters: 4, kernel: 3, " + model +
         "}\ntraining: {instruments: [vocals, drums, bass]}";
}

TEST(Cunet, ConditionsNameStemsWithWeights) {
  EXPECT_EQ(parse_condition("drums", kStems), (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(parse_condition("vocals=1,bass=0.5", kStems), (std::vector<float>{1, 0, 0.5F}));
  for (const char* wrong : {"piano", "vocals=loud", "vocals=", "vocals=nan", "vocals=0", ",", "=1"})
    EXPECT_THROW(parse_condition(wrong, kStems), Error) << wrong;
}

TEST(Cunet, AllStemsAreTheConditionsOneByOne) {
  // forward() runs the layers before the first FiLM once for all stems; a condition alone runs them by itself.
  for (const char* film : {"film: bottleneck", "film: all", "condition_hidden: 7"}) {
    const auto model = build("cunet", small(film));
    const Tensor mix = noise({2, 2, 700});
    const Tensor all = separate(*model, mix);
    ASSERT_EQ(all.sizes(), (std::vector<std::int64_t>{2, 3, 2, 700}));
    for (std::size_t i = 0; i < kStems.size(); ++i)
      EXPECT_LT(distance(all.select(1, static_cast<std::int64_t>(i)), separate(*model, mix, {{"condition", kStems[i]}}).select(1, 0)), 1e-6)
          << film;
    EXPECT_GT(distance(all.select(1, 0), all.select(1, 1)), 1e-6) << film;
  }
}

TEST(Cunet, AMixIsAStemOfItsOwn) {
  const auto model = build("cunet", small());
  const ParameterValues values = ParameterValues::resolve(model->settings(), {{"condition", "vocals=1,bass=0.5"}});
  EXPECT_EQ(model->stems(values), (std::vector<std::string>{"vocals+bass"}));
  EXPECT_THROW(model->stems(ParameterValues::resolve(model->settings(), {{"condition", "piano"}})), Error);
}

TEST(Cunet, OutputsAreWhatTheyAreCalled) {
  // With the last layer's weights zero and its biases chosen, the masks are constants: tanh(b) is the gain of the parts.
  const double b = 0.4, gain = std::tanh(b);
  const Tensor mix = noise({1, 2, 700});
  for (const std::string output : {"complex_mask", "channel_mask", "mapping"}) {
    const auto model = build("cunet", small("output: " + output));
    {
      const torch::NoGradGuard no_gradient;
      auto state = model->named_parameters();
      state["output.weight"].zero_();
      state["output.bias"].copy_(
          torch::tensor(output == "complex_mask" ? std::vector<float>{0.4F, 0, 0.4F, 0} : std::vector<float>(4, 0.4F)));
    }
    const Tensor stem = separate(*model, mix).select(1, 0);
    if (output == "mapping") EXPECT_GT(distance(stem, mix * gain), 0.1);
    else EXPECT_LT(distance(stem, mix * gain), 2e-6) << output;
  }
}

TEST(Cunet, TrainsByCondition) {
  const auto model = build("cunet", small("film: all"));
  model->train();
  const Tensor mix = noise({4, 2, 700}), target = noise({4, 2, 700}, 3);
  const Tensor condition = torch::eye(3).index_select(0, torch::tensor({0, 1, 2, 0}));
  const Tensor loss = torch::mse_loss(model->forward_conditioned(mix, condition), target);
  loss.backward();
  for (const auto& item : model->named_parameters())
    EXPECT_TRUE(item.value().grad().defined() && item.value().grad().abs().sum().item<double>() > 0) << item.key();
  EXPECT_THROW(model->forward_conditioned(mix, condition.narrow(1, 0, 2)), Error);
}

TEST(Cunet, TakesAnyLength) { expect_any_length(*build("cunet", small()), 16); }

}  // namespace
}  // namespace unbraid::models::testing
