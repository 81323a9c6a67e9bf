// unbraid train nmf: spectra of instruments, for the method nmf_supervised.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "progress_bar.hpp"
#include "unbraid/classic/nmf_dictionary.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/views.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

struct Arguments {
  std::filesystem::path dataset, output;
  std::string split;
  bool overwrite = false;
  classic::DictionaryOptions options;
};

void learn(const Arguments& arguments, const Session& session) {
  if (std::filesystem::exists(arguments.output) && !arguments.overwrite)
    throw Error{ErrorCode::kIo, "exists already; --overwrite replaces it", arguments.output.string()};
  data::DatasetPtr dataset = data::open_dataset(arguments.dataset);
  if (!arguments.split.empty()) dataset = data::with_split(dataset, arguments.split);
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const classic::NmfDictionary learnt = classic::learn_dictionary(*dataset, arguments.options, run);
  classic::save_dictionary(arguments.output, learnt);
  bar.clear();
  if (session.json) {
    const nlohmann::ordered_json document{{"schema", "unbraid.train_nmf/1"}, {"output", arguments.output.string()},
                                          {"stems", learnt.stems},           {"components", arguments.options.components},
                                          {"tracks", dataset->size()},       {"sample_rate", learnt.sample_rate},
                                          {"window", learnt.window}};
    fmt::print("{}\n", document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    fmt::print("{}: {} spectra each of {}, from {} track{}\n", arguments.output.string(), arguments.options.components,
               fmt::join(learnt.stems, ", "), dataset->size(), dataset->size() == 1 ? "" : "s");
  }
}

}  // namespace

void add_train_nmf(CLI::App& program, Session& session) {
  CLI::App* const verb =
      program.get_subcommand("train")->add_subcommand("nmf", "learn spectra of instruments, for the method nmf_supervised");
  const auto arguments = std::make_shared<Arguments>();
  auto& options = arguments->options;
  verb->add_option("dataset", arguments->dataset, "tracks with their true stems")->type_name("DIR")->required();
  verb->add_option("-o,--output", arguments->output, "the dictionary, a .safetensors file")->type_name("FILE")->required();
  verb->add_option("--stems", options.stems, "what to learn (default: the stems of the first track)")
      ->type_name("NAME")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',');
  verb->add_option("--components", options.components, "spectra per stem")->type_name("N")->capture_default_str();
  verb->add_option("--iterations", options.iterations, "of the factorisation")->type_name("N")->capture_default_str();
  verb->add_option("--window-ms", options.window_ms, "length of the analysis window")->type_name("MS")->capture_default_str();
  verb->add_option("--max-frames", options.max_frames, "frames per stem to learn from")->type_name("N")->capture_default_str();
  verb->add_option("--split", arguments->split, "only this split")->type_name("NAME");
  verb->add_option("--seed", options.seed, "of the random start")->type_name("N")->capture_default_str();
  verb->add_flag("--overwrite", arguments->overwrite, "replace the file if it exists");
  verb->callback([arguments, &session] { learn(*arguments, session); });
}

}  // namespace unbraid::app
