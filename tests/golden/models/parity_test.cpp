// Every family against the reference program's own values, through the door that programs use. Tolerances are the
// fixtures' own: 2e-5 for audio, 1e-4 of the peak for intermediate values.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/checkpoint/npy.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid {
namespace {

class Parity : public ::testing::TestWithParam<const char*> {};

TEST_P(Parity, EqualsTheReference) {
  const std::string folder = std::string("models/") + GetParam();
  UNBRAID_NEEDS_FIXTURE(folder);
  ThreadPool pool;
  RunContext run{pool};
  const auto track = [](AudioView mix, Separator& separator, RunContext& with) {
    return separate(mix, separator.info().sample_rate, separator, {}, with);
  };
  const std::vector<ParityFile> files = catalog::neural_backend().parity(testing::fixtures() / folder, 2e-5, track, run);
  std::size_t outputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::fixtures() / folder)) {
    const std::string name = entry.path().filename().string();
    outputs += name.ends_with(".npy") && name.find("input") == std::string::npos;
  }
  EXPECT_EQ(files.size(), outputs) << "a file of the reference was not compared";
  for (const ParityFile& file : files)
    EXPECT_TRUE(file.pass) << file.file << ": " << file.max_abs_error << " > " << file.tolerance << " " << file.note;
}

INSTANTIATE_TEST_SUITE_P(Families, Parity,
                         ::testing::Values("mdx23c", "mdx23c_groupnorm", "bs_roformer", "mel_band_roformer", "scnet", "htdemucs", "hdemucs",
                                           "nussl_mask_inference", "openunmix", "deepconvsep_keras"));

std::unique_ptr<Separator> open_separator(const ModelFiles& files) {
  const auto model = catalog::neural_backend().open(files, {.device = "cpu"});
  return model->separator({}, ParameterValues::resolve(model->parameters(), {}));
}

TEST(OpenModel, NamesTheTensorThatDoesNotFit) {
  UNBRAID_NEEDS_FIXTURE("models/mdx23c");
  try {
    catalog::neural_backend().facts({.weights = testing::fixtures() / "models/mdx23c/model.ckpt",
                                     .config = testing::fixtures() / "models/mdx23c_groupnorm/config.yaml"});
    FAIL() << "a checkpoint was accepted with another model's configuration";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("encoder_blocks.0.downscale.conv.2.weight"), std::string::npos) << error.what();
  }
}

TEST(OpenModel, ReadsTheFactsOfADemucsPackage) {
  UNBRAID_NEEDS_FIXTURE("models/htdemucs");
  const auto separator = open_separator({.weights = testing::fixtures() / "models/htdemucs/model-29814b9b.th"});
  EXPECT_EQ(separator->info().stems, (std::vector<std::string>{"drums", "bass", "other", "vocals"}));
  EXPECT_EQ(separator->info().sample_rate, 8000);
  const Chunked& blocks = std::get<Chunked>(separator->info().blocks);
  EXPECT_EQ(blocks.length, 8000u);  // segment is a Fraction in the pickle
  EXPECT_EQ(blocks.policy, BlockPolicy::kDemucs);
}

/// splifft's JSON for the same weights as MSST's YAML: the same network, but for Hann-weighted blocks.
TEST(OpenModel, ReadsSplifftConfigurations) {
  UNBRAID_NEEDS_FIXTURE("models/mel_band_roformer");
  const testing::TemporaryFolder folder;
  const auto config = folder.path() / "mel.json";
  std::ofstream(config) << R"({"identifier": "mel", "model_type": "bs_roformer",
    "model": {"chunk_size": 7040, "output_stem_names": ["vocals"], "dim": 12, "depth": 2, "dim_head": 8, "heads": 2,
              "band_config": {"kind": "mel", "num_bands": 14, "stft_n_fft": 256}, "stft_hop_length": 64,
              "norm_output": true, "mask_estimator_depth": 3},
    "transform": {"kind": "stft", "n_fft": 256, "hop_length": 64, "win_length": 256},
    "inference": {"batch_size": 1}, "waveform_chunking": {"overlap_ratio": 0.5}})";
  const auto weights = testing::fixtures() / "models/mel_band_roformer/model.ckpt";
  const auto separator = open_separator({.weights = weights, .config = config});
  const Chunked& blocks = std::get<Chunked>(separator->info().blocks);
  EXPECT_EQ(blocks.policy, BlockPolicy::kUniform);
  EXPECT_EQ(blocks.window, BlockWindow::kHann);

  // The same in MSST's words: its Mel counts one layer less, drops the lowest bin and the length by default.
  std::ifstream original(testing::fixtures() / "models/mel_band_roformer/config.yaml");
  std::string yaml{std::istreambuf_iterator<char>(original), {}};
  yaml.replace(yaml.find("model:"), 6, "model:\n  zero_dc: false\n  match_input_audio_length: true");
  const auto changed = folder.path() / "mel.yaml";
  std::ofstream(changed) << yaml;
  const auto msst = open_separator({.weights = weights, .config = changed});
  const checkpoint::Tensor input = checkpoint::load_npy(testing::fixtures() / "models/mel_band_roformer/input.npy");
  AudioBuffer mix(2, 7040);
  std::ranges::copy(input.to_floats(), mix.samples().begin());
  ThreadPool pool;
  RunContext run{pool};
  EXPECT_EQ(testing::largest_difference(separator->process(mix, run)[0].audio, msst->process(mix, run)[0].audio), 0.0);
}

}  // namespace
}  // namespace unbraid
