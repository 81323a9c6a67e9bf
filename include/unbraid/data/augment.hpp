#pragma once
// Changes of a recording that make training data more varied.
//
//   const data::EffectSpec reverb{.kind = "reverb", .probability = 0.3};          // parameters at their
//   defaults if (const auto drawn = data::draw(reverb, rng)) data::apply(*drawn, vocals, 44100);
//
// Kinds and parameters are declared once (effect_kinds()); recipes, `unbraid mix --effects` and the reference
// page read the declaration. Drawing and applying are apart so that an annotation can hold what was drawn;
// applying uses no other randomness. An effect keeps the length. All functions are pure and thread-safe.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/data/distribution.hpp"

namespace unbraid::data {

struct EffectParameter {
  std::string name;  ///< with its unit: "gain_db"
  std::string help;
  Distribution value;  ///< the default
  double minimum, maximum;
};

struct EffectKind {
  std::string name;
  std::string help;
  std::vector<EffectParameter> parameters;
  bool takes_files = false;  ///< impulse responses
};

/// gain, invert, swap_channels, width, pan, eq, low_shelf, high_shelf, reverb, compress, saturate, mp3, aac.
const std::vector<EffectKind>& effect_kinds();

struct EffectSpec {
  std::string kind;
  double probability = 1;
  std::map<std::string, Distribution> parameters = {};  ///< those that differ from the defaults
  std::vector<std::filesystem::path> files = {};        ///< one is chosen

  /// kUsage for an unknown kind or parameter, or one that can leave its range.
  void validate() const;
};

/// An effect with its dice cast.
struct DrawnEffect {
  std::string kind;
  std::map<std::string, double> values;
  std::filesystem::path file = {};
  std::uint64_t seed = 0;  ///< of the noise of a synthetic room
};

/// Nothing when the probability says so. Draws the same number of values either way.
std::optional<DrawnEffect> draw(const EffectSpec& spec, Rng& rng);

/// In place. kUnsupported for a codec that has no such sample rate or number of channels.
void apply(const DrawnEffect& effect, AudioBuffer& audio, double sample_rate);

/// Pitch and tempo by SoundTouch (time-domain overlap-add): round(frames · stretch) frames come out.
/// semitones −24 … 24; stretch 0.25 … 4, above 1 is longer. (0, 1) copies the samples.
AudioBuffer shift_and_stretch(AudioView audio, double sample_rate, double semitones, double stretch);

}  // namespace unbraid::data
