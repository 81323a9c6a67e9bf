#pragma once
// Matrix products and convolutions in bfloat16 while an object of this type lives, the rest in float32.

#include <torch/torch.h>

namespace unbraid::nn {

class Autocast {
 public:
  Autocast(bool enabled, torch::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
  torch::Device device_;
};

}  // namespace unbraid::nn
