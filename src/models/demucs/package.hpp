#pragma once
// The .th packages of the demucs program: a pickle {klass, args, kwargs, state, training_args} that names the class and
// the arguments with which it was made. Read as inert values; nothing in it is called.
//
//   if (is_package(document)) model = build(package_config(document, "htdemucs.th"));

#include <string>

#include "models/config.hpp"
#include "models/model.hpp"
#include "unbraid/checkpoint/value.hpp"

namespace unbraid::models::demucs {

inline constexpr std::string_view kPackagePolicy = "demucs";  ///< inference.policy of a package's configuration

bool is_package(const checkpoint::Document& document);

/// The arguments of the class in the shape of MSST's configuration, with the defaults that differ there.
/// kUnsupported for other classes than HTDemucs and HDemucs and for quantised weights.
Config package_config(const checkpoint::Document& document, const std::string& name);

/// How apply_model() cuts and joins, by the `inference` section that package_config() wrote, and what the program does
/// to the level before.
void adopt_apply_model(const Config& inference, ModelTraits& traits);

}  // namespace unbraid::models::demucs
