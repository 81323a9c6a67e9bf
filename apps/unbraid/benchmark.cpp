// unbraid benchmark: many ways to separate, on one dataset, in one report.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "byte_size.hpp"
#include "progress_bar.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/views.hpp"
#include "unbraid/evaluate/benchmark.hpp"
#include "unbraid/report/benchmark_report.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;
using evaluate::Contender;

constexpr const char* kOracles[] = {"ibm", "irm", "wiener2", "psm"};

struct Arguments {
  fs::path dataset, output;
  std::string split, device = "auto";
  std::vector<std::string> methods;
  std::size_t tracks = 0;
  evaluate::BenchmarkOptions options;
  report::BenchmarkReportOptions report;
};

/// NAME[:key=value…]: a method or a model on this machine with parameters, or the weights of a model, whose keys "config" and
/// "lora" name files.
Contender contender_of(const std::string& text, const std::string& device) {
  std::string name = text;
  std::map<std::string, std::string> settings;
  for (std::size_t colon; (colon = name.rfind(':')) != std::string::npos && name.find('=', colon) != std::string::npos;) {
    const std::size_t equals = name.find('=', colon);
    settings[name.substr(colon + 1, equals - colon - 1)] = name.substr(equals + 1);
    name.resize(colon);
  }
  if (!catalog::names_model_file(name)) {
    const bool pulled = catalog::find_method(name) == nullptr && catalog::ModelStore().installed(name).has_value();
    return Contender::of(pulled ? catalog::installed_method(name, {.device = device}) : catalog::find(name), settings);
  }
  ModelFiles files{.weights = name};
  for (const auto& [key, file] : {std::pair{"config", &files.config}, {"lora", &files.adapters}})
    if (const auto given = settings.find(key); given != settings.end()) {
      *file = given->second;
      settings.erase(given);
    }
  return Contender::of(catalog::model_method(files, {.device = device}), settings);
}

/// "all" and "oracle" stand for several; the mixture is always there, in front. What is named again counts once; of files with one name
/// in different folders, the first is called by its name and the others by their paths.
std::vector<Contender> contenders_of(const Arguments& arguments) {
  std::vector<Contender> contenders{Contender::mixture()};
  const auto taken = [&](const std::string& name) { return std::ranges::find(contenders, name, &Contender::name) != contenders.end(); };
  const auto add = [&](Contender contender) {
    if (!taken(contender.name)) contenders.push_back(std::move(contender));
  };
  std::set<std::string> named;
  for (const std::string& text : arguments.methods) {
    if (!named.insert(text).second) continue;
    if (text == "oracle" || text == "all")
      for (const char* mask : kOracles) add(Contender::oracle(mask));
    if (text == "all")
      for (const Method& method : catalog::methods())
        if (std::ranges::none_of(method.parameters, &Parameter::required)) add(Contender::of(method));
    if (text.starts_with("oracle:")) add(Contender::oracle(text.substr(7)));
    else if (text != "oracle" && text != "all" && text != "mix") {
      Contender contender = contender_of(text, arguments.device);
      if (taken(contender.name)) contender.name = text;
      add(std::move(contender));
    }
  }
  return contenders;
}

std::size_t half_of_this_machine() {
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE)) / 2;
}

