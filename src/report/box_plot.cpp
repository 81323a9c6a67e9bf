#include "unbraid/report/box_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace unbraid::report {

namespace {

constexpr double kHeight = 260, kTop = 14, kBottom = 52, kLeft = 54, kColumn = 96;

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
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string box_plot_svg(const std::vector<Distribution>& distributions, const std::string& axis_label) {
  std::vector<std::vector<double>> sorted;
  double low = INFINITY, high = -INFINITY;
  for (const Distribution& distribution : distributions) {
    std::vector<double>& values = sorted.emplace_back();
    std::ranges::copy_if(distribution.values, std::back_inserter(values),
                         [](double v) { return std::isfinite(v); });
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
  const double width = kLeft + kColumn * static_cast<double>(distributions.size()) + 10;
  const auto y_of = [&](double value) {
    return kTop + (high - value) / (high - low) * (kHeight - kTop - kBottom);
  };

  std::string svg;
  auto out = std::back_inserter(svg);
  fmt::format_to(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:g} {:g}\" width=\"{:g}\" "
                 "font-family=\"sans-serif\" font-size=\"11\" role=\"img\" aria-label=\"{}\">\n",
                 width, kHeight, width, escape_html(axis_label));
  for (double tick = low; tick <= high + step / 2; tick += step) {
    fmt::format_to(out,
                   "<line x1=\"{}\" x2=\"{:g}\" y1=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"#ddd\"/>"
                   "<text x=\"{}\" y=\"{:.2f}\" text-anchor=\"end\">{:.4g}</text>\n",
                   kLeft, width - 10, y_of(tick), y_of(tick), kLeft - 6, y_of(tick) + 4,
                   std::abs(tick) < step / 2 ? 0 : tick);
  }
  fmt::format_to(out, "<text transform=\"translate(14 {:g}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                 (kHeight - kBottom + kTop) / 2, escape_html(axis_label));
  for (std::size_t i = 0; i < distributions.size(); ++i) {
    const double x = kLeft + kColumn * (static_cast<double>(i) + 0.5);
    const std::vector<double>& values = sorted[i];
    fmt::format_to(out,
                   "<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>"
                   "<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\" fill=\"#666\">n = {}</text>\n",
                   x, kHeight - kBottom + 20, escape_html(distributions[i].name), x, kHeight - kBottom + 36,
                   values.size());
    if (values.empty()) continue;
    const double q1 = quantile(values, 0.25), median = quantile(values, 0.5), q3 = quantile(values, 0.75);
    const double reach = 1.5 * (q3 - q1);
    const double bottom = *std::ranges::find_if(values, [&](double v) { return v >= q1 - reach; });
    const double top =
        *std::find_if(values.rbegin(), values.rend(), [&](double v) { return v <= q3 + reach; });
    double mean = 0;
    for (const double value : values) mean += value / static_cast<double>(values.size());
    fmt::format_to(
        out,
        "<path d=\"M{0:g} {1:.2f}V{2:.2f}M{0:g} {3:.2f}V{4:.2f}M{5:g} {1:.2f}h20M{5:g} {4:.2f}h20\" "
        "stroke=\"#333\" fill=\"none\"/>",
        x, y_of(top), y_of(q3), y_of(q1), y_of(bottom), x - 10);
    fmt::format_to(
        out,
        "<rect x=\"{:g}\" y=\"{:.2f}\" width=\"44\" height=\"{:.2f}\" fill=\"#9ecae1\" stroke=\"#333\"/>"
        "<line x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"#08306b\" stroke-width=\"2\"/>",
        x - 22, y_of(q3), y_of(q1) - y_of(q3), x - 22, x + 22, y_of(median), y_of(median));
    fmt::format_to(out,
                   "<path d=\"M{:g} {:.2f}l4 4l-4 4l-4 -4z\" fill=\"#d94801\"><title>mean {:.2f}, median "
                   "{:.2f}</title></path>",
                   x, y_of(mean) - 4, mean, median);
    for (const double value : values) {
      if (value < bottom || value > top) {
        fmt::format_to(out, "<circle cx=\"{:g}\" cy=\"{:.2f}\" r=\"2.5\" fill=\"none\" stroke=\"#333\"/>", x,
                       y_of(value));
      }
    }
    svg += '\n';
  }
  svg += "</svg>\n";
  return svg;
}

}  // namespace unbraid::report
