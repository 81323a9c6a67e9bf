#pragma once
// Quality against speed, as SVG to be put into an HTML page.
//
//   std::string svg = report::speed_plot_svg({{"hpss", 900, 2.1, 0}}, {{"oracle:irm", 7.9}}, "drums", "SDR (dB)");

#include <cstddef>
#include <string>
#include <vector>

namespace unbraid::report {

struct SpeedPoint {
  std::string name;
  double realtime_factor;  ///< > 0
  double quality;
  bool hollow = false;  ///< drawn as a ring
};

struct QualityLine {
  std::string name;
  double quality;
};

/// "84.7", "1850": three digits, and never a power of ten.
std::string speed_text(double realtime_factor);

/// Speed on a logarithmic axis, a labelled dot per point, a dashed line per bound. Points without finite numbers are
/// left out. Labels are moved apart while there is room.
std::string speed_plot_svg(const std::vector<SpeedPoint>& points, const std::vector<QualityLine>& lines, const std::string& title,
                           const std::string& quality_label);

}  // namespace unbraid::report
