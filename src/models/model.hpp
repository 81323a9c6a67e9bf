#pragma once
// What every neural separator is inside libunbraid_nn: a torch module from mixtures to stems.
//
//   std::shared_ptr<Model> model = open_model(files);
//   torch::Tensor stems = model->forward(mix);            // [batch, channels, n] → [batch, stems, channels, n]
//
// Sub-modules bear the names of the published checkpoints, so that loading is a look-up by name.

#include <torch/torch.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unbraid/separator/separator.hpp"

namespace unbraid::models {

struct ModelTraits {
  std::string family;
  std::vector<std::string> stems;  ///< in output order
  double sample_rate = 44100;      ///< Hz
  std::int64_t channels = 2;
  bool normalize = false;
  Chunked blocks;  ///< how the reference implementation cuts and joins
};

class Model : public torch::nn::Module {
 public:
  explicit Model(ModelTraits traits) : traits_(std::move(traits)) {}

  const ModelTraits& traits() const noexcept { return traits_; }

  /// float32 [batch, channels, frames] → [batch, stems, channels, frames'] with frames' ≤ frames where the published
  /// model shortens its output.
  virtual torch::Tensor forward(const torch::Tensor& mix) = 0;

  /// Intermediate values by name ("enc0_downscale"), recorded by the next forward() into `taps`; nullptr: none.
  void record(std::map<std::string, torch::Tensor>* taps) noexcept { taps_ = taps; }

 protected:
  void tap(const std::string& name, const torch::Tensor& value) const {
    if (taps_) taps_->insert_or_assign(name, value.clone());
  }

 private:
  ModelTraits traits_;
  std::map<std::string, torch::Tensor>* taps_ = nullptr;
};

}  // namespace unbraid::models
