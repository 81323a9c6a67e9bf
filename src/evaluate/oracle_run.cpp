#include "unbraid/evaluate/oracle_run.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::evaluate {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

ordered_json finite(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

double number(const ordered_json& value) { return value.is_null() ? NAN : value.get<double>(); }

ordered_json to_json(const OracleOptions& options) {
  return {{"masks", options.masks},
          {"trim_s", options.trim_s},
          {"window", options.window},
          {"hop", options.hop},
          {"arithmetic", options.seed_arithmetic ? "seed" : "exact"}};
}

OracleResult from_json(const ordered_json& json) {
  OracleResult result{.track = json.at("track"),
                      .sample_rate = json.at("sample_rate"),
                      .channels = json.at("channels"),
                      .samples = json.at("samples"),
                      .trim_s = json.at("trim_s"),
                      .seed_arithmetic = json.at("arithmetic") == "seed"};
  const ordered_json& stft = json.at("stft");
  result.window = stft.at("window");
  result.hop = stft.at("hop");
  result.frames = stft.at("frames");
  result.correlation = number(json.at("correlation"));
  result.residual_db = number(json.at("residual_db"));
  for (const auto& [stem, reason] : json.at("skipped").items()) result.skipped.emplace_back(stem, reason);
  for (const auto& warning : json.at("warnings")) result.warnings.push_back(warning);
  for (const auto& stem : json.at("stems")) result.stems.push_back(stem);
  for (const auto& [name, mask] : json.at("si_sdr").items()) {
    OracleMask& out = result.masks.emplace_back(OracleMask{name, {}, number(mask.at("mean"))});
    for (const std::string& stem : result.stems) {
      const auto score = mask.at("stems").find(stem);
      out.si_sdr_db.push_back(score == mask.at("stems").end() ? NAN : number(*score));
    }
  }
  return result;
}

fs::path stem_file(const fs::path& folder, const std::string& mask, const std::string& stem) {
  return folder / mask / (path_component(stem) + ".wav");
}

/// A finished track's result, if its file was written of the same audio with the same options by the same version, and its
/// estimates beside it where they are wanted.
std::optional<OracleResult> stored_result(const fs::path& folder, const std::string& audio, const OracleOptions& options, bool save_stems) {
  std::ifstream stream(folder / "oracle.json");
  if (!stream) return std::nullopt;
  const ordered_json json = ordered_json::parse(stream, nullptr, /*allow_exceptions=*/false);
  try {
    if (json.at("options") != to_json(options) || json.at("version") != version() || json.at("audio") != audio) return std::nullopt;
    OracleResult result = from_json(json.at("result"));
    if (!std::ranges::equal(result.masks, options.masks, {}, &OracleMask::name)) return std::nullopt;
    if (save_stems) {
      if (!json.at("saved_stems").get<bool>()) return std::nullopt;  // those that may lie there are another run's
      for (const OracleMask& mask : result.masks)
        for (const std::string& stem : result.stems)
          if (!fs::exists(stem_file(folder, mask.name, stem))) return std::nullopt;
    }
    return result;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // cut short or of another form: done again
  }
}

/// The oracle of one track, its estimates written to <folder>/<mask>/<stem>.wav.
OracleResult oracle_to_files(const data::Track& track, const OracleOptions& options, const fs::path& folder, RunContext& run) {
  std::map<fs::path, std::unique_ptr<io::Writer>> writers;
  OracleResult result = oracle(track, options, run, [&](const std::string& mask, const std::string& stem, AudioView block) {
    const fs::path file = stem_file(folder, mask, stem);
    std::unique_ptr<io::Writer>& writer = writers[file];
    if (!writer) {
      fs::create_directories(file.parent_path());
      writer = io::create_writer(file, {.sample_rate = track.sample_rate, .channels = block.channels(), .overwrite = true});
    }
    writer->write(block);
  });
  for (auto& [file, writer] : writers) writer->finish();
  return result;
}

}  // namespace

std::string path_component(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }, '_');
  return name == "." || name == ".." || name.empty() ? "_" + name : name;
}

fs::path oracle_track_folder(const fs::path& folder, const data::Dataset& dataset, std::size_t track) {
  const std::string split = dataset.split(track);
  return (split.empty() ? folder : folder / path_component(split)) / path_component(dataset.track_name(track));
}

