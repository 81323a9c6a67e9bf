// The door of libunbraid_nn.

#include <fmt/format.h>

#include "models/family.hpp"
#include "models/parity.hpp"
#include "models/torch_separator.hpp"
#include "unbraid/core/plugin.hpp"
#include "unbraid/separator/neural.hpp"

UNBRAID_PLUGIN()

namespace unbraid::models {

namespace {

class TorchBackend : public NeuralBackend {
 public:
  std::string description() const override {
    return fmt::format("libtorch {}, {}", TORCH_VERSION,
                       torch::cuda::is_available() ? fmt::format("{} CUDA devices", torch::cuda::device_count()) : "CPU");
  }

  std::vector<std::string> families() const override {
    std::vector<std::string> names;
    for (const Family& family : models::families()) names.emplace_back(family.name);
    return names;
  }

  ModelFacts facts(const ModelFiles& files) const override {
    const std::shared_ptr<Model> model = open_model(files);
    const ModelTraits& traits = model->traits();
    ModelFacts facts{.family = traits.family, .stems = traits.stems, .sample_rate = traits.sample_rate,
                     .channels = static_cast<std::size_t>(traits.channels)};
    for (const auto& parameter : model->parameters()) facts.parameters += static_cast<std::uint64_t>(parameter.numel());
    return facts;
  }

  std::unique_ptr<Separator> open(const ModelFiles& files, const NeuralRuntime& runtime) const override {
    return make_separator(open_model(files), runtime);
  }

  std::vector<ParityFile> parity(const std::filesystem::path& folder, double tolerance, RunContext& run) const override {
    return run_parity(folder, tolerance, run);
  }
};

}  // namespace

}  // namespace unbraid::models

extern "C" const unbraid::NeuralBackend* unbraid_nn() {
  static const unbraid::models::TorchBackend backend;
  return &backend;
}
