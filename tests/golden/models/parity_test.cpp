// Every family against the reference program's own values, through the door that programs use. Tolerances are the
// fixtures' own: 2e-5 for audio, 1e-4 of the peak for intermediate values.

#include <gtest/gtest.h>

#include "support/fixtures.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

class Parity : public ::testing::TestWithParam<const char*> {};

TEST_P(Parity, EqualsTheReference) {
  const std::string folder = std::string("models/") + GetParam();
  UNBRAID_NEEDS_FIXTURE(folder);
  ThreadPool pool;
  RunContext run{pool};
  const std::vector<ParityFile> files = catalog::neural_backend().parity(testing::fixtures() / folder, 2e-5, run);
  EXPECT_GE(files.size(), 2u);
  for (const ParityFile& file : files)
    EXPECT_TRUE(file.pass) << file.file << ": " << file.max_abs_error << " > " << file.tolerance << " " << file.note;
}

INSTANTIATE_TEST_SUITE_P(Families, Parity, ::testing::Values("mdx23c", "mdx23c_groupnorm", "bs_roformer", "mel_band_roformer", "scnet", "htdemucs", "hdemucs", "nussl_mask_inference", "openunmix", "deepconvsep_keras"));

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

}  // namespace
}  // namespace unbraid
