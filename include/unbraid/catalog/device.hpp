#pragma once
// Where and how precisely a method computes.
//
//   const Backend backend = catalog::choose_backend("auto", "auto");
//   fmt::print("backend: {}, {}\n", backend.device, backend.precision);      // "cpu, fp32"

#include <string>
#include <string_view>

namespace unbraid::catalog {

struct Backend {
  std::string device;     ///< "cpu", "cuda:0"
  std::string precision;  ///< "fp32", "bf16"
};

/// device: auto, cpu, cuda or cuda:N; precision: auto, fp32 or bf16. Nothing is replaced silently: kUsage for
/// other words, kUnsupported for what this machine or this build does not have.
Backend choose_backend(std::string_view device, std::string_view precision);

}  // namespace unbraid::catalog
