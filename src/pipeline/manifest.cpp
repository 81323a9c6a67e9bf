#include "pipeline/manifest.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"

namespace unbraid {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSchema = "unbraid.manifest/1";

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double level_or_silence(const Json& value) { return value.is_null() ? -HUGE_VAL : value.get<double>(); }

io::SampleFormat sample_format(const std::string& name) {
  using enum io::SampleFormat;
  for (const io::SampleFormat format : {kPcm8, kPcm16, kPcm24, kPcm32, kFloat32, kFloat64})
    if (to_string(format) == name) return format;
  return kLossy;
}

/// Null when there is none, or something else of that name.
Json read_manifest(const fs::path& folder) {
  std::ifstream file(manifest_path(folder), std::ios::binary);
  Json manifest = Json::parse(file, nullptr, false);
  const bool ours = manifest.is_object() && manifest.value("schema", Json()) == kSchema;
  return ours ? manifest : Json(nullptr);
}

/// The files that a manifest names as stems, as long as they lie in the folder itself and have the size that it says.
std::vector<fs::path> stems_of(const Json& manifest, const fs::path& folder) try {
  std::vector<fs::path> stems;
  if (manifest.is_null()) return stems;
  for (const Json& stem : manifest.at("stems")) {
    const fs::path name = stem.at("file").get<std::string>(), file = folder / name;
    std::error_code missing;
    const bool inside =
        name.has_filename() && name == name.filename() && fs::symlink_status(file, missing).type() == fs::file_type::regular;
    if (inside && fs::file_size(file, missing) == stem.at("bytes").get<std::uintmax_t>()) stems.push_back(file);
  }
  return stems;
} catch (const Json::exception&) {
  return {};  // nor does it say whose the files are
}

}  // namespace

fs::path manifest_path(const fs::path& folder) { return folder / "manifest.json"; }

Json request_of(const Method& method, const SeparateOptions& options) {
  Json parameters = Json::object();
  const ParameterValues values = ParameterValues::resolve(method.parameters, options.parameters);
  for (const auto& [name, value] : values.all()) std::visit([&](const auto& known) { parameters[name] = known; }, value);
  Json derived = Json::array();
  for (const DerivedStem& rule : options.selection.derived) {
    Json terms = Json::array();
    for (const DerivedStem::Term& term : rule.terms) terms.push_back({{"gain", term.gain}, {"stem", term.stem}});
    derived.push_back({{"name", rule.name}, {"terms", terms}});
  }
  const SeparationOptions& separation = options.separation;
  return {{"method", method.name},
          {"model", method.fingerprint.empty() ? Json(nullptr) : Json(method.fingerprint)},
          {"parameters", parameters},
          {"stems", options.selection.stems},
          {"two_stems", options.selection.two_stems},
          {"derive", derived},
          {"overlap", separation.overlap ? Json(*separation.overlap) : Json(nullptr)},
          {"shifts", separation.shifts},
          {"seed", separation.seed},
          {"tta", separation.augment},
          {"consistent", separation.consistent},
          {"format", options.container ? to_string(*options.container) : "same"},
          {"bitrate_kbps", options.bitrate_kbps},
          {"bit_depth", options.sample_format ? to_string(*options.sample_format) : "same"},
          {"gain_db", options.gain_db},
          {"dither", options.dither}};
}

bool is_result_folder(const fs::path& folder) { return !read_manifest(folder).is_null(); }

