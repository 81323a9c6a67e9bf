// Equal to splifft (undef13/splifft@f02a28b9ba81, torch 1.13.0a0, float32):
// models/splifft_core/cases.{json,npz}.
#include <gtest/gtest.h>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/pipeline/derive.hpp"
#include "unbraid/pipeline/normalize.hpp"
#include "unbraid/pipeline/stitch.hpp"

namespace unbraid {
namespace {

using testing::largest_difference;
using testing::load_json;
using testing::load_npz;
using testing::Npy;

/// The last two axes of an array, at a position of those before.
AudioBuffer audio(const Npy& array, std::size_t index = 0) {
  const std::size_t channels = array.shape[array.shape.size() - 2], frames = array.shape.back();
  AudioBuffer buffer(channels, frames);
  for (std::size_t i = 0; i < channels * frames; ++i) buffer.samples()[i] = static_cast<float>(array.real[index * channels * frames + i]);
  return buffer;
}

PaddingMode padding(const std::string& name) {
  return name == "reflect" ? PaddingMode::kReflect : name == "constant" ? PaddingMode::kConstant : PaddingMode::kReplicate;
}

class Splifft : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("models/splifft_core/cases.npz");
    arrays_ = load_npz("models/splifft_core/cases.npz");
    for (const nlohmann::json& one : load_json("models/splifft_core/cases.json")) cases_[one["kind"]].push_back(one);
  }
  const Npy& array(const nlohmann::json& one, const std::string& name) const {
    return arrays_.at(one["key"].get<std::string>() + "_" + name);
  }
  std::map<std::string, Npy> arrays_;
  std::map<std::string, std::vector<nlohmann::json>> cases_;
};

// Blocks are copies: exact. Two sums of up to eleven float32 products in another order: 1e-6.
TEST_F(Splifft, CutsAndStitchesAlike) {
  ASSERT_EQ(cases_["chunks"].size(), 5u);
  for (const nlohmann::json& one : cases_["chunks"]) {
    SCOPED_TRACE(one["key"]);
    // splifft truncates the hop; 29 instead of 30 in one case.
    const ChunkLayout layout =
        ChunkLayout::with_hop({.length = one["chunk_size"], .padding = padding(one["padding_mode"])}, one["hop_size"].get<std::size_t>());
    const AudioBuffer input = audio(array(one, "input"));
    const auto chunks = generate_chunks(input, layout);
    ASSERT_EQ(chunks.size(), one["num_chunks"].get<std::size_t>());
    for (std::size_t k = 0; k < chunks.size(); ++k) EXPECT_EQ(largest_difference(chunks[k], audio(array(one, "chunks"), k)), 0.0);

    const std::vector<double>& window = array(one, "window").real;
    const bool alone = layout.hop == layout.length;
    for (std::size_t stem = 0; stem < one["num_stems"].get<std::size_t>(); ++stem) {
      std::vector<AudioBuffer> estimates = chunks;
      for (std::size_t k = 0; k < chunks.size(); ++k) {
        const float gain = static_cast<float>(array(one, "gain").real[stem]);
        const Npy& offsets = array(one, "offset");  // [chunk][stem]
        const float offset = static_cast<float>(offsets.real[k * offsets.shape[1] + stem]);
        for (float& sample : estimates[k].samples()) sample = gain * sample + offset;
      }
      const AudioBuffer stitched = stitch_chunks(estimates, layout, block_weights(window, layout), input.frames());
      AudioBuffer expected = audio(array(one, "output"), stem);
      if (alone && window[0] == 0.0) {
        // There the first frame of every chunk is lost (0 · x / 1e-8); here it comes through.
        for (std::size_t t = 0; t < input.frames(); t += layout.hop)
          for (std::size_t c = 0; c < expected.channels(); ++c) {
            EXPECT_EQ(expected.channel(c)[t], 0.0f);
            expected.channel(c)[t] = estimates[t / layout.hop].channel(c)[0];
          }
      }
      EXPECT_LT(largest_difference(stitched, expected), 1e-6);
    }
  }
}

TEST_F(Splifft, NormalizesAlike) {
  ASSERT_EQ(cases_["normalize"].size(), 5u);
  for (const nlohmann::json& one : cases_["normalize"]) {
    SCOPED_TRACE(one["name"]);
    const AudioBuffer input = audio(array(one, "input"));
    const NormalizationStats stats = measure_normalization(input);
    EXPECT_NEAR(stats.mean, one["mean"].get<double>(), 1e-7);  // theirs is a float32 sum
    EXPECT_NEAR(stats.std, one["std"].get<double>(), 1e-6 * one["std"].get<double>());
    AudioBuffer changed = input;
    if (!stats.silent) normalize_audio(changed, stats);
    EXPECT_LT(largest_difference(changed, audio(array(one, "output"))), 2e-6);  // of values up to 4
    changed = audio(array(one, "output"));
    denormalize_audio(changed, stats);
    EXPECT_LT(largest_difference(changed, audio(array(one, "denorm"))), 1e-6);
  }
}

TEST_F(Splifft, DerivesAlike) {
  ASSERT_EQ(cases_["derive"].size(), 1u);
  const nlohmann::json one = cases_["derive"][0];
  Stems stems;
  for (const std::string name : one["stems"]) stems.add(name, audio(array(one, "in_" + name)));
  const Stems derived = derive_stems(audio(array(one, "mixture")), stems,
                                     {DerivedStem::parse("instrumental=mixture-vocals"), DerivedStem::parse("rhythm=drums+bass"),
                                      DerivedStem::parse("rest=instrumental-rhythm")});
  EXPECT_EQ(derived.names(), one["output_order"].get<std::vector<std::string>>());
  for (const Stem& stem : derived) EXPECT_LT(largest_difference(stem.audio, audio(array(one, "out_" + stem.name))), 1e-6) << stem.name;
}

}  // namespace
}  // namespace unbraid
