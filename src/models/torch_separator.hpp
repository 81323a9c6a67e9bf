#pragma once
// A Model as the Separator that the pipeline knows.

#include <memory>
#include <optional>

#include "models/model.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::models {

/// The device of a runtime: "auto" is CUDA where there is one. kUnsupported when it is not there.
torch::Device choose_device(const std::string& name);

/// model: in evaluation mode, on the device where it is to run. bf16: matrix products and convolutions in bfloat16.
/// normalization: instead of the model's own.
std::unique_ptr<Separator> make_separator(std::shared_ptr<Model> model, torch::Device device, const StreamFormat& format,
                                          const ParameterValues& values, bool bf16 = false,
                                          std::optional<Normalization> normalization = {});

}  // namespace unbraid::models
