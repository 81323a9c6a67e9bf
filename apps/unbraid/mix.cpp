#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "progress_bar.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/mix.hpp"
#include "verbs.hpp"

namespace unbraid::app {
namespace {

struct MixArguments {
  std::string recipe;
  std::string output;
  std::string items;
  std::optional<std::uint64_t> seed;
  std::optional<std::size_t> count;
  std::string bit_depth = "32f";
  std::string format = "wav";
  bool overwrite = false;
};

/// "3", "0-9", "0-4,7"
std::vector<std::size_t> parse_items(const std::string& text) {
  std::vector<std::size_t> items;
  const auto number = [&](std::string_view part) {
    std::size_t value = 0;
    const auto [end, failure] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (failure != std::errc{} || end != part.data() + part.size())
      throw Error{ErrorCode::kUsage, fmt::format("'{}' is not a list such as 0-9,12", text), "--items"};
    return value;
  };
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view part = std::string_view(text).substr(start, comma - start);
    const std::size_t dash = part.find('-');
    const std::size_t first = number(part.substr(0, dash));
    const std::size_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (last < first || last - first > 100'000'000) throw Error{ErrorCode::kUsage, fmt::format("'{}' is no range", part), "--items"};
    for (std::size_t i = first; i <= last; ++i) items.push_back(i);
    start = comma + 1;
  }
  return items;
}

void run_mix(const MixArguments& arguments, const Session& session) {
  data::MixRecipe recipe = data::read_mix_recipe(arguments.recipe);
  if (arguments.seed) recipe.seed = *arguments.seed;
  if (arguments.count) recipe.count = *arguments.count;
  data::MixFiles files{.container = arguments.format == "flac" ? io::Container::kFlac : io::Container::kWav,
                       .format = arguments.bit_depth == "16"   ? io::SampleFormat::kPcm16
                                 : arguments.bit_depth == "24" ? io::SampleFormat::kPcm24
                                                               : io::SampleFormat::kFloat32,
                       .overwrite = arguments.overwrite};
  if (!arguments.items.empty()) files.items = parse_items(arguments.items);
  const data::MixtureDataset mixtures(data::open_mix_sources(recipe.sources), recipe);
  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  data::write_mixtures(mixtures, arguments.output, files, run);
  bar.clear();
  const std::size_t written = files.items.empty() ? mixtures.size() : files.items.size();
  if (session.json) {
    const nlohmann::ordered_json document{
        {"schema", "unbraid.mix/1"}, {"output", arguments.output}, {"items", written}, {"seed", recipe.seed}};
    fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else if (!session.quiet) {
    fmt::print("{}: {} mixtures of {:g} s\n", arguments.output, written, recipe.duration_s);
  }
}

}  // namespace

void add_mix(CLI::App& program, Session& session) {
  auto* verb = program.add_subcommand("mix", "make training mixtures from a dataset's stems, by a recipe");
  auto arguments = std::make_shared<MixArguments>();
  verb->add_option("recipe", arguments->recipe, "recipe in YAML")->required()->type_name("FILE");
  verb->add_option("-o,--output", arguments->output, "folder for one folder per mixture")->required()->type_name("DIR");
  verb->add_option("--items", arguments->items, "only these mixtures, as 0-9,12")->type_name("LIST");
  verb->add_option("--seed", arguments->seed, "instead of the recipe's");
  verb->add_option("--count", arguments->count, "instead of the recipe's");
  verb->add_option("--bit-depth", arguments->bit_depth, "16, 24 or 32f")->check(CLI::IsMember({"16", "24", "32f"}))->capture_default_str();
  verb->add_option("--format", arguments->format, "wav or flac")->check(CLI::IsMember({"wav", "flac"}))->capture_default_str();
  verb->add_flag("--overwrite", arguments->overwrite, "make mixtures again that are there already");
  verb->callback([arguments, &session] { run_mix(*arguments, session); });
}

}  // namespace unbraid::app
