#include "models/bsrnn/bsrnn.hpp"

#include "networks.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

std::string small(const std::string& model = "mask: softmax", int channels = 2) {
  return "audio: {n_fft: 64, hop_length: 16, num_channels: " + std::to_string(channels) +
         "}\nmodel: {bands: [[1, 2], [2, 2], [4, 1]], cells: 3, features: 6, hidden: 5, layers: 2, decoder: 7, " + model +
         "}\ntraining: {instruments: [vocals, drums, bass]}";
}

TEST(Bsrnn, StemsAddUpToTheMixture) {
  // 2e-6: values up to 0.5, through an STFT and back.
  for (const char* mask : {"mask: softmax", "mask: matrix", "mask: complex"}) {
    const auto model = build("bsrnn", small(mask));
    const Tensor mix = noise({2, 2, 700});
    const Tensor stems = separate(*model, mix);
    ASSERT_EQ(stems.sizes(), (std::vector<std::int64_t>{2, 3, 2, 700}));
    EXPECT_LT(distance(stems.sum(1), mix), 2e-6) << mask;
    EXPECT_GT(distance(stems.select(1, 0), stems.select(1, 1)), 1e-4) << mask;
  }
}

TEST(Bsrnn, AnyLengthAndSilence) {
  for (const int channels : {1, 2}) expect_any_length(*build("bsrnn", small("mask: softmax", channels)), 16);
}

TEST(Bsrnn, FollowsTheLevel) {
  // Features are relative to the block's level: 1e-4 of the loudest sample for what is added to silence.
  const auto model = build("bsrnn", small());
  const Tensor mix = noise({1, 2, 700});
  EXPECT_LT(distance(separate(*model, 0.01 * mix) * 100, separate(*model, mix)), 5e-5);
}

TEST(Bsrnn, ItemsOfABatchAreIndependent) {
  const auto model = build("bsrnn", small("mask: matrix"));
  const Tensor mix = noise({3, 2, 700});
  EXPECT_LT(distance(separate(*model, mix)[1], separate(*model, mix.narrow(0, 1, 1))[0]), 1e-6);
}

TEST(Bsrnn, CentredSoundStaysCentred) {
  const auto model = build("bsrnn", small());
  const Tensor mono = noise({1, 1, 700});
  const Tensor stems = separate(*model, mono.expand({1, 2, 700}));
  EXPECT_LT(distance(stems.select(2, 0), stems.select(2, 1)), 1e-6);
}

// Averaged over all positions of the grid, a recording moved by one of them gives the same stems, moved.
TEST(Bsrnn, GridsMakeItFollowShifts) {
  const auto model = build("bsrnn", small());
  model->eval();
  const c10::InferenceMode no_gradient;
  ThreadPool pool(1);
  RunContext run{pool};
  const Tensor sound = noise({1, 2, 1600});
  const auto separated = [&](int grids, std::int64_t before) {
    const Tensor mix = torch::constant_pad_nd(sound, {before, 640 - before});
    const Tensor stems = model->separate(mix, ParameterValues::resolve(model->settings(), {{"grids", std::to_string(grids)}}), run);
    EXPECT_EQ(stems.size(-1), mix.size(-1));
    EXPECT_LT(distance(stems.sum(1), mix), 2e-6);
    return stems.narrow(-1, before, sound.size(-1));
  };
  const auto change = [&](int grids) { return distance(separated(grids, 320), separated(grids, 324)); };  // a quarter of the hop
  EXPECT_LT(change(4), change(1) / 10) << change(1);  // silence before and after is a column longer in one of the runs
}

TEST(Bsrnn, FitsItsInput) {
  // After fit_input() the features of that very mixture have mean 0 and deviation 1, so that the two models differ.
  const auto model = build("bsrnn", small());
  const Tensor mix = noise({1, 2, 2000}), before = separate(*model, mix);
  const Tensor mixture = mix[0];
  model->fit_input({&mixture, 1});
  EXPECT_GT(distance(separate(*model, mix), before), 1e-4);
  EXPECT_TRUE((model->named_buffers()["scale"] > 0).all().item<bool>());
  model->fit_input({});
  const Tensor silence = torch::zeros({2, 2000});
  model->fit_input({&silence, 1});
  EXPECT_TRUE(torch::isfinite(separate(*model, mix)).all().item<bool>());
}

TEST(Bsrnn, SpectraAreOfMidAndSide) {
  const auto model = build("bsrnn", small());
  const Tensor audio = noise({1, 3, 2, 700});
  const Tensor spectra = model->spectra(audio);
  EXPECT_EQ(spectra.sizes(), (std::vector<std::int64_t>{1, 3, 2, 45, 33}));
  const Tensor mono = audio.narrow(2, 0, 1).expand({1, 3, 2, 700});
  EXPECT_LT(model->spectra(mono).select(2, 1).abs().max().item<double>(), 1e-5);
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
  EXPECT_LT(distance(once.sum(1), mix), 2e-6);  // as for StemsAddUpToTheMixture
}

TEST(Bsrnn, RefusesWhatItCannotBe) {
  for (const char* wrong : {"mask: tanh", "dropout: 1", "dropout: -0.1", "mask: softmax, colour: 3"}) EXPECT_THROW(build("bsrnn", small(wrong)), Error) << wrong;
  EXPECT_THROW(build("bsrnn", small("mask: matrix", 1)), Error);
  EXPECT_THROW(build("bsrnn", "audio: {n_fft: 64, hop_length: 16}\nmodel: {bands: [[1, 40]], cells: 3}\ntraining: {instruments: [a, b]}"), Error);
  EXPECT_THROW(separate(*build("bsrnn", small()), noise({1, 1, 700})), Error);
}

}  // namespace
}  // namespace unbraid::models::testing
