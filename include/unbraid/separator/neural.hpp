#pragma once
// Neural separators, which live in libunbraid_nn: the part of the library that links libtorch.
//
//   const NeuralBackend& neural = catalog::neural_backend();            // opened on first use
//   auto separator = neural.open({.weights = "model.ckpt", .config = "config.yaml"}, {.device = "cpu"});
//   Stems stems = separator->process(block, run);
//
// No torch type appears here, so that a program without torch can be compiled against it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

/// A model as it is published.
struct ModelFiles {
  std::filesystem::path weights;      ///< .ckpt, .th, .pth, .safetensors, .h5, or a folder of them (Open-Unmix)
  std::filesystem::path config = {};  ///< MSST YAML or splifft JSON; empty when the weights say enough
  bool allow_partial = false;         ///< accept missing and surplus tensors, as a fine-tune may have
};

enum class Precision { kAuto, kFloat32, kBfloat16 };

struct NeuralRuntime {
  std::string device = "auto";  ///< "auto", "cpu", "cuda" or "cuda:1"; kUnsupported when it is not there
  Precision precision = Precision::kAuto;
};

/// What a model is, without making it ready to run.
struct ModelFacts {
  std::string family;  ///< "bs_roformer", "htdemucs", …
  std::vector<std::string> stems;
  double sample_rate = 0;  ///< Hz
  std::size_t channels = 0;
  std::uint64_t parameters = 0;
  std::map<std::string, std::string> details;  ///< the configuration, for people
};

/// One comparison of `models parity`.
struct ParityFile {
  std::string file;
  double max_abs_error = 0;
  std::vector<std::int64_t> at;  ///< index of the largest error
  double tolerance = 0;
  bool pass = false;
  std::string note = {};  ///< why it could not be compared; empty otherwise
};

class NeuralBackend {
 public:
  virtual ~NeuralBackend() = default;
  /// "libtorch 1.13.0, CPU, 2 threads"
  virtual std::string description() const = 0;
  virtual std::vector<std::string> families() const = 0;

  // Errors of all three: kNotFound, kFormat (a damaged file; tensors that do not fit the configuration, named),
  // kUnsupported (an unknown family or option).
  virtual ModelFacts facts(const ModelFiles& files) const = 0;
  virtual std::unique_ptr<Separator> open(const ModelFiles& files, const NeuralRuntime& runtime) const = 0;
  /// Runs the model of a folder on its input.npy and compares with output.npy, inter_*.npy, demix_*.npy, …
  virtual std::vector<ParityFile> parity(const std::filesystem::path& folder, double tolerance,
                                         RunContext& run) const = 0;
};

}  // namespace unbraid
