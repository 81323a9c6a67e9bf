#include "unbraid/report/evaluation_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include "report/page_style.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/evaluate/aggregate.hpp"
#include "unbraid/metrics/conformance.hpp"
#include "unbraid/report/box_plot.hpp"
#include "unbraid/report/image.hpp"
#include "unbraid/report/scores.hpp"

namespace unbraid::report {

namespace {

using evaluate::TargetResult;
using evaluate::TrackResult;
using Results = std::span<const TrackResult>;

// Okabe and Ito's colours, told apart by every kind of colour vision; legible on white and on black.
constexpr std::array kColours{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a100", "#888888"};

std::string base64(const std::string& bytes) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string cell(double value) {
  if (std::isnan(value)) return "<td data-v=\"\" title=\"not applicable\">—</td>";
  const std::string number = std::isinf(value) ? value > 0 ? "Infinity" : "-Infinity" : fmt::format("{:.6g}", value);
  return fmt::format("<td data-v=\"{}\">{}</td>", number, score_text(value));
}

/// All result names, in the order of known_metrics().
std::vector<std::string> metric_names(Results results) {
  std::set<std::string> present;
  for (const TrackResult& track : results)
    for (const TargetResult& target : track.targets)
      for (const auto& [name, value] : target.metrics) present.insert(name);
  std::vector<std::string> names;
  for (const auto& metric : evaluate::known_metrics())
    std::ranges::copy_if(metric.results, std::back_inserter(names), [&](const auto& n) { return present.contains(n); });
  return names;
}

std::vector<std::string> target_names(Results results) {
  std::vector<std::string> names;
  for (const TrackResult& track : results)
    for (const TargetResult& target : track.targets)
      if (std::ranges::find(names, target.name) == names.end()) names.push_back(target.name);
  return names;
}

std::string aggregate_table(Results results, const std::vector<std::string>& metrics, const std::vector<std::string>& targets) {
  const evaluate::Summaries summaries = evaluate::aggregate(results);
  std::string html = "<div class=\"wide\"><table><thead><tr><th>target</th>";
  for (const auto& metric : metrics) html += fmt::format("<th>{}</th>", metric);
  html += "</tr></thead><tbody>\n";
  const auto add_row = [&](const std::string& name, const char* unit, const std::map<std::string, evaluate::Summary>& of_target) {
    html += fmt::format("<tr><td>{}</td>", name);
    for (const auto& metric : metrics) {
      const auto found = of_target.find(metric);
      if (found == of_target.end() || found->second.tracks == 0) {
        html += fmt::format("<td>{}</td>", score_text(found != of_target.end() ? found->second.median : NAN));
        continue;
      }
      const evaluate::Summary& s = found->second;
      const std::string interval = std::isfinite(s.median_interval.low)
                                       ? fmt::format("95 % interval {:.2f} to {:.2f}, mean {:.2f} ± {:.2f}, ", s.median_interval.low,
                                                     s.median_interval.high, s.mean, s.standard_deviation)
                                       : "";
      html += fmt::format("<td title=\"{}{} {}\">{:.2f}</td>", interval, s.tracks, unit, s.median);
    }
    html += "</tr>\n";
  };
  for (const auto& target : targets) add_row(escape_html(target), "tracks", summaries.at(target));
  if (targets.size() > 1) add_row("<em>all</em>", "scores", evaluate::overall(results));
  return html + "</tbody></table></div>\n";
}

std::string box_plots(Results results, const std::vector<std::string>& metrics, const std::vector<std::string>& targets) {
  std::string html = "<div class=\"plots\">\n";
  for (const auto& metric : metrics) {
    std::vector<Distribution> distributions;
    for (const auto& name : targets) {
      Distribution distribution{name, {}};
      for (const TrackResult& track : results)
        for (const TargetResult& target : track.targets)
          if (target.name == name && target.metrics.contains(metric)) distribution.values.push_back(target.metrics.at(metric));
      distributions.push_back(std::move(distribution));
    }
    html += fmt::format("<figure>{}</figure>\n", box_plot_svg(distributions, evaluate::with_unit(metric)));
  }
  return html + "</div>\n";
}

std::string track_table(Results results, const std::vector<std::string>& metrics) {
  std::string html =
      "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th><button>track</button></th>"
      "<th><button>target</button></th>";
  for (const auto& metric : metrics) html += fmt::format("<th><button>{}</button></th>", metric);
  html += "</tr></thead><tbody>\n";
  for (const TrackResult& track : results) {
    for (const TargetResult& target : track.targets) {
      html += fmt::format("<tr><td>{}</td><td class=\"text\">{}</td>", escape_html(track.id().label()), escape_html(target.name));
      for (const auto& metric : metrics) {
        const auto found = target.metrics.find(metric);
        html += cell(found == target.metrics.end() ? NAN : found->second);
      }
      html += "</tr>\n";
    }
  }
  return html + "</tbody></table></div>\n";
}

/// SDR of the windows, a line per target, broken where a window has no score.
std::string over_time(const TrackResult& track) {
  constexpr double kWidth = 720, kHeight = 180, kLeft = 40, kBottom = 24, kTop = 8;
  double low = INFINITY, high = -INFINITY;
  for (const TargetResult& target : track.targets)
    for (const double v : target.windows.sdr)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  if (low > high || track.window_start_s.size() < 2) return {};
  low = std::floor(low / 5) * 5;
  high = std::max(std::ceil(high / 5) * 5, low + 5);
  const double last = track.window_start_s.back();
  const auto x_of = [&](double s) { return kLeft + (kWidth - kLeft - 8) * s / last; };
  const auto y_of = [&](double v) { return kTop + (high - v) / (high - low) * (kHeight - kTop - kBottom); };

  std::string svg = fmt::format(
      "<figure><svg viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" font-size=\"11\" role=\"img\" "
      "aria-label=\"SDR over time\">",
      kWidth, kHeight);
  const double step = high - low > 40 ? 20 : high - low > 20 ? 10 : 5;
  for (double tick = low; tick <= high; tick += step)
    svg += fmt::format(
        "<line x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/><text x=\"{3:g}\" "
        "y=\"{4:.1f}\" text-anchor=\"end\">{5:g}</text>",
        kLeft, kWidth - 8, y_of(tick), kLeft - 5, y_of(tick) + 4, tick);
  svg += fmt::format("<text x=\"{:g}\" y=\"{:g}\">0 s</text><text x=\"{:g}\" y=\"{:g}\" text-anchor=\"end\">{:.0f} s</text>", kLeft,
                     kHeight - 6, kWidth - 8, kHeight - 6, last);
  std::string key;
  for (std::size_t i = 0; i < track.targets.size(); ++i) {
    const auto& sdr = track.targets[i].windows.sdr;
    std::string path;
    bool pen = false;
    for (std::size_t w = 0; w < sdr.size(); ++w) {
      if (!std::isfinite(sdr[w])) {
        pen = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen ? 'L' : 'M', x_of(track.window_start_s[w]), y_of(sdr[w]));
      pen = true;
    }
    const char* colour = kColours[i % kColours.size()];
    svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" stroke-linecap=\"round\"/>", path, colour);
    key += fmt::format("<span style=\"background:{}\"></span>{}", colour, escape_html(track.targets[i].name));
  }
  return svg + fmt::format("</svg><figcaption class=\"key\">SDR in dB over time{}</figcaption></figure>\n", key);
}

std::string picture(std::span<const float> db, const evaluate::LevelGrid& grid, float low, float high, const std::string& caption) {
  const std::string png = encode_png(heat_map(db, grid.columns, grid.bands, {.low = low, .high = high}));
  return fmt::format("<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption></figure>\n",
                     escape_html(caption), base64(png));
}

/// Reference, estimate and what lies between them, on one scale.
std::string triptych(const TargetResult& target) {
  const auto& s = target.reference_levels;
  const auto& x = target.estimate_levels;
  if (s.db.empty() || x.db.size() != s.db.size()) return {};
  constexpr float kRange = 70, kDifference = 30;
  const float loudest = *std::ranges::max_element(s.db);
  std::vector<float> difference(s.db.size());
  for (std::size_t i = 0; i < s.db.size(); ++i) difference[i] = std::max(x.db[i], loudest - kRange) - std::max(s.db[i], loudest - kRange);
  return "<div class=\"triptych\">\n" + picture(s.db, s, loudest - kRange, loudest, "reference") +
         picture(x.db, x, loudest - kRange, loudest, "estimate") +
         picture(difference, s, -kDifference, kDifference, "difference: bright where the estimate is louder, ±30 dB") + "</div>\n";
}

std::string track_section(const TrackResult& track, bool open) {
  std::string html = fmt::format("<details{}><summary>{}</summary>\n<p>{:.1f} s at {:g} Hz</p>\n", open ? " open" : "",
                                 escape_html(track.id().label()), track.seconds, track.sample_rate);
  for (const auto& warning : track.warnings) html += fmt::format("<p class=\"warning\">{}</p>\n", escape_html(warning));
  for (const auto& stem : track.missing) html += fmt::format("<p class=\"warning\">no estimate of {}</p>\n", escape_html(stem));
  for (const auto& stem : track.extra) html += fmt::format("<p>no reference for {}</p>\n", escape_html(stem));
  html += over_time(track);
  for (const TargetResult& target : track.targets) {
    html += fmt::format("<h3>{}</h3>\n", escape_html(target.name));
    if (!target.not_applicable.empty()) html += fmt::format("<p>not applicable: {}</p>\n", escape_html(target.not_applicable));
    html += triptych(target);
    if (!target.estimate_file.empty())
      html += fmt::format("<audio controls preload=\"none\" src=\"{0}\"></audio> <a href=\"{0}\">{1}</a>\n",
                          escape_html(target.estimate_file), escape_html(target.name));
  }
  return html + "</details>\n";
}

std::string unscored_list(const evaluate::DatasetResult& result) {
  std::string items;
  for (const std::string& line : unscored_tracks(result)) items += fmt::format("<li>{}</li>\n", escape_html(line));
  return items.empty() ? items : "<h2>Not scored</h2>\n<ul>\n" + items + "</ul>\n";
}

}  // namespace

std::string evaluation_page(const evaluate::DatasetResult& result, const EvaluationPageOptions& options) {
  const Results results = result.tracks;
  const auto metrics = metric_names(results);
  const auto targets = target_names(results);
  const std::string title = escape_html(options.title);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n"
      "<p>{} track{}, {} target{}. Unbraid {}, scores of conformance {}.</p>\n",
      title, kPageStyle, title, results.size(), results.size() == 1 ? "" : "s", targets.size(), targets.size() == 1 ? "" : "s", version(),
      metrics::kConformance);
  html += "<h2>Summary</h2>\n<p>Median of the tracks; point at a number for its 95 % interval and mean.</p>\n" +
          aggregate_table(results, metrics, targets) + unscored_list(result);
  if (results.size() > 1) html += "<h2>Distributions</h2>\n" + box_plots(results, metrics, targets);
  html += "<h2>All scores</h2>\n" + track_table(results, metrics) + "<h2>Tracks</h2>\n";
  for (std::size_t i = 0; i < results.size(); ++i) html += track_section(results[i], results.size() == 1);
  return html + fmt::format("<script>{}</script>\n</body>\n</html>\n", kPageScript);
}

}  // namespace unbraid::report
