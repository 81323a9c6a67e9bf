// The Slakh fixtures against what the oracle notebook's SlakhTrack class returned for them.

#include "unbraid/data/slakh.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/fixtures.hpp"
#include "unbraid/data/verify.hpp"

namespace unbraid::data {
namespace {

using nlohmann::json;

template <class T>
json optional(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json as_json(const SlakhStem& stem) {
  json loudness = optional(stem.integrated_loudness);
  if (stem.integrated_loudness && std::isinf(*stem.integrated_loudness)) loudness = "-inf";
  return {{"stem_id", stem.stem_id},
          {"inst_class", optional(stem.inst_class)},
          {"midi_program_name", optional(stem.midi_program_name)},
          {"program_num", optional(stem.program_num)},
          {"is_drum", stem.is_drum},
          {"integrated_loudness", loudness},
          {"plugin_name", optional(stem.plugin_name)},
          {"audio_rendered", stem.audio_rendered},
          {"midi_saved", stem.midi_saved}};
}

std::vector<std::string> ids(const std::vector<SlakhStem>& stems) {
  std::vector<std::string> out;
  for (const SlakhStem& stem : stems) out.push_back(stem.stem_id);
  return out;
}

TEST(SlakhGolden, TheNotebooksWholeApi) {
  UNBRAID_NEEDS_FIXTURE("slakh/expected.json");
  const json expected = testing::load_json("slakh/expected.json")["tracks"];
  for (const auto& [name, want] : expected.items()) {
    SCOPED_TRACE(name);
    const SlakhTrack track(testing::fixtures() / "slakh" / name);
    const SlakhInfo& info = track.info();
    EXPECT_EQ((json{{"uuid", optional(info.uuid)},
                    {"normalized", optional(info.normalized)},
                    {"overall_gain", optional(info.overall_gain)},
                    {"normalization_factor", optional(info.normalization_factor)},
                    {"target_peak", optional(info.target_peak)},
                    {"num_stems", info.num_stems}}),
              want["get_track_info"]);
    ASSERT_EQ(track.stems().size(), want["stems_in_file_order"].size());
    for (std::size_t i = 0; i < track.stems().size(); ++i) {
      EXPECT_EQ(as_json(track.stems()[i]), want["stems_in_file_order"][i]);
      EXPECT_EQ(track.stem(track.stems()[i].stem_id), &track.stems()[i]);
    }
    EXPECT_EQ(json(track.instruments()), want["instrument_classes_sorted_unique"]);
    EXPECT_EQ(json(ids(track.drum_stems())), want["drum_stems"]);
    EXPECT_EQ(json(ids(track.stems_by_class("Guitar"))), want["guitar_stems"]);
    EXPECT_EQ(track.stem("S99"), nullptr);
    EXPECT_EQ(track.to_string(), "SlakhTrack(uuid='" + *info.uuid + "', stems=" + std::to_string(info.num_stems) + ")");
    EXPECT_TRUE(std::filesystem::exists(track.mix_path()));
    for (const auto& [file, audio] : want["audio"].items()) {
      const auto path = file == "mix" ? track.mix_path() : track.stem_paths(file.substr(6)).audio;
      const SourceInfo source = file_source(path)->info();
      EXPECT_EQ(source.frames, audio["samples"].get<std::uint64_t>());
      EXPECT_EQ(source.sample_rate, audio["rate"].get<double>());
      EXPECT_EQ(source.channels, audio["channels"].get<std::size_t>());
      float peak = 0;
      const AudioBuffer buffer = file_source(path)->read();
      for (const float x : buffer.samples()) peak = std::max(peak, std::abs(x));
      EXPECT_EQ(peak * 32768, audio["peak_int16"].get<float>());
    }
  }
}

TEST(SlakhGolden, VerifiesAndCorrelatesAsTheNotebook) {
  UNBRAID_NEEDS_FIXTURE("slakh/expected.json");
  const json runs = testing::load_json("masks/seed000_pipeline.json")["runs"];
  const DatasetPtr dataset = open_dataset(testing::fixtures() / "slakh");
  ASSERT_EQ(dataset->format(), "slakh");
  ASSERT_EQ(dataset->size(), 2u);
  ThreadPool pool(2);
  RunContext run{pool};
  for (const TrackCheck& check : verify(*dataset, {}, run)) {
    EXPECT_TRUE(check.ok()) << check.name << ": " << check.problems.front();
    // Twelve digits are what the notebook prints.
    EXPECT_NEAR(check.correlation, runs[check.name + "|trim=None"]["correlation_stems_vs_mix"].get<double>(), 5e-13);
    EXPECT_LT(check.residual_db, -60);  // ten stems rounded to 16 bits each
  }
}

}  // namespace
}  // namespace unbraid::data
