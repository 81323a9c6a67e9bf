#include "unbraid/data/slakh.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "data/listing.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::data {

namespace fs = std::filesystem;

namespace {

/// A field as the type that Slakh documents; absent and null give nothing, another type is an error with its
/// line.
template <class T>
std::optional<T> field(const YAML::Node& node, const char* key, const std::string& file) {
  const YAML::Node value = node[key];
  if (!value || value.IsNull()) return std::nullopt;
  try {
    return value.as<T>();
  } catch (const YAML::Exception&) {
    throw Error{ErrorCode::kFormat, fmt::format("line {}: {} has the wrong type", value.Mark().line + 1, key), file};
  }
}

SlakhStem parse_stem(const std::string& id, const YAML::Node& node, const std::string& file) {
  if (!node.IsMap()) {
    throw Error{ErrorCode::kFormat, fmt::format("line {}: stem {} is not a mapping", node.Mark().line + 1, id), file};
  }
  return {.stem_id = id,
          .inst_class = field<std::string>(node, "inst_class", file),
          .midi_program_name = field<std::string>(node, "midi_program_name", file),
          .program_num = field<int>(node, "program_num", file),
          .is_drum = field<bool>(node, "is_drum", file).value_or(false),
          .integrated_loudness = field<double>(node, "integrated_loudness", file),
          .plugin_name = field<std::string>(node, "plugin_name", file),
          .audio_rendered = field<bool>(node, "audio_rendered", file).value_or(false),
          .midi_saved = field<bool>(node, "midi_saved", file).value_or(false)};
}

/// `base` with the extension that exists on disk; .wav where none does.
fs::path existing_audio(const fs::path& base) {
  fs::path flac = base;
  flac += ".flac";
  fs::path wav = base;
  wav += ".wav";
  return !fs::exists(wav) && fs::exists(flac) ? flac : wav;
}

}  // namespace

std::string SlakhStem::label() const { return stem_id + "_" + inst_class.value_or("None"); }

SlakhTrack::SlakhTrack(fs::path folder) : folder_(std::move(folder)) {
  const fs::path path = folder_ / "metadata.yaml";
  const std::string file = path.string();
  std::ifstream stream(path);
  if (!stream) throw Error{ErrorCode::kNotFound, "no metadata.yaml: not a Slakh track", folder_.string()};
  try {
    const YAML::Node root = YAML::Load(stream);
    if (!root.IsMap()) throw Error{ErrorCode::kFormat, "not a YAML mapping", file};
    info_ = {.uuid = field<std::string>(root, "UUID", file),
             .normalized = field<bool>(root, "normalized", file),
             .overall_gain = field<double>(root, "overall_gain", file),
             .normalization_factor = field<double>(root, "normalization_factor", file),
             .target_peak = field<double>(root, "target_peak", file),
             .lmd_midi_dir = field<std::string>(root, "lmd_midi_dir", file),
             .audio_dir = field<std::string>(root, "audio_dir", file).value_or("stems"),
             .midi_dir = field<std::string>(root, "midi_dir", file).value_or("MIDI")};
    const YAML::Node stems = root["stems"];
    if (stems && !stems.IsNull()) {
      if (!stems.IsMap()) throw Error{ErrorCode::kFormat, "stems is not a mapping", file};
      for (const auto& entry : stems) stems_.push_back(parse_stem(entry.first.as<std::string>(), entry.second, file));
    }
  } catch (const YAML::Exception& error) {
    throw Error{ErrorCode::kFormat, fmt::format("line {}: {}", error.mark.line + 1, error.msg), file};
  }
  info_.num_stems = stems_.size();
}

const SlakhStem* SlakhTrack::stem(std::string_view stem_id) const {
  const auto found = std::ranges::find(stems_, stem_id, &SlakhStem::stem_id);
  return found == stems_.end() ? nullptr : &*found;
}

std::vector<SlakhStem> SlakhTrack::stems_by_class(std::string_view inst_class) const {
  std::vector<SlakhStem> found;
  std::ranges::copy_if(stems_, std::back_inserter(found), [&](const SlakhStem& s) { return s.inst_class == inst_class; });
  return found;
}

std::vector<SlakhStem> SlakhTrack::drum_stems() const {
  std::vector<SlakhStem> found;
  std::ranges::copy_if(stems_, std::back_inserter(found), &SlakhStem::is_drum);
  return found;
}

SlakhTrack::Paths SlakhTrack::stem_paths(std::string_view stem_id) const {
  const std::string id(stem_id);
  return {existing_audio(folder_ / info_.audio_dir / id), folder_ / info_.midi_dir / (id + ".mid")};
}

fs::path SlakhTrack::mix_path() const { return existing_audio(folder_ / "mix"); }

std::vector<std::string> SlakhTrack::instruments() const {
  std::set<std::string> classes;
  for (const SlakhStem& stem : stems_) {
    if (stem.inst_class) classes.insert(*stem.inst_class);
  }
  return {classes.begin(), classes.end()};
}

std::string SlakhTrack::to_string() const {
  return fmt::format("SlakhTrack(uuid='{}', stems={})", info_.uuid.value_or("None"), info_.num_stems);
}

Track slakh_track(const fs::path& folder) {
  const SlakhTrack slakh(folder);
  Track track{.name = title_of(folder)};

  const auto note = [](auto& metadata, const char* key, const auto& value) {
    if (value) metadata[key] = fmt::format("{}", *value);
  };
  const SlakhInfo& info = slakh.info();
  note(track.metadata, "uuid", info.uuid);
  note(track.metadata, "normalized", info.normalized);
  note(track.metadata, "overall_gain", info.overall_gain);
  note(track.metadata, "normalization_factor", info.normalization_factor);
  note(track.metadata, "target_peak", info.target_peak);
  note(track.metadata, "lmd_midi_dir", info.lmd_midi_dir);

  for (const SlakhStem& stem : slakh.stems()) {
    const fs::path audio = slakh.stem_paths(stem.stem_id).audio;
    if (!fs::exists(audio)) {
      const std::string reason = fmt::format("no {}", (fs::path(info.audio_dir) / audio.filename()).string());
      track.missing[stem.stem_id] = reason;
      track.warnings.push_back(fmt::format("{} is listed but there is {}", stem.stem_id, reason));
      continue;
    }
    TrackStem& out = track.stems.emplace_back(TrackStem{stem.stem_id, stem.inst_class.value_or(""), file_source(audio)});
    note(out.metadata, "inst_class", stem.inst_class);
    note(out.metadata, "midi_program_name", stem.midi_program_name);
    note(out.metadata, "program_num", stem.program_num);
    note(out.metadata, "integrated_loudness", stem.integrated_loudness);
    note(out.metadata, "plugin_name", stem.plugin_name);
    out.metadata["is_drum"] = stem.is_drum ? "true" : "false";
    out.metadata["audio_rendered"] = stem.audio_rendered ? "true" : "false";
    out.metadata["midi_saved"] = stem.midi_saved ? "true" : "false";
  }
  const fs::path mix = slakh.mix_path();
  track.has_mixture_file = fs::exists(mix);
  if (track.has_mixture_file) {
    track.mixture = file_source(mix);
  } else {
    track.warnings.push_back("there is no mix file; the sum of the stems stands in for it");
    sum_stems_as_mixture(track, folder.string());
  }
  track.sample_rate = track.mixture->info().sample_rate;
  return track;
}

}  // namespace unbraid::data
