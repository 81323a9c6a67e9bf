#pragma once
// How parameters of methods and models are shown, alike for both.

#include <nlohmann/json.hpp>
#include <vector>

#include "unbraid/core/parameter.hpp"

namespace unbraid::app {

nlohmann::ordered_json parameter_json(const Parameter& parameter);
/// A table on stdout; nothing without parameters.
void print_parameters(const std::vector<Parameter>& parameters);

}  // namespace unbraid::app
