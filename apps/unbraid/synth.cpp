#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "progress_bar.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/synth.hpp"
#include "verbs.hpp"

namespace unbraid::app {
namespace {

struct SynthArguments {
  std::vector<std::string> inputs;
  std::string output;
  data::SynthOptions synth;
  std::string bit_depth = "16";
  std::string format = "wav";
  std::string soundfont = data::SynthOptions{}.soundfont.string();
  std::vector<double> splits;
  std::uint64_t seed = 0;
  std::size_t compose = 0;
  bool overwrite = false;
};

io::SampleFormat sample_format(const std::string& bit_depth) {
  return bit_depth == "16" ? io::SampleFormat::kPcm16 : bit_depth == "24" ? io::SampleFormat::kPcm24 : io::SampleFormat::kFloat32;
}

void print_json(const data::SynthReport& report) {
  nlohmann::ordered_json document{{"schema", "unbraid.synth/1"}, {"tracks", nlohmann::json::array()}, {"skipped", nlohmann::json::array()}};
  for (const auto& made : report.made)
    document["tracks"].push_back({{"track", made.track},
                                  {"source", made.source},
                                  {"duration_s", made.seconds},
                                  {"overall_gain", made.overall_gain},
                                  {"instruments", made.instruments}});
  for (const auto& skipped : report.skipped) document["skipped"].push_back({{"source", skipped.source}, {"reason", skipped.reason}});
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void run_synth(SynthArguments& arguments, const Session& session) {
  if (arguments.inputs.empty() == (arguments.compose == 0))
    throw Error{ErrorCode::kUsage, "give MIDI files or folders, or --compose N", "synth"};
  data::SynthSplits splits{.seed = arguments.seed};
  if (!arguments.splits.empty()) {
    splits.train = arguments.splits[0];
    splits.validation = arguments.splits[1];
    splits.test = arguments.splits[2];
  }
  arguments.synth.format = sample_format(arguments.bit_depth);
  arguments.synth.soundfont = arguments.soundfont;
  const auto pieces = arguments.compose > 0 ? data::composed_pieces(arguments.compose, arguments.seed)
                                            : data::find_midi({arguments.inputs.begin(), arguments.inputs.end()});
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const auto container = arguments.format == "flac" ? io::Container::kFlac : io::Container::kWav;
  const data::SynthReport report = data::synthesize_dataset(pieces, arguments.output, arguments.synth,
                                                            {.container = container, .overwrite = arguments.overwrite}, splits, run);
  bar.clear();
  if (session.json) print_json(report);
  if (!session.json && !session.quiet)
    for (const auto& made : report.made)
      fmt::print("{}  {}  {:.1f} s, {} stems\n", made.track, made.source, made.seconds, made.instruments.size());
  if (!session.quiet)
    for (const auto& skipped : report.skipped) fmt::print(stderr, "skipped {}: {}\n", skipped.source, skipped.reason);
  if (report.made.empty()) throw Error{ErrorCode::kFormat, "none of the pieces could be played", arguments.output};
}

}  // namespace

void add_synth(CLI::App& program, Session& session) {
  auto* verb = program.add_subcommand("synth", "make tracks with stems, in Slakh's layout, from MIDI");
  auto arguments = std::make_shared<SynthArguments>();
  verb->add_option("inputs", arguments->inputs, "MIDI files, or folders of them")->type_name("FILE");
  verb->add_option("-o,--output", arguments->output, "folder for TrackNNNNN/")->required()->type_name("DIR");
  verb->add_option("--compose", arguments->compose, "play so many pieces made up by rule instead")->type_name("N");
  verb->add_option("--rate", arguments->synth.sample_rate, "sample rate of the files in Hz")->capture_default_str();
  verb->add_option("--channels", arguments->synth.channels, "1 or 2")->capture_default_str();
  verb->add_option("--bit-depth", arguments->bit_depth, "16, 24 or 32f")->check(CLI::IsMember({"16", "24", "32f"}))->capture_default_str();
  verb->add_option("--format", arguments->format, "wav or flac")->check(CLI::IsMember({"wav", "flac"}))->capture_default_str();
  verb->add_option("--soundfont", arguments->soundfont, ".sf2 or .sf3 file")->capture_default_str()->type_name("FILE");
  verb->add_option("--splits", arguments->splits, "shares of train, validation and test folders, as 8,1,1")->delimiter(',')->expected(3);
  verb->add_option("--seed", arguments->seed, "draws the splits and the pieces of --compose")->capture_default_str();
  verb->add_option("--length", arguments->synth.length_s, "exact length of every track in s (0: as the piece)")->capture_default_str();
  verb->add_option("--tail", arguments->synth.tail_s, "time for the last notes to die away in s")->capture_default_str();
  verb->add_flag("--reverb", arguments->synth.reverb, "with the synthesiser's reverb (default: dry stems)");
  verb->add_flag("--chorus", arguments->synth.chorus, "with the synthesiser's chorus");
  verb->add_flag("--overwrite", arguments->overwrite, "replace tracks that are there already");
  verb->callback([arguments, &session] { run_synth(*arguments, session); });
}

}  // namespace unbraid::app
