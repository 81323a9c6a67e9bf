// unbraid separate: recordings to stems.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "byte_size.hpp"
#include "progress_bar.hpp"
#include "unbraid/catalog/device.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/io/writer.hpp"
#include "unbraid/pipeline/inputs.hpp"
#include "unbraid/pipeline/plan.hpp"
#include "unbraid/pipeline/post.hpp"
#include "unbraid/pipeline/separate_file.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;
using report::Align;

/// The options as they stand on the command line.
struct Arguments {
  std::vector<fs::path> inputs;
  std::string method = catalog::usual_method();
  ModelFiles model;  ///< where the method is a file
  fs::path output = "stems";
  std::vector<std::string> derive, parameters;
  std::string condition, post;
  std::string format = "same", bit_depth = "same", device = "auto", precision = "auto";
  bool plan = false;
  SeparateOptions options;
};

const std::map<std::string, io::SampleFormat> kBitDepths{
    {"16", io::SampleFormat::kPcm16}, {"24", io::SampleFormat::kPcm24}, {"32f", io::SampleFormat::kFloat32}};

SeparateOptions options_of(const Arguments& arguments) {
  SeparateOptions options = arguments.options;
  for (const std::string& rule : arguments.derive) options.selection.derived.push_back(DerivedStem::parse(rule));
  for (const std::string& setting : arguments.parameters) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) throw Error{ErrorCode::kUsage, "a parameter is given as name=value", setting};
    options.parameters[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  if (!arguments.condition.empty()) options.parameters["condition"] = arguments.condition;
  if (arguments.format != "same") options.container = io::container_for("x." + arguments.format);
  if (arguments.bit_depth != "same") options.sample_format = kBitDepths.at(arguments.bit_depth);
  options.validate();
  return options;
}

std::string db(double level) { return std::isfinite(level) ? fmt::format("{:.1f} dB", level) : "silent"; }

std::string duration(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  return whole < 60 ? fmt::format("{:.1f} s", seconds) : fmt::format("{}:{:02} min", whole / 60, whole % 60);
}

/// What files of this format do to stems that add up.
std::string rounding(io::SampleFormat format) {
  if (io::is_integer(format)) return fmt::format(", before rounding to {} bits", io::bits(format));
  return format == io::SampleFormat::kLossy ? ", before encoding" : "";
}

void print_summary(const SeparationReport& report, std::FILE* out) {
  if (report.resumed) {
    fmt::print(out, "{}: was done already, in {}\n", report.input.string(), report.output.string());
    return;
  }
  fmt::print(out, "{} → {}: {}, {} in {} ({:.1f} × real time), {} MB\n", report.input.string(), report.output.string(), report.method,
             duration(report.duration_s), duration(report.wall_s), report.realtime_factor, report.peak_memory_bytes / 1'000'000);
  report::TextTable table({{"  stem"}, {"level", Align::kRight}, {"peak", Align::kRight}, {"energy", Align::kRight}});
  for (const StemReport& stem : report.stems)
    table.add_row({"  " + stem.name, db(stem.rms_db), db(stem.peak_db), fmt::format("{:.1f} %", 100.0 * stem.energy_share)});
  fmt::print(out, "{}", table.to_string());
  if (report.residual_db <= kExactDb) fmt::print(out, "  the stems add up to the mixture exactly{}\n", rounding(report.stem_format));
  else if (std::isfinite(report.residual_db))
    fmt::print(out, "  sum of the stems − mixture: {:.1f} dB against the mixture\n", report.residual_db);
  if (report.stem_sample_rate != report.sample_rate)
    fmt::print(out, "  resampled to {:g} Hz, since files of this type hold no {:g}\n", report.stem_sample_rate, report.sample_rate);
}

void warn_of_input(const SeparationReport& report) {
  for (const std::string& warning : report.warnings) fmt::print(stderr, "unbraid: warning: {}: {}\n", report.input.string(), warning);
}

void warn_of_clipping(const SeparationReport& report, double gain_db) {
  double loudest_db = 0.0;
  for (const StemReport& stem : report.stems) loudest_db = std::max(loudest_db, stem.peak_db);
  for (const StemReport& stem : report.stems)
    if (stem.clipped_samples > 0)
      fmt::print(stderr, "unbraid: warning: {}: {} samples clipped; --bit-depth 32f keeps them, --gain {:.1f} makes room\n",
                 stem.file.string(), stem.clipped_samples, gain_db - std::ceil(10.0 * loudest_db) / 10.0);
}

