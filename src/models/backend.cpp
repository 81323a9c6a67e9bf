// The door of libunbraid_nn.

#include <utility>

#include "models/exchange.hpp"
#include "models/family.hpp"
#include "models/model_file.hpp"
#include "models/parity.hpp"
#include "models/torch_separator.hpp"
#include "unbraid/core/plugin.hpp"
#include "unbraid/separator/neural.hpp"

UNBRAID_PLUGIN()

namespace unbraid::models {

namespace {

class OpenedModel : public NeuralModel {
 public:
  OpenedModel(LoadedModel opened, torch::Device device, bool bf16) : model_(std::move(opened.model)), device_(device), bf16_(bf16) {
    model_->to(device_);
    parameters_ = model_->settings();
    const ModelTraits& traits = model_->traits();
    facts_ = {.family = traits.family,
              .stems = traits.stems,
              .sample_rate = traits.sample_rate,
              .channels = static_cast<std::size_t>(traits.channels)};
    for (const auto& parameter : model_->parameters()) facts_.parameters += static_cast<std::uint64_t>(parameter.numel());
    facts_.details = std::move(opened.card.more);
    for (const auto& [key, value] : {std::pair{"name", opened.card.name},
                                     {"description", opened.card.description},
                                     {"author", opened.card.author},
                                     {"licence", opened.card.licence},
                                     {"source", opened.card.source},
                                     {"training", opened.card.training},
                                     {"configuration", model_->configuration()}})
      if (!value.empty()) facts_.details[key] = value;
  }

  const ModelFacts& facts() const override { return facts_; }
  const std::vector<Parameter>& parameters() const override { return parameters_; }
  std::unique_ptr<Separator> separator(const StreamFormat& format, const ParameterValues& values) const override {
    return make_separator(model_, device_, format, values, bf16_);
  }

 private:
  std::shared_ptr<Model> model_;
  torch::Device device_;
  bool bf16_;
  std::vector<Parameter> parameters_;
  ModelFacts facts_;
};

class TorchBackend : public NeuralBackend {
 public:
  std::string device(const std::string& wanted) const override { return choose_device(wanted).str(); }

  ModelFacts facts(const ModelFiles& files) const override { return OpenedModel(open_with_card(files), torch::kCPU, false).facts(); }

  std::shared_ptr<const NeuralModel> open(const ModelFiles& files, const NeuralRuntime& runtime) const override {
    return std::make_shared<OpenedModel>(open_with_card(files), choose_device(runtime.device), runtime.precision == Precision::kBfloat16);
  }

  std::vector<ParityFile> parity(const std::filesystem::path& folder, double tolerance, const SeparateTrack& separate,
                                 RunContext& run) const override {
    return run_parity(folder, tolerance, separate, run);
  }

  void import_model(const ModelFiles& files, const std::filesystem::path& output, const std::map<std::string, std::string>& card,
                    bool half) const override {
    models::import_model(files, output, card, half);
  }
  void export_model(const ModelFiles& files, const std::filesystem::path& folder) const override { models::export_model(files, folder); }
  void verify_model(const ModelFiles& files, RunContext& run) const override { models::verify_model(files, run); }
};

}  // namespace

}  // namespace unbraid::models

extern "C" const unbraid::NeuralBackend* unbraid_nn() {
  static const unbraid::models::TorchBackend backend;
  return &backend;
}
