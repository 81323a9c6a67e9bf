#include "models/exchange.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstddef>
#include <span>

#include "models/family.hpp"
#include "models/model_file.hpp"
#include "models/state.hpp"
#include "unbraid/core/atomic_file.hpp"

namespace unbraid::models {

namespace fs = std::filesystem;

namespace {

void apply(ModelCard& card, const std::map<std::string, std::string>& given) {
  const std::map<std::string, std::string*> known{{"name", &card.name},     {"description", &card.description},
                                                  {"author", &card.author}, {"licence", &card.licence},
                                                  {"source", &card.source}, {"training", &card.training}};
  for (const auto& [key, value] : given) {
    const auto place = known.find(key);
    (place != known.end() ? *place->second : card.more[key]) = value;
  }
}

bool finite(const torch::Tensor& values) { return !values.is_floating_point() || torch::isfinite(values).all().item<bool>(); }

}  // namespace

void import_model(const ModelFiles& files, const fs::path& output, const std::map<std::string, std::string>& card, bool half) {
  LoadedModel opened = open_with_card(files);
  apply(opened.card, card);
  save_model(output, *opened.model, opened.card, half ? checkpoint::Dtype::kF16 : checkpoint::Dtype::kF32);
}

void export_model(const ModelFiles& files, const fs::path& folder) {
  const std::shared_ptr<Model> model = open_model(files);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw Error{ErrorCode::kIo, failed.message(), folder.string()};
  checkpoint::save_safetensors(folder / "model.safetensors", save_state(*model, checkpoint::Dtype::kF32), {{"format", "pt"}});
  YAML::Node config = YAML::Load(model->configuration());
  config["architecture"] = model->traits().family;  // tensors alone do not tell every family
  write_file_atomically(folder / "config.yaml", YAML::Dump(config) + "\n");
}

void verify_model(const ModelFiles& files, RunContext& run) {
  const std::shared_ptr<Model> model = open_model(files);
  const auto check = [&](const auto& items) {
    for (const auto& item : items)
      if (!finite(item.value()))
        throw Error{ErrorCode::kFormat, fmt::format("{} has values that are not finite", item.key()), files.weights.string()};
  };
  check(model->named_parameters());
  check(model->named_buffers());

  const c10::InferenceMode no_gradient;
  const ModelTraits& traits = model->traits();
  constexpr std::int64_t kLongestTrial = 1 << 18;
  const std::int64_t frames = std::min<std::int64_t>(static_cast<std::int64_t>(traits.blocks.length), kLongestTrial);
  torch::Tensor noise = torch::empty({1, traits.channels, frames});
  torch::Generator generator = at::detail::createCPUGenerator(1);
  noise.uniform_(-0.5, 0.5, generator);
  const ParameterValues values = ParameterValues::resolve(model->settings());
  const torch::Tensor stems = model->separate(noise, values, run);
  if (stems.size(1) != static_cast<std::int64_t>(model->stems(values).size()) || !finite(stems))
    throw Error{ErrorCode::kFormat, "what it makes of noise is not finite, or not its stems", files.weights.string()};
}

}  // namespace unbraid::models
