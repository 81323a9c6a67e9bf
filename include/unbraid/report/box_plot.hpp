#pragma once
// Distributions one below the other, as SVG to be put into an HTML page.
//
//   std::string svg = report::box_plot_svg({{"IBM", {4.1, 5.0, 6.2}}, {"Wiener p=2", {5.2, 6.1, 7.0}}},
//   "SI-SDR (dB)");

#include <string>
#include <vector>

namespace unbraid::report {

struct Distribution {
  std::string name;
  std::vector<double> values;  ///< NaN and infinities are left out
};

/// Tukey's box plot (Exploratory Data Analysis, 1977): box from first to third quartile with the median,
/// whiskers to the last values within 1.5 box heights, circles for those beyond; a mark at the mean.
/// Quartiles interpolate linearly between order statistics, as NumPy's do. A name with no finite value keeps
/// its empty place.
std::string box_plot_svg(const std::vector<Distribution>& distributions, const std::string& axis_label);

/// Text for HTML or SVG: & < > " are escaped.
std::string escape_html(const std::string& text);

}  // namespace unbraid::report
