// unbraid evaluate: estimates against references.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <set>

#include "progress_bar.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/aggregate.hpp"
#include "unbraid/evaluate/evaluate_dataset.hpp"
#include "unbraid/evaluate/oracle_run.hpp"
#include "unbraid/report/evaluation_page.hpp"
#include "unbraid/report/scores.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;

struct EvaluateArguments {
  fs::path reference, estimate, output;
  std::string reference_format = "auto";
  evaluate::EvaluateOptions options;
  bool list_metrics = false;
};

/// A column per metric, as many as were measured.
report::TextTable table_of(const std::vector<std::string>& first_columns, const evaluate::EvaluateOptions& options,
                           std::vector<std::string>& results) {
  std::vector<report::Column> columns;
  for (const std::string& title : first_columns) columns.push_back({title});
  for (const auto& metric : evaluate::known_metrics())
    if (std::ranges::find(options.metrics, metric.name) != options.metrics.end())
      for (const std::string& name : metric.results) {
        results.push_back(name);
        columns.push_back({name.starts_with("bsseval_v4.") ? name.substr(11) : name, report::Align::kRight});
      }
  return report::TextTable(columns);
}

void print_track(const evaluate::TrackResult& track, const evaluate::EvaluateOptions& options) {
  std::vector<std::string> results;
  report::TextTable table = table_of({"  target"}, options, results);
  for (const auto& target : track.targets) {
    std::vector<std::string> row{"  " + target.name};
    for (const auto& name : results) row.push_back(target.metrics.contains(name) ? report::score_text(target.metrics.at(name)) : "—");
    table.add_row(row);
  }
  fmt::print("{}\n{}", track.id().label(), table.to_string());
}

void print_notes(const evaluate::TrackResult& track, bool quiet) {
  const std::string name = track.id().label();
  for (const auto& warning : track.warnings) fmt::print(stderr, "unbraid: warning: {}: {}\n", name, warning);
  for (const auto& target : track.targets)
    if (!quiet && !target.not_applicable.empty())
      fmt::print(stderr, "unbraid: {}: {} not applicable: {}\n", name, target.name, target.not_applicable);
  if (!track.missing.empty()) fmt::print(stderr, "unbraid: warning: {}: no estimate of {}\n", name, fmt::join(track.missing, ", "));
  if (!track.extra.empty()) fmt::print(stderr, "unbraid: warning: {}: no reference for {}\n", name, fmt::join(track.extra, ", "));
}

void print_summary(std::span<const evaluate::TrackResult> tracks, const evaluate::EvaluateOptions& options) {
  std::vector<std::string> results;
  report::TextTable table = table_of({"target", "scores"}, options, results);
  const auto add_row = [&](const std::string& target, const std::map<std::string, evaluate::Summary>& summaries) {
    std::size_t count = 0;
    for (const auto& [name, summary] : summaries) count = std::max(count, summary.tracks);
    std::vector<std::string> row{target, fmt::to_string(count)};
    for (const auto& name : results) row.push_back(summaries.contains(name) ? report::score_text(summaries.at(name).median) : "—");
    table.add_row(row);
  };
  const evaluate::Summaries targets = evaluate::aggregate(tracks);
  for (const auto& [target, summaries] : targets) add_row(target, summaries);
  if (targets.size() > 1) add_row("all", evaluate::overall(tracks));
  fmt::print("\nmedian of {} tracks\n{}", tracks.size(), table.to_string());
}

