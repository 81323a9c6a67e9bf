#pragma once
// A model given by its files, or by its name in the catalogue, as a method like any other.
//
//   const Method method = catalog::model_method({.weights = "model.ckpt", .config = "config.yaml"}, {.device = "cpu"});
//   separate_file("song.wav", "stems/song", method, {}, run);
//
// The model is loaded once, here, and shared by all separators that the method makes. The method is called like the
// file or folder of the weights, has the model's parameters, and its fingerprint holds the hashes of all files.

#include <filesystem>
#include <string>
#include <string_view>

#include "unbraid/separator/neural.hpp"

namespace unbraid::catalog {

/// Whether a name means files of a model rather than a method: it has a folder in it, or the ending of a checkpoint or a
/// recipe, or is a folder and no method, no model of this machine and none of the catalogue is called so.
bool names_model_file(std::string_view name);

/// segment_s: seconds of a block, for models that take longer ones than they say themselves; 0: theirs.
/// Errors: those of NeuralBackend::open, and kUnsupported without libunbraid_nn.
Method model_method(const ModelFiles& files, const NeuralRuntime& runtime, double segment_s = 0);

/// The files of a model that was pulled or imported, or comes with Unbraid. kNotFound, saying how to get it, or which methods
/// and models are spelt alike.
ModelFiles installed_files(std::string_view name);
/// The same as a method.
Method installed_method(std::string_view name, const NeuralRuntime& runtime);

/// What named.weights means, be it a method, a model of this machine, or a path; the rest of named belongs to a path. Errors as above.
Method open_method(const ModelFiles& named, const NeuralRuntime& runtime);

/// What separates when nobody says how: "default", the model that comes with Unbraid, where it is installed and
/// libunbraid_nn too; otherwise the first of methods().
std::string usual_method();

}  // namespace unbraid::catalog
