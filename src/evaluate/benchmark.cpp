#include "unbraid/evaluate/benchmark.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "evaluate/benchmark_file.hpp"
#include "evaluate/benchmark_targets.hpp"
#include "evaluate/memory_budget.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/stems.hpp"
#include "unbraid/evaluate/oracle.hpp"
#include "unbraid/pipeline/plan.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid::evaluate {

namespace {

double processor_seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The estimates of an ideal mask, which oracle() hands out block after block.
Stems oracle_stems(const data::Track& parts, const std::string& mask, RunContext& run) {
  const data::SourceInfo info = parts.mixture->info();
  Stems stems(parts.stem_names(), info.channels, info.frames);
  std::vector<std::size_t> filled(stems.size());
  oracle(parts, {.masks = {mask}}, run, [&](const std::string&, const std::string& name, AudioView block) {
    const auto all = stems.names();
    const auto i = static_cast<std::size_t>(std::ranges::find(all, name) - all.begin());
    copy(block, stems[i].audio.view().slice(filled[i], block.frames()));
    filled[i] += block.frames();
  });
  return stems;
}

class Benchmark {
 public:
  Benchmark(const data::Dataset& dataset, const BenchmarkOptions& options, BenchmarkRun& result)
      : dataset_(dataset), options_(options), budget_(options.max_memory_bytes), result_(result) {
    entries_.resize(result.tracks.size() * result.contenders.size());
    errors_.resize(entries_.size());
    audio_.resize(result.tracks.size());
  }

  std::size_t jobs() const { return entries_.size(); }
  const Contender& contender_of(std::size_t job) const { return result_.contenders[job % result_.contenders.size()]; }

  /// Opens every track for its warnings and, where results are stored, for what tells its audio. A track that cannot be
  /// opened is left to its jobs.
  void look_at_tracks(RunContext& run) {
    std::vector<std::vector<std::string>> warnings(result_.tracks.size());
    run.pool.parallel_for(warnings.size(), [&](std::size_t i) {
      run.cancel.check();
      try {
        const data::Track track = dataset_.track(i);
        warnings[i] = track.warnings;
        if (!options_.folder.empty()) audio_[i] = track.fingerprint();
      } catch (const std::exception&) {
      }
    });
    for (std::size_t i = 0; i < warnings.size(); ++i)
      for (std::string& warning : warnings[i]) result_.warnings.emplace_back(i, std::move(warning));
  }

  bool take_over(std::size_t job) {
    if (!options_.resume || !audio_[track_of(job)]) return false;
    entries_[job] = stored_entry(file_of(job), *audio_[track_of(job)], contender_of(job), options_);
    result_.resumed += entries_[job] ? 1 : 0;
    return entries_[job].has_value();
  }

  void do_job(std::size_t job, clockid_t clock, RunContext& run) {
    try {
      BenchmarkEntry entry = score(dataset_.track(track_of(job)), contender_of(job), clock, run);
      if (const auto& audio = audio_[track_of(job)]; audio && !options_.folder.empty())
        store_entry(file_of(job), entry, *audio, contender_of(job), options_);
      entries_[job] = std::move(entry);
    } catch (const std::exception& exception) {
      const Error error = error_of(exception);
      if (error.code() == ErrorCode::kCancelled) throw;
      errors_[job] = error;
    }
  }

  void collect() {
    for (std::size_t job = 0; job < jobs(); ++job) {
      const std::size_t contender = job % result_.contenders.size();
      if (!entries_[job]) {
        result_.failures.push_back({track_of(job), contender, errors_[job]->code(), errors_[job]->what()});
        continue;
      }
      entries_[job]->track = track_of(job);
      entries_[job]->contender = contender;
      result_.entries.push_back(std::move(*entries_[job]));
    }
  }

 private:
  /// The parameters with the track's name in the place of {track}.
  static std::map<std::string, std::string> parameters_for(const Contender& contender, const data::Track& track) {
    constexpr std::string_view kTrack = "{track}";
    auto parameters = contender.parameters;
    for (auto& [name, value] : parameters)
      for (std::size_t at = 0; (at = value.find(kTrack, at)) != std::string::npos; at += track.name.size())
        value.replace(at, kTrack.size(), track.name);
    return parameters;
  }

  std::size_t track_of(std::size_t job) const { return job / result_.contenders.size(); }
  std::filesystem::path file_of(std::size_t job) const {
    return benchmark_file(options_.folder, dataset_, track_of(job), contender_of(job));
  }

  BenchmarkEntry score(const data::Track& track, const Contender& contender, clockid_t clock, RunContext& run) {
    const data::Track parts = with_parts(track);
    const data::SourceInfo info = parts.mixture->info();
    const StreamFormat format{.sample_rate = info.sample_rate, .channels = info.channels};
    std::unique_ptr<Separator> separator;
    BenchmarkEntry entry;
    const double before_make = processor_seconds(clock);
    if (contender.kind == Contender::Kind::kMethod)
      separator = contender.method.make(format, ParameterValues::resolve(contender.method.parameters, parameters_for(contender, track)),
                                        options_.seed);
    const double make_s = processor_seconds(clock) - before_make;

    // The mixture, every part and estimate twice: once held, once in the evaluation.
    const std::size_t estimates = separator ? separator->info().stems.size() : parts.stems.size();
    const std::size_t held = (1 + 2 * (parts.stems.size() + estimates)) * info.channels * info.frames * sizeof(float);
    const auto share = budget_.take(held + (separator ? estimate_memory(separator->info(), format, info.frames, {}) : 0));

    TargetPairs pairs;
    if (separator) {
      const AudioBuffer mixture = parts.mixture->read();
      const double start = processor_seconds(clock);
      const Stems stems = separate(mixture, info.sample_rate, *separator, {.seed = options_.seed}, run);
      entry.processor_s = make_s + processor_seconds(clock) - start;
      pairs = pair_targets(parts, stems);
    } else if (contender.kind == Contender::Kind::kOracle) {
      pairs = pair_targets(parts, oracle_stems(parts, contender.mask, run));
    } else {
      pairs = pair_with_mixture(parts, parts.mixture->read());
    }
    entry.chosen = pairs.chosen;
    entry.scores = evaluate_track(pairs.references, pairs.estimates, options_.scores, run);
    entry.scores.seconds = info.seconds();
    return entry;
  }

