#pragma once
// Feeding a recording to a separator that takes another number of channels.
//
//   channel_groups(6, 2)   // {{0, 1}, {2}, {3}, {4, 5}}: 5.1 to a stereo separator
//   channel_groups(1, 2)   // {{0}}: mono, given twice
//   channel_groups(2, 1)   // {{0}, {1}}: channel by channel

#include <cstddef>
#include <vector>

namespace unbraid {

/// Which channels of the input form each run of a separator of `wanted` ≥ 1 channels. Every channel is in
/// exactly one group. A group with fewer channels than wanted repeats its last one. For stereo separators the
/// pairs are those of the WAV channel order (L R C LFE Lb Rb Ls Rs), where the centre, the low-frequency
/// channel and a single back channel stay alone.
std::vector<std::vector<std::size_t>> channel_groups(std::size_t input, std::size_t wanted);

}  // namespace unbraid
