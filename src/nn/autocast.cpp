#include "nn/autocast.hpp"

#include <ATen/autocast_mode.h>

namespace unbraid::nn {

namespace {

void set_autocast(torch::Device device, bool enabled) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  at::autocast::set_autocast_dtype(device.type(), torch::kBFloat16);
  at::autocast::set_autocast_enabled(device.type(), enabled);
#else
  if (device.is_cuda()) {
    at::autocast::set_autocast_gpu_dtype(torch::kBFloat16);
    at::autocast::set_enabled(enabled);
  } else {
    at::autocast::set_autocast_cpu_dtype(torch::kBFloat16);
    at::autocast::set_cpu_enabled(enabled);
  }
#endif
}

}  // namespace

Autocast::Autocast(bool enabled, torch::Device device) : enabled_(enabled), device_(device) {
  if (enabled_) set_autocast(device_, true);
}

Autocast::~Autocast() {
  if (!enabled_) return;
  set_autocast(device_, false);
  at::autocast::clear_cache();  // the converted weights are of this step
}

}  // namespace unbraid::nn
