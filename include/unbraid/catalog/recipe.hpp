#pragma once
// Several models as one method: ensembles, chains, and demucs' bags, as a small YAML file.
//
//   ensemble:
//     combine: average              # or median; min, max, geometric, blend: bin by bin in the time-frequency plane
//     sharpness: 2                  # geometric, blend: to what power a bin is shared
//     solo_db: -8                   # where the others hold less than this, the loudest stem may be taken to play alone
//     members:
//       - model: bs-roformer-viperx-1297
//         weights: {vocals: 2}      # by stem, or one number; 1 where nothing is said
//       - model: my.ckpt            # by name (method, catalogue) or by file, from the folder of this one
//         config: my.yaml
//
//   chain:
//     - model: mel-roformer-kim
//       stems: [vocals]             # what this step gives; default: all
//     - model: htdemucs
//       input: mix - vocals         # the mixture and stems of earlier steps; default: mix
//       stems: [drums, bass, other]
//
//   models: ['f7e0c4bc', 'd12395a8']          # a bag: files <sig>-<hash>.th beside it
//   weights: [[1, 0, 0, 0], [0, 1, 0, 0]]     # by model and stem
//   segment: 44                                # seconds, for models that take more than they were trained on
//
// A member may itself be such a file, up to four deep. Files are opened once, when the recipe is read.

#include <filesystem>
#include <vector>

#include "unbraid/separator/neural.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid::catalog {

/// Whether a file is a recipe: by its ending, .yaml or .yml.
bool is_recipe(const std::filesystem::path& path);

/// The files beside a recipe that it is made of, each once: a bag's packages, the weights, configurations and adapters of
/// members. kNotFound, kFormat; kUsage for members in other folders, or that are recipes themselves.
std::vector<std::filesystem::path> recipe_files(const std::filesystem::path& path);

/// kNotFound and kFormat with the place in the file; kUsage for unknown stems; what opening its models throws.
Method recipe_method(const std::filesystem::path& path, const NeuralRuntime& runtime);

}  // namespace unbraid::catalog
