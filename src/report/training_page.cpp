#include "unbraid/report/training_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <vector>

#include "report/page_style.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/report/box_plot.hpp"
#include "unbraid/report/line_plot.hpp"

namespace unbraid::report {

namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

/// The cells of a CSV without quotes, without its header; every row has as many as the header.
Rows read_csv(const fs::path& path) {
  std::ifstream file(path);
  Rows rows;
  std::size_t columns = 0;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells;
    std::size_t at = 0;
    while (true) {
      const std::size_t comma = line.find(',', at);
      cells.push_back(line.substr(at, comma - at));
      if (comma == std::string::npos) break;
      at = comma + 1;
    }
    if (columns == 0) {
      columns = cells.size();
      continue;
    }
    if (cells.size() != columns)
      throw Error{ErrorCode::kFormat, fmt::format("row {} has {} cells, not {}", rows.size() + 2, cells.size(), columns), path.string()};
    rows.push_back(std::move(cells));
  }
  return rows;
}

/// NaN for an empty cell.
double number(const std::string& cell) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc{} || end != cell.data() + cell.size())
    throw Error{ErrorCode::kFormat, "is no number, in log.csv or validation.csv", cell};
  return value;
}

Curve column(const Rows& rows, std::size_t index, const char* label) {
  Curve curve{.label = label, .points = {}};
  for (const auto& row : rows) curve.points.emplace_back(number(row[0]), number(row[index]));
  return curve;
}

std::string figure(const std::string& title, const std::string& svg) {
  return svg.empty() ? "" : fmt::format("<figure><figcaption>{}</figcaption>{}</figure>\n", title, svg);
}

// Columns of the two files.
enum Step { kLoss = 1, kRate, kNorm, kSpeed, kWait };
enum Score { kTarget = 1, kTracks, kSdr, kSiSdr, kMixSdr, kMixSiSdr };

/// One curve per target, and, dashed, what the mixture itself scores.
std::vector<Curve> score_curves(const Rows& rows, Score score, Score of_mixture) {
  std::vector<Curve> curves;
  for (const auto& row : rows) {
    auto found = std::ranges::find(curves, row[kTarget], &Curve::label);
    if (found == curves.end()) found = curves.insert(curves.end(), Curve{.label = row[kTarget], .points = {}});
    found->points.emplace_back(number(row[0]), number(row[score]));
  }
  Curve mixture{.label = "mixture", .points = {}, .dashed = true};
  double sum = 0, count = 0;
  for (const auto& row : rows) {
    if (row[0] != rows.back()[0] || row[of_mixture].empty()) continue;
    sum += number(row[of_mixture]);
    ++count;
  }
  if (count > 0)
    for (const auto* row : {&rows.front(), &rows.back()}) mixture.points.emplace_back(number((*row)[0]), sum / count);
  curves.push_back(std::move(mixture));
  return curves;
}

std::string score_table(const Rows& rows) {
  std::string html =
      "<div class=\"wide\"><table><thead><tr><th>target</th><th>tracks</th><th>SDR</th><th>of the mixture</th>"
      "<th>SI-SDR</th><th>of the mixture</th></tr></thead><tbody>\n";
  const auto cell = [](const std::string& text) { return text.empty() ? std::string("—") : fmt::format("{:.2f}", number(text)); };
  for (const auto& row : rows)
    if (row[0] == rows.back()[0])
      html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_html(row[kTarget]),
                          row[kTracks], cell(row[kSdr]), cell(row[kMixSdr]), cell(row[kSiSdr]), cell(row[kMixSiSdr]));
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string training_page(const fs::path& folder) {
  const fs::path log = folder / "log.csv";
  if (!fs::exists(log)) throw Error{ErrorCode::kNotFound, "is no folder of a training run: it has no log.csv", folder.string()};
  const Rows steps = read_csv(log), scores = read_csv(folder / "validation.csv");
  const std::string name = escape_html(fs::absolute(folder).lexically_normal().filename().string());
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
      "<title>{0}: training</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n",
      name, kPageStyle);
  html += fmt::format("<p>{} steps; written by Unbraid {}</p>\n", steps.empty() ? "0" : steps.back()[0], version());
  if (!scores.empty()) {
    html +=
        fmt::format("<h2>Validation</h2>\n<p>dB, medians over the tracks in which the target sounds, at step {}</p>\n", scores.back()[0]);
    html += score_table(scores);
    html += figure("SDR", line_plot_svg(score_curves(scores, kSdr, kMixSdr), {.x_label = "step", .y_label = "SDR / dB"}));
    html += figure("SI-SDR", line_plot_svg(score_curves(scores, kSiSdr, kMixSiSdr), {.x_label = "step", .y_label = "SI-SDR / dB"}));
  }
  html += "<h2>Training</h2>\n";
  const Curve loss = column(steps, kLoss, "loss");
  const bool positive = std::ranges::all_of(loss.points, [](const auto& point) { return point.second > 0; });
  html += figure("Loss", line_plot_svg({loss}, {.x_label = "step", .y_label = "loss", .logarithmic = positive}));
  html += figure("Learning rate", line_plot_svg({column(steps, kRate, "rate")}, {.x_label = "step", .y_label = "learning rate"}));
  html += figure("Norm of the gradient, before clipping",
                 line_plot_svg({column(steps, kNorm, "norm")}, {.x_label = "step", .y_label = "norm", .logarithmic = true}));
  html += figure("Speed", line_plot_svg({column(steps, kSpeed, "items/s")}, {.x_label = "step", .y_label = "items per second"}));
  html += figure("Share of the time that waited for data",
                 line_plot_svg({column(steps, kWait, "waiting")}, {.x_label = "step", .y_label = "share"}));
  if (std::ifstream config(folder / "config.yaml"); config)
    html += fmt::format("<h2>Configuration</h2>\n<pre>{}</pre>\n", escape_html(std::string(std::istreambuf_iterator<char>(config), {})));
  return html + "</body></html>\n";
}

}  // namespace unbraid::report
