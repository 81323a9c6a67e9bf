// unbraid dataset: what is in a dataset, whether it is sound, and one track of it.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "progress_bar.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/data/summary.hpp"
#include "unbraid/data/verify.hpp"
#include "unbraid/data/views.hpp"
#include "unbraid/report/scores.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using report::Align;

struct Arguments {
  fs::path path;
  data::OpenOptions open;
  std::string split, track;
  bool random = false, fewest = false;
  std::uint64_t seed = 0;
  data::VerifyOptions verify;
};

data::DatasetPtr open(const Arguments& arguments) {
  data::DatasetPtr dataset = data::open_dataset(arguments.path, arguments.open);
  return arguments.split.empty() ? dataset : data::with_split(dataset, arguments.split);
}

json document(const char* action, const Arguments& arguments, const data::Dataset& dataset) {
  return {{"schema", "unbraid.dataset/1"},
          {"action", action},
          {"path", arguments.path.string()},
          {"format", dataset.format()},
          {"tracks", json::array()}};
}

void print_json(const json& value) { fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace)); }

std::string duration(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

void list(const Arguments& arguments, const Session& session) {
  const data::DatasetPtr dataset = open(arguments);
  ThreadPool pool(session.threads);
  RunContext run{.pool = pool, .cancel = session.cancel};
  const std::vector<data::TrackSummary> summaries = data::summarise(*dataset, run);
  if (session.json) {
    json out = document("ls", arguments, *dataset);
    for (const data::TrackSummary& summary : summaries) out["tracks"].push_back(data::to_json(summary));
    return print_json(out);
  }
  report::TextTable table({{"track"},
                           {"split"},
                           {"length", Align::kRight},
                           {"rate", Align::kRight},
                           {"channels", Align::kRight},
                           {"stems", Align::kRight},
                           {""}});
  double seconds = 0;
  for (const data::TrackSummary& s : summaries) {
    seconds += s.mixture.seconds();
    const std::string remark = !s.error.empty() ? s.error : fmt::format("{}", fmt::join(s.warnings, "; "));
    table.add_row({s.name, s.split, s.error.empty() ? duration(s.mixture.seconds()) : "",
                   s.error.empty() ? fmt::format("{:g}", s.mixture.sample_rate) : "",
                   s.error.empty() ? std::to_string(s.mixture.channels) : "", s.error.empty() ? std::to_string(s.stems.size()) : "",
                   remark});
  }
  fmt::print("{}{} tracks, {:.2f} h, format {}\n", table.to_string(), summaries.size(), seconds / 3600, dataset->format());
}

/// LUFS to a tenth; what is no number is shown as the dataset has it.
std::string loudness(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole ? fmt::format("{:.1f}", value) : text;
}

/// A track with everything that its dataset says about it.
void print_track(const data::TrackSummary& s) {
  fmt::print("{}{}: {} at {:g} Hz, {} channel{}, {} stems\n", s.split.empty() ? "" : s.split + "/", s.name, duration(s.mixture.seconds()),
             s.mixture.sample_rate, s.mixture.channels, s.mixture.channels == 1 ? "" : "s", s.stems.size());
  for (const auto& [key, value] : s.metadata) fmt::print("  {}: {}\n", key, value);
  report::TextTable table({{"stem"}, {"class"}, {"program"}, {"LUFS", Align::kRight}, {"drums"}, {"plugin"}});
  const auto field = [](const data::TrackStem& stem, const char* key) {
    const auto found = stem.metadata.find(key);
    return found == stem.metadata.end() ? std::string() : found->second;
  };
  bool described = false;
  for (const data::TrackStem& stem : s.stems) {
    described = described || !stem.metadata.empty();
    table.add_row({stem.name, stem.instrument, field(stem, "midi_program_name"), loudness(field(stem, "integrated_loudness")),
                   field(stem, "is_drum") == "true" ? "yes" : "", field(stem, "plugin_name")});
  }
  if (described) fmt::print("{}", table.to_string());
  else
    for (const data::TrackStem& stem : s.stems) fmt::print("  {}\n", stem.name);
  for (const std::string& warning : s.warnings) fmt::print("  warning: {}\n", warning);
}

void show(const Arguments& arguments, const Session& session, const char* action, const data::Dataset& dataset,
          const std::vector<std::size_t>& tracks) {
  json out = document(action, arguments, dataset);
  for (const std::size_t track : tracks) {
    const data::TrackSummary summary = data::summarise(dataset, track);
    if (!summary.error.empty()) throw Error{ErrorCode::kFormat, summary.error};
    if (session.json) out["tracks"].push_back(data::to_json(summary));
    else print_track(summary);
  }
  if (session.json) print_json(out);
}

void info(const Arguments& arguments, const Session& session) {
  const data::DatasetPtr dataset = open(arguments);
  if (!arguments.track.empty()) return show(arguments, session, "info", *dataset, {data::find_track(*dataset, arguments.track)});
  if (dataset->size() == 1) return show(arguments, session, "info", *dataset, {0});

  ThreadPool pool(session.threads);
  RunContext run{.pool = pool, .cancel = session.cancel};
  std::map<std::string, std::size_t> splits, stems, rates;
  double seconds = 0;
  std::size_t broken = 0;
  for (const data::TrackSummary& s : data::summarise(*dataset, run)) {
    ++splits[s.split.empty() ? "(none)" : s.split];
    broken += !s.error.empty();
    if (!s.error.empty()) continue;
    seconds += s.mixture.seconds();
    ++rates[fmt::format("{:g} Hz", s.mixture.sample_rate)];
    for (const data::TrackStem& stem : s.stems) ++stems[stem.instrument.empty() ? stem.name : stem.instrument];
  }
  if (session.json) {
    json out = document("info", arguments, *dataset);
    out.erase("tracks");
    out["track_count"] = dataset->size();
    out["duration_s"] = seconds;
    out["splits"] = splits;
    out["sample_rates"] = rates;
    out["stems"] = stems;
    out["unreadable"] = broken;
    return print_json(out);
  }
  fmt::print("{} ({}): {} tracks, {:.2f} h{}\n", arguments.path.string(), dataset->format(), dataset->size(), seconds / 3600,
             broken > 0 ? fmt::format(", {} unreadable (unbraid dataset verify says why)", broken) : "");
  const auto print = [](const char* title, const auto& counts) {
    report::TextTable table({{title}, {"count", Align::kRight}});
    for (const auto& [name, count] : counts) table.add_row({name, std::to_string(count)});
    fmt::print("\n{}", table.to_string());
  };
  print("split", splits);
  print("rate", rates);
  print("stem", stems);
}

void verify(const Arguments& arguments, const Session& session) {
  const data::DatasetPtr dataset = open(arguments);
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const std::vector<data::TrackCheck> checks = data::verify(*dataset, arguments.verify, run);
  const std::vector<fs::path> strays = data::macos_files(arguments.path);
  bar.clear();
  const auto bad = static_cast<std::size_t>(std::ranges::count_if(checks, [](const data::TrackCheck& c) { return !c.ok(); }));
  if (session.json) {
    json out = document("verify", arguments, *dataset);
    out["ok"] = bad == 0;
    for (const data::TrackCheck& check : checks) out["tracks"].push_back(data::to_json(check));
    out["macos_files"] = json::array();
    for (const fs::path& stray : strays) out["macos_files"].push_back(stray.string());
    print_json(out);
  } else {
    report::TextTable table({{"track"}, {"stems", Align::kRight}, {"correlation", Align::kRight}, {"residual", Align::kRight}, {""}});
    for (const data::TrackCheck& c : checks) {
      table.add_row({c.name, std::to_string(c.stems.size()), std::isnan(c.correlation) ? "" : fmt::format("{:.12f}", c.correlation),
                     std::isnan(c.residual_db) ? "" : report::residual_text(c.residual_db), c.ok() ? "ok" : "PROBLEM"});
    }
    fmt::print("{}", table.to_string());
    for (const data::TrackCheck& c : checks) {
      for (const std::string& problem : c.problems) fmt::print("{}: {}\n", c.name, problem);
      for (const std::string& note : c.notes) fmt::print("{}: note: {}\n", c.name, note);
    }
    if (!strays.empty()) fmt::print("note: {} files that macOS left behind, such as {}\n", strays.size(), strays.front().string());
  }
  if (bad > 0) throw Error{ErrorCode::kFormat, fmt::format("{} of {} tracks have problems", bad, checks.size()), arguments.path.string()};
}

void pick(const Arguments& arguments, const Session& session) {
  if (arguments.random == arguments.fewest) throw Error{ErrorCode::kUsage, "pick takes either --random or --fewest", "dataset"};
  const data::DatasetPtr dataset = open(arguments);
  ThreadPool pool(session.threads);
  RunContext run{.pool = pool, .cancel = session.cancel};
  std::size_t track = 0;
  if (arguments.random) {
    track = Rng(arguments.seed).index(dataset->size());
  } else {
    const std::vector<data::StemCount> counts = data::by_stem_count(*dataset, run);
    if (counts.empty()) throw Error{ErrorCode::kFormat, "no track can be loaded", arguments.path.string()};
    track = counts.front().track;
    if (!session.json && !session.quiet) {
      report::TextTable table({{"track"}, {"stems", Align::kRight}});
      for (std::size_t i = 0; i < std::min<std::size_t>(counts.size(), 10); ++i) {
        table.add_row({dataset->track_name(counts[i].track), std::to_string(counts[i].stems)});
      }
      fmt::print("{}\n", table.to_string());
    }
  }
  show(arguments, session, "pick", *dataset, {track});
}

}  // namespace