void benchmark_all(Arguments arguments, const Session& session) {
  auto& options = arguments.options;
  if (options.max_memory_bytes == 0) options.max_memory_bytes = half_of_this_machine();
  options.folder = arguments.output;
  const std::string& rank_by = arguments.report.metric;  // "si_sdr" measures si_sdr and si_sdr_improvement
  if (std::ranges::none_of(options.scores.metrics, [&](const std::string& metric) { return rank_by.starts_with(metric); }))
    throw Error{ErrorCode::kUsage, "is not measured; ask for it with --metrics", "--rank-by " + rank_by};
  data::DatasetPtr dataset = data::open_dataset(arguments.dataset);
  if (!arguments.split.empty()) dataset = data::with_split(dataset, arguments.split);
  if (arguments.tracks > 0 && arguments.tracks < dataset->size()) {
    std::vector<std::size_t> first(arguments.tracks);
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = i;
    dataset = data::subset(dataset, first);
  }
  arguments.report.dataset = fs::absolute(arguments.dataset).lexically_normal().filename().string();
  if (arguments.report.dataset.empty()) arguments.report.dataset = dataset->format();

  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const auto result = evaluate::benchmark(*dataset, contenders_of(arguments), options, run);
  bar.clear();
  if (result.entries.empty())
    throw Error{ErrorCode::kFormat, result.failures.empty() ? "there are no tracks" : result.failures[0].reason,
                arguments.dataset.string()};

  const std::string json = report::benchmark_json(result, arguments.report) + "\n";
  if (!arguments.output.empty()) {
    write_file_atomically(arguments.output / "benchmark.json", json);
    write_file_atomically(arguments.output / "benchmark.csv", report::benchmark_csv(result));
    write_file_atomically(arguments.output / "benchmark.md", report::benchmark_markdown(result, arguments.report));
    write_file_atomically(arguments.output / "report.html", report::benchmark_page(result, arguments.report));
  }
  fmt::print("{}", session.json ? json : report::benchmark_text(result, arguments.report));
  if (!session.quiet && result.resumed > 0) fmt::print(stderr, "unbraid: {} results taken over from an earlier run\n", result.resumed);
  if (!session.quiet && !arguments.output.empty())
    fmt::print(stderr, "unbraid: report in {}\n", (arguments.output / "report.html").string());
  for (const auto& [track, warning] : result.warnings) fmt::print(stderr, "unbraid: warning: {}: {}\n", result.tracks[track], warning);
  for (const auto& failure : result.failures)
    fmt::print(stderr, "unbraid: {} on {}: {}\n", result.contenders[failure.contender].name, result.tracks[failure.track], failure.reason);
  const auto wrong = std::ranges::count_if(
      result.failures, [](const auto& failure) { return failure.code != ErrorCode::kUnsupported && failure.code != ErrorCode::kUsage; });
  if (wrong > 0)
    throw Error{ErrorCode::kFormat,
                fmt::format("{} of {} results could not be measured", wrong, result.failures.size() + result.entries.size())};
}

}  // namespace

void add_benchmark(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("benchmark", "separate and score every track with every method, in one report");
  const auto arguments = std::make_shared<Arguments>();
  auto& scores = arguments->options.scores;
  verb->add_option("dataset", arguments->dataset, "tracks with their true stems")->type_name("DIR")->required();
  verb->add_option("-m,--methods", arguments->methods,
                   "methods and models on this machine, NAME[:parameter=value]; weights of models, WEIGHTS[:config=FILE][:lora=FILE]; "
                   "oracle masks, oracle[:MASK]; all: every oracle and every method that needs no file. {track} in a "
                   "value is the track's name. The mixture itself is always scored, too")
      ->type_name("METHOD")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->required();
  verb->add_option("-o,--output", arguments->output, "folder for report.html, benchmark.json, .csv, .md and all results")->type_name("DIR");
  verb->add_option("--split", arguments->split, "only this split")->type_name("NAME");
  verb->add_option("--tracks", arguments->tracks, "only the first so many tracks")->type_name("N");
  std::vector<std::string> names;
  for (const auto& metric : evaluate::known_metrics()) names.push_back(metric.name);
  verb->add_option("--metrics", scores.metrics, "which scores (unbraid evaluate --list-metrics explains them)")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  verb->add_option("--rank-by", arguments->report.metric, "the score that methods are ranked by")
      ->type_name("METRIC")
      ->capture_default_str();
  verb->add_option("--window", scores.window_s, "BSS Eval's window in s (0: the whole track)")->capture_default_str();
  verb->add_option("--seed", arguments->options.seed, "of everything random")->type_name("N")->capture_default_str();
  verb->add_option("--device", arguments->device, "of models: auto, cpu, cuda or cuda:N")->capture_default_str();
  verb->add_option("--max-memory", arguments->options.max_memory_bytes, "of all jobs at a time: 500M, 2G (default: half of the machine's)")
      ->type_name("SIZE")
      ->transform(byte_size());
  verb->add_flag("--resume", arguments->options.resume, "take over what an earlier run has finished");
  verb->callback([arguments, &session] { benchmark_all(*arguments, session); });
}

}  // namespace unbraid::app
