#include "unbraid/report/line_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "unbraid/report/box_plot.hpp"

namespace unbraid::report {

namespace {

constexpr double kWidth = 640, kHeight = 260, kTop = 14, kBottom = 44, kLeft = 60, kRight = 130;
constexpr std::size_t kPoints = 400;  // per curve: more than there are pixels to tell apart
// Okabe and Ito's colours.
constexpr std::array kColours{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a100", "#888888"};

using Points = std::vector<std::pair<double, double>>;

Points thinned(const Points& points) {
  if (points.size() <= kPoints) return points;
  Points means;
  for (std::size_t k = 0; k < kPoints; ++k) {
    const std::size_t first = k * points.size() / kPoints, last = (k + 1) * points.size() / kPoints;
    double x = 0, y = 0;
    for (std::size_t i = first; i < last; ++i) {
      x += points[i].first;
      y += points[i].second;
    }
    const auto count = static_cast<double>(last - first);
    means.emplace_back(x / count, y / count);
  }
  return means;
}

/// 1, 2 or 5 times a power of ten: at most about six of them in the range.
double tick_step(double range) {
  const double rough = range / 6;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// Never empty.
  void widen() {
    if (high > low) return;
    const double margin = high != 0 ? std::abs(high) / 2 : 1;
    low -= margin;
    high += margin;
  }
};

}  // namespace

std::string line_plot_svg(const std::vector<Curve>& curves, const LinePlotOptions& options) {
  std::vector<Points> drawn;
  Range xs, ys;
  for (const Curve& curve : curves) {
    Points& points = drawn.emplace_back(thinned(curve.points));
    for (auto& [x, y] : points) {
      if (options.logarithmic) y = y > 0 ? std::log10(y) : std::numeric_limits<double>::quiet_NaN();
      if (!std::isfinite(y)) continue;
      xs.add(x);
      ys.add(y);
    }
  }
  if (!(ys.low <= ys.high)) return {};
  xs.widen();
  ys.widen();
  const double right = kWidth - kRight, bottom = kHeight - kBottom;
  const auto px = [&](double x) { return kLeft + (x - xs.low) / (xs.high - xs.low) * (right - kLeft); };
  const auto py = [&](double y) { return bottom - (y - ys.low) / (ys.high - ys.low) * (bottom - kTop); };

  std::string svg =
      fmt::format("<svg width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-size=\"12\" role=\"img\" aria-label=\"{2}\">\n", kWidth,
                  kHeight, escape_html(options.y_label));
  const double y_step = tick_step(ys.high - ys.low);
  for (double y = std::ceil(ys.low / y_step) * y_step; y <= ys.high; y += y_step) {
    const double value = options.logarithmic ? std::pow(10, y) : std::abs(y) < y_step / 2 ? 0 : y;
    svg += fmt::format(
        "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text>\n",
        kLeft, right, py(y), py(y), kLeft - 6, py(y) + 4, value);
  }
  const double x_step = tick_step(xs.high - xs.low);
  for (double x = std::ceil(xs.low / x_step) * x_step; x <= xs.high; x += x_step)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", px(x), bottom + 16, x);
  svg += fmt::format("<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"#333\"/>\n", kLeft, right, bottom);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (kLeft + right) / 2, kHeight - 8,
                     escape_html(options.x_label));
  svg += fmt::format("<text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n", (kTop + bottom) / 2,
                     escape_html(options.y_label));

  for (std::size_t c = 0; c < curves.size(); ++c) {
    const char* const colour = kColours[c % kColours.size()];
    std::string path;
    bool pen_down = false;
    for (const auto& [x, y] : drawn[c]) {
      if (std::isfinite(y)) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", px(x), py(y));
      pen_down = std::isfinite(y);
    }
    const char* const dash = curves[c].dashed ? " stroke-dasharray=\"5 4\"" : "";
    svg +=
        fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" stroke-linecap=\"round\"{}/>\n", path, colour, dash);
    const double row = kTop + 8 + 18 * static_cast<double>(c);
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"2\"{4}/><text x=\"{5}\" y=\"{6}\">{7}</text>\n",
        right + 10, right + 28, row, colour, dash, right + 34, row + 4, escape_html(curves[c].label));
  }
  return svg + "</svg>";
}

}  // namespace unbraid::report