void print_plans(const std::vector<std::pair<fs::path, SeparationPlan>>& plans, const std::vector<SeparationFailure>& failures, bool json) {
  if (!json) {
    for (const auto& [input, plan] : plans) {
      const std::string blocks = plan.whole_track
                                     ? fmt::format("{} block{}, the whole track", plan.blocks, plan.blocks == 1 ? "" : "s")
                                     : fmt::format("{} blocks of {} frames, {} at a time", plan.blocks, plan.block_frames, plan.batch);
      fmt::print("{}: {}, {}; {}; about {} MB, about {}\n", input.string(), plan.method, duration(plan.duration_s), blocks,
                 plan.memory_bytes / 1'000'000, duration(plan.seconds));
    }
    return;
  }
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
  for (const auto& [input, plan] : plans)
    inputs.push_back({{"input", input.string()},
                      {"method", plan.method},
                      {"duration_s", plan.duration_s},
                      {"whole_track", plan.whole_track},
                      {"blocks", plan.blocks},
                      {"block_frames", plan.block_frames},
                      {"hop_frames", plan.hop_frames},
                      {"batch", plan.batch},
                      {"memory_bytes", plan.memory_bytes},
                      {"seconds", plan.seconds}});
  nlohmann::ordered_json failed = nlohmann::ordered_json::array();
  for (const SeparationFailure& failure : failures) failed.push_back({{"input", failure.input.string()}, {"error", failure.error}});
  const nlohmann::ordered_json document{{"schema", "unbraid.plan/1"}, {"inputs", inputs}, {"failed", failed}};
  fmt::print("{}\n", document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

/// The method of that name, or the model in that file.
Method choose_method(const Arguments& arguments) {
  const bool file = catalog::names_model_file(arguments.method);
  if (!file && !arguments.model.config.empty()) throw Error{ErrorCode::kUsage, "goes with weights: -m FILE --config FILE", "--config"};
  if (!file && !arguments.model.adapters.empty()) throw Error{ErrorCode::kUsage, "goes with weights: -m FILE --lora FILE", "--lora"};
  ModelFiles named = arguments.model;
  named.weights = arguments.method;
  return catalog::open_method(
      named, {.device = arguments.device, .precision = arguments.precision == "bf16" ? Precision::kBfloat16 : Precision::kFloat32});
}

/// The error with the input's name: where it has no context, or one of several inputs is to be told from the others.
Error about(const fs::path& input, const Error& error, bool one_of_several) {
  if (error.code() == ErrorCode::kCancelled || error.context() == input.string()) return error;
  if (error.context().empty()) return {error.code(), error.message(), input.string()};
  return one_of_several ? Error{error.code(), error.what(), input.string()} : error;
}

void separate_all(const Arguments& arguments, const Session& session) {
  SeparateOptions options = options_of(arguments);
  if (options.max_memory_bytes == 0) options.max_memory_bytes = machine_memory_bytes();
  const Method method =
      arguments.post.empty() ? choose_method(arguments) : with_post(choose_method(arguments), PostStage::named(arguments.post));
  ParameterValues::resolve(method.parameters,
                           options.parameters);  // before any work: unknown names, values out of range
  const bool neural = !method.fingerprint.empty();
  const catalog::Backend backend = neural ? catalog::Backend{.device = catalog::neural_backend().device(arguments.device),
                                                             .precision = arguments.precision == "bf16" ? "bf16" : "fp32"}
                                          : catalog::choose_backend(arguments.device, arguments.precision);
  const auto [inputs, unreadable] = find_inputs(arguments.inputs);
  for (const fs::path& folder : unreadable) fmt::print(stderr, "unbraid: warning: {}: cannot be read and is left out\n", folder.string());
  const bool to_standard_output = arguments.output == "-";
  if (to_standard_output && (inputs.size() > 1 || session.json || arguments.plan))
    throw Error{ErrorCode::kUsage, "standard output takes the stem of one input and nothing else", "--output -"};

  ThreadPool pool(session.threads);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  if (!session.quiet)
    fmt::print(stderr, "unbraid: {} on {}, {}, {} thread{}\n", method.name, backend.device, backend.precision, pool.threads(),
               pool.threads() == 1 ? "" : "s");

  std::vector<SeparationReport> reports;
  std::vector<std::pair<fs::path, SeparationPlan>> plans;
  std::vector<SeparationFailure> failures;
  bool usage_only = true;
  for (const Input& input : inputs) {
    bar.set_title(input.name.filename().string());
    try {
      if (arguments.plan) {
        RunContext silent{.pool = pool, .cancel = session.cancel};
        plans.emplace_back(input.file, plan_file(input.file, method, options, silent));
      } else {
        const fs::path folder = to_standard_output ? arguments.output : arguments.output / input.name;
        reports.push_back(separate_file(input.file, folder, method, options, run));
      }
    } catch (const std::exception& exception) {
      bar.clear();
      const Error error = about(input.file, error_of(exception), inputs.size() > 1);
      if (error.code() == ErrorCode::kCancelled || inputs.size() == 1) throw error;
      fmt::print(stderr, "unbraid: {}\n", error.what());
      failures.push_back({.input = input.file, .error = error.what()});
      usage_only = usage_only && error.code() == ErrorCode::kUsage;
      continue;
    }
    bar.clear();
    if (arguments.plan) continue;
    if (!session.json) print_summary(reports.back(), to_standard_output ? stderr : stdout);
    warn_of_input(reports.back());
    warn_of_clipping(reports.back(), options.gain_db);
  }
  if (arguments.plan) print_plans(plans, failures, session.json);
  else if (session.json) fmt::print("{}\n", to_json(reports, failures));
  if (failures.empty()) return;
  std::vector<std::string> failed;
  for (const SeparationFailure& failure : failures) failed.push_back(failure.input.string());
  const bool wrong_usage = usage_only && failures.size() == inputs.size();
  throw Error{wrong_usage ? ErrorCode::kUsage : ErrorCode::kIo,
              fmt::format("{} of {} inputs failed: {}", failed.size(), inputs.size(), fmt::join(failed, ", "))};
}

std::string check_method(const std::string& name) try {
  if (!catalog::names_model_file(name) && !catalog::find_method(name)) catalog::installed_files(name);
  return "";
} catch (const Error& error) {
  return error.what();
}

}  // namespace

void add_separate(CLI::App& program, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  SeparateOptions& o = a.options;
  CLI::App* const verb = program.add_subcommand("separate", "take recordings apart into their instruments");
  verb->add_option("input", a.inputs, "audio files, folders with audio files, or - for standard input")->type_name("FILE")->required();
  verb->add_option("-m,--method", a.method, "how to separate (see unbraid models ls), a model's weights, or a recipe of several (YAML)")
      ->type_name("METHOD")
      ->check(check_method)
      ->capture_default_str();
  verb->add_option("--config", a.model.config, "the configuration that belongs to the weights (MSST's YAML, splifft's JSON)")
      ->type_name("FILE");
  verb->add_option("--lora", a.model.adapters, "low-rank adapters for the weights, as unbraid train or MSST writes them")
      ->type_name("FILE");
  verb->add_flag("--allow-partial", a.model.allow_partial, "accept weights with missing or surplus tensors");
  verb->add_option("-o,--output", a.output, "folder for the stems, which go to DIR/<track>/; - for standard output")
      ->type_name("DIR")
      ->capture_default_str();
  verb->add_option("--stems", o.selection.stems, "write only these stems")
      ->type_name("STEM")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',');
  verb->add_option("--two-stems", o.selection.two_stems, "write this stem and the mixture without it, no_<stem>")->type_name("STEM");
  verb->add_option("--derive", a.derive, "write another stem as well: instrumental=mix-vocals, beat=drums+0.5*bass")
      ->type_name("RULE")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb->add_option("--param", a.parameters, "set a parameter of the method (see unbraid models info METHOD)")
      ->type_name("PARAM")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb->add_option("--condition", a.condition, "what a conditioned model is to separate: vocals, or a mix such as vocals=1,bass=0.5")
      ->type_name("MIX");
  verb->add_option("--post", a.post, "a stage behind the method: Wiener filters by where sources stand, or new phases")
      ->check(CLI::IsMember({"wiener_em", "griffin_lim"}));
  verb->add_option("--format", a.format, "file type of the stems")
      ->check(CLI::IsMember({"same", "wav", "aiff", "flac", "ogg", "opus", "mp3", "m4a", "stem.mp4"}))
      ->capture_default_str();
  verb->add_option("--bit-depth", a.bit_depth, "sample format of the stems")
      ->check(CLI::IsMember({"same", "16", "24", "32f"}))
      ->capture_default_str();
  verb->add_option("--bitrate", o.bitrate_kbps, "of each file of a lossy type (default: one that is transparent)")
      ->type_name("KBPS")
      ->check(CLI::Range(8, 4096));
  verb->add_option("--gain", o.gain_db, "one gain for all stems, in dB (nothing is ever scaled unasked)")
      ->type_name("DB")
      ->check(CLI::Range(-120.0, 60.0));
  verb->add_flag("--dither", o.dither, "dither when going to integers");
  verb->add_option("--overlap", o.separation.overlap, "share of a block that the next one repeats (default: the method's)")
      ->type_name("RATIO")
      ->check(CLI::Range(0.0, 0.99));
  verb->add_option("--shifts", o.separation.shifts, "average this many runs at random places")
      ->type_name("N")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  verb->add_flag("--tta", o.separation.augment, "average with the runs on the inverted and on the channel-swapped recording");
  verb->add_option("--seed", o.separation.seed, "of everything random")->type_name("N")->capture_default_str();
  verb->add_flag("--consistent", o.separation.consistent,
                 "make the stems add up to the mixture exactly, before they are rounded to the bits of their files");
  verb->add_option("--device", a.device, "auto, cpu, cuda or cuda:N")->type_name("DEVICE")->capture_default_str();
  verb->add_option("--precision", a.precision, "of the computation")->check(CLI::IsMember({"auto", "fp32", "bf16"}))->capture_default_str();
  verb->add_option("--max-memory", o.max_memory_bytes,
                   "do with this much memory, or refuse: 500M, 2G, 1.5GiB (default: all of this machine's)")
      ->type_name("SIZE")
      ->transform(byte_size());
  verb->add_flag("--plan", a.plan, "only say what it would cost");
  verb->add_flag("--resume", o.resume, "skip what an earlier run has finished");
  verb->add_flag("--overwrite", o.overwrite, "replace files that exist");
  verb->callback([arguments, &session] { separate_all(*arguments, session); });
}

}  // namespace unbraid::app
