#include "unbraid/core/audio_buffer.hpp"

#include <algorithm>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

void require_same_shape(AudioView a, AudioView b) {
  if (a.channels() != b.channels() || a.frames() != b.frames()) throw Error{ErrorCode::kInternal, "audio blocks of different shape"};
}

}  // namespace

AudioBuffer::AudioBuffer(AudioView source) : AudioBuffer(source.channels(), source.frames()) { copy(source, view()); }

void copy(AudioView source, MutableAudioView target) {
  require_same_shape(source, target);
  for (std::size_t c = 0; c < source.channels(); ++c) std::ranges::copy(source.channel(c), target.channel(c).begin());
}

void add_scaled(AudioView source, float gain, MutableAudioView target) {
  require_same_shape(source, target);
  for (std::size_t c = 0; c < source.channels(); ++c) {
    const auto from = source.channel(c);
    const auto to = target.channel(c);
    for (std::size_t i = 0; i < from.size(); ++i) to[i] += gain * from[i];
  }
}

}  // namespace unbraid
