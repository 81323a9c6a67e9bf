#pragma once
// Models between forms: into our own file, out of it, and whether one is sound.

#include <filesystem>
#include <map>
#include <string>

#include "unbraid/core/run_context.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::models {

/// Reads a model in any form and writes our own file. card: what ModelCard has by name; other keys are kept as they are.
/// half: floating tensors as float16.
void import_model(const ModelFiles& files, const std::filesystem::path& output, const std::map<std::string, std::string>& card, bool half);

/// Writes config.yaml and model.safetensors, tensors by their published names, into a folder that is made if need be.
void export_model(const ModelFiles& files, const std::filesystem::path& folder);

/// Opens the model and lets it separate a block of noise. kFormat, naming what is wrong, when a tensor or the output has
/// values that are not finite.
void verify_model(const ModelFiles& files, RunContext& run);

}  // namespace unbraid::models
