#pragma once
// Pictures of numbers: heat maps with a colour scale, as PNG.
//
//   report::Image image = report::heat_map(levels_db, frames, bins, {.low = -80, .high = 0});
//   write_file_atomically("mix.png", report::encode_png(image));
//
// Pure functions; safe to call from any thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace unbraid::report {

/// 8-bit RGB, row after row from the top.
struct Image {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> rgb;  ///< 3 · width · height
};

struct HeatMapOptions {
  float low = 0;                 ///< value of the darkest colour
  float high = 1;                ///< value of the brightest colour, > low
  std::size_t max_width = 2000;  ///< pixels; more columns are merged, each pixel showing its largest value
  std::size_t max_height = 800;
};

/// values[column · rows + row]: column 0 at the left, row 0 at the bottom, as a spectrogram is drawn. NaN is
/// grey. The colours rise evenly in lightness from black through purple and orange to pale yellow, so that
/// the picture reads the same in grey and with any colour vision. kUsage for an empty grid or low ≥ high.
Image heat_map(std::span<const float> values, std::size_t columns, std::size_t rows, const HeatMapOptions& options);

/// The bytes of a PNG file.
std::string encode_png(const Image& image);

}  // namespace unbraid::report
