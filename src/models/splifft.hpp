#pragma once
// splifft's JSON configurations, put into the shape of MSST's, which the families read.
//
//   if (is_splifft(config)) config = from_splifft(config);        // model_type names the family
//
// Where the two differ in meaning: splifft counts the linear layers of a mask's MLP for both RoFormers (MSST's Mel counts
// hidden ones), leaves the lowest bin alone, keeps the length of its input, and joins Hann-weighted blocks.

#include "models/config.hpp"
#include "models/model.hpp"

namespace unbraid::models {

bool is_splifft(const Config& config);

/// kUnsupported for other models than bs_roformer (which splifft calls Mel's as well) and mdx23c and for options unknown
/// here.
Config from_splifft(const Config& config);

/// Uniform blocks and shared normalisation, by the `inference` section that from_splifft() wrote; false when there is
/// none.
bool adopt_splifft(const Config& inference, ModelTraits& traits);

}  // namespace unbraid::models
