#include "unbraid/catalog/model_method.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

/// The hashes of what the model is made of.
std::string fingerprint(const ModelFiles& files) {
  namespace fs = std::filesystem;
  std::vector<fs::path> parts;
  if (fs::is_directory(files.weights)) {
    for (const auto& entry : fs::directory_iterator(files.weights))
      if (entry.is_regular_file()) parts.push_back(entry.path());
    std::ranges::sort(parts);
  } else {
    parts.push_back(files.weights);
  }
  std::string text;
  for (const fs::path& part : parts)
    text += fmt::format("{}{}sha256:{}", text.empty() ? "" : " ", parts.size() > 1 ? part.filename().string() + " " : "", sha256_of_file(part));
  if (!files.config.empty()) text += " config sha256:" + sha256_of_file(files.config);
  return text;
}

}  // namespace

bool names_model_file(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return true;
  if (std::ranges::find(methods(), name, &Method::name) != methods().end()) return false;
  if (std::filesystem::is_directory(name)) return true;
  for (const std::string_view ending : {".ckpt", ".th", ".pth", ".pt", ".safetensors", ".h5"})
    if (name.ends_with(ending)) return true;
  return false;
}

Method model_method(const ModelFiles& files, const NeuralRuntime& runtime) {
  if (!std::filesystem::exists(files.weights)) throw Error{ErrorCode::kNotFound, "no such file", files.weights.string()};
  const std::shared_ptr<const NeuralModel> model = neural_backend().open(files, runtime);
  Method method;
  method.name = files.weights.filename().string();
  method.summary = "a model given by its files";
  method.stems = model->facts().stems;
  method.parameters = model->parameters();
  method.fingerprint = fingerprint(files);
  method.make = [model](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    return model->separator(format, values);
  };
  return method;
}

}  // namespace unbraid::catalog
