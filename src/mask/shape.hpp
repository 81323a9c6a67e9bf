#pragma once
// The checks that every function of this layer makes on its arguments.

#include "unbraid/core/error.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::mask {

template <class A, class B>
void require_same_shape(const dsp::TimeFrequency<A>& a, const dsp::TimeFrequency<B>& b) {
  if (!a.same_shape(b)) throw Error{ErrorCode::kInternal, "spectrograms of different shapes", "mask"};
}

/// As require_same_shape, but one channel may stand for all.
template <class A, class B>
void require_broadcastable(const dsp::TimeFrequency<A>& a, const dsp::TimeFrequency<B>& b) {
  const bool channels_fit = a.channels() == 1 || a.channels() == b.channels();
  if (!channels_fit || a.frames() != b.frames() || a.bins() != b.bins()) {
    throw Error{ErrorCode::kInternal, "spectrograms of different shapes", "mask"};
  }
}

inline void require_source(std::size_t sources) {
  if (sources == 0) throw Error{ErrorCode::kUsage, "there must be at least one source", "mask"};
}

}  // namespace unbraid::mask
