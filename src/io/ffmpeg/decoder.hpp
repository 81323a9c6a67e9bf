#pragma once
// Packets in, planar float32 out.

#include <cstdint>
#include <functional>
#include <optional>

#include "io/ffmpeg/av.hpp"
#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::io {

class Decoder {
 public:
  /// kAsStored returns every sample of a packet; kTrimmed lets FFmpeg drop what packets ask to have dropped.
  enum class Trimming { kAsStored, kTrimmed };
  /// Called for each damaged packet of a lossy codec, which is then left out. Of other codecs damage is an error.
  using OnDamage = std::function<void()>;
  /// kUnsupported when this FFmpeg cannot decode it. `name` stands in error messages.
  Decoder(const AVStream& stream, Trimming trimming, std::string name, OnDamage on_damage);

  /// Hands in a packet, or null at the end. kFormat when it is damaged.
  void send(const AVPacket* packet);
  /// Decodes the next frame; false when another packet is needed, or at the very end. kFormat when damaged,
  /// or when the sample rate or the number of channels changes.
  bool receive();
  void flush() { avcodec_flush_buffers(context_.get()); }

  /// The frame that receive() decoded.
  std::size_t frames() const { return static_cast<std::size_t>(frame_->nb_samples); }
  /// The time stamp of the packet it came from, if it had one.
  std::optional<std::uint64_t> timestamp() const;
  /// Copies frames [first, first + target.frames()) of it.
  void copy_to(std::size_t first, MutableAudioView target) const;

  int sample_rate() const { return context_->sample_rate; }
  const AVCodecContext& context() const { return *context_; }

 private:
  void fail(int status) const;

  std::string name_;
  OnDamage on_damage_;
  AvCodec context_;
  AvFrame frame_;
  int sample_rate_;
  int channels_;
};

}  // namespace unbraid::io
