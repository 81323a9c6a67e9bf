#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "data/synth_render.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/data/compose.hpp"
#include "unbraid/data/synth.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::data {
namespace {

namespace fs = std::filesystem;

std::string stem_id(std::size_t index) { return fmt::format("S{:02}", index); }

/// The shortest text that reads back as the same number, in YAML's spelling; with a point, so that readers
/// see a float.
std::string yaml_number(double value) {
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

/// Keys in alphabetical order, as in Slakh.
std::string metadata_yaml(const SynthTrack& track) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  out << YAML::Key << "UUID" << YAML::Value << track.uuid;
  out << YAML::Key << "audio_dir" << YAML::Value << "stems";
  out << YAML::Key << "lmd_midi_dir" << YAML::Value << track.source;
  out << YAML::Key << "midi_dir" << YAML::Value << "MIDI";
  out << YAML::Key << "normalization_factor" << YAML::Value << yaml_number(track.options.stem_loudness_lufs);
  out << YAML::Key << "normalized" << YAML::Value << true;
  out << YAML::Key << "overall_gain" << YAML::Value << yaml_number(track.overall_gain);
  out << YAML::Key << "stems" << YAML::Value << YAML::BeginMap;
  for (std::size_t i = 0; i < track.stems.size(); ++i) {
    const SynthStem& stem = track.stems[i];
    out << YAML::Key << stem_id(i) << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "audio_rendered" << YAML::Value << stem.is_rendered();
    out << YAML::Key << "inst_class" << YAML::Value << std::string(instrument_class(stem.program));
    out << YAML::Key << "integrated_loudness" << YAML::Value << yaml_number(stem.loudness_lufs);
    out << YAML::Key << "is_drum" << YAML::Value << stem.is_drum;
    out << YAML::Key << "midi_program_name" << YAML::Value << std::string(program_name(stem.program));
    out << YAML::Key << "midi_saved" << YAML::Value << true;
    out << YAML::Key << "plugin_name" << YAML::Value << track.options.soundfont.filename().string();
    out << YAML::Key << "program_num" << YAML::Value << stem.program;
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
  out << YAML::Key << "target_peak" << YAML::Value << yaml_number(track.options.peak_dbfs);
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

void write_audio(const AudioBuffer& audio, const fs::path& base, const SynthTrack& track, const SynthFiles& files) {
  const auto writer = io::create_writer(base.string() + io::extension(files.container), {.container = files.container,
                                                                                         .format = track.options.format,
                                                                                         .sample_rate = track.sample_rate,
                                                                                         .channels = audio.channels(),
                                                                                         .overwrite = files.overwrite});
  writer->write(audio);
  writer->finish();
}

bool is_midi(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return (extension == ".mid" || extension == ".midi") && !path.filename().string().starts_with("._");
}

/// Folder names by piece: a seeded permutation is cut at the rounded shares.
std::vector<std::string> draw_splits(std::size_t count, const SynthSplits& splits) {
  std::vector<std::string> names(count);
  const double total = splits.train + splits.validation + splits.test;
  if (total == 0) return names;
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  Rng(splits.seed).shuffle(std::span(order));
  const auto cut = [&](double share) { return static_cast<std::size_t>(std::llround(share / total * static_cast<double>(count))); };
  const std::size_t train_end = cut(splits.train), validation_end = cut(splits.train + splits.validation);
  for (std::size_t i = 0; i < count; ++i) names[order[i]] = i < train_end ? "train" : i < validation_end ? "validation" : "test";
  return names;
}

}  // namespace

void SynthSplits::validate() const {
  for (const double share : {train, validation, test})
    if (!(share >= 0 && std::isfinite(share))) throw Error{ErrorCode::kUsage, "every share must be a number not below 0", "splits"};
}

void write_slakh_track(const SynthTrack& track, const fs::path& folder, const SynthFiles& files, RunContext& run) {
  const fs::path metadata = folder / "metadata.yaml";
  if (!files.overwrite && fs::exists(metadata))
    throw Error{ErrorCode::kIo, "a track is here already (--overwrite replaces it)", folder.string()};
  if (files.overwrite) fs::remove(metadata);  // a half-replaced track must not look whole
  SynthFiles parts = files;
  parts.overwrite = true;  // without metadata, what lies in the folder is the rest of an interrupted run
  write_file_atomically(folder / "all_src.mid", encode_midi(track.midi));
  run.pool.parallel_for(track.stems.size() + 1, [&](std::size_t i) {
    run.cancel.check();
    if (i == track.stems.size()) return write_audio(track.mix, folder / "mix", track, parts);
    const SynthStem& stem = track.stems[i];
    write_file_atomically(folder / "MIDI" / (stem_id(i) + ".mid"), encode_midi(stem.midi));
    if (stem.is_rendered()) write_audio(stem.audio, folder / "stems" / stem_id(i), track, parts);
  });
  write_file_atomically(metadata, metadata_yaml(track));
}

std::vector<SynthPiece> find_midi(const std::vector<fs::path>& paths) {
  std::vector<SynthPiece> pieces;
  for (const fs::path& path : paths) {
    if (!fs::exists(path)) throw Error{ErrorCode::kNotFound, "no such file or folder", path.string()};
    if (!fs::is_directory(path)) {
      pieces.push_back({.source = path.filename().string(), .path = path});
      continue;
    }
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file() && is_midi(entry.path())) found.push_back(entry.path());
    if (found.empty()) throw Error{ErrorCode::kNotFound, "holds no .mid or .midi file", path.string()};
    std::sort(found.begin(), found.end());
    for (const fs::path& file : found) pieces.push_back({.source = fs::relative(file, path).generic_string(), .path = file});
  }
  return pieces;
}

std::vector<SynthPiece> composed_pieces(std::size_t count, std::uint64_t seed) {
  std::vector<SynthPiece> pieces(count);
  for (std::size_t i = 0; i < count; ++i)
    pieces[i] = {.source = fmt::format("composed-{}-{}.mid", seed, i), .composed = true, .seed = seed, .item = i};
  return pieces;
}

SynthReport synthesize_dataset(const std::vector<SynthPiece>& pieces, const fs::path& folder, const SynthOptions& options,
                               const SynthFiles& files, const SynthSplits& splits, RunContext& run) {
  options.validate();
  splits.validate();
  check_soundfont(options.soundfont);
  if (files.container == io::Container::kFlac && options.format == io::SampleFormat::kFloat32)
    throw Error{ErrorCode::kUsage, "FLAC holds no floating-point samples; use 16 or 24 bits, or WAV", "bit depth"};
  const std::vector<std::string> split_names = draw_splits(pieces.size(), splits);
  SynthReport report;
  run.progress.start("synthesise", pieces.size(), "tracks");
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    run.cancel.check();
    const SynthPiece& piece = pieces[i];
    const std::string name = (fs::path(split_names[i]) / fmt::format("Track{:05}", i + 1)).generic_string();
    std::optional<SynthTrack> track;
    try {
      const MidiFile song = piece.composed ? compose({.seed = piece.seed,
                                                      .item = piece.item,
                                                      .length_s = options.length_s > 0 ? options.length_s : ComposeOptions{}.length_s})
                                           : read_midi(piece.path);
      track = synthesize(song, options, run);
    } catch (const Error& error) {
      const bool is_the_pieces_fault =
          error.code() == ErrorCode::kFormat || error.code() == ErrorCode::kUnsupported || error.code() == ErrorCode::kNotFound;
      if (!is_the_pieces_fault) throw;
      report.skipped.push_back({piece.source, error.message()});
    }
    if (track) {
      track->source = piece.source;
      write_slakh_track(*track, folder / name, files, run);
      SynthReport::Made made{.track = name,
                             .source = piece.source,
                             .seconds = static_cast<double>(track->mix.frames()) / track->sample_rate,
                             .overall_gain = track->overall_gain};
      for (const SynthStem& stem : track->stems)
        if (stem.is_rendered()) made.instruments.emplace_back(instrument_class(stem.program));
      report.made.push_back(std::move(made));
    }
    run.progress.advance(1);
  }
  return report;
}

}  // namespace unbraid::data
