#include "unbraid/report/oracle_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "unbraid/report/box_plot.hpp"
#include "unbraid/report/scores.hpp"
#include "unbraid/report/text_table.hpp"

namespace unbraid::report {

namespace {

using evaluate::OracleMask;
using evaluate::OracleResult;
using evaluate::OracleRun;

std::string decibels(double value) { return std::isnan(value) ? "n/a" : fmt::format("{:.2f}", value); }

std::string correlation_text(const OracleResult& result) {
  return std::isnan(result.correlation) ? "n/a" : fmt::format("{:.12f}", result.correlation);
}

/// What a mask is called in print.
std::string title_of(const std::string& mask) {
  if (mask == "ibm") return "Ideal binary mask (IBM)";
  if (mask == "ibm_threshold") return "Ideal binary mask, SiSEC's threshold";
  if (mask == "irm") return "Ideal ratio mask (IRM)";
  if (mask == "irm_root") return "Ideal ratio mask, root of the power ratio";
  if (mask == "psm") return "Phase-sensitive mask (PSM)";
  if (mask == "psm_unclipped") return "Phase-sensitive mask, unclipped";
  if (mask == "psa") return "Phase-sensitive ratio mask (PSA)";
  if (mask.starts_with("wiener")) return "Wiener mask (p = " + mask.substr(6) + ")";
  if (mask == "cirm") return "Complex ideal ratio mask (cIRM)";
  if (mask == "mwf") return "Multichannel Wiener filter (MWF)";
  return mask;
}

std::string interpretation(const OracleResult& result) {
  const auto has = [&](const char* name) { return std::ranges::find(result.masks, name, &OracleMask::name) != result.masks.end(); };
  std::string text =
      "What this means\n"
      "- Each mask knows the true stems: no separator that applies such a mask to the mixture's phase can\n"
      "  be expected to do better. Separators that estimate phase or waveforms are not bound by it.\n";
  if (has("irm") && has("wiener1")) text += "- IRM and Wiener p = 1 are one formula, |S| / sum |S|: the same result under two names.\n";
  if (has("psm")) text += "- The phase-sensitive mask is the real gain nearest to each stem, so it exceeds the others.\n";
  text += "- SI-SDR ignores the gain of an estimate; higher is better.\n";
  if (result.seed_arithmetic)
    text +=
        "- 0.00 dB is what epsilon makes of a silent stem. It is no measurement, yet the notebook's mean "
        "counts it.\n";
  else text += "- A silent stem has no score and keeps out of the mean.\n";
  return text;
}

}  // namespace

std::string oracle_text(const OracleResult& result) {
  std::string text;
  auto out = std::back_inserter(text);
  const double rate = result.sample_rate;
  fmt::format_to(out, "{}\n\n", result.track);
  TextTable settings({{"transform"}, {""}});
  settings.add_row(
      {"window", fmt::format("{} samples ({:.1f} ms), Hann", result.window, 1000 * static_cast<double>(result.window) / rate)});
  settings.add_row(
      {"hop", fmt::format("{} samples ({:.1f} ms), overlap {:.0f} %", result.hop, 1000 * static_cast<double>(result.hop) / rate,
                          100 * (1 - static_cast<double>(result.hop) / static_cast<double>(result.window)))});
  settings.add_row({"spectrogram", fmt::format("{} bins (0 to {:g} Hz) x {} frames", result.window / 2 + 1, rate / 2, result.frames)});
  settings.add_row({"mixture", fmt::format("{:.2f} s at {:g} Hz, {} channel{}{}", static_cast<double>(result.samples) / rate, rate,
                                           result.channels, result.channels == 1 ? "" : "s",
                                           result.trim_s > 0 ? fmt::format(", trimmed to {:g} s", result.trim_s) : "")});
  text += settings.to_string() + "\n";

  fmt::format_to(out, "{} stems loaded\n", result.stems.size());
  for (const std::string& stem : result.stems) fmt::format_to(out, "  {}\n", stem);
  for (const auto& [stem, reason] : result.skipped) fmt::format_to(out, "  {} skipped: {}\n", stem, reason);
  const bool nothing = std::isnan(result.correlation) && std::isnan(result.residual_db);  // all silent
  fmt::format_to(out, "\nThe sum of the stems against the mixture: correlation {}, residual {}{}\n\n", correlation_text(result),
                 residual_text(result.residual_db),
                 nothing || result.correlation > 0.99 ? "" : "  WARNING: the stems do not sum to the mixture");

  std::vector<Column> columns{{"SI-SDR (dB)"}};
  for (const OracleMask& mask : result.masks) columns.push_back({mask.name, Align::kRight});
  TextTable scores(columns);
  for (std::size_t s = 0; s < result.stems.size(); ++s) {
    std::vector<std::string> row{result.stems[s]};
    for (const OracleMask& mask : result.masks) row.push_back(decibels(mask.si_sdr_db[s]));
    scores.add_row(std::move(row));
  }
  std::vector<std::string> means{"mean"};
  for (const OracleMask& mask : result.masks) means.push_back(decibels(mask.mean_db));
  scores.add_row(std::move(means));
  text += scores.to_string() + "\n";

  std::vector<OracleMask> ranked = result.masks;
  std::ranges::stable_sort(ranked, std::greater{}, &OracleMask::mean_db);
  TextTable summary({{"Summary"}, {"mean SI-SDR (dB)", Align::kRight}});
  for (const OracleMask& mask : ranked) summary.add_row({title_of(mask.name), decibels(mask.mean_db)});
  text += summary.to_string() + "\n" + interpretation(result);
  return text;
}

std::string oracle_summary_text(const OracleRun& run) {
  std::vector<Column> columns{{"track"}, {"stems", Align::kRight}};
  for (const std::string& mask : run.options.masks) columns.push_back({mask, Align::kRight});
  TextTable table(columns);
  for (const OracleResult& result : run.results) {
    std::vector<std::string> row{result.track, std::to_string(result.stems.size())};
    for (const OracleMask& mask : result.masks) row.push_back(decibels(mask.mean_db));
    table.add_row(std::move(row));
  }
  const auto all = evaluate::aggregate(run);
  const auto add = [&](const char* name, double evaluate::OracleAggregate::*value) {
    std::vector<std::string> row{name, ""};
    for (const auto& a : all) row.push_back(decibels(a.*value));
    table.add_row(std::move(row));
  };
  add("mean", &evaluate::OracleAggregate::mean_db);
  add("median", &evaluate::OracleAggregate::median_db);
  add("std", &evaluate::OracleAggregate::deviation_db);
  std::string text = "Mean SI-SDR (dB) of each track's stems\n" + table.to_string();
  for (const OracleResult& result : run.results)
    for (const auto& [stem, reason] : result.skipped) text += fmt::format("{}: {} skipped: {}\n", result.track, stem, reason);
  for (const auto& [track, error] : run.failed) text += fmt::format("{} failed: {}\n", track, error);
  return text;
}

std::string oracle_csv(const OracleRun& run) {
  const auto cell = [](std::string value) {
    if (value.find_first_of("\",\r\n") == std::string::npos) return value;
    for (std::size_t at = 0; (at = value.find('"', at)) != std::string::npos; at += 2) value.insert(at, 1, '"');
    return '"' + value + '"';
  };
  std::string csv = "track,mask,stem,si_sdr_db\r\n";
  for (const OracleResult& result : run.results) {
    for (const OracleMask& mask : result.masks) {
      for (std::size_t s = 0; s < result.stems.size(); ++s) {
        const double score = mask.si_sdr_db[s];
        csv += fmt::format("{},{},{},{}\r\n", cell(result.track), mask.name, cell(result.stems[s]),
                           std::isnan(score) ? "" : fmt::format("{}", score));
      }
    }
  }
  return csv;
}

std::string oracle_html(const OracleRun& run) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Oracle bounds</title>\n"
      "<style>body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
      "table{border-collapse:collapse}td,th{padding:.15em .8em;border-bottom:1px solid #ddd;text-align:right}"
      "td:first-child,th:first-child{text-align:left}svg{max-width:100%}</style></head><body>\n";
  auto out = std::back_inserter(html);
  fmt::format_to(out, "<h1>Oracle bounds</h1>\n<p>Ideal masks on {} tracks; {} arithmetic.</p>\n", run.results.size(),
                 run.options.seed_arithmetic ? "the notebook's" : "exact");
  std::vector<Distribution> means, stems;
  for (std::size_t m = 0; m < run.options.masks.size(); ++m) {
    means.push_back({run.options.masks[m], {}});
    stems.push_back({run.options.masks[m], {}});
    for (const OracleResult& result : run.results) {
      means.back().values.push_back(result.masks[m].mean_db);
      std::ranges::copy(result.masks[m].si_sdr_db, std::back_inserter(stems.back().values));
    }
  }
  html += "<h2>Means of the tracks</h2>\n" + box_plot_svg(means, "mean SI-SDR (dB)");
  html += "<h2>All stems</h2>\n" + box_plot_svg(stems, "SI-SDR (dB)");

  html += "<h2>Tracks</h2>\n<table><tr><th>track</th><th>stems</th><th>correlation</th>";
  for (const std::string& mask : run.options.masks) html += "<th>" + escape_html(mask) + "</th>";
  html += "</tr>\n";
  for (const OracleResult& result : run.results) {
    fmt::format_to(out, "<tr><td>{}</td><td>{}</td><td>{}</td>", escape_html(result.track), result.stems.size(), correlation_text(result));
    for (const OracleMask& mask : result.masks) html += "<td>" + decibels(mask.mean_db) + "</td>";
    html += "</tr>\n";
  }
  html += "<tr><th>mean</th><th></th><th></th>";
  for (const auto& a : evaluate::aggregate(run))
    html += "<th>" + decibels(a.mean_db) + (a.tracks > 0 ? " ± " + decibels(a.deviation_db) : "") + "</th>";
  html += "</tr></table>\n";
  for (const auto& [track, error] : run.failed) {
    fmt::format_to(out, "<p>{} failed: {}</p>\n", escape_html(track), escape_html(error));
  }
  return html + "</body></html>\n";
}

}  // namespace unbraid::report
