#pragma once
// The verbs of the program, one file each. A verb declares its options on a CLI11 subcommand and, when chosen, calls
// the library; it has no logic of its own. The type name of an option ("METHOD", "STEM", "PARAM", "FILE", "DIR") is what
// shell completion goes by: see declarations.hpp.

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "unbraid/core/cancel.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::app {

/// What every verb shares.
struct Session {
  bool json = false;   ///< one JSON document on stdout, nothing else there
  bool quiet = false;  ///< no progress, no notes on stderr
  std::size_t threads = 0;
  CancelToken cancel;  ///< fires on Ctrl-C
};

// Each adds its subcommand to the program; the session must outlive it.
void add_separate(CLI::App& program, Session& session);
void add_models(CLI::App& program, Session& session);
void add_models_parity(CLI::App& models, Session& session);
void add_models_files(CLI::App& models, Session& session);
void print_model_file(const ModelFiles& files, bool json);
void add_models_store(CLI::App& models, Session& session);
/// `models verify` for models by name (none: all), `models import` without an output. facts: what the options say of the model, by
/// their names.
void verify_installed(std::vector<std::string> names, const Session& session);
void import_to_store(const ModelFiles& files, const std::map<std::string, std::string>& facts, const Session& session);
void add_dataset(CLI::App& program, Session& session);
void add_oracle(CLI::App& program, Session& session);
void add_synth(CLI::App& program, Session& session);
void add_evaluate(CLI::App& program, Session& session);
void add_compare(CLI::App& program, Session& session);
void add_benchmark(CLI::App& program, Session& session);
void add_mix(CLI::App& program, Session& session);
void add_inspect(CLI::App& program, Session& session);
void add_train(CLI::App& program, Session& session);
void add_train_nmf(CLI::App& program, Session& session);  // after add_train: unbraid train nmf
void add_menu(CLI::App& program, Session& session);
/// Asks and runs until the user has enough.
void run_menu();
void add_completion(CLI::App& program, Session& session);
void add_man(CLI::App& program, Session& session);

}  // namespace unbraid::app
