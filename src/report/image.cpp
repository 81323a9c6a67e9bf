#include "unbraid/report/image.hpp"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid::report {

namespace {

using Colour = std::array<std::uint8_t, 3>;

/// Black – purple – red – orange – pale yellow; lightness rises by about the same step from stop to stop.
Colour colour_of(float position) {
  static constexpr std::array<std::array<float, 3>, 6> kStops{
      {{0, 0, 4}, {60, 15, 110}, {137, 34, 106}, {212, 72, 66}, {251, 155, 30}, {252, 255, 190}}};
  const float scaled = std::clamp(position, 0.0f, 1.0f) * (kStops.size() - 1);
  const std::size_t below = std::min<std::size_t>(static_cast<std::size_t>(scaled), kStops.size() - 2);
  const float share = scaled - static_cast<float>(below);
  Colour colour;
  for (std::size_t c = 0; c < 3; ++c) {
    colour[c] = static_cast<std::uint8_t>(std::lround((1 - share) * kStops[below][c] + share * kStops[below + 1][c]));
  }
  return colour;
}

}  // namespace

Image heat_map(std::span<const float> values, std::size_t columns, std::size_t rows, const HeatMapOptions& options) {
  if (columns == 0 || rows == 0 || values.size() != columns * rows) {
    throw Error{ErrorCode::kUsage, "a heat map needs columns × rows values", "heat_map"};
  }
  if (!(options.low < options.high)) throw Error{ErrorCode::kUsage, "low must be below high", "heat_map"};
  constexpr Colour kMissing{128, 128, 128};
  const float scale = 1 / (options.high - options.low);

  Image image;
  image.width = std::min(columns, std::max<std::size_t>(options.max_width, 1));
  image.height = std::min(rows, std::max<std::size_t>(options.max_height, 1));
  image.rgb.resize(3 * image.width * image.height);
  for (std::size_t x = 0; x < image.width; ++x) {
    const std::size_t first_column = x * columns / image.width, last_column = (x + 1) * columns / image.width;
    for (std::size_t y = 0; y < image.height; ++y) {
      const std::size_t first_row = y * rows / image.height, last_row = (y + 1) * rows / image.height;
      float largest = -INFINITY;
      bool missing = false;
      for (std::size_t column = first_column; column < last_column; ++column) {
        for (std::size_t row = first_row; row < last_row; ++row) {
          const float value = values[column * rows + row];
          missing = missing || std::isnan(value);
          largest = std::max(largest, value);
        }
      }
      const Colour colour = missing ? kMissing : colour_of((largest - options.low) * scale);
      std::ranges::copy(colour, &image.rgb[3 * ((image.height - 1 - y) * image.width + x)]);
    }
  }
  return image;
}

std::string encode_png(const Image& image) {
  if (image.width == 0 || image.height == 0 || image.rgb.size() != 3 * image.width * image.height) {
    throw Error{ErrorCode::kUsage, "an image needs 3 · width · height bytes", "encode_png"};
  }
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  std::string bytes;
  // The first call asks for the size.
  for (int pass = 0; pass < 2; ++pass) {
    bytes.resize(size);
    if (!png_image_write_to_memory(&header, pass == 0 ? nullptr : bytes.data(), &size, 0, image.rgb.data(), 0, nullptr)) {
      throw Error{ErrorCode::kInternal, std::string("cannot encode: ") + header.message, "encode_png"};
    }
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace unbraid::report
