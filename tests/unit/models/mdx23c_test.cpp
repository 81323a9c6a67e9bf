#include <gtest/gtest.h>

#include <string>

#include "networks.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

/// Two scales that halve time and bins; four sub-bands.
std::string small(int dim_f = 32) {
  return "audio: {n_fft: 64, hop_length: 16, num_channels: 2, chunk_size: 240, dim_f: " + std::to_string(dim_f) +
         "}\n"
         "model: {act: gelu, norm: InstanceNorm, num_subbands: 4, num_scales: 2, scale: [2, 2], num_blocks_per_scale: 1,\n"
         "        num_channels: 4, growth: 2, bottleneck_factor: 1}\n"
         "training: {instruments: [a, b]}\n";
}

TEST(Mdx23c, TakesBlocksWhoseColumnsEveryScaleDivides) {
  const auto model = build("mdx23c", small());
  for (const std::int64_t columns : {4, 8, 16})
    EXPECT_EQ(separate(*model, noise({1, 2, 16 * (columns - 1)})).sizes(), (std::vector<std::int64_t>{1, 2, 2, 16 * (columns - 1)}));
  for (const std::int64_t columns : {5, 6, 7, 18})
    EXPECT_EQ(message_of(
                  [&] {
                    separate(*model, noise({1, 2, 16 * (columns - 1)}));
                  },
                  ErrorCode::kUsage),
              "blocks of " + std::to_string(16 * (columns - 1)) + " samples have " + std::to_string(columns) +
                  " columns, and this network takes multiples of 4 only");
}

TEST(Mdx23c, RefusesBinsThatScalesAndSubbandsDoNotDivide) {
  EXPECT_NO_THROW(build("mdx23c", small(16)));
  for (const int bins : {17, 24, 30})
    EXPECT_EQ(message_of([&] { build("mdx23c", small(bins)); }, ErrorCode::kFormat),
              "audio.dim_f is " + std::to_string(bins) + ", and these scales and sub-bands need a multiple of 16");
}

}  // namespace
}  // namespace unbraid::models::testing