OracleRun oracle_run(const data::Dataset& dataset, const OracleOptions& options, const OracleRunOptions& how, RunContext& run) {
  options.validate();
  if (how.folder.empty() && (how.resume || how.save_stems)) {
    throw Error{ErrorCode::kUsage, "resuming and saving stems need an output folder", "oracle"};
  }
  std::vector<std::optional<OracleResult>> results(dataset.size());
  std::vector<std::string> errors(dataset.size());
  std::vector<char> resumed(dataset.size(), 0);
  const auto one = [&](std::size_t i, RunContext& inner) {
    const fs::path folder = how.folder.empty() ? fs::path() : oracle_track_folder(how.folder, dataset, i);
    try {
      const data::Track track = dataset.track(i);
      const std::string audio = folder.empty() ? "" : track.fingerprint();
      if (how.resume && (results[i] = stored_result(folder, audio, options, how.save_stems))) {
        results[i]->track = track.name;  // in its own bytes, which need not be UTF-8
        resumed[i] = 1;
        return;
      }
      OracleResult result = how.save_stems ? oracle_to_files(track, options, folder, inner) : oracle(track, options, inner);
      if (!folder.empty()) {
        fs::create_directories(folder);
        const ordered_json document{{"version", version()},
                                    {"options", to_json(options)},
                                    {"audio", audio},
                                    {"saved_stems", how.save_stems},
                                    {"result", evaluate::to_json(result)}};
        write_file_atomically(folder / "oracle.json", document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
      }
      results[i] = std::move(result);
    } catch (const std::exception& exception) {
      const Error error = error_of(exception);
      if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kUsage) throw error;
      errors[i] = error.what();
    }
  };
  if (dataset.size() == 1) {
    one(0, run);  // all threads work on the one track
  } else {
    run.progress.start("oracle", dataset.size(), "tracks");
    run.pool.parallel_for(dataset.size(), [&](std::size_t i) {
      run.cancel.check();
      RunContext quiet{.pool = run.pool, .cancel = run.cancel};
      one(i, quiet);
      run.progress.advance(1);
    });
  }
  OracleRun done{.options = options};
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    if (results[i]) done.results.push_back(std::move(*results[i]));
    else done.failed.emplace_back(dataset.track_name(i), errors[i]);
    done.resumed += static_cast<std::size_t>(resumed[i]);
  }
  return done;
}

std::vector<OracleAggregate> aggregate(const OracleRun& run) {
  std::vector<OracleAggregate> all;
  for (std::size_t m = 0; m < run.options.masks.size(); ++m) {
    OracleAggregate& out = all.emplace_back(OracleAggregate{.mask = run.options.masks[m]});
    std::vector<double> means, stems;
    for (const OracleResult& result : run.results) {
      const OracleMask& mask = result.masks[m];
      means.push_back(mask.mean_db);
      stems.insert(stems.end(), mask.si_sdr_db.begin(), mask.si_sdr_db.end());
    }
    out.tracks = metrics::finite_count(means);
    out.stems = metrics::finite_count(stems);
    out.mean_db = metrics::mean(means);
    out.median_db = metrics::median(means);
    out.deviation_db = metrics::standard_deviation(means);
    out.stem_mean_db = metrics::mean(stems);
  }
  return all;
}

ordered_json to_json(const OracleResult& result) {
  ordered_json json{{"track", result.track},
                    {"samples", result.samples},
                    {"sample_rate", result.sample_rate},
                    {"channels", result.channels},
                    {"trim_s", result.trim_s},
                    {"arithmetic", result.seed_arithmetic ? "seed" : "exact"},
                    {"stft", {{"window", result.window}, {"hop", result.hop}, {"bins", result.window / 2 + 1}, {"frames", result.frames}}},
                    {"stems", result.stems},
                    {"correlation", finite(result.correlation)},
                    {"residual_db", finite(result.residual_db)},
                    {"si_sdr", ordered_json::object()},
                    {"skipped", ordered_json::object()},
                    {"warnings", result.warnings}};
  for (const OracleMask& mask : result.masks) {
    ordered_json stems = ordered_json::object();
    for (std::size_t s = 0; s < result.stems.size(); ++s) {
      if (!std::isnan(mask.si_sdr_db[s])) stems[result.stems[s]] = finite(mask.si_sdr_db[s]);
    }
    json["si_sdr"][mask.name] = {{"stems", stems}, {"mean", finite(mask.mean_db)}};
  }
  for (const auto& [stem, reason] : result.skipped) json["skipped"][stem] = reason;
  return json;
}

ordered_json to_json(const OracleRun& run) {
  ordered_json json{{"schema", "unbraid.oracle/1"},
                    {"options", to_json(run.options)},
                    {"tracks", ordered_json::array()},
                    {"failed", ordered_json::object()},
                    {"aggregate", ordered_json::object()}};
  for (const OracleResult& result : run.results) json["tracks"].push_back(to_json(result));
  for (const auto& [track, error] : run.failed) json["failed"][track] = error;
  for (const OracleAggregate& a : aggregate(run)) {
    json["aggregate"][a.mask] = {{"tracks", a.tracks},
                                 {"stems", a.stems},
                                 {"mean", finite(a.mean_db)},
                                 {"median", finite(a.median_db)},
                                 {"std", finite(a.deviation_db)},
                                 {"stem_mean", finite(a.stem_mean_db)}};
  }
  return json;
}

}  // namespace unbraid::evaluate
