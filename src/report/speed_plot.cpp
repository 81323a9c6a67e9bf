#include "report/speed_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "unbraid/report/box_plot.hpp"

namespace unbraid::report {

namespace {

constexpr double kWidth = 520, kHeight = 360, kLeft = 48, kRight = 24, kTop = 30, kBottom = 44;
constexpr double kLetter = 5.8, kLine = 12;  ///< the size of a label's letters at 11 pixels

struct Label {
  double x, y, width;  ///< left end and baseline
  bool overlaps(const Label& other) const {
    return x < other.x + other.width + 4 && other.x < x + width + 4 && std::abs(y - other.y) < kLine;
  }
};

/// The free place nearest to a point: right or left of it, close or further, above or below as far as needed.
Label place(double x, double y, const std::string& text, const std::vector<Label>& taken) {
  constexpr double kClose = 7, kFurther = 90;
  const double width = kLetter * static_cast<double>(text.size());
  Label label{};
  for (int step = 0; step < 120; ++step) {
    const double shift = (step + 1) / 2 * (step % 2 == 0 ? 1 : -1) * kLine / 2;  // 0, up, down, further up, …
    for (const double left : {x + kClose, x - kClose - width, x + kFurther, x - kFurther - width}) {
      label = {left, y + 4 + shift, width};
      const bool inside = left >= kLeft && left + width <= kWidth && label.y > kTop && label.y < kHeight - kBottom;
      const auto covers = [&](const Label& other) { return label.overlaps(other); };
      if (inside && std::ranges::none_of(taken, covers)) return label;
    }
  }
  return label;  // no room: over something rather than missing
}

}  // namespace

std::string speed_text(double realtime_factor) {
  return realtime_factor >= 100 ? fmt::format("{:.0f}", realtime_factor) : fmt::format("{:.3g}", realtime_factor);
}

std::string speed_plot_svg(const std::vector<SpeedPoint>& points, const std::vector<QualityLine>& lines, const std::string& title,
                           const std::string& quality_label) {
  std::vector<SpeedPoint> shown;
  std::ranges::copy_if(points, std::back_inserter(shown), [](const SpeedPoint& p) {
    return std::isfinite(p.quality) && std::isfinite(p.realtime_factor) && p.realtime_factor > 0;
  });
  double low = INFINITY, high = -INFINITY, slow = INFINITY, fast = -INFINITY;
  for (const SpeedPoint& p : shown) {
    low = std::min(low, p.quality), high = std::max(high, p.quality);
    slow = std::min(slow, std::log10(p.realtime_factor)), fast = std::max(fast, std::log10(p.realtime_factor));
  }
  for (const QualityLine& line : lines)
    if (std::isfinite(line.quality)) low = std::min(low, line.quality), high = std::max(high, line.quality);
  if (shown.empty()) slow = 0, fast = 1;
  if (!(low <= high)) low = 0, high = 1;
  const double step = high - low > 40 ? 10 : high - low > 16 ? 5 : high - low > 6 ? 2 : 1;
  low = std::floor(low / step - 0.2) * step;
  high = std::ceil(high / step + 0.2) * step;
  slow = std::floor(slow);
  fast = std::max(std::ceil(fast), slow + 1);
  const auto x_of = [&](double decade) { return kLeft + (decade - slow) / (fast - slow) * (kWidth - kLeft - kRight); };
  const auto y_of = [&](double db) { return kTop + (high - db) / (high - low) * (kHeight - kTop - kBottom); };

  std::string svg;
  auto out = std::back_inserter(svg);
  fmt::format_to(out,
                 "<svg viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" font-family=\"sans-serif\" font-size=\"11\" "
                 "role=\"img\" aria-label=\"{2}: quality against speed\">\n"
                 "<text x=\"{3:g}\" y=\"16\" font-size=\"13\" font-weight=\"600\">{2}</text>\n",
                 kWidth, kHeight, escape_html(title), kLeft);
  for (double db = low; db <= high + step / 2; db += step)
    fmt::format_to(out,
                   "<line x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>"
                   "<text x=\"{3:g}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
                   kLeft, kWidth - kRight, y_of(db), kLeft - 6, y_of(db) + 4, db);
  for (double decade = slow; decade <= fast + 0.5; ++decade)
    fmt::format_to(out,
                   "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:g}\" y2=\"{2:g}\" stroke=\"#ddd\"/>"
                   "<text x=\"{0:.1f}\" y=\"{3:g}\" text-anchor=\"middle\">{4:g} ×</text>\n",
                   x_of(decade), kTop, kHeight - kBottom, kHeight - kBottom + 15, std::pow(10, decade));
  fmt::format_to(out,
                 "<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\" fill=\"#666\">seconds of audio per second of one "
                 "processor core</text><text transform=\"translate(12 {:g}) rotate(-90)\" "
                 "text-anchor=\"middle\" fill=\"#666\">{}</text>\n",
                 (kLeft + kWidth - kRight) / 2, kHeight - 8, (kTop + kHeight - kBottom) / 2, escape_html(quality_label));

  std::vector<Label> taken;
  for (const SpeedPoint& p : shown) taken.push_back({x_of(std::log10(p.realtime_factor)) - 3, y_of(p.quality) + 4, 6});
  for (const QualityLine& line : lines) {
    if (!std::isfinite(line.quality)) continue;
    const double y = y_of(line.quality);
    const Label label = place(kLeft - 4, y - 8, line.name, taken);
    taken.push_back(label);
    fmt::format_to(out,
                   "<line x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#666\" "
                   "stroke-dasharray=\"5 4\"/><text x=\"{3:.1f}\" y=\"{4:.1f}\" fill=\"#666\">{5}</text>\n",
                   kLeft, kWidth - kRight, y, label.x, label.y, escape_html(line.name));
  }
  for (const SpeedPoint& p : shown) {
    const double x = x_of(std::log10(p.realtime_factor)), y = y_of(p.quality);
    const Label label = place(x, y, p.name, taken);
    taken.push_back(label);
    const double end = label.x < x ? label.x + label.width : label.x;
    const bool far = std::hypot(end - x, label.y - 4 - y) > 1.5 * kLine;
    if (far) fmt::format_to(out, "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>", x, y, end, label.y - 4);
    fmt::format_to(out,
                   "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" class=\"{}\"><title>{}: {:.2f}, {} × real "
                   "time</title></circle><text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                   x, y, p.hollow ? "ring" : "dot", escape_html(p.name), p.quality, speed_text(p.realtime_factor), label.x, label.y,
                   escape_html(p.name));
  }
  return svg + "</svg>\n";
}

}  // namespace unbraid::report
