// unbraid models parity: a model against what its reference implementation gave.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "unbraid/catalog/neural.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/pipeline/separate.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

void print_json(const std::vector<ParityFile>& files, bool pass) {
  Json list = Json::array();
  for (const ParityFile& file : files)
    list.push_back({{"file", file.file},
                    {"max_abs_error", finite(file.max_abs_error)},
                    {"at", file.at},
                    {"tolerance", file.tolerance},
                    {"pass", file.pass},
                    {"note", file.note}});
  fmt::print("{}\n", Json{{"schema", "unbraid.parity/1"}, {"files", list}, {"pass", pass}}.dump());
}

void print_table(const std::vector<ParityFile>& files) {
  using report::Align;
  report::TextTable table({{"file"}, {"max abs error", Align::kRight}, {"tolerance", Align::kRight}, {"at"}, {""}});
  for (const ParityFile& file : files)
    table.add_row({file.file, fmt::format("{:.2e}", file.max_abs_error), fmt::format("{:.2e}", file.tolerance),
                   fmt::format("{}", fmt::join(file.at, " ")), file.pass ? "ok" : "differs " + file.note});
  fmt::print("{}", table.to_string());
}

}  // namespace

void add_models_parity(CLI::App& models, Session& session) {
  struct Arguments {
    std::string folder;
    double tolerance = 2e-5;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const verb = models.add_subcommand("parity", "compare a model with its reference's values in a folder");
  verb->add_option("folder", arguments->folder, "with a configuration, weights, input.npy, output.npy, inter_*.npy and demix_*.npy")
      ->type_name("DIR")
      ->required();
  verb->add_option("--tolerance", arguments->tolerance, "largest absolute difference of an output")
      ->type_name("X")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->callback([arguments, &session] {
    ThreadPool pool(session.threads);
    RunContext run{.pool = pool, .cancel = session.cancel};
    const auto track = [](AudioView mix, Separator& separator, RunContext& with) {
      return separate(mix, separator.info().sample_rate, separator, {}, with);
    };
    const auto files = catalog::neural_backend().parity(arguments->folder, arguments->tolerance, track, run);
    const bool pass = std::ranges::all_of(files, &ParityFile::pass);
    if (session.json) print_json(files, pass);
    else print_table(files);
    if (!pass) throw Error{ErrorCode::kFormat, "the model differs from its reference", arguments->folder};
  });
}

}  // namespace unbraid::app
