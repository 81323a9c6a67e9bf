#include "models/state.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/adapters.hpp"
#include "nn/adaptable_linear.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using checkpoint::Dtype;
using checkpoint::Tensor;
using checkpoint::TensorMap;

constexpr std::size_t kNamesShown = 5;

bool is_floating(Dtype dtype) { return dtype == Dtype::kF16 || dtype == Dtype::kBf16 || dtype == Dtype::kF32 || dtype == Dtype::kF64; }

/// What all names have in front, of the wrappers that training frameworks add.
std::string common_prefix(const TensorMap& tensors) {
  for (const std::string prefix : {"model.", "module."})
    if (std::ranges::all_of(tensors, [&](const auto& entry) { return entry.first.starts_with(prefix); })) return prefix;
  return {};
}

std::string list(const std::vector<std::string>& names) {
  const std::vector<std::string> shown(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesShown)));
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     names.size() > kNamesShown ? fmt::format(" and {} more", names.size() - kNamesShown) : "");
}

}  // namespace

torch::Tensor to_torch(const Tensor& tensor) {
  if (is_floating(tensor.dtype())) {
    const std::vector<float> values = tensor.to_floats();
    torch::Tensor out = torch::empty(tensor.shape(), torch::kFloat32);
    if (!values.empty()) std::memcpy(out.data_ptr<float>(), values.data(), values.size() * sizeof(float));
    return out;
  }
  const std::vector<double> values = tensor.to_doubles();
  torch::Tensor out = torch::empty(tensor.shape(), torch::kInt64);
  std::ranges::transform(values, out.data_ptr<std::int64_t>(), [](double v) { return static_cast<std::int64_t>(v); });
  return out;
}

void load_state(torch::nn::Module& module, const TensorMap& tensors, bool allow_partial) {
  const torch::NoGradGuard no_gradient;
  const std::string prefix = common_prefix(tensors);
  std::set<std::string> used;
  std::vector<std::string> missing;
  const auto fill = [&](const std::string& name, torch::Tensor& target) {
    const Tensor* source = tensors.find(prefix + name);
    if (!source) {
      missing.push_back(name);
      return;
    }
    used.insert(prefix + name);
    if (target.sizes() != torch::IntArrayRef(source->shape()))
      throw Error{ErrorCode::kFormat,
                  fmt::format("the checkpoint has shape {}, the configuration asks for {}", checkpoint::shape_text(source->shape()),
                              checkpoint::shape_text(target.sizes().vec())),
                  name};
    target.copy_(to_torch(*source));
  };
  for (auto& item : module.named_parameters())
    if (!is_adapter(item.key())) fill(item.key(), item.value());
  for (auto& item : module.named_buffers()) fill(item.key(), item.value());

  std::vector<std::string> surplus;
  for (const auto& [name, tensor] : tensors)
    if (!used.contains(name)) surplus.push_back(name);
  if (allow_partial) return;
  if (!missing.empty()) throw Error{ErrorCode::kFormat, fmt::format("the checkpoint lacks tensors: {}", list(missing))};
  if (!surplus.empty()) throw Error{ErrorCode::kFormat, fmt::format("the checkpoint has surplus tensors: {}", list(surplus))};
}

TensorMap save_state(const torch::nn::Module& module, Dtype dtype) {
  TensorMap tensors;
  const auto add = [&](const std::string& name, const torch::Tensor& value) {
    const bool floating = value.is_floating_point();
    const Dtype stored = !floating ? Dtype::kI64 : dtype == Dtype::kF16 ? Dtype::kF16 : Dtype::kF32;
    const torch::ScalarType type = !floating ? torch::kInt64 : stored == Dtype::kF16 ? torch::kFloat16 : torch::kFloat32;
    const auto copy = std::make_shared<torch::Tensor>(value.detach().to(torch::kCPU, type).contiguous());
    const std::span bytes(static_cast<const std::byte*>(copy->data_ptr()), copy->nbytes());
    tensors.add(name, Tensor(stored, value.sizes().vec(), {copy, bytes}));
  };
  std::map<std::string, torch::Tensor> merged;
  for (const auto& item : module.named_modules())
    if (const auto* layer = item.value()->as<nn::AdaptableLinearImpl>(); layer && layer->adapted())
      merged[item.key() + ".weight"] = layer->merged_weight();
  for (const auto& item : module.named_parameters()) {
    if (is_adapter(item.key())) continue;
    const auto found = merged.find(item.key());
    add(item.key(), found != merged.end() ? found->second : item.value());
  }
  for (const auto& item : module.named_buffers()) add(item.key(), item.value());
  return tensors;
}

}  // namespace unbraid::models
