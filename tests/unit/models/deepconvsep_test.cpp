#include "networks.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

std::string seed(int channels) {
  return "audio: {num_channels: " + std::to_string(channels) +
         ", n_fft: 1024, hop_length: 256}\nmodel: {}\ntraining: {instruments: [bass, drums, other, vocals]}";
}
std::string small(const std::string& model = "") {
  return "audio: {num_channels: 2, n_fft: 64, hop_length: 16}\nmodel: {frames: 9, filters: 5, time_filters: 4, time_kernel: 3, hidden: "
         "8, " +
         model + "}\ntraining: {instruments: [bass, drums, other, vocals]}";
}
constexpr std::int64_t kSegment = 16 * 8 + 64;

TEST(DeepConvSep, HasTheSeedsNumberOfParameters) {
  EXPECT_EQ(count_parameters(*build("deepconvsep", seed(1))), 489142);
  // Stereo doubles the spectral kernels' weights and the last biases: + 25650 + 4 · 25651.
  EXPECT_EQ(count_parameters(*build("deepconvsep", seed(2))), 489142 + 25650 + 4 * 25651);
}

TEST(DeepConvSep, CentredStemsAddUpToTheMixture) {
  const auto model = build("deepconvsep", small());
  for (const std::int64_t frames : {50, 700, 5000}) {
    const Tensor mix = noise({1, 2, frames});
    EXPECT_LT(distance(separate(*model, mix).sum(1), mix), 2e-6) << frames;
  }
}

TEST(DeepConvSep, SegmentsFadeAtBothEnds) {
  // Masks that add up to one leave the overlap-added w² of the frames that are there, over that of an endless row:
  // one in the middle, less within n_fft − hop of the ends.
  const auto model = build("deepconvsep", small());
  const Tensor mix = torch::ones({1, 2, 2 * kSegment});
  const Tensor sum = separate(*model, mix, {{"framing", "segments"}}).sum(1);
  const Tensor w2 = torch::hann_window(64).square();
  Tensor weight = torch::zeros({kSegment});
  for (int t = 0; t < 9; ++t) weight.narrow(0, 16 * t, 64) += w2 / 1.5;
  for (const std::int64_t segment : {0, 1}) EXPECT_LT(distance(sum[0][0].narrow(0, segment * kSegment, kSegment), weight), 1e-5);
  EXPECT_LT(weight[0].item<double>(), 1e-6);
}

TEST(DeepConvSep, ForwardGivesWholeSegments) {
  const auto model = build("deepconvsep", small());
  EXPECT_EQ(model->forward(noise({3, 2, kSegment + 1})).sizes(), (std::vector<std::int64_t>{3, 4, 2, 2 * kSegment}));
  const Tensor mix = noise({3, 2, 2 * kSegment});
  EXPECT_EQ(model->estimate_magnitudes(mix).sizes(), (std::vector<std::int64_t>{3, 4, 2, 33, 18}));
  EXPECT_LT(distance(model->estimate_magnitudes(mix).sum(1), model->magnitudes(mix)), 1e-4);
}

TEST(DeepConvSep, AccompanimentAndVocalsAddUp) {
  const auto model = build("deepconvsep", small("accompaniment_of: vocals"));
  ASSERT_EQ(model->traits().stems.back(), "accompaniment");
  const Tensor mix = noise({1, 2, 900});
  const Tensor stems = separate(*model, mix);
  EXPECT_LT(distance(stems.narrow(1, 0, 4).sum(1), mix), 2e-6);
  const Tensor magnitudes = model->estimate_magnitudes(mix);
  EXPECT_GT(distance(magnitudes.select(1, 4), magnitudes.narrow(1, 0, 3).sum(1)), 1e-3);  // a decoder of its own
}

TEST(DeepConvSep, TakesAnyLength) { expect_any_length(*build("deepconvsep", small()), 16); }

}  // namespace
}  // namespace unbraid::models::testing
