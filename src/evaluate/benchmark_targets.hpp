#pragma once
// What the stems of a track and the stems of a method have to do with each other. See benchmark.hpp for the rules.

#include <string>
#include <string_view>
#include <vector>

#include "unbraid/core/stems.hpp"
#include "unbraid/data/dataset.hpp"

namespace unbraid::evaluate {

/// The track with the stems of one instrument summed, named by the instrument, in the order of their first stems.
data::Track with_parts(const data::Track& track);

/// The signals to be compared, as two tracks whose stems have the same names.
struct TargetPairs {
  data::Track references, estimates;
  bool chosen = false;  ///< by fit, not by name
};

/// kNotFound when none of the stems stands for a target of this track. `parts` is a track from with_parts().
TargetPairs pair_targets(const data::Track& parts, const Stems& stems);

/// The mixture as the estimate of every target.
TargetPairs pair_with_mixture(const data::Track& parts, const AudioBuffer& mixture);

/// What a method's stem stands for: "vocals" for "foreground"; the name itself in lower case where nothing is known.
std::string target_of_stem(std::string_view stem);

/// Whether a stem is only numbered, "source1".
bool is_numbered(std::string_view stem);

}  // namespace unbraid::evaluate
