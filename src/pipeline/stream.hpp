#pragma once
// What stands behind SeparationStream: one separator, an ensemble, or a chain.

#include <memory>

#include "unbraid/pipeline/separate.hpp"

namespace unbraid {

struct SeparationStream::Impl {
  virtual ~Impl() = default;
  virtual void push(AudioView frames, RunContext& run) = 0;
  virtual void finish(RunContext& run) = 0;
  virtual bool ready() const = 0;
  virtual SeparatedBlock take(RunContext& run) = 0;
};

/// For a separator whose blocks are an Ensemble or a Chain.
std::unique_ptr<SeparationStream::Impl> make_composite_stream(const SeparatorInfo& info, const StreamFormat& input,
                                                              const SeparationOptions& options,
                                                              const NormalizationStats& stats);

}  // namespace unbraid
