#include "unbraid/report/image.hpp"

#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <limits>

#include "unbraid/core/error.hpp"

namespace unbraid::report {
namespace {

/// Decodes with libpng's own reader.
Image decode(const std::string& bytes) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&header, bytes.data(), bytes.size())) return {};
  header.format = PNG_FORMAT_RGB;
  Image image{header.width, header.height, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(header))};
  if (!png_image_finish_read(&header, nullptr, image.rgb.data(), 0, nullptr)) return {};
  return image;
}

int lightness(const Image& image, std::size_t x, std::size_t y) {
  const std::uint8_t* pixel = &image.rgb[3 * (y * image.width + x)];
  return 299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2];  // ITU-R BT.601 luma, in thousandths
}

TEST(Png, DecodesToTheSamePixels) {
  Image image{3, 2, {0, 1, 2, 250, 251, 252, 7, 8, 9, 100, 0, 255, 3, 3, 3, 42, 43, 44}};
  const Image back = decode(encode_png(image));
  EXPECT_EQ(back.width, 3u);
  EXPECT_EQ(back.height, 2u);
  EXPECT_EQ(back.rgb, image.rgb);
}

TEST(Png, RefusesAnImageOfTheWrongSize) {
  EXPECT_THROW(encode_png({2, 2, std::vector<std::uint8_t>(11)}), Error);
  EXPECT_THROW(encode_png({}), Error);
}

TEST(HeatMap, RowZeroIsAtTheBottomAndColoursRise) {
  const std::vector<float> values{0.0f, 1.0f,    // column 0: bottom dark, top bright
                                  0.25f, 0.5f};  // column 1
  const Image image = heat_map(values, 2, 2, {.low = 0, .high = 1});
  ASSERT_EQ(image.width, 2u);
  EXPECT_LT(lightness(image, 0, 1), lightness(image, 1, 1));
  EXPECT_LT(lightness(image, 1, 1), lightness(image, 1, 0));
  EXPECT_LT(lightness(image, 1, 0), lightness(image, 0, 0));
}

TEST(HeatMap, LightnessRisesEverywhere) {
  std::vector<float> ramp(256);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 255;
  const Image image = heat_map(ramp, ramp.size(), 1, {});
  for (std::size_t x = 1; x < image.width; ++x) EXPECT_GE(lightness(image, x, 0) + 1000, lightness(image, x - 1, 0)) << x;
  EXPECT_GT(lightness(image, 255, 0) - lightness(image, 0, 0), 200'000);
}

TEST(HeatMap, MergedPixelsShowTheLargestValueAndNanIsGrey) {
  std::vector<float> values(10, 0.0f);
  values[3] = 1.0f;
  values[9] = std::numeric_limits<float>::quiet_NaN();
  const Image image = heat_map(values, 10, 1, {.max_width = 2});
  ASSERT_EQ(image.width, 2u);
  const Image bright = heat_map(std::vector<float>{1.0f}, 1, 1, {});
  EXPECT_EQ(lightness(image, 0, 0), lightness(bright, 0, 0));
  EXPECT_EQ(lightness(image, 1, 0), 128'000);
}

TEST(HeatMap, RefusesEmptyAndBackwards) {
  EXPECT_THROW(heat_map({}, 0, 0, {}), Error);
  EXPECT_THROW(heat_map(std::vector<float>{1.0f}, 1, 1, {.low = 1, .high = 1}), Error);
  EXPECT_THROW(heat_map(std::vector<float>{1.0f}, 2, 1, {}), Error);
}

}  // namespace
}  // namespace unbraid::report
