#include "models/model_file.hpp"

#include "models/state.hpp"
#include "networks.hpp"
#include "support/fixtures.hpp"
#include "unbraid/checkpoint/npy.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;
using unbraid::testing::TemporaryFolder;

constexpr const char* kYaml = R"(
audio: {sample_rate: 22050, num_channels: 2, n_fft: 64, hop_length: 16}
model: {hidden_size: 6, num_layers: 1}
training: {instruments: [vocals, "été"]}
inference: {chunk_size: 5000, normalize: true}
)";

const std::map<std::string, std::string> kFamilies{
    {"mask_inference", kYaml},
    {"open_unmix", "audio: {n_fft: 64, hop_length: 16}\nmodel: {hidden_size: 8}\ntraining: {instruments: [vocals, drums]}"},
    {"deepconvsep", "audio: {num_channels: 1, n_fft: 64, hop_length: 16}\nmodel: {frames: 9, time_kernel: 3}\ntraining: {instruments: [a, b]}"},
    {"cunet", "audio: {n_fft: 64, hop_length: 16}\nmodel: {depth: 3, filters: 4}\ntraining: {instruments: [a, b]}"}};

TEST(ModelFile, RebuildsTheModelFromItselfAlone) {
  const TemporaryFolder folder;
  for (const auto& [family, yaml] : kFamilies) {
    const auto model = build(family, yaml);
    save_model(folder / (family + ".safetensors"), *model, {.name = "x", .licence = "MIT", .training = "{\"steps\": 3}", .more = {{"note", "naïve"}}});
    const LoadedModel back = load_model(folder / (family + ".safetensors"));
    const Tensor mix = noise({1, model->traits().channels, 900});
    EXPECT_TRUE(torch::equal(separate(*model, mix), separate(*back.model, mix))) << family;
    EXPECT_EQ(back.card.licence, "MIT");
    EXPECT_EQ(back.card.training, "{\"steps\": 3}");
    EXPECT_EQ(back.card.more.at("note"), "naïve");
    EXPECT_EQ(back.model->traits().stems, model->traits().stems);
    EXPECT_EQ(back.model->traits().normalize, model->traits().normalize);
    EXPECT_EQ(back.model->traits().blocks.length, model->traits().blocks.length);
    EXPECT_FALSE(back.model->is_training());
  }
}

TEST(ModelFile, KeepsHalfPrecision) {
  const TemporaryFolder folder;
  const auto model = build("mask_inference", kYaml);
  save_model(folder / "m.safetensors", *model, {}, checkpoint::Dtype::kF16);
  const LoadedModel back = load_model(folder / "m.safetensors");
  for (const auto& item : model->named_parameters())
    EXPECT_TRUE(torch::equal(back.model->named_parameters()[item.key()], item.value().to(torch::kFloat16).to(torch::kFloat32))) << item.key();
}

TEST(ModelFile, RefusesWhatContradictsItself) {
  const TemporaryFolder folder;
  save_model(folder / "m.safetensors", *build("mask_inference", kYaml), {});
  const checkpoint::Checkpoint good = checkpoint::load(folder / "m.safetensors");
  const auto refused = [&](const std::map<std::string, std::string>& changes, ErrorCode code) {
    std::map<std::string, std::string> metadata = good.metadata;
    for (const auto& [key, value] : changes) metadata[key] = value;
    std::erase_if(metadata, [](const auto& entry) { return entry.second == "-"; });
    checkpoint::save_safetensors(folder / "bad.safetensors", good.tensors, metadata);
    try {
      load_model(folder / "bad.safetensors");
      ADD_FAILURE() << "accepted " << changes.begin()->first;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find("bad.safetensors"), std::string::npos) << error.what();
    }
  };
  refused({{"unbraid.model", "-"}}, ErrorCode::kFormat);
  refused({{"unbraid.model", "2"}}, ErrorCode::kUnsupported);
  refused({{"unbraid.architecture", "perceptron"}}, ErrorCode::kUnsupported);
  refused({{"unbraid.architecture", "-"}}, ErrorCode::kFormat);
  refused({{"unbraid.configuration", "-"}}, ErrorCode::kFormat);
  refused({{"unbraid.configuration", "model: !!python/object/apply:os.system [true]"}}, ErrorCode::kFormat);
  refused({{"unbraid.stems", "[\"drums\"]"}}, ErrorCode::kFormat);
  refused({{"unbraid.sample_rate", "8000"}}, ErrorCode::kFormat);
  refused({{"unbraid.card", "no json"}}, ErrorCode::kFormat);
  std::string wider = good.metadata.at("unbraid.configuration");
  wider.replace(wider.find("hidden_size: 6"), 14, "hidden_size: 7");
  refused({{"unbraid.configuration", wider}}, ErrorCode::kFormat);
}

TEST(MakeModel, DependsOnTheSeedAlone) {
  for (const auto& [family, yaml] : kFamilies) {
    torch::manual_seed(5);
    const Tensor undisturbed = torch::rand({4});
    torch::manual_seed(5);
    const auto one = build(family, yaml, 1);
    EXPECT_TRUE(torch::equal(torch::rand({4}), undisturbed)) << "the global generator was moved by " << family;
    const auto same = build(family, yaml, 1), other = build(family, yaml, 2);
    bool differs = false;
    for (const auto& item : one->named_parameters()) {
      EXPECT_TRUE(torch::equal(item.value(), same->named_parameters()[item.key()])) << item.key();
      differs = differs || !torch::equal(item.value(), other->named_parameters()[item.key()]);
    }
    EXPECT_TRUE(differs) << family;
  }
}

TEST(MakeModel, NamesTheFamiliesThatThereAre) {
  try {
    make_model("perceptron", Config::parse(kYaml, "c.yaml"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("deepconvsep"), std::string::npos) << error.what();
  }
}

/// Published checkpoints of every family, through our own file, give the very same stems.
class Import : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Import, LosesNothing) {
  const auto [name, weights] = GetParam();
  const std::string folder = std::string("models/") + name;
  UNBRAID_NEEDS_FIXTURE(folder);
  const auto path = unbraid::testing::fixtures() / folder;
  const auto config = path / "config.yaml";
  const LoadedModel published = open_with_card({.weights = path / weights, .config = std::filesystem::exists(config) ? config : ""});
  const TemporaryFolder scratch;
  save_model(scratch / "own.safetensors", *published.model, published.card);
  const auto own = open_model({.weights = scratch / "own.safetensors"});
  const Tensor mix = to_torch(checkpoint::load_npy(path / "input.npy")).unsqueeze(0);
  EXPECT_TRUE(torch::equal(separate(*published.model, mix), separate(*own, mix)));
}

INSTANTIATE_TEST_SUITE_P(Published, Import,
                         ::testing::Values(std::pair{"bs_roformer", "model.ckpt"}, std::pair{"mel_band_roformer", "model.safetensors"},
                                           std::pair{"htdemucs", "model.ckpt"}, std::pair{"hdemucs", "model.ckpt"}, std::pair{"mdx23c", "model.ckpt"},
                                           std::pair{"scnet", "model.ckpt"}, std::pair{"openunmix", ""}, std::pair{"nussl_mask_inference", "best.model.pth"},
                                           std::pair{"deepconvsep_keras", "pretrained_weights_experiment1.h5"}));

}  // namespace
}  // namespace unbraid::models::testing