EarlierResult find_earlier(const fs::path& folder, const std::string& input_sha256, const Json& request) try {
  const Json manifest = read_manifest(folder);
  if (manifest.is_null()) return {};
  const bool same_input = !input_sha256.empty() && manifest.at("input").at("sha256") == input_sha256;
  if (!same_input || manifest.at("request") != request) return {.job = EarlierJob::kOther};

  SeparationReport report{.output = folder,
                          .method = manifest.at("request").at("method"),
                          .sample_rate = manifest.at("sample_rate"),
                          .channels = manifest.at("channels"),
                          .frames = manifest.at("frames"),
                          .resumed = true};
  report.duration_s = static_cast<double>(report.frames) / report.sample_rate;
  report.stem_sample_rate = manifest.at("stem_sample_rate");
  report.stem_format = sample_format(manifest.at("stem_format"));
  report.warnings = manifest.at("warnings").get<std::vector<std::string>>();
  report.residual_db = manifest.at("residual_db").is_null() ? std::nan("") : manifest.at("residual_db").get<double>();
  for (const Json& stem : manifest.at("stems")) {
    report.stems.push_back({.name = stem.at("name"),
                            .file = folder / stem.at("file").get<std::string>(),
                            .bytes = stem.at("bytes"),
                            .rms_db = level_or_silence(stem.at("rms_db")),
                            .peak_db = level_or_silence(stem.at("peak_db")),
                            .energy_share = stem.at("energy_share"),
                            .clipped_samples = stem.at("clipped_samples")});
    std::error_code missing;
    if (fs::file_size(report.stems.back().file, missing) != report.stems.back().bytes || missing) return {.job = EarlierJob::kSame};
  }
  return {.job = EarlierJob::kSameDone, .report = std::move(report)};
} catch (const Json::exception&) {
  return {};  // a manifest without its fields proves nothing
}

Json stem_json(const StemReport& stem) {
  return {{"name", stem.name},
          {"file", stem.file.string()},
          {"bytes", stem.bytes},
          {"rms_db", finite_or_null(stem.rms_db)},
          {"peak_db", finite_or_null(stem.peak_db)},
          {"energy_share", stem.energy_share},
          {"clipped_samples", stem.clipped_samples}};
}

void write_manifest(const SeparationReport& report, const std::string& input_sha256, const Json& request, bool overwrite) {
  Json stems = Json::array();
  for (const StemReport& stem : report.stems) {
    stems.push_back(stem_json(stem));
    stems.back()["file"] = stem.file.filename().string();  // the folder may move
  }
  const Json manifest{{"schema", kSchema},
                      {"version", version()},
                      {"input", {{"file", report.input.string()}, {"sha256", input_sha256}}},
                      {"request", request},
                      {"sample_rate", report.sample_rate},
                      {"channels", report.channels},
                      {"frames", report.frames},
                      {"residual_db", finite_or_null(report.residual_db)},
                      {"stem_sample_rate", report.stem_sample_rate},
                      {"stem_format", to_string(report.stem_format)},
                      {"warnings", report.warnings},
                      {"stems", stems}};
  write_file_atomically(manifest_path(report.output), manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", overwrite);
}

std::vector<fs::path> remove_manifest(const fs::path& folder) {
  const std::vector<fs::path> stems = stems_of(read_manifest(folder), folder);
  const fs::path manifest = manifest_path(folder);
  if (unlink(manifest.c_str()) != 0 && errno != ENOENT)
    throw Error{ErrorCode::kIo, fmt::format("cannot be replaced: {}", std::strerror(errno)), manifest.string()};
  return stems;
}

std::string to_json(std::span<const SeparationReport> reports, std::span<const SeparationFailure> failures) {
  Json inputs = Json::array();
  for (const SeparationReport& report : reports) {
    Json stems = Json::array();
    for (const StemReport& stem : report.stems) stems.push_back(stem_json(stem));
    inputs.push_back({{"input", report.input.string()},
                      {"output", report.output.string()},
                      {"method", report.method},
                      {"sample_rate", report.sample_rate},
                      {"channels", report.channels},
                      {"frames", report.frames},
                      {"duration_s", report.duration_s},
                      {"wall_s", report.wall_s},
                      {"realtime_factor", report.realtime_factor},
                      {"peak_memory_bytes", report.peak_memory_bytes},
                      {"residual_db", finite_or_null(report.residual_db)},
                      {"resumed", report.resumed},
                      {"stem_sample_rate", report.stem_sample_rate},
                      {"stem_format", to_string(report.stem_format)},
                      {"warnings", report.warnings},
                      {"stems", stems}});
  }
  Json failed = Json::array();
  for (const SeparationFailure& failure : failures) failed.push_back({{"input", failure.input.string()}, {"error", failure.error}});
  return Json{{"schema", "unbraid.separate/1"}, {"inputs", inputs}, {"failed", failed}}.dump(-1, ' ', false,
                                                                                             Json::error_handler_t::replace);
}

}  // namespace unbraid
