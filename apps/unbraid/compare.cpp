// unbraid compare: two evaluations of the same tracks side by side.

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "unbraid/core/error.hpp"
#include "unbraid/evaluate/aggregate.hpp"
#include "unbraid/report/scores.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

std::string shown(double value) { return std::isfinite(value) ? fmt::format("{:.2f}", value) : "—"; }

void print_table(const std::vector<evaluate::Comparison>& comparisons) {
  using report::Align;
  report::TextTable table({{"target"},
                           {"metric"},
                           {"tracks", Align::kRight},
                           {"A", Align::kRight},
                           {"B", Align::kRight},
                           {"B − A", Align::kRight},
                           {"95 %", Align::kRight},
                           {"p", Align::kRight},
                           {"best"},
                           {"worst"}});
  const auto pair = [](const evaluate::Comparison::Pair& p) { return fmt::format("{} {:+.2f}", p.track, p.difference()); };
  for (const evaluate::Comparison& c : comparisons) {
    const bool interval = std::isfinite(c.mean_interval.low);
    table.add_row({c.target, c.metric, fmt::to_string(c.pairs.size()), shown(c.median_a), shown(c.median_b),
                   fmt::format("{:+.2f}", c.mean_difference),
                   interval ? fmt::format("{:+.2f} … {:+.2f}", c.mean_interval.low, c.mean_interval.high) : "—",
                   std::isfinite(c.p_value) ? fmt::format("{:.3g}", c.p_value) : "—", pair(c.pairs.front()), pair(c.pairs.back())});
  }
  fmt::print(
      "{}\nA and B: medians. B − A: mean of the paired differences with its bootstrap interval; p: Wilcoxon's "
      "signed-rank test.\n",
      table.to_string());
}

}  // namespace

void add_compare(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("compare", "set two evaluations of the same tracks side by side");
  struct Arguments {
    std::filesystem::path a, b;
  };
  const auto arguments = std::make_shared<Arguments>();
  verb->add_option("A", arguments->a, "results of unbraid evaluate -o, the baseline")->type_name("DIR")->required();
  verb->add_option("B", arguments->b, "results to compare with them")->type_name("DIR")->required();
  verb->callback([arguments, &session] {
    const auto a = report::read_scores(arguments->a), b = report::read_scores(arguments->b);
    if (a.conformance != b.conformance)
      throw Error{ErrorCode::kFormat,
                  fmt::format("scores of conformance {} beside {} in A; evaluate one of them again", b.conformance, a.conformance),
                  arguments->b.string()};
    const auto comparisons = evaluate::compare(a.scores, b.scores);
    if (session.json) fmt::print("{}\n", report::comparison_json(comparisons, a.conformance));
    else print_table(comparisons);
  });
}

}  // namespace unbraid::app
