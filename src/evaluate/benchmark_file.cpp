#include "evaluate/benchmark_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/fnv1a.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/evaluate/oracle_run.hpp"
#include "unbraid/metrics/conformance.hpp"

namespace unbraid::evaluate {

namespace {

using nlohmann::ordered_json;

// Infinite scores are real results (a perfect estimate), so they are kept apart from scores that there are none of.
ordered_json number_to_json(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value);
}

double number_from_json(const ordered_json& json) {
  if (json.is_string()) return json == "inf" ? INFINITY : -INFINITY;
  return json.is_null() ? NAN : json.get<double>();
}

/// All that a score depends on.
ordered_json conditions(const Contender& contender, const BenchmarkOptions& options) {
  return {{"name", contender.name},
          {"fingerprint", contender.method.fingerprint},
          {"parameters", contender.parameters},
          {"seed", options.seed},
          {"metrics", options.scores.metrics},
          {"window_s", options.scores.window_s},
          {"hop_s", options.scores.hop_s},
          {"filter_length", options.scores.filter_length},
          {"strict", options.scores.strict},
          {"accompaniment", options.scores.accompaniment},
          {"compat", options.scores.compat},
          {"conformance", metrics::kConformance}};
}

std::string file_name(const Contender& contender) {
  std::string name = contender.name;
  bool plain = std::ranges::none_of(contender.parameters,
                                    [](const auto& parameter) { return parameter.second.find_first_of(":=") != std::string::npos; });
  const std::uint64_t hash = fnv1a(std::as_bytes(std::span(name)));
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte) || c == '.' || c == '-' || c == '=' || c == '_') continue;
    plain = plain && c == ':';
    c = '_';
  }
  return plain ? name : fmt::format("{}-{:08x}", name, hash >> 32);
}

}  // namespace

std::filesystem::path benchmark_file(const std::filesystem::path& folder, const data::Dataset& dataset, std::size_t track,
                                     const Contender& contender) {
  return oracle_track_folder(folder / "tracks", dataset, track) / (path_component(file_name(contender)) + ".json");
}

void store_entry(const std::filesystem::path& file, const BenchmarkEntry& entry, const std::string& audio, const Contender& contender,
                 const BenchmarkOptions& options) {
  ordered_json targets = ordered_json::array();
  for (const TargetResult& target : entry.scores.targets) {
    ordered_json scores = ordered_json::object();
    for (const auto& [metric, value] : target.metrics) scores[metric] = number_to_json(value);
    targets.push_back({{"name", target.name}, {"not_applicable", target.not_applicable}, {"metrics", scores}});
  }
  const ordered_json document{{"version", version()},
                              {"options", conditions(contender, options)},
                              {"audio", audio},
                              {"track", entry.scores.name},
                              {"method", contender.name},
                              {"seconds", entry.scores.seconds},
                              {"processor_s", number_to_json(entry.processor_s)},
                              {"chosen", entry.chosen},
                              {"targets", targets}};
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

std::optional<BenchmarkEntry> stored_entry(const std::filesystem::path& file, const std::string& audio, const Contender& contender,
                                           const BenchmarkOptions& options) {
  std::ifstream stream(file);
  if (!stream) return std::nullopt;
  const ordered_json json = ordered_json::parse(stream, nullptr, /*allow_exceptions=*/false);
  try {
    if (json.at("version") != version() || json.at("options") != conditions(contender, options) || json.at("audio") != audio)
      return std::nullopt;
    BenchmarkEntry entry{.chosen = json.at("chosen"), .processor_s = number_from_json(json.at("processor_s"))};
    entry.scores.name = json.at("track");
    entry.scores.seconds = json.at("seconds");
    for (const ordered_json& stored : json.at("targets")) {
      TargetResult& target = entry.scores.targets.emplace_back();
      target.name = stored.at("name");
      target.not_applicable = stored.at("not_applicable");
      for (const auto& [metric, value] : stored.at("metrics").items()) target.metrics[metric] = number_from_json(value);
    }
    return entry;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // cut short or of another form: done again
  }
}

}  // namespace unbraid::evaluate
