#include "unbraid/catalog/model_method.hpp"

#include <fmt/format.h>

#include <utility>

#include "unbraid/catalog/neural.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

/// One loaded model behind several separators.
class SharedSeparator : public Separator {
 public:
  explicit SharedSeparator(std::shared_ptr<Separator> shared) : shared_(std::move(shared)) {}
  const SeparatorInfo& info() const override { return shared_->info(); }
  Stems process(AudioView block, RunContext& run) override { return shared_->process(block, run); }
  std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run) override {
    return shared_->process_batch(blocks, run);
  }

 private:
  std::shared_ptr<Separator> shared_;
};

}  // namespace

bool names_model_file(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return true;
  for (const std::string_view ending : {".ckpt", ".th", ".pth", ".pt", ".safetensors", ".h5"})
    if (name.ends_with(ending)) return true;
  return false;
}

Method model_method(const ModelFiles& files, const NeuralRuntime& runtime) {
  if (!std::filesystem::exists(files.weights)) throw Error{ErrorCode::kNotFound, "no such file", files.weights.string()};
  const std::shared_ptr<Separator> model = neural_backend().open(files, runtime);
  Method method;
  method.name = files.weights.filename().string();
  method.summary = "a model given by its files";
  method.stems = model->info().stems;
  method.fingerprint = "sha256:" + sha256_of_file(files.weights);
  if (!files.config.empty()) method.fingerprint += " config sha256:" + sha256_of_file(files.config);
  method.make = [model](const StreamFormat&, const ParameterValues&, std::uint64_t) -> std::unique_ptr<Separator> {
    return std::make_unique<SharedSeparator>(model);
  };
  return method;
}

}  // namespace unbraid::catalog
