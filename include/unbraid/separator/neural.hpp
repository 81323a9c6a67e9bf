#pragma once
// Neural separators, which live in libunbraid_nn: the part of the library that links libtorch.
//
//   const NeuralBackend& neural = catalog::neural_backend();            // opened on first use
//   auto model = neural.open({.weights = "model.ckpt", .config = "config.yaml"}, {.device = "cpu"});
//   auto separator = model->separator(format, ParameterValues::resolve(model->parameters()));
//   Stems stems = separator->process(block, run);
//
// No torch type appears here, so that a program without torch can be compiled against it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

/// A model as it is published.
struct ModelFiles {
  std::filesystem::path weights;        ///< .ckpt, .th, .pth, .safetensors, .h5, a folder of them (Open-Unmix), or our own .safetensors
  std::filesystem::path config = {};    ///< MSST YAML or splifft JSON; empty when the weights say enough
  std::filesystem::path adapters = {};  ///< low-rank adapters (LoRA) that are merged into the weights; empty: none
  bool allow_partial = false;           ///< accept missing and surplus tensors, as a fine-tune may have
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
  std::map<std::string, std::string> details = {};  ///< the model's card and its configuration, for people
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

/// An opened model, in memory and ready to run.
class NeuralModel {
 public:
  virtual ~NeuralModel() = default;
  virtual const ModelFacts& facts() const = 0;
  /// What can be set when it separates: "niter" of Open-Unmix, "condition" of a conditioned network.
  virtual const std::vector<Parameter>& parameters() const = 0;
  /// Separators share the model's weights and keep them alive. kUsage for a value that does not fit the model.
  virtual std::unique_ptr<Separator> separator(const StreamFormat& format, const ParameterValues& values) const = 0;
};

/// A track through a separator with the separator's own policy: unbraid::separate() without options.
using SeparateTrack = std::function<Stems(AudioView mix, Separator& separator, RunContext& run)>;

class NeuralBackend {
 public:
  virtual ~NeuralBackend() = default;
  /// What a runtime's device means here: "auto" becomes "cpu" or "cuda". kUnsupported when it is not there.
  virtual std::string device(const std::string& wanted) const = 0;

  // Errors of all three: kNotFound, kFormat (a damaged file; tensors that do not fit the configuration, named),
  // kUnsupported (an unknown family or option).
  virtual ModelFacts facts(const ModelFiles& files) const = 0;
  virtual std::shared_ptr<const NeuralModel> open(const ModelFiles& files, const NeuralRuntime& runtime) const = 0;
  /// Runs the models of a folder on its inputs and compares with every output there:
  ///   output.npy, inter_<name>.npy      the network on input.npy, and values inside it
  ///   output_<settings>.npy             the same under those settings: output_niter2_softmask.npy
  ///   output_f16_weights.npy            the same with model_f16.*
  ///   forward_<x>_output.npy            the network on forward_<x>_input.npy; th_forward_…: that of the .th package
  ///   demix_output.npy, demix_<x>_output.npy   whole tracks, demix_input.npy or demix_<x>_input.npy, not normalised
  ///   normalized_demix_output.npy       demix_input.npy, normalised
  ///   apply_model_output.npy            demix_input.npy through the .th package
  virtual std::vector<ParityFile> parity(const std::filesystem::path& folder, double tolerance, const SeparateTrack& separate,
                                         RunContext& run) const = 0;

  /// Writes any model that can be read as one file of ours: safetensors that need nothing beside them. card: name,
  /// description, author, licence, source, training, and whatever else is to be kept. half: weights as float16.
  virtual void import_model(const ModelFiles& files, const std::filesystem::path& output, const std::map<std::string, std::string>& card,
                            bool half) const = 0;
  /// Writes config.yaml and model.safetensors with the tensors by their published names.
  virtual void export_model(const ModelFiles& files, const std::filesystem::path& folder) const = 0;
  /// kFormat when a weight, or what the model makes of noise, is not finite.
  virtual void verify_model(const ModelFiles& files, RunContext& run) const = 0;
};

}  // namespace unbraid
