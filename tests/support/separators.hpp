#pragma once
// Separators made from a function, for tests of what surrounds them.
//
//   FunctionSeparator half({.stems = {"half"}, .sample_rate = 8000, .channels = 1}, [](AudioView block) {
//     AudioBuffer out(1, block.frames());
//     add_scaled(block, 0.5f, out);
//     return std::vector{out};
//   });

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "unbraid/separator/separator.hpp"

namespace unbraid::testing {

class FunctionSeparator : public Separator {
 public:
  using Function = std::function<std::vector<AudioBuffer>(AudioView)>;  ///< one signal per stem
  FunctionSeparator(SeparatorInfo info, Function function) : info_(std::move(info)), function_(std::move(function)) {}

  const SeparatorInfo& info() const override { return info_; }
  Stems process(AudioView block, RunContext&) override {
    Stems stems;
    std::vector<AudioBuffer> signals = function_(block);
    for (std::size_t i = 0; i < signals.size(); ++i) stems.add(info_.stems.at(i), std::move(signals[i]));
    return stems;
  }

 private:
  SeparatorInfo info_;
  Function function_;
};

/// One stem, "all": the block itself.
inline std::unique_ptr<Separator> identity(std::size_t channels, double sample_rate, const Chunked& blocks) {
  return std::make_unique<FunctionSeparator>(
      SeparatorInfo{.stems = {"all"}, .sample_rate = sample_rate, .channels = channels, .blocks = blocks},
      [](AudioView block) { return std::vector{AudioBuffer(block)}; });
}

}  // namespace unbraid::testing