  const data::Dataset& dataset_;
  const BenchmarkOptions& options_;
  MemoryBudget budget_;
  BenchmarkRun& result_;
  std::vector<std::optional<BenchmarkEntry>> entries_;  ///< [track][contender]
  std::vector<std::optional<Error>> errors_;
  std::vector<std::optional<std::string>> audio_;  ///< the tracks' fingerprints, before anything of them is read
};

}  // namespace

Contender Contender::mixture() { return {.name = "mix", .kind = Kind::kMixture}; }

Contender Contender::oracle(std::string mask) { return {.name = "oracle:" + mask, .kind = Kind::kOracle, .mask = std::move(mask)}; }

Contender Contender::of(Method method, std::map<std::string, std::string> parameters) {
  std::string name = method.name;
  for (const auto& [key, value] : parameters) name += fmt::format(":{}={}", key, value);
  return {.name = std::move(name), .method = std::move(method), .parameters = std::move(parameters)};
}

std::vector<std::string> BenchmarkRun::targets() const {
  std::vector<std::string> names;
  const auto rank = [](const std::string& name) { return name == "accompaniment" ? 2 : name == "other" ? 1 : 0; };
  for (const BenchmarkEntry& entry : entries)
    for (const TargetResult& target : entry.scores.targets)
      if (std::ranges::find(names, target.name) == names.end()) names.push_back(target.name);
  std::ranges::stable_sort(names, {}, rank);
  return names;
}

double BenchmarkRun::score(std::size_t track, std::size_t contender, const std::string& target, const std::string& metric) const {
  const auto key = [](const BenchmarkEntry& entry) { return std::pair(entry.track, entry.contender); };
  const auto entry = std::ranges::lower_bound(entries, std::pair(track, contender), {}, key);
  if (entry == entries.end() || key(*entry) != std::pair(track, contender)) return NAN;
  for (const TargetResult& result : entry->scores.targets)
    if (result.name == target && result.metrics.contains(metric)) return result.metrics.at(metric);
  return NAN;
}

std::vector<double> BenchmarkRun::scores(std::size_t contender, const std::string& target, const std::string& metric) const {
  std::vector<double> values;
  for (std::size_t track = 0; track < tracks.size(); ++track) values.push_back(score(track, contender, target, metric));
  return values;
}

double BenchmarkRun::realtime_factor(std::size_t contender) const {
  double audio_s = 0, processor_s = 0;
  for (const BenchmarkEntry& entry : entries) {
    if (entry.contender != contender || !(entry.processor_s > 0)) continue;
    audio_s += entry.scores.seconds;
    processor_s += entry.processor_s;
  }
  return processor_s > 0 ? audio_s / processor_s : NAN;
}

BenchmarkRun benchmark(const data::Dataset& dataset, std::vector<Contender> contenders, const BenchmarkOptions& options, RunContext& run) {
  options.scores.validate();
  if (options.resume && options.folder.empty()) throw Error{ErrorCode::kUsage, "resuming needs an output folder", "benchmark"};
  std::set<std::string> names;
  for (const Contender& contender : contenders) {
    if (!names.insert(contender.name).second) throw Error{ErrorCode::kUsage, "is asked for twice", contender.name};
    if (contender.kind == Contender::Kind::kMethod) ParameterValues::resolve(contender.method.parameters, contender.parameters);
    if (contender.kind == Contender::Kind::kOracle) OracleOptions{.masks = {contender.mask}}.validate();
  }
  BenchmarkRun result{.contenders = std::move(contenders)};
  for (std::size_t i = 0; i < dataset.size(); ++i) result.tracks.push_back(dataset.track_name(i));

  Benchmark work(dataset, options, result);
  work.look_at_tracks(run);
  std::vector<std::size_t> side_by_side, alone;
  for (std::size_t job = 0; job < work.jobs(); ++job) {
    // A model is loaded once, shared, and brings threads of its own.
    const bool has_weights = !work.contender_of(job).method.fingerprint.empty();
    if (!work.take_over(job)) (has_weights ? alone : side_by_side).push_back(job);
  }
  run.progress.start("benchmark", side_by_side.size() + alone.size(), "jobs");
  const auto do_job = [&](std::size_t job, clockid_t clock) {
    run.cancel.check();
    RunContext quiet{.pool = run.pool, .cancel = run.cancel};
    work.do_job(job, clock, quiet);
    run.progress.advance(1);
  };
  if (side_by_side.size() == 1) {
    alone.push_back(side_by_side[0]);  // all threads work on the one job
  } else {
    run.pool.parallel_for(side_by_side.size(), [&](std::size_t i) { do_job(side_by_side[i], CLOCK_THREAD_CPUTIME_ID); });
  }
  std::ranges::stable_sort(alone, {}, [&](std::size_t job) { return job % result.contenders.size(); });
  for (const std::size_t job : alone) do_job(job, CLOCK_PROCESS_CPUTIME_ID);
  work.collect();
  return result;
}

}  // namespace unbraid::evaluate
