// Checkpoints that torch, numpy and Keras wrote, against the same tensors in safetensors and against NumPy's numbers.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "support/fixtures.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"

namespace unbraid::checkpoint {
namespace {

using testing::fixtures;

class TorchAgainstSafetensors : public ::testing::TestWithParam<const char*> {};

TEST_P(TorchAgainstSafetensors, HasTheSameTensors) {
  const std::string folder = std::string("models/") + GetParam();
  UNBRAID_NEEDS_FIXTURE(folder);
  const Checkpoint torch = load(fixtures() / folder / "model.ckpt");
  const Checkpoint flat = load(fixtures() / folder / "model.safetensors");
  EXPECT_EQ(torch.format, Format::kTorchZip);
  EXPECT_EQ(flat.format, Format::kSafetensors);
  EXPECT_EQ(flat.metadata.at("format"), "pt");
  ASSERT_EQ(torch.tensors.size(), flat.tensors.size());
  for (const auto& [name, tensor] : torch.tensors) {
    const Tensor* other = flat.tensors.find(name);
    ASSERT_NE(other, nullptr) << name;
    EXPECT_EQ(tensor.shape(), other->shape()) << name;
    EXPECT_EQ(tensor.to_bytes(), other->to_bytes()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TorchAgainstSafetensors,
                         ::testing::Values("bs_roformer", "mel_band_roformer", "htdemucs", "hdemucs", "mdx23c", "mdx23c_groupnorm",
                                           "scnet"));

// Both the zip format and the one before it, and names with a hash.
TEST(ReferenceCheckpoints, OpenUnmixInEveryTorchFormat) {
  UNBRAID_NEEDS_FIXTURE("models/openunmix");
  const std::pair<const char*, const char*> pairs[] = {{"bass.pth", "bass.safetensors"},
                                                       {"drums.pth", "drums.safetensors"},
                                                       {"other-8b6d25dc.pth", "other.safetensors"},
                                                       {"vocals.pth", "vocals.safetensors"}};
  int legacy = 0;
  for (const auto& [torch_name, flat_name] : pairs) {
    const Checkpoint torch = load(fixtures() / "models/openunmix" / torch_name);
    const Checkpoint flat = load(fixtures() / "models/openunmix" / flat_name);
    legacy += torch.format == Format::kTorchLegacy;
    ASSERT_EQ(torch.tensors.size(), flat.tensors.size()) << torch_name;
    for (const auto& [name, tensor] : flat.tensors) {
      const Tensor* other = torch.tensors.find(name);
      ASSERT_NE(other, nullptr) << torch_name << " " << name;
      EXPECT_EQ(tensor.to_bytes(), other->to_bytes()) << torch_name << " " << name;
    }
  }
  EXPECT_EQ(legacy, 1);  // drums.pth
}

TEST(ReferenceCheckpoints, DemucsPackageKeepsItsConfigurationAsData) {
  UNBRAID_NEEDS_FIXTURE("models/htdemucs");
  const Checkpoint package = load(fixtures() / "models/htdemucs/model-29814b9b.th");
  const Checkpoint flat = load(fixtures() / "models/htdemucs/model.safetensors");
  ASSERT_EQ(package.tensors.size(), flat.tensors.size());
  for (const auto& [name, tensor] : package.tensors) {
    EXPECT_EQ(tensor.dtype(), Dtype::kF16) << name;
    EXPECT_EQ(tensor.to_floats(), flat.tensors.find(name)->to_floats()) << name;  // the weights fit in fp16
  }
  const Value* root = package.document->root;
  const auto* klass = root->find("klass")->as<Global>();
  ASSERT_NE(klass, nullptr);
  EXPECT_EQ(klass->name, "demucs.htdemucs.HTDemucs");
  const auto* segment = root->find("kwargs")->find("segment")->as<Object>();
  ASSERT_NE(segment, nullptr);
  EXPECT_EQ(segment->callable, "fractions.Fraction");
}

TEST(ReferenceCheckpoints, NusslModelSharesOneStorage) {
  UNBRAID_NEEDS_FIXTURE("models/nussl_mask_inference");
  const Checkpoint file = load(fixtures() / "models/nussl_mask_inference/best.model.pth");
  const Value* metadata = file.document->root->find("metadata");
  ASSERT_NE(metadata, nullptr);
  std::size_t parameters = 0;
  for (const auto& [name, tensor] : file.tensors)
    if (tensor.dtype() == Dtype::kF32 && name.find("running") == std::string::npos && name.starts_with("layers."))
      parameters += tensor.size();
  EXPECT_EQ(parameters, 210'871u);  // the seed's own count
}

TEST(ReferenceCheckpoints, KerasWeightsMatchTheirManifest) {
  UNBRAID_NEEDS_FIXTURE("models/deepconvsep_keras");
  const Checkpoint file = load(fixtures() / "models/deepconvsep_keras/pretrained_weights_experiment1.h5");
  const nlohmann::json manifest = testing::load_json("models/deepconvsep_keras/weights_manifest.json");
  std::size_t parameters = 0;
  for (const auto& [name, tensor] : file.tensors) {
    // "layer/layer/kernel:0" in the file, "layer/kernel" in the manifest.
    const std::string layer = name.substr(0, name.find('/'));
    const std::string weight = name.substr(name.rfind('/') + 1);
    const std::string key = layer + "/" + weight.substr(0, weight.find(':'));
    ASSERT_TRUE(manifest.contains(key)) << key;
    EXPECT_EQ(tensor.shape(), manifest[key]["shape"].get<std::vector<std::int64_t>>());
    const std::vector<float> values = tensor.to_floats();
    double sum = 0;
    for (const float v : values) sum += v;
    EXPECT_NEAR(sum, manifest[key]["sum"].get<double>(), 1e-9 * static_cast<double>(values.size())) << key;
    for (std::size_t i = 0; i < manifest[key]["first"].size(); ++i) EXPECT_EQ(values[i], manifest[key]["first"][i].get<float>()) << key;
    parameters += values.size();
  }
  EXPECT_EQ(parameters, 489'142u);
}

}  // namespace
}  // namespace unbraid::checkpoint
