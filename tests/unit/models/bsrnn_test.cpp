#include "models/bsrnn/bsrnn.hpp"

#include "networks.hpp"
#include "unbraid/core/error.hpp"

// What it shares with other networks that give masks of cells: cell_masks_test.cpp.

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

std::string small(const std::string& model) {
  return "audio: {n_fft: 64, hop_length: 16}\nmodel: {bands: [[1, 2], [2, 2], [4, 1]], cells: 3, features: 6, hidden: 5, layers: 2, "
         "decoder: 7, " +
         model + "}\ntraining: {instruments: [vocals, drums, bass]}";
}

TEST(Bsrnn, DropoutIsForTrainingAlone) {
  const auto model = build("bsrnn", small("dropout: 0.5"));
  const Tensor mix = noise({1, 2, 700});
  const Tensor heard = separate(*model, mix);
  EXPECT_EQ(distance(separate(*model, mix), heard), 0);
  model->train();
  torch::manual_seed(1);
  const Tensor once = model->forward(mix), again = model->forward(mix);
  EXPECT_GT(distance(once, again), 1e-4);
  EXPECT_LT(distance(once.sum(1), mix), 2e-6);  // values up to 0.5, through an STFT and back
}

TEST(Bsrnn, RefusesWhatItCannotBe) {
  for (const char* wrong : {"dropout: 1", "dropout: -0.1", "colour: 3"}) EXPECT_THROW(build("bsrnn", small(wrong)), Error) << wrong;
}

}  // namespace
}  // namespace unbraid::models::testing
