#include "networks.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

constexpr const char* kSeed = R"(
audio: {sample_rate: 44100, num_channels: 1, n_fft: 512, hop_length: 128}
model: {hidden_size: 50, num_layers: 2}
training: {instruments: [vocals]}
)";

std::string small(const std::string& model, const std::string& stems = "[vocals, rest]", int channels = 2) {
  return "audio: {num_channels: " + std::to_string(channels) + ", n_fft: 64, hop_length: 16}\nmodel: {hidden_size: 6, num_layers: 2, " +
         model + "}\ntraining: {instruments: " + stems + "}\n";
}

TEST(MaskInference, HasTheSeedsNumberOfParameters) { EXPECT_EQ(count_parameters(*build("mask_inference", kSeed)), 210871); }

TEST(MaskInference, SeesWhatScipySees) {
  // The features' STFT against dsp's, which has its own tests against scipy. 1e-6: values of about 0.1 in float32.
  const auto model = build("mask_inference", kSeed);
  const Tensor signal = noise({1, 1000});
  AudioBuffer buffer(1, 1000);
  std::copy_n(signal.data_ptr<float>(), 1000, buffer.channel(0).begin());
  ThreadPool pool;
  const dsp::Stft<float> stft(
      {.window = {.kind = dsp::WindowKind::kSqrtHann, .length = 512}, .hop = 128, .scaling = dsp::StftScaling::kScipySpectrum});
  const dsp::Spectrogram<float> expected = stft.forward(buffer, pool);
  const Tensor magnitudes = model->magnitudes(signal);
  ASSERT_EQ(magnitudes.size(1), static_cast<std::int64_t>(expected.bins()));
  ASSERT_EQ(magnitudes.size(2), static_cast<std::int64_t>(expected.frames()));
  for (std::size_t t = 0; t < expected.frames(); ++t)
    for (std::size_t k = 0; k < expected.bins(); ++k)
      ASSERT_NEAR(magnitudes[0][static_cast<std::int64_t>(k)][static_cast<std::int64_t>(t)].item<float>(), std::abs(expected.at(0, t, k)),
                  1e-6);
}

TEST(MaskInference, SoftmaxSourcesAddUpToTheMixture) {
  const auto model = build("mask_inference", small("activation: softmax"));
  const Tensor mix = noise({2, 2, 500});
  EXPECT_LT(distance(separate(*model, mix).sum(1), mix), 2e-6);  // rounding of the STFT and its inverse
}

TEST(MaskInference, SeparatesChannelsOneByOne) {
  const auto model = build("mask_inference", small(""));
  const Tensor mix = noise({1, 2, 500});
  const Tensor both = separate(*model, mix);
  for (const std::int64_t c : {0, 1}) EXPECT_LT(distance(both.narrow(2, c, 1), separate(*model, mix.narrow(1, c, 1))), 1e-6);
}

TEST(MaskInference, SeesChannelsTogetherWhenAsked) {
  const auto model = build("mask_inference", small("num_audio_channels: 2"));
  const Tensor mix = noise({1, 2, 500});
  Tensor other = mix.clone();
  other[0][1].zero_();
  EXPECT_GT(distance(separate(*model, mix).select(2, 0), separate(*model, other).select(2, 0)), 1e-4);
  EXPECT_THROW(separate(*model, mix.narrow(1, 0, 1)), Error);
}

TEST(MaskInference, OneDirectionIsCausal) {
  // What comes after frame 320 changes nothing that ends before 320 − n_fft.
  Tensor mix = noise({1, 1, 640});
  Tensor changed = mix.clone();
  changed.narrow(2, 320, 320).mul_(-3);
  for (const bool both_ways : {false, true}) {
    const auto model = build("mask_inference", small(both_ways ? "bidirectional: true" : "bidirectional: false", "[vocals]", 1));
    const double difference = distance(separate(*model, mix).narrow(3, 0, 256), separate(*model, changed).narrow(3, 0, 256));
    if (both_ways) EXPECT_GT(difference, 1e-6);
    else EXPECT_EQ(difference, 0);
  }
}

TEST(MaskInference, AttentionSeesFarAway) {
  const auto model = build("mask_inference", small("attention_layers: 1, attention_heads: 2", "[vocals]", 1));
  Tensor mix = noise({1, 1, 6400});
  Tensor changed = mix.clone();
  changed.narrow(2, 6000, 400).zero_();
  EXPECT_GT(distance(separate(*model, mix).narrow(3, 0, 100), separate(*model, changed).narrow(3, 0, 100)), 1e-6);
  EXPECT_THROW(build("mask_inference", small("attention_layers: 1, bidirectional: false")), Error);
  EXPECT_THROW(build("mask_inference", small("attention_layers: 1, attention_heads: 5")), Error);
}

TEST(MaskInference, TakesAnyLength) { expect_any_length(*build("mask_inference", small("")), 16); }

TEST(MaskInference, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(build("mask_inference", small("activation: relu")), Error);
  EXPECT_THROW(build("mask_inference", small("colour: red")), Error);
  EXPECT_THROW(build("mask_inference", small("dropout: 1.5")), Error);
}

TEST(MaskInference, LearnsFromMagnitudes) {
  // The interface of training: a step down the gradient of the loss on magnitudes lowers it.
  const auto model = build("mask_inference", small("dropout: 0"));
  const Tensor stems = noise({2, 2, 2, 500});
  const Tensor target = model->magnitudes(stems);
  torch::optim::SGD steps(model->parameters(), torch::optim::SGDOptions(1.0));
  const auto loss = [&] { return torch::mse_loss(model->estimate_magnitudes(stems.sum(1)), target); };
  const Tensor before = loss();
  before.backward();
  steps.step();
  EXPECT_LT(loss().item<double>(), before.item<double>());
}

}  // namespace
}  // namespace unbraid::models::testing
