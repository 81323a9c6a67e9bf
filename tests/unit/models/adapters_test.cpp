#include "models/adapters.hpp"

#include <fstream>
#include <ostream>

#include "models/model_file.hpp"
#include "models/state.hpp"
#include "networks.hpp"
#include "support/fixtures.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;
using unbraid::testing::TemporaryFolder;

constexpr const char* kBase = R"(
audio: {sample_rate: 8000, num_channels: 1, chunk_size: 2048}
model: {dim: 16, depth: 1, stereo: false, num_stems: 2, time_transformer_depth: 1, freq_transformer_depth: 1, heads: 2, dim_head: 8,
        stft_n_fft: 128, stft_hop_length: 32, stft_win_length: 128, mask_estimator_depth: 2, attn_dropout: 0, ff_dropout: 0,
)";
constexpr const char* kBands = "freqs_per_bands: [5, 10, 20, 30]}\ntraining: {instruments: [low, high]}\n";
constexpr const char* kMelBands = "num_bands: 7, sample_rate: 8000}\ntraining: {instruments: [low, high]}\n";

struct Case {
  const char* family;
  std::string yaml;
};
std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.family; }

class Adapters : public ::testing::TestWithParam<Case> {
 protected:
  /// Some steps down the gradient of everything that has one.
  static void learn(Model& model) {
    const Tensor mix = noise({1, 1, 2048}), wanted = noise({1, 2, 1, 2048}, 9);
    model.train();
    for (int step = 0; step < 5; ++step) {
      const Tensor out = model.forward(mix);
      torch::l1_loss(out, wanted.narrow(-1, 0, out.size(-1))).backward();
      const torch::NoGradGuard no_gradient;
      for (Tensor& parameter : model.parameters()) {
        if (!parameter.grad().defined()) continue;
        parameter.sub_(parameter.grad(), 30.0);
        parameter.mutable_grad().zero_();
      }
    }
    model.eval();
  }
  static std::shared_ptr<Model> adapted(const Model& base, const std::string& yaml) {
    auto model = build(GetParam().family, GetParam().yaml + yaml);
    load_state(*model, save_state(base, checkpoint::Dtype::kF32), false);
    return model;
  }
};

TEST_P(Adapters, ChangeNothingAtFirst) {
  const auto base = build(GetParam().family, GetParam().yaml, 3);
  const auto model = adapted(*base, "lora: {r: 4, lora_alpha: 8}");
  const Tensor mix = noise({1, 1, 2048});
  EXPECT_TRUE(torch::equal(separate(*base, mix), separate(*model, mix)));
  EXPECT_GT(count_parameters(*model), count_parameters(*base));
}

TEST_P(Adapters, LearnAloneAndAreMerged) {
  const TemporaryFolder folder;
  const auto base = build(GetParam().family, GetParam().yaml, 3);
  save_model(folder / "base.safetensors", *base, {});
  const auto model = adapted(*base, "lora: {r: 4, lora_alpha: 8, lora_dropout: 0.1, merge_weights: false, enable_lora: [true]}");
  const Tensor mix = noise({1, 1, 2048});
  const Tensor before = separate(*model, mix);
  learn(*model);
  const Tensor after = separate(*model, mix);
  EXPECT_GT(distance(before, after), 1e-3);
  for (const auto& item : base->named_parameters())
    EXPECT_TRUE(torch::equal(item.value(), model->named_parameters()[item.key()])) << item.key();

  // The merged weights round once more than the sum of the two products: 1e-6 is some roundings of values around 0.5.
  save_model(folder / "merged.safetensors", *model, {});
  const LoadedModel merged = load_model(folder / "merged.safetensors");
  EXPECT_EQ(count_parameters(*merged.model), count_parameters(*base));
  EXPECT_LT(distance(separate(*merged.model, mix), after), 1e-6);

  save_adapters(folder / "adapters.safetensors", *model, {});
  EXPECT_LT(std::filesystem::file_size(folder / "adapters.safetensors"), std::filesystem::file_size(folder / "base.safetensors"));
  const auto both = open_model({.weights = folder / "base.safetensors", .adapters = folder / "adapters.safetensors"});
  EXPECT_LT(distance(separate(*both, mix), after), 1e-6);

  // loralib's files do not state the scale: it is the configuration's.
  checkpoint::save_safetensors(folder / "theirs.safetensors", checkpoint::load(folder / "adapters.safetensors").tensors);
  EXPECT_THROW(open_model({.weights = folder / "base.safetensors", .adapters = folder / "theirs.safetensors"}), Error);
  std::ofstream(folder / "config.yaml") << GetParam().yaml << "lora: {r: 4, lora_alpha: 8}\n";
  checkpoint::save_safetensors(folder / "published.safetensors", save_state(*base, checkpoint::Dtype::kF32));
  const auto theirs = open_model(
      {.weights = folder / "published.safetensors", .config = folder / "config.yaml", .adapters = folder / "theirs.safetensors"});
  EXPECT_LT(distance(separate(*theirs, mix), after), 1e-6);
}