void add_dataset(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("dataset", "list, describe and verify datasets; pick a track");
  verb->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help, void (*run)(const Arguments&, const Session&)) {
    CLI::App* const action = verb->add_subcommand(name, help);
    action->fallthrough();
    action->add_option("path", arguments->path, "a dataset, one track of it, or a CSV manifest")->required()->type_name("DIR");
    action->add_option("--format", arguments->open.format, "the layout, where it is not recognised")
        ->check(CLI::IsMember({"auto", "slakh", "dsd100", "musdb18", "musdb18_stempeg", "musdb18hq", "mixture_sources", "stem_pools",
                               "track_folders", "manifest"}));
    action->add_option("--split", arguments->split, "only the tracks of this split");
    action->add_option("--split-file", arguments->open.split_file, "JSON that moves or omits tracks (Slakh's split2 and redux)")
        ->type_name("FILE");
    action->callback([arguments, run, &session] { run(*arguments, session); });
    return action;
  };
  add("ls", "a line per track", list);
  add("info", "what the dataset holds, or all about one track", info)->add_option("--track", arguments->track, "this track");
  CLI::App* const verify_verb =
      add("verify", "read every sample: files, rates, lengths, NaN, and whether the stems sum to the mixture", verify);
  verify_verb->add_option("--min-correlation", arguments->verify.min_correlation, "of the sum of the stems with the mixture (default 0.99)")
      ->check(CLI::Range(-1.0, 1.0));
  verify_verb
      ->add_option("--length-tolerance", arguments->verify.length_tolerance_s, "seconds that stems may differ from the mixture (default 0)")
      ->check(CLI::Range(0.0, 1e6));
  CLI::App* const pick_verb = add("pick", "one track: at random, or the one with the fewest stems", pick);
  pick_verb->add_flag("--random", arguments->random, "any track");
  pick_verb->add_option("--seed", arguments->seed, "the same seed picks the same track (default 0)");
  pick_verb->add_flag("--fewest", arguments->fewest, "the track with the fewest stems that have audio, the first of equals");
}

}  // namespace unbraid::app