/// The estimate's file relative to the report, for its player; empty when it is not found.
std::string link_to(const fs::path& estimates, const evaluate::TrackId& track, const std::string& target, const fs::path& output) {
  for (const fs::path& folder : {estimates / track.split / track.name, estimates / track.name, estimates})
    for (const char* extension : {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"})
      if (const fs::path file = folder / (target + extension); fs::exists(file)) {
        std::error_code none;
        return fs::relative(file, output, none).generic_string();
      }
  return {};
}

/// Where museval keeps a track's scores: in a folder of its subset, which is "test" unless the dataset says otherwise.
fs::path museval_file(const evaluate::TrackId& track) {
  const std::string split = track.split.empty() ? "test" : track.split;
  return fs::path("museval") / evaluate::path_component(split) / (evaluate::path_component(track.name) + ".json");
}

void write_results(evaluate::DatasetResult& result, const EvaluateArguments& arguments) {
  fs::create_directories(arguments.output);
  for (auto& track : result.tracks)
    for (auto& target : track.targets) target.estimate_file = link_to(arguments.estimate, track.id(), target.name, arguments.output);
  write_file_atomically(arguments.output / "evaluate.json", report::evaluation_json(result) + "\n");
  write_file_atomically(arguments.output / "scores.csv", report::scores_csv(result.tracks));
  write_file_atomically(arguments.output / "summary.md", report::summary_markdown(result));
  write_file_atomically(arguments.output / "report.html",
                        report::evaluation_page(result, {.title = arguments.estimate.filename().string()}));
  for (const auto& track : result.tracks)
    if (!track.window_start_s.empty()) write_file_atomically(arguments.output / museval_file(track.id()), report::museval_json(track));
}

void evaluate_all(EvaluateArguments& arguments, const Session& session) {
  arguments.options.pictures = !arguments.output.empty();
  arguments.options.validate();
  const auto references = data::open_dataset(arguments.reference, {.format = arguments.reference_format}),
             estimates = data::open_dataset(arguments.estimate);
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  auto result = evaluate::evaluate_dataset(*references, *estimates, arguments.options, run, [&](const auto& track) {
    bar.clear();
    if (!session.json) print_track(track, arguments.options);
    print_notes(track, session.quiet);
  });
  bar.clear();
  if (!arguments.output.empty()) write_results(result, arguments);
  if (session.json) fmt::print("{}\n", report::evaluation_json(result));
  else if (result.tracks.size() > 1) print_summary(result.tracks, arguments.options);
  if (!result.missing.empty())
    fmt::print(stderr, "unbraid: warning: no estimates of {} tracks: {}\n", result.missing.size(), fmt::join(result.missing, ", "));
  if (!result.extra.empty())
    fmt::print(stderr, "unbraid: warning: no references for {} tracks: {}\n", result.extra.size(), fmt::join(result.extra, ", "));
  if (!session.quiet && !arguments.output.empty())
    fmt::print(stderr, "unbraid: report in {}\n", (arguments.output / "report.html").string());
  for (const auto& failure : result.failures) fmt::print(stderr, "unbraid: {}: {}\n", failure.track, failure.reason);
  if (!result.failures.empty())
    throw Error{ErrorCode::kFormat,
                fmt::format("{} of {} tracks could not be scored", result.failures.size(), result.failures.size() + result.tracks.size())};
}

void print_metrics() {
  report::TextTable table({{"metric"}, {"what it is"}});
  for (const auto& metric : evaluate::known_metrics()) table.add_row({metric.name, metric.help});
  fmt::print("{}", table.to_string());
}

}  // namespace

void add_evaluate(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("evaluate", "score estimated stems against the true ones");
  const auto arguments = std::make_shared<EvaluateArguments>();
  auto& options = arguments->options;
  verb->add_option("-r,--reference", arguments->reference, "true stems: a dataset, or folders of stems")->type_name("DIR");
  verb->add_option("-e,--estimate", arguments->estimate, "estimated stems, in folders named like the tracks")->type_name("DIR");
  verb->add_option("-o,--output", arguments->output, "folder for evaluate.json, tables, museval's JSON and report.html")->type_name("DIR");
  std::vector<std::string> names;
  for (const auto& metric : evaluate::known_metrics()) names.push_back(metric.name);
  verb->add_option("--metrics", options.metrics, "which scores, separated by commas (--list-metrics explains them)")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  verb->add_option("--window", options.window_s, "BSS Eval's window in s (0: the whole track)")->capture_default_str();
  verb->add_option("--hop", options.hop_s, "from window to window in s")->capture_default_str();
  verb->add_option("--filter-length", options.filter_length, "taps of BSS Eval's filters")->capture_default_str();
  verb->add_flag("--accompaniment", options.accompaniment, "score the sum of all stems but the vocals, too");
  verb->add_flag("--strict", options.strict, "signals of different lengths are an error");
  verb->add_flag("--compat", options.compat, "museval's rules for silence, to the letter");
  verb->add_option("--reference-format", arguments->reference_format,
                   "the layout of the true stems; musdb18_stempeg: .stem.mp4 as read for published scores")
      ->capture_default_str();
  verb->add_flag("--list-metrics", arguments->list_metrics, "explain the metrics and stop");
  verb->callback([arguments, &session] {
    if (arguments->list_metrics) return print_metrics();
    if (arguments->reference.empty() || arguments->estimate.empty())
      throw Error{ErrorCode::kUsage, "needs --reference DIR and --estimate DIR", "evaluate"};
    evaluate_all(*arguments, session);
  });
}

}  // namespace unbraid::app
