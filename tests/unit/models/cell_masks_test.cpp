#include "models/cell_masks.hpp"

#include "networks.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

struct Network {
  const char* family;
  const char* model;  ///< its own keys
};

constexpr Network kBsrnn{"bsrnn", "features: 6, hidden: 5, layers: 2, decoder: 7"};
constexpr Network kUnet{"mask_unet",
                        "num_scales: 1, scale: [2, 3], num_blocks_per_scale: 1, num_channels: 4, growth: 2, bottleneck_factor: 2, "
                        "norm: InstanceNorm, act: relu"};
constexpr Network kShiftableUnet{"mask_unet",
                                 "num_scales: 1, scale: [1, 3], num_blocks_per_scale: 1, num_channels: 4, growth: 2, bottleneck_factor: 2, "
                                 "norm: none, act: gelu"};

std::string small(const Network& network, const std::string& mask = "softmax", int channels = 2) {
  return "audio: {n_fft: 64, hop_length: 16, num_channels: " + std::to_string(channels) +
         "}\nmodel: {bands: [[1, 2], [2, 2], [4, 1]], cells: 3, mask: " + mask + ", " + network.model +
         "}\ntraining: {instruments: [vocals, drums, bass]}";
}

class CellMasks : public ::testing::TestWithParam<Network> {
 protected:
  static std::shared_ptr<Model> made(const std::string& mask = "softmax", int channels = 2) {
    return build(GetParam().family, small(GetParam(), mask, channels));
  }
};

TEST_P(CellMasks, StemsAddUpToTheMixture) {
  // 2e-6: values up to 0.5, through an STFT and back.
  for (const char* mask : {"softmax", "matrix", "complex"}) {
    const auto model = made(mask);
    const Tensor mix = noise({2, 2, 700});
    const Tensor stems = separate(*model, mix);
    ASSERT_EQ(stems.sizes(), (std::vector<std::int64_t>{2, 3, 2, 700}));
    EXPECT_LT(distance(stems.sum(1), mix), 2e-6) << mask;
    EXPECT_GT(distance(stems.select(1, 0), stems.select(1, 1)), 1e-4) << mask;
  }
}

TEST_P(CellMasks, RefuseBandsBeyondTheSpectrum) {
  const std::string usual = "[[1, 2], [2, 2], [4, 1]]";
  for (const char* bands : {"[[4, 3]]", "[[1, 2], [2, 6]]"}) {  // times three cells: 36 and 42 bins
    std::string text = small(GetParam());
    text.replace(text.find(usual), usual.size(), bands);
    const std::string message = message_of([&] { build(GetParam().family, text); }, ErrorCode::kFormat);
    EXPECT_NE(message.find("the bands cover more than the 33 bins"), std::string::npos) << message;
  }
}

TEST_P(CellMasks, AnyLengthAndSilence) {
  for (const int channels : {1, 2}) expect_any_length(*made("softmax", channels), 16);
}

TEST_P(CellMasks, FollowTheLevel) {
  // Features are relative to the block's level: 1e-4 of the loudest sample for what is added to silence.
  const auto model = made();
  const Tensor mix = noise({1, 2, 700});
  EXPECT_LT(distance(separate(*model, 0.01 * mix) * 100, separate(*model, mix)), 5e-5);
}

TEST_P(CellMasks, ItemsOfABatchAreIndependent) {
  const auto model = made("matrix");
  const Tensor mix = noise({3, 2, 700});
  EXPECT_LT(distance(separate(*model, mix)[1], separate(*model, mix.narrow(0, 1, 1))[0]), 1e-6);
}

TEST_P(CellMasks, CentredSoundStaysCentred) {
  const auto model = made();
  const Tensor mono = noise({1, 1, 700});
  const Tensor stems = separate(*model, mono.expand({1, 2, 700}));
  EXPECT_LT(distance(stems.select(2, 0), stems.select(2, 1)), 1e-6);
}

TEST_P(CellMasks, FitTheirInput) {
  // After fit_input() the features of that very mixture have mean 0 and deviation 1, so that the two models differ.
  const auto model = made();
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

TEST_P(CellMasks, SpectraAreOfMidAndSide) {
  const auto model = made();
  const Tensor audio = noise({1, 3, 2, 700});
  const Tensor spectra = model->spectra(audio);
  EXPECT_EQ(spectra.sizes(), (std::vector<std::int64_t>{1, 3, 2, 45, 33}));
  const Tensor mono = audio.narrow(2, 0, 1).expand({1, 3, 2, 700});
  EXPECT_LT(model->spectra(mono).select(2, 1).abs().max().item<double>(), 1e-5);
}

TEST_P(CellMasks, KeepSomeStems) {
  for (const char* mask : {"softmax", "matrix", "complex"}) {
    const auto model = made(mask);
    const Tensor mix = noise({2, 2, 700}), all = separate(*model, mix);
    ASSERT_TRUE(model->keep_only({0, 2}));
    const Tensor some = separate(*model, mix);
    ASSERT_EQ(some.sizes(), (std::vector<std::int64_t>{2, 2, 2, 700}));
    EXPECT_EQ(distance(some.select(1, 0), all.select(1, 0)), 0) << mask;
    EXPECT_EQ(distance(some.select(1, 1), all.select(1, 2)), 0) << mask;
    EXPECT_EQ(separate(*model, noise({1, 2, 0})).size(1), 2);
    EXPECT_FALSE(model->keep_only({}));
    EXPECT_FALSE(model->keep_only({0, 3}));
    ASSERT_TRUE(model->keep_only({0, 1, 2}));
    EXPECT_EQ(distance(separate(*model, mix), all), 0) << mask;
  }
}

TEST_P(CellMasks, RefuseWhatTheyCannotBe) {
  EXPECT_THROW(made("tanh"), Error);
  EXPECT_THROW(made("softmax, colour: 3"), Error);
  EXPECT_THROW(made("matrix", 1), Error);
  EXPECT_THROW(separate(*made(), noise({1, 1, 700})), Error);
  std::string yaml = small(GetParam());
  yaml.replace(yaml.find("[4, 1]"), 6, "[4, 9]");  // 117 bins of 33
  EXPECT_THROW(build(GetParam().family, yaml), Error);
}

const auto family = [](const auto& info) { return std::string(info.param.family); };
INSTANTIATE_TEST_SUITE_P(Families, CellMasks, ::testing::Values(kBsrnn, kUnet), family);

class ShiftableCellMasks : public CellMasks {};

// Averaged over all positions of the grid, a recording moved by one of them gives the same stems, moved.
TEST_P(ShiftableCellMasks, GridsMakeThemFollowShifts) {
  const auto model = made();
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

INSTANTIATE_TEST_SUITE_P(Families, ShiftableCellMasks, ::testing::Values(kBsrnn, kShiftableUnet), family);

}  // namespace
}  // namespace unbraid::models::testing
