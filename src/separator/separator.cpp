#include "unbraid/separator/separator.hpp"

namespace unbraid {

std::vector<Stems> Separator::process_batch(std::span<const AudioView> blocks, RunContext& run) {
  std::vector<Stems> results;
  results.reserve(blocks.size());
  for (const AudioView& block : blocks) results.push_back(process(block, run));
  return results;
}

}  // namespace unbraid
