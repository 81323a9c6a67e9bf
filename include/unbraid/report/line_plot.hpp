#pragma once
// Curves as SVG, in the style of the report pages.
//
//   std::string svg = line_plot_svg({{"loss", {{1, 0.5}, {2, 0.4}}}}, {.x_label = "step", .y_label = "loss"});

#include <string>
#include <utility>
#include <vector>

namespace unbraid::report {

struct Curve {
  std::string label;
  std::vector<std::pair<double, double>> points;  ///< x ascending; a y that is not finite breaks the line
  bool dashed = false;
};

struct LinePlotOptions {
  std::string x_label, y_label;
  bool logarithmic = false;  ///< y; values that are not above 0 are left out
};

/// Long curves are drawn as at most some hundred points, each the mean of its stretch. Empty without any finite point.
std::string line_plot_svg(const std::vector<Curve>& curves, const LinePlotOptions& options);

}  // namespace unbraid::report
