#pragma once
// What every neural separator is inside libunbraid_nn: a torch module from mixtures to stems.
//
//   std::shared_ptr<Model> model = open_model(files);
//   torch::Tensor stems = model->forward(mix);            // [batch, channels, n] → [batch, stems, channels, n]
//
// Training:
//
//   std::shared_ptr<Model> model = make_model("mask_inference", config, /*seed=*/1);      // family.hpp
//   model->train();
//   const torch::Tensor loss = torch::l1_loss(model->estimate_magnitudes(mix), model->magnitudes(stems));
//   …
//   save_model("best.safetensors", *model, {.licence = "CC-BY-4.0", .training = report});   // model_file.hpp
//
// Sub-modules bear the names of the published checkpoints, so that loading is a look-up by name.

#include <torch/torch.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/parameter.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid::models {

struct ModelTraits {
  std::string family;
  std::vector<std::string> stems;  ///< in output order
  double sample_rate = 44100;      ///< Hz
  std::int64_t channels = 2;
  bool any_channels = false;  ///< works channel by channel, so that forward() takes any number of them
  Normalization normalize = Normalization::kNone;
  Chunked blocks;  ///< how the reference implementation cuts and joins
};

class Model : public torch::nn::Module {
 public:
  explicit Model(ModelTraits traits) : traits_(std::move(traits)) {}

  const ModelTraits& traits() const noexcept { return traits_; }

  /// The YAML that make_model() builds this module from again.
  const std::string& configuration() const noexcept { return configuration_; }
  void set_configuration(std::string yaml) { configuration_ = std::move(yaml); }

  /// float32 [batch, channels, frames] → [batch, stems, channels, frames'], where frames' is less than frames if
  /// the published model shortens its output, and more if it gives whole excerpts: both start together. Differentiable; in training mode
  /// with dropout and the statistics of the batch.
  virtual torch::Tensor forward(const torch::Tensor& mix) = 0;

  // For separating: what a user may set, and what the reference implementation does around its network.
  virtual std::vector<Parameter> settings() const { return {}; }
  /// The stems under these values: usually traits().stems.
  virtual std::vector<std::string> stems(const ParameterValues& /*values*/) const { return traits_.stems; }
  /// As forward(), in evaluation mode: [batch, channels, frames] → [batch, stems(values), channels, frames'].
  virtual torch::Tensor separate(const torch::Tensor& mix, const ParameterValues& /*values*/, RunContext& /*run*/) { return forward(mix); }
  /// Settings under which separate() equals the reference implementation, where the defaults are not.
  virtual std::map<std::string, std::string> reference_settings() const { return {}; }

  // For losses on spectrograms; models that work in time, or on complex values, have none.
  virtual bool has_magnitudes() const { return false; }
  /// Magnitudes as this model sees them: [..., frames] → [..., bins, columns].
  virtual torch::Tensor magnitudes(const torch::Tensor& /*audio*/) const { unsupported("magnitudes"); }
  /// The stems' magnitudes before any phase: [batch, channels, frames] → [batch, stems, channels, bins, columns].
  virtual torch::Tensor estimate_magnitudes(const torch::Tensor& /*mix*/) { unsupported("magnitudes"); }

  // The same for losses on complex spectrograms.
  virtual bool has_spectra() const { return false; }
  /// Complex spectra as this model sees them: [..., channels, frames] → [..., channels, (bins and columns)].
  virtual torch::Tensor spectra(const torch::Tensor& /*audio*/) const { unsupported("spectra"); }
  /// The stems' spectra: [batch, channels, frames] → [batch, stems, channels, (bins and columns)].
  virtual torch::Tensor estimate_spectra(const torch::Tensor& /*mix*/) { unsupported("spectra"); }

  // For networks that separate what a condition asks for (seed 003). Their forward() gives all stems, one by one.
  virtual bool conditioned() const { return false; }
  /// condition [batch, stems] (one-hot, or weights of a mix of stems) → [batch, channels, frames].
  virtual torch::Tensor forward_conditioned(const torch::Tensor& /*mix*/, const torch::Tensor& /*condition*/) { unsupported("condition"); }

  /// Called once before training with mixtures of the training data, [channels, frames] each: sets what the model
  /// derives from data without gradients (Open-Unmix's input mean and scale).
  virtual void fit_input(std::span<const torch::Tensor> /*mixtures*/) {}

  /// From now on forward() gives only these of the stems, by index in increasing order, if that saves work; false: it
  /// goes on giving all.
  virtual bool keep_only(const std::vector<std::size_t>& /*stems*/) { return false; }

  /// Intermediate values by name ("enc0_downscale"), recorded by the next forward() into `taps`; nullptr: none.
  void record(std::map<std::string, torch::Tensor>* taps) noexcept { taps_ = taps; }

 protected:
  void tap(const std::string& name, const torch::Tensor& value) const {
    if (taps_) taps_->insert_or_assign(name, value.clone());
  }

 private:
  [[noreturn]] void unsupported(const char* what) const {
    throw Error{ErrorCode::kUnsupported, std::string("this model has no ") + what, traits_.family};
  }

  ModelTraits traits_;
  std::string configuration_;
  std::map<std::string, torch::Tensor>* taps_ = nullptr;
};

}  // namespace unbraid::models
