// The seed's weights as Keras wrote them: <layer>/<anything>/kernel:0 and bias:0, layers named after what they do.

#include <fmt/format.h>

#include <map>

#include "models/deepconvsep/deepconvsep.hpp"

namespace unbraid::models {

namespace {

using checkpoint::Tensor;

constexpr std::string_view kDecoder = "single_dense_";

struct Layer {
  const Tensor* kernel = nullptr;
  const Tensor* bias = nullptr;
};

/// Float values with their axes in another order.
Tensor permuted(const Tensor& tensor, const std::vector<std::size_t>& axes) {
  const auto& shape = tensor.shape();
  std::vector<std::int64_t> steps(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) steps[i - 1] = steps[i] * shape[i];
  std::vector<std::int64_t> new_shape, new_steps;
  for (const std::size_t axis : axes) {
    new_shape.push_back(shape[axis]);
    new_steps.push_back(steps[axis]);
  }
  const auto values = std::make_shared<std::vector<float>>(tensor.to_floats());
  const auto bytes = std::as_bytes(std::span<const float>(*values));
  return {checkpoint::Dtype::kF32, std::move(new_shape), std::move(new_steps), 0, {values, bytes}};
}

std::map<std::string, Layer> layers_of(const checkpoint::TensorMap& tensors) {
  std::map<std::string, Layer> layers;
  for (const auto& [name, tensor] : tensors) {
    Layer& layer = layers[name.substr(0, name.find('/'))];
    if (name.ends_with("/kernel:0")) layer.kernel = &tensor;
    else if (name.ends_with("/bias:0")) layer.bias = &tensor;
  }
  return layers;
}

const Layer& require(const std::map<std::string, Layer>& layers, const std::string& name, std::size_t rank) {
  const auto found = layers.find(name);
  if (found == layers.end() || !found->second.kernel || !found->second.bias || found->second.kernel->shape().size() != rank)
    throw Error{ErrorCode::kFormat, fmt::format("the Keras weights lack the layer {}", name)};
  return found->second;
}

}  // namespace

SelfContained read_keras_deepconvsep(const checkpoint::Checkpoint& file, const std::filesystem::path& /*path*/) {
  const std::map<std::string, Layer> layers = layers_of(file.tensors);
  // Keras has (height, width, in, out) for convolutions, (height, width, out, in) for transposed ones and (in, out) for
  // dense layers; torch has (out, in, h, w), (in, out, h, w) and (out, in).
  const std::vector<std::size_t> convolution{3, 2, 0, 1}, dense{1, 0};
  SelfContained result;
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& axes) {
    const Layer& layer = require(layers, name, axes.size());
    result.tensors.add(name + ".weight", permuted(*layer.kernel, axes));
    result.tensors.add(name + ".bias", *layer.bias);
  };
  add("vertical_convolution", convolution);
  add("horizontal_convolution", convolution);
  add("global_dense", dense);

  YAML::Node config;
  for (const auto& [name, tensor] : file.tensors) {  // in the order of the file, which is that of the stems
    if (!name.starts_with(kDecoder) || !name.ends_with("/kernel:0")) continue;
    const std::string stem = name.substr(kDecoder.size(), name.find('/') - kDecoder.size());
    add("single_dense_" + stem, dense);
    add("horizontal_deconvolution_" + stem, convolution);
    add("vertical_deconvolution_" + stem, convolution);
    if (stem == "accompaniment") config["model"]["accompaniment_of"] = "vocals";
    else config["training"]["instruments"].push_back(stem);
  }
  if (!config["training"]) throw Error{ErrorCode::kFormat, "the Keras weights have no decoder single_dense_<stem>"};

  const auto& vertical = require(layers, "vertical_convolution", 4).kernel->shape();
  const auto& horizontal = require(layers, "horizontal_convolution", 4).kernel->shape();
  const auto& global = require(layers, "global_dense", 2).kernel->shape();
  if (vertical[0] != 1 || horizontal[1] != 1 || vertical[1] < 2 || horizontal[3] < 1)
    throw Error{ErrorCode::kUnsupported, "the kernels are not 1 × bins and time × 1"};
  const std::int64_t n_fft = 2 * (vertical[1] - 1), rows = global[0] / horizontal[3];
  config["audio"]["sample_rate"] = 44100;
  config["audio"]["num_channels"] = vertical[2];
  config["audio"]["n_fft"] = n_fft;
  config["audio"]["hop_length"] = n_fft / 4;
  config["model"]["frames"] = rows + horizontal[0] - 1;
  config["model"]["filters"] = vertical[3];
  config["model"]["time_filters"] = horizontal[3];
  config["model"]["time_kernel"] = horizontal[0];
  config["model"]["hidden"] = global[1];
  // Blocks of whole segments, so that framing=segments cuts a song where the seed does.
  constexpr std::int64_t kSegments = 64;
  config["inference"]["chunk_size"] = kSegments * (n_fft / 4 * (rows + horizontal[0] - 2) + n_fft);
  result.configuration = YAML::Dump(config);
  return result;
}

}  // namespace unbraid::models
