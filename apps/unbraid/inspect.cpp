// unbraid inspect: stems without their truth.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "progress_bar.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/inspect.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct InspectArguments {
  std::vector<fs::path> stems;
  fs::path mixture;
};

Json check_json(const evaluate::Check& check) {
  return {{"name", check.name},
          {"verdict", evaluate::to_string(check.verdict)},
          {"value", std::isfinite(check.value) ? Json(check.value) : Json(nullptr)},
          {"unit", check.unit},
          {"text", check.text}};
}

void print_json(const evaluate::Inspection& inspection) {
  Json stems = Json::array(), together = Json::array();
  for (const auto& stem : inspection.stems) {
    Json checks = Json::array();
    for (const auto& check : stem.checks) checks.push_back(check_json(check));
    stems.push_back({{"name", stem.name}, {"checks", checks}});
  }
  for (const auto& check : inspection.together) together.push_back(check_json(check));
  const Json document{{"schema", "unbraid.inspect/1"},
                      {"sample_rate", inspection.sample_rate},
                      {"duration_s", inspection.seconds},
                      {"stems", stems},
                      {"together", together}};
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_table(const evaluate::Inspection& inspection) {
  report::TextTable table({{"stem"}, {"check"}, {"verdict"}, {"what was found"}});
  for (const auto& stem : inspection.stems)
    for (const auto& check : stem.checks)
      table.add_row({stem.name, check.name, std::string(evaluate::to_string(check.verdict)), check.text});
  for (const auto& check : inspection.together)
    table.add_row({"(all)", check.name, std::string(evaluate::to_string(check.verdict)), check.text});
  fmt::print("{}", table.to_string());
}

void inspect_stems(const InspectArguments& arguments, const Session& session) {
  std::vector<evaluate::NamedSource> stems;
  data::SourcePtr mixture;
  if (arguments.stems.size() == 1 && fs::is_directory(arguments.stems[0])) {
    const data::DatasetPtr dataset = data::open_dataset(arguments.stems[0]);
    if (dataset->size() > 1)
      throw Error{ErrorCode::kUsage,
                  fmt::format("holds {} tracks; give the folder of one, such as {}", dataset->size(), dataset->track_name(0)),
                  arguments.stems[0].string()};
    const data::Track track = dataset->track(0);
    for (const auto& stem : track.stems) stems.push_back({stem.name, stem.audio});
    if (track.has_mixture_file) mixture = track.mixture;
  } else {
    for (const fs::path& file : arguments.stems) stems.push_back({file.stem().string(), data::file_source(file)});
  }
  if (!arguments.mixture.empty()) mixture = data::file_source(arguments.mixture);
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const evaluate::Inspection inspection = evaluate::inspect(stems, mixture, run);
  bar.clear();
  if (session.json) print_json(inspection);
  else print_table(inspection);
  std::size_t faults = 0;
  const auto count = [&](const evaluate::Check& check) { faults += check.verdict == evaluate::Verdict::kBad; };
  for (const auto& stem : inspection.stems) std::ranges::for_each(stem.checks, count);
  std::ranges::for_each(inspection.together, count);
  if (faults > 0) throw Error{ErrorCode::kFormat, fmt::format("{} fault{} found", faults, faults == 1 ? "" : "s")};
}

}  // namespace

void add_inspect(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("inspect", "check stems for faults, without references (exit status 1 when there are any)");
  const auto arguments = std::make_shared<InspectArguments>();
  verb->add_option("stems", arguments->stems, "audio files of one track, or its folder")->type_name("PATH")->required();
  verb->add_option("--mix", arguments->mixture, "the mixture that they should add up to")->type_name("FILE");
  verb->callback([arguments, &session] { inspect_stems(*arguments, session); });
}

}  // namespace unbraid::app
