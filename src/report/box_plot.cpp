#include "unbraid/report/box_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace unbraid::report {

namespace {

constexpr double kWidth = 520, kTop = 4, kBottom = 40, kRow = 24, kRight = 48;
constexpr double kLetter = 6.2;  ///< the mean width of a letter at 11 pixels

/// The q-th quantile of sorted values.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// A step of 1, 2 or 5 times a power of ten that divides the range into at most about eight.
double tick_step(double range) {
  const double rough = range / 8;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string box_plot_svg(const std::vector<Distribution>& distributions, const std::string& axis_label) {
  std::vector<std::vector<double>> sorted;
  double low = INFINITY, high = -INFINITY;
  for (const Distribution& distribution : distributions) {
    std::vector<double>& values = sorted.emplace_back();
    std::ranges::copy_if(distribution.values, std::back_inserter(values), [](double v) { return std::isfinite(v); });
    std::ranges::sort(values);
    if (values.empty()) continue;
    low = std::min(low, values.front());
    high = std::max(high, values.back());
  }
  if (low > high) low = high = 0;
  if (high - low < 1e-9) {
    low -= 1;
    high += 1;
  }
  const double step = tick_step(high - low);
  low = std::floor(low / step) * step;
  high = std::ceil(high / step) * step;
  std::size_t longest = 0;
  for (const Distribution& distribution : distributions) longest = std::max(longest, distribution.name.size());
  const double left = std::clamp(kLetter * static_cast<double>(longest) + 12, 40.0, kWidth / 2);
  const double bottom_line = kTop + kRow * static_cast<double>(distributions.size()), height = bottom_line + kBottom;
  const auto x_of = [&](double value) { return left + (value - low) / (high - low) * (kWidth - left - kRight); };

  std::string svg;
  auto out = std::back_inserter(svg);
  fmt::format_to(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:g} {:g}\" width=\"{:g}\" "
                 "font-family=\"sans-serif\" font-size=\"11\" role=\"img\" aria-label=\"{}\">\n",
                 kWidth, height, kWidth, escape_html(axis_label));
  for (double tick = low; tick <= high + step / 2; tick += step) {
    fmt::format_to(out,
                   "<line x1=\"{0:.2f}\" x2=\"{0:.2f}\" y1=\"{1:g}\" y2=\"{2:g}\" stroke=\"#ddd\"/>"
                   "<text x=\"{0:.2f}\" y=\"{3:g}\" text-anchor=\"middle\">{4:.4g}</text>\n",
                   x_of(tick), kTop, bottom_line, bottom_line + 15, std::abs(tick) < step / 2 ? 0 : tick);
  }
  fmt::format_to(out, "<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\" fill=\"#666\">{}</text>\n", (left + kWidth - kRight) / 2,
                 height - 8, escape_html(axis_label));
  for (std::size_t i = 0; i < distributions.size(); ++i) {
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    const std::vector<double>& values = sorted[i];
    fmt::format_to(out,
                   "<text x=\"{0:g}\" y=\"{1:g}\" text-anchor=\"end\">{2}</text>"
                   "<text x=\"{3:g}\" y=\"{1:g}\" text-anchor=\"end\" fill=\"#666\">n = {4}</text>\n",
                   left - 8, y + 4, escape_html(distributions[i].name), kWidth, values.size());
    if (values.empty()) continue;
    const double q1 = quantile(values, 0.25), median = quantile(values, 0.5), q3 = quantile(values, 0.75);
    const double reach = 1.5 * (q3 - q1);
    const double least = *std::ranges::find_if(values, [&](double v) { return v >= q1 - reach; });
    const double greatest = *std::find_if(values.rbegin(), values.rend(), [&](double v) { return v <= q3 + reach; });
    double mean = 0;
    for (const double value : values) mean += value / static_cast<double>(values.size());
    fmt::format_to(out,
                   "<path d=\"M{1:.2f} {0:g}H{2:.2f}M{3:.2f} {0:g}H{4:.2f}M{1:.2f} {5:g}v8M{4:.2f} {5:g}v8\" "
                   "stroke=\"#333\" fill=\"none\"/>",
                   y, x_of(least), x_of(q1), x_of(q3), x_of(greatest), y - 4);
    fmt::format_to(out,
                   "<rect x=\"{0:.2f}\" y=\"{1:g}\" width=\"{2:.2f}\" height=\"14\" fill=\"#9ecae1\" stroke=\"#333\"/>"
                   "<line x1=\"{3:.2f}\" x2=\"{3:.2f}\" y1=\"{1:g}\" y2=\"{4:g}\" stroke=\"#08306b\" stroke-width=\"2\"/>",
                   x_of(q1), y - 7, x_of(q3) - x_of(q1), x_of(median), y + 7);
    for (const double value : values) {
      if (value < least || value > greatest) {
        fmt::format_to(out, "<circle cx=\"{:.2f}\" cy=\"{:g}\" r=\"2.5\" fill=\"none\" stroke=\"#333\"/>", x_of(value), y);
      }
    }
    fmt::format_to(out,
                   "<path d=\"M{:.2f} {:g}l4 4l-4 4l-4 -4z\" fill=\"#d94801\"><title>mean {:.2f}, median "
                   "{:.2f}</title></path>",
                   x_of(mean), y - 4, mean, median);
    svg += '\n';
  }
  svg += "</svg>\n";
  return svg;
}

}  // namespace unbraid::report