TEST_P(Adapters, OnlyInTheLayersThatAreNamed) {
  const auto model = build(GetParam().family, GetParam().yaml + "lora: {r: 2, layers: [to_qkv]}");
  std::size_t found = 0;
  for (const auto& item : model->named_parameters()) {
    EXPECT_EQ(item.value().requires_grad(), is_adapter(item.key())) << item.key();
    if (!is_adapter(item.key())) continue;
    EXPECT_NE(item.key().find("to_qkv.lora_"), std::string::npos) << item.key();
    ++found;
  }
  EXPECT_EQ(found, 4u);  // A and B, along time and along bands
}

INSTANTIATE_TEST_SUITE_P(Roformers, Adapters,
                         ::testing::Values(Case{"bs_roformer", std::string(kBase) + kBands},
                                           Case{"mel_band_roformer", std::string(kBase) + kMelBands}));

TEST(AdapterErrors, AreNamed) {
  const std::string yaml = std::string(kBase) + kBands;
  const auto refuses = [&](const std::string& lora, ErrorCode code) {
    try {
      build("bs_roformer", yaml + lora);
      ADD_FAILURE() << "accepted " << lora;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
    }
  };
  refuses("lora: {r: 0}", ErrorCode::kFormat);
  refuses("lora: {lora_alpha: -1}", ErrorCode::kFormat);
  refuses("lora: {lora_dropout: 1}", ErrorCode::kFormat);
  refuses("lora: {rank: 3}", ErrorCode::kUnsupported);
  refuses("lora: {layers: [conv]}", ErrorCode::kUnsupported);

  const TemporaryFolder folder;
  const auto base = build("bs_roformer", yaml);
  save_model(folder / "base.safetensors", *base, {});
  const auto merge = [&](const std::map<std::string, std::vector<std::int64_t>>& shapes) {
    checkpoint::TensorMap tensors;
    for (const auto& [name, shape] : shapes) {
      std::size_t values = 1;
      for (const std::int64_t size : shape) values *= static_cast<std::size_t>(size);
      tensors.add(name, checkpoint::Tensor::from_floats(shape, std::vector<float>(values, 0.1f)));
    }
    checkpoint::save_safetensors(folder / "bad.safetensors", tensors, {{"unbraid.adapters", R"({"r": 2, "lora_alpha": 4})"}});
    open_model({.weights = folder / "base.safetensors", .adapters = folder / "bad.safetensors"});
  };
  const std::string layer = "layers.0.0.layers.0.0.to_qkv";
  EXPECT_NO_THROW(merge({{layer + ".lora_A", {2, 16}}, {layer + ".lora_B", {48, 2}}}));
  EXPECT_THROW(merge({{layer + ".lora_A", {2, 16}}}), Error);
  EXPECT_THROW(merge({{layer + ".lora_B", {48, 2}}}), Error);
  EXPECT_THROW(merge({{layer + ".lora_A", {3, 16}}, {layer + ".lora_B", {48, 3}}}), Error);
  EXPECT_THROW(merge({{layer + ".lora_A", {2, 17}}, {layer + ".lora_B", {48, 2}}}), Error);
  EXPECT_THROW(merge({{"nowhere.lora_A", {2, 16}}, {"nowhere.lora_B", {48, 2}}}), Error);
  EXPECT_THROW(merge({{layer + ".weight", {48, 16}}}), Error);
  try {
    build("cunet", "audio: {n_fft: 64, hop_length: 16}\nmodel: {depth: 3, filters: 4}\ntraining: {instruments: [a, b]}\nlora: {r: 2}");
    FAIL() << "a network without dense layers that take adapters";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  }
}

}  // namespace
}  // namespace unbraid::models::testing
