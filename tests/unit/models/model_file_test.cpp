#include "models/model_file.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <fstream>

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
    {"deepconvsep",
     "audio: {num_channels: 1, n_fft: 64, hop_length: 16}\nmodel: {frames: 9, time_kernel: 3}\ntraining: {instruments: [a, b]}"},
    {"cunet", "audio: {n_fft: 64, hop_length: 16}\nmodel: {depth: 3, filters: 4}\ntraining: {instruments: [a, b]}"}};

TEST(ModelFile, RebuildsTheModelFromItselfAlone) {
  const TemporaryFolder folder;
  for (const auto& [family, yaml] : kFamilies) {
    const auto model = build(family, yaml);
    save_model(folder / (family + ".safetensors"), *model,
               {.name = "x", .licence = "MIT", .training = "{\"steps\": 3}", .more = {{"note", "naïve"}}});
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

TEST(ModelFile, TakesInferenceFromAConfigurationBesideIt) {
  const TemporaryFolder folder;
  save_model(folder / "m.safetensors", *build("mask_inference", kYaml), {});
  const auto opened = [&](const std::string& yaml) {
    std::ofstream(folder / "m.yaml") << yaml;
    return open_with_card({.weights = folder / "m.safetensors", .config = folder / "m.yaml"}).model;
  };
  EXPECT_EQ(opened("inference: {chunk_size: 7000}")->traits().blocks.length, 7000);
  EXPECT_EQ(opened("inference: {num_overlap: 4}")->traits().blocks.length, 5000) << "what is not said stays";
  EXPECT_EQ(opened("audio: {sample_rate: 8000}")->traits().sample_rate, 22050) << "the weights are of that rate";
  EXPECT_THROW(opened("inference: {chunk_size: 0}"), Error);
}

TEST(ModelFile, KeepsHalfPrecision) {
  const TemporaryFolder folder;
  const auto model = build("mask_inference", kYaml);
  save_model(folder / "m.safetensors", *model, {}, checkpoint::Dtype::kF16);
  const LoadedModel back = load_model(folder / "m.safetensors");
  for (const auto& item : model->named_parameters())
    EXPECT_TRUE(torch::equal(back.model->named_parameters()[item.key()], item.value().to(torch::kFloat16).to(torch::kFloat32)))
        << item.key();
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

long peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Files of a few kilobytes whose configuration asks for gigabytes, or for what would divide by zero.
TEST(ModelFile, ClaimsOfHugeLayersTakeNoMemory) {
  const TemporaryFolder folder;
  save_model(folder / "m.safetensors", *build("mask_inference", kYaml), {});
  const checkpoint::Checkpoint good = checkpoint::load(folder / "m.safetensors");
  const std::string training = "training: {instruments: [vocals, drums], channels: 2, samplerate: 44100, segment: 1}\n";
  const std::string spectrum = "audio: {n_fft: 64, hop_length: 16, chunk_size: 4096, dim_f: 32}\n" + training;
  const std::string rope = spectrum + "model: {stereo: true, num_stems: 2, stft_n_fft: 64, stft_hop_length: 16, stft_win_length: 64, ";
  const std::string mdx = spectrum + "model: {act: gelu, norm: InstanceNorm, num_blocks_per_scale: 1, scale: [2, 2], ";
  std::vector<std::pair<const char*, std::string>> claims{
      {"mask_inference", spectrum + "model: {hidden_size: 60000, num_layers: 64}"},
      {"open_unmix", spectrum + "model: {hidden_size: 60000, num_layers: 64}"},
      {"deepconvsep", spectrum + "model: {frames: 60000, filters: 60000, time_kernel: 60000, hidden: 60000}"},
      {"cunet", spectrum + "model: {depth: 12, filters: 4096, kernel: 31}"},
      {"bs_roformer", rope + "dim: 60000, depth: 1000, freqs_per_bands: [33]}"},
      {"bs_roformer", rope + "dim: 1, dim_head: 2, heads: 1, depth: 1000, time_transformer_depth: 1000, freqs_per_bands: [33]}"},
      {"bs_roformer", rope + "dim: 8, depth: 1, stft_hop_length: 0, freqs_per_bands: [33]}"},
      {"bs_roformer", rope + "dim: 8, depth: 1, num_stems: 1000, freqs_per_bands: [33]}"},
      {"bs_roformer", rope + "dim: 8, depth: 1, freqs_per_bands: [1000000000000, -999999999967]}"},
      {"mel_band_roformer", rope + "dim: 60000, depth: 1000, num_bands: 30}"},
      {"mel_band_roformer", rope + "dim: 8, depth: 1, num_bands: 1000000000000}"},
      {"mdx23c", mdx + "num_subbands: 0, num_scales: 1, num_channels: 8, growth: 8, bottleneck_factor: 2}"},
      {"mdx23c", mdx + "num_subbands: 1, num_scales: 1, num_channels: 8, growth: 8, bottleneck_factor: 0}"},
      {"mdx23c", mdx + "num_subbands: 1, num_scales: 5, num_channels: 60000, growth: 60000, bottleneck_factor: 2}"},
      {"scnet", spectrum + "model: {dims: [4, 60000, 60000]}"},
      {"scnet", spectrum + "model: {dims: [4, 8, 8], hop_size: 0}"},
      {"scnet_masked", spectrum + "model: {dims: [4, 8, 8], nfft: 1000000000000, win_size: 1000000000000}"},
      {"htdemucs", training + "htdemucs: {channels: 60000, bottom_channels: 60000, t_layers: 1000}"},
      {"htdemucs", training + "htdemucs: {growth: 1000, depth: 60}"},
      {"hdemucs", training + "hdemucs: {channels: 60000, nfft: 0}"}};
  // Bands whose bins add up to 2⁶⁴ and a few: the sum of 64 bits is a few.
  std::string many = "[4, 1]";
  for (int i = 0; i < 1024; ++i) many += ", [524288, 524288]";
  for (const char* family : {"bsrnn", "mask_unet"})
    claims.emplace_back(family, "audio: {n_fft: 1048576, hop_length: 16}\n" + training + "model: {cells: 65536, bands: [" + many + "]}");
  const long before = peak_megabytes();
  for (const auto& [family, configuration] : claims) {
    std::map<std::string, std::string> metadata = good.metadata;
    metadata["unbraid.architecture"] = family;
    metadata["unbraid.configuration"] = configuration;
    checkpoint::save_safetensors(folder / "bad.safetensors", good.tensors, metadata);
    try {
      load_model(folder / "bad.safetensors");
      ADD_FAILURE() << "accepted " << configuration;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat) << configuration << ": " << error.what();
    }
  }
  EXPECT_LT(peak_megabytes() - before, 256) << "64 MB are allowed for a model beyond its file's size";
}

TEST(ModelFile, TensorsThatShareTheirValuesAreNoLargerFile) {
  // 4 MB under 400 names would allow for 3.3 GB; the network has 32 million parameters, 130 MB.
  const std::vector<float> values(1 << 20);
  const checkpoint::Tensor one = checkpoint::Tensor::from_floats({1 << 20}, values);
  checkpoint::TensorMap tensors;
  for (int i = 0; i < 400; ++i) tensors.add(std::to_string(i), one);
  const Config config = Config::parse(
      "audio: {n_fft: 64, hop_length: 16}\ntraining: {instruments: [a, b]}\nmodel: {hidden_size: 1000, num_layers: 2}", "claim");
  EXPECT_THROW(make_contained_model("mask_inference", config, tensors), Error);
}

TEST(MakeModel, RoformersHaveTheirStems) {
  const std::string rest =
      "audio: {chunk_size: 4096}\nmodel: {dim: 8, depth: 1, heads: 1, dim_head: 2, stft_n_fft: 64, stft_hop_length: 16, "
      "stft_win_length: 64, ";
  const std::string both = "training: {instruments: [vocals, drums]}\n" + rest;
  const std::string target = "training: {instruments: [vocals, drums], target_instrument: vocals}\n" + rest;
  for (const auto& [family, bands] : {std::pair{"bs_roformer", "freqs_per_bands: [33]"}, {"mel_band_roformer", "num_bands: 8"}}) {
    const auto stems = [&](const std::string& yaml, int count) {
      return make_model(family, Config::parse(yaml + bands + ", num_stems: " + std::to_string(count) + "}", "c"))->traits().stems.size();
    };
    EXPECT_EQ(stems(both, 2), 2u);
    EXPECT_EQ(stems(target, 1), 1u);
    EXPECT_THROW(stems(both, 1), Error) << family;
    EXPECT_THROW(stems(both, 3), Error) << family;
    EXPECT_THROW(stems(target, 2), Error) << family;
  }
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

TEST(Configuration, RefusesAliasesThatMultiply) {
  std::string yaml = "a0: &a0 [1, 1]\n";
  for (int i = 1; i < 40; ++i) yaml += fmt::format("a{0}: &a{0} [*a{1}, *a{1}]\n", i, i - 1);
  try {
    Config::parse(yaml, "c.yaml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("too many values"), std::string::npos) << error.what();
  }
}

TEST(Configuration, ASectionIsAMapping) {
  const Config config = Config::parse("a: {x: 1, y: 2}\nb: ~\nc: text\nd: [1]", "c.yaml");
  EXPECT_EQ(config.section("a").get<int>("x"), 1);
  for (const char* empty : {"b", "e"}) EXPECT_FALSE(config.section(empty).has("x"));
  for (const char* wrong : {"c", "d"}) EXPECT_THROW(config.section(wrong), Error);
  // What one has read of a section, another need not read again.
  EXPECT_THROW(config.section("a").refuse_others({}), Error);
  config.section("a").get<int>("y");
  EXPECT_NO_THROW(config.section("a").refuse_others({}));
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
                                           std::pair{"htdemucs", "model.ckpt"}, std::pair{"hdemucs", "model.ckpt"},
                                           std::pair{"mdx23c", "model.ckpt"}, std::pair{"scnet", "model.ckpt"}, std::pair{"openunmix", ""},
                                           std::pair{"nussl_mask_inference", "best.model.pth"},
                                           std::pair{"deepconvsep_keras", "pretrained_weights_experiment1.h5"}));

}  // namespace
}  // namespace unbraid::models::testing
