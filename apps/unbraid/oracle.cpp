// unbraid oracle: how far ideal masks would get.

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "progress_bar.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/data/summary.hpp"
#include "unbraid/data/views.hpp"
#include "unbraid/evaluate/oracle_run.hpp"
#include "unbraid/report/image.hpp"
#include "unbraid/report/oracle_report.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;

constexpr double kPlotSeconds = 30;

struct Arguments {
  fs::path path, output;
  data::OpenOptions open;
  std::vector<std::string> masks;
  std::optional<double> trim_s;
  std::size_t window = 0, hop = 0;
  std::string track, split, compat;
  bool random = false, fewest = false, save = false, plots = false, resume = false;
  std::uint64_t seed = 0;
};

evaluate::OracleOptions options_of(const Arguments& arguments) {
  evaluate::OracleOptions options = arguments.compat == "seed" ? evaluate::OracleOptions::seed() : evaluate::OracleOptions{};
  if (!arguments.masks.empty()) options.masks = arguments.masks;
  if (arguments.trim_s) options.trim_s = *arguments.trim_s;
  if (arguments.window > 0) options.window = arguments.window;
  if (arguments.hop > 0) options.hop = arguments.hop;
  options.validate();
  return options;
}

/// The whole dataset, or the one track that is asked for.
data::DatasetPtr choose(const Arguments& arguments, RunContext& run) {
  data::DatasetPtr dataset = data::open_dataset(arguments.path, arguments.open);
  if (!arguments.split.empty()) dataset = data::with_split(dataset, arguments.split);
  if (!arguments.track.empty()) return data::subset(dataset, {data::find_track(*dataset, arguments.track)});
  if (arguments.random) return data::subset(dataset, {Rng(arguments.seed).index(dataset->size())});
  if (arguments.fewest) {
    const std::vector<data::StemCount> counts = data::by_stem_count(*dataset, run);
    if (counts.empty()) throw Error{ErrorCode::kFormat, "no track can be loaded", arguments.path.string()};
    // The notebook takes the second of its sorted tracks.
    const bool second = arguments.compat == "seed" && counts.size() > 1;
    return data::subset(dataset, {counts[second ? 1 : 0].track});
  }
  return dataset;
}

void draw_pictures(const Arguments& arguments, const data::Dataset& dataset, const evaluate::OracleOptions& options, RunContext& run) {
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    const fs::path folder = evaluate::oracle_track_folder(arguments.output, dataset, i) / "plots";
    fs::create_directories(folder);
    evaluate::oracle_pictures(dataset.track(i), options, kPlotSeconds, run, [&](const evaluate::OraclePicture& picture) {
      const report::Image image =
          report::heat_map(picture.values, picture.frames, picture.bins, {.low = picture.low, .high = picture.high});
      write_file_atomically(folder / (evaluate::path_component(picture.name) + ".png"), report::encode_png(image));
    });
  }
}

void run_oracle(const Arguments& arguments, const Session& session) {
  const evaluate::OracleOptions options = options_of(arguments);
  if (arguments.output.empty() && (arguments.save || arguments.plots || arguments.resume)) {
    throw Error{ErrorCode::kUsage, "--save, --plots and --resume need a folder: add -o DIR", "oracle"};
  }
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const data::DatasetPtr dataset = choose(arguments, run);
  const evaluate::OracleRun done =
      evaluate::oracle_run(*dataset, options, {.folder = arguments.output, .resume = arguments.resume, .save_stems = arguments.save}, run);
  if (arguments.plots) draw_pictures(arguments, *dataset, options, run);
  bar.clear();

  const std::string json = evaluate::to_json(done).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (!arguments.output.empty()) {
    fs::create_directories(arguments.output);
    write_file_atomically(arguments.output / "oracle.json", json);
    write_file_atomically(arguments.output / "oracle.csv", report::oracle_csv(done));
    write_file_atomically(arguments.output / "oracle.html", report::oracle_html(done));
    if (!session.quiet) fmt::print(stderr, "unbraid: wrote oracle.json, .csv and .html to {}\n", arguments.output.string());
  }
  if (!session.quiet && done.resumed > 0) fmt::print(stderr, "unbraid: {} tracks were done already\n", done.resumed);
  if (session.json) fmt::print("{}", json);
  else if (done.results.size() == 1) fmt::print("{}", report::oracle_text(done.results.front()));
  else if (!done.results.empty()) fmt::print("{}", report::oracle_summary_text(done));
  for (const auto& result : done.results)
    for (const std::string& warning : result.warnings) fmt::print(stderr, "unbraid: warning: {}: {}\n", result.track, warning);
  if (done.failed.empty()) return;
  const auto& [track, error] = done.failed.front();
  if (dataset->size() == 1) throw Error{ErrorCode::kFormat, error};
  throw Error{ErrorCode::kFormat, fmt::format("{} of {} tracks failed, {} first: {}", done.failed.size(), dataset->size(), track, error),
              arguments.path.string()};
}

}  // namespace

void add_oracle(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("oracle", "what ideal masks would reach on a track or a dataset");
  const auto arguments = std::make_shared<Arguments>();
  verb->add_option("path", arguments->path, "a track, a dataset, or a CSV manifest")->required()->type_name("DIR");
  verb->add_option("--masks", arguments->masks,
                   "ibm, ibm_threshold, irm, irm_root, wiener<p>, psm, psm_unclipped, psa, cirm, mwf (default "
                   "ibm,irm,wiener1,wiener2,psm)")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->type_name("LIST");
  verb->add_option("--trim", arguments->trim_s, "only so many seconds from the start; 0 is the whole track, the default");
  verb->add_option("--window", arguments->window, "samples of the Hann window (default: the power of two within 64 ms)")
      ->check(CLI::Range(4, 1 << 20));
  verb->add_option("--hop", arguments->hop, "samples from frame to frame (default: a quarter of the window)")
      ->check(CLI::Range(1, 1 << 19));
  verb->add_option("--compat", arguments->compat, "seed: the oracle notebook's masks, transform, epsilons and ten seconds")
      ->check(CLI::IsMember({"seed"}));
  CLI::Option* const track = verb->add_option("--track", arguments->track, "this track of the dataset");
  CLI::Option* const random = verb->add_flag("--random", arguments->random, "one track at random");
  verb->add_option("--seed", arguments->seed, "the same seed picks the same track (default 0)");
  CLI::Option* const fewest =
      verb->add_flag("--fewest", arguments->fewest, "the track with the fewest stems; with --compat seed the second, as the notebook");
  track->excludes(random)->excludes(fewest);
  random->excludes(fewest);
  verb->add_option("--split", arguments->split, "only the tracks of this split");
  verb->add_option("--split-file", arguments->open.split_file, "JSON that moves or omits tracks (Slakh's split2 and redux)")
      ->type_name("FILE");
  verb->add_option("-o,--output", arguments->output, "folder for oracle.json, oracle.csv, oracle.html and a file per track")
      ->type_name("DIR");
  verb->add_flag("--save", arguments->save, "also write every estimate to DIR/<track>/<mask>/<stem>.wav");
  verb->add_flag("--plots", arguments->plots, "also draw spectrograms and masks of the first 30 s to DIR/<track>/plots");
  verb->add_flag("--resume", arguments->resume,
                 "keep the tracks in DIR that were done with the same options, as long as their audio is the same");
  verb->callback([arguments, &session] { run_oracle(*arguments, session); });
}

}  // namespace unbraid::app
