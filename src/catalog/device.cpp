#include "unbraid/catalog/device.hpp"

#include <algorithm>

#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

bool names_cuda(std::string_view device) {
  constexpr std::string_view kPrefix = "cuda:";
  if (device == "cuda") return true;
  return device.starts_with(kPrefix) && device.size() > kPrefix.size() &&
         std::ranges::all_of(device.substr(kPrefix.size()), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Backend choose_backend(std::string_view device, std::string_view precision) {
  if (names_cuda(device)) throw Error{ErrorCode::kUnsupported, "this build has no CUDA; use --device cpu", std::string(device)};
  if (device != "auto" && device != "cpu")
    throw Error{ErrorCode::kUsage, "no such device; there are auto, cpu, cuda and cuda:N", std::string(device)};
  if (precision == "bf16") throw Error{ErrorCode::kUnsupported, "the methods of this build compute in fp32", std::string(precision)};
  if (precision != "auto" && precision != "fp32")
    throw Error{ErrorCode::kUsage, "no such precision; there are auto, fp32 and bf16", std::string(precision)};
  return {.device = "cpu", .precision = "fp32"};
}

}  // namespace unbraid::catalog
