#pragma once
// What stands behind SeparationStream: one separator, an ensemble, or a chain.

#include <algorithm>
#include <memory>
#include <variant>

#include "unbraid/pipeline/separate.hpp"

namespace unbraid {

struct SeparationStream::Impl {
  virtual ~Impl() = default;
  virtual void push(AudioView frames, RunContext& run) = 0;
  virtual void finish(RunContext& run) = 0;
  virtual bool ready() const = 0;
  virtual SeparatedBlock take(RunContext& run) = 0;
};

/// SeparationOptions::batch of a member where the whole has this one: at most its own.
inline std::size_t batch_of_member(const SeparatorInfo& member, std::size_t batch) {
  const Chunked* const chunked = std::get_if<Chunked>(&member.blocks);
  return chunked ? std::min(batch, chunked->batch) : batch;
}

/// For a separator whose blocks are an Ensemble or a Chain.
std::unique_ptr<SeparationStream::Impl> make_composite_stream(const SeparatorInfo& info, const StreamFormat& input,
                                                              const SeparationOptions& options, const NormalizationStats& stats);

}  // namespace unbraid
