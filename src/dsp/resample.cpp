#include "unbraid/dsp/resample.hpp"

#include <soxr.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/shared_library.hpp"

namespace unbraid::dsp {

namespace {

constexpr std::uint32_t kMaxRate = 10'000'000;
constexpr std::uint64_t kMaxRatio = 100'000;

void require_rate(std::uint32_t rate) {
  if (rate < 1 || rate > kMaxRate) throw Error{ErrorCode::kUsage, "must lie between 1 and 10000000 Hz", "sample rate"};
}

/// Those of one conversion. From 1 to 700 000 Hz libsoxr does not come to an end, nor back.
void require_rates(std::uint32_t in_rate, std::uint32_t out_rate) {
  require_rate(in_rate);
  require_rate(out_rate);
  if (std::max(in_rate, out_rate) > kMaxRatio * std::min(in_rate, out_rate))
    throw Error{ErrorCode::kUsage, "must not change more than 100000-fold", "sample rate"};
}

/// libsoxr, opened on first use: it brings along OpenMP, which reads its settings when it is loaded and not again, so that
/// programs could not choose what suits libtorch.
struct Soxr {
  decltype(&::soxr_create) create;
  decltype(&::soxr_process) process;
  decltype(&::soxr_delete) close;
  decltype(&::soxr_io_spec) io_spec;
  decltype(&::soxr_quality_spec) quality_spec;
  decltype(&::soxr_runtime_spec) runtime_spec;

  static const Soxr& get() {
    static const Soxr soxr;
    return soxr;
  }

 private:
  Soxr() {
    const SharedLibrary library(kLibrary, "libsoxr is not installed (Debian: apt install libsoxr0)");
    library.resolve("soxr_create", create);
    library.resolve("soxr_process", process);
    library.resolve("soxr_delete", close);
    library.resolve("soxr_io_spec", io_spec);
    library.resolve("soxr_quality_spec", quality_spec);
    library.resolve("soxr_runtime_spec", runtime_spec);
  }

#ifdef __APPLE__
  static constexpr const char* kLibrary = "libsoxr.0.dylib";
#else
  static constexpr const char* kLibrary = "libsoxr.so.0";
#endif
};

struct DeleteSoxr {
  void operator()(soxr* stream) const { Soxr::get().close(stream); }
};

void require_ok(soxr_error_t error) {
  if (error) throw Error{ErrorCode::kInternal, error, "resampling"};
}

std::unique_ptr<soxr, DeleteSoxr> open(std::uint32_t in_rate, std::uint32_t out_rate, std::size_t channels) {
  const Soxr& library = Soxr::get();
  const soxr_io_spec_t planar = library.io_spec(SOXR_FLOAT32_S, SOXR_FLOAT32_S);
  // libsoxr's default lets the passband sag by up to 0.01 dB at its end (a round trip at 20 kHz is off by −60
  // dB); without that, it is flat to float's rounding.
  const soxr_quality_spec_t quality = library.quality_spec(SOXR_VHQ, SOXR_ROLLOFF_NONE);
  const soxr_runtime_spec_t one_thread = library.runtime_spec(1);
  soxr_error_t error = nullptr;
  std::unique_ptr<soxr, DeleteSoxr> stream(
      library.create(in_rate, out_rate, static_cast<unsigned>(channels), &error, &planar, &quality, &one_thread));
  require_ok(error);
  return stream;
}

}  // namespace

std::uint64_t resampled_frames(std::uint64_t frames, std::uint32_t in_rate, std::uint32_t out_rate) {
  require_rate(in_rate);
  require_rate(out_rate);
  // In two steps, so that the product stays small.
  const std::uint64_t whole = frames / in_rate * out_rate;
  const std::uint64_t rest = frames % in_rate * out_rate;
  return whole + (2 * rest + in_rate) / (2 * static_cast<std::uint64_t>(in_rate));
}

struct Resampler::Stream {
  std::uint32_t in_rate, out_rate;
  std::size_t channels;
  std::unique_ptr<soxr, DeleteSoxr> handle = {};  ///< none for equal rates
  std::uint64_t taken = 0;                        ///< input frames so far
  std::uint64_t given = 0;                        ///< output frames so far
  bool finished = false;

  /// Feeds all of `block` and returns what comes out; at the end everything that is left.
  AudioBuffer run(AudioView block, bool at_end) {
    taken += block.frames();
    const auto due = static_cast<std::size_t>(resampled_frames(taken, in_rate, out_rate) - given);
    // libsoxr reads no more than fills the space it is given, so there is always a little too much of that.
    AudioBuffer ready(channels, due + 64);
    std::vector<const float*> in(channels);
    std::vector<float*> out(channels);
    for (std::size_t read = 0, written = 0, used = 1, made = 1;;) {
      for (std::size_t c = 0; c < channels; ++c) {
        in[c] = block.data() + c * block.stride() + read;
        out[c] = ready.channel(c).data() + written;
      }
      const bool flush = at_end && read == block.frames();
      require_ok(Soxr::get().process(handle.get(), flush ? nullptr : static_cast<soxr_in_t>(in.data()), block.frames() - read, &used,
                                     static_cast<soxr_out_t>(out.data()), ready.frames() - written, &made));
      read += used;
      written += made;
      if (used > 0 || made > 0) continue;
      if (read < block.frames()) throw Error{ErrorCode::kInternal, "libsoxr left input unread", "resampling"};
      // At the end exactly what is due, should libsoxr have rounded the length the other way.
      const std::size_t count = at_end ? due : written;
      given += count;
      return AudioBuffer(std::as_const(ready).view().slice(0, count));
    }
  }
};

Resampler::Resampler(std::uint32_t in_rate, std::uint32_t out_rate, std::size_t channels) {
  require_rates(in_rate, out_rate);
  stream_ = std::make_unique<Stream>(Stream{in_rate, out_rate, channels});
  if (in_rate != out_rate && channels > 0) stream_->handle = open(in_rate, out_rate, channels);
}

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

AudioBuffer Resampler::process(AudioView block) {
  if (block.channels() != stream_->channels || stream_->finished)
    throw Error{ErrorCode::kInternal, "block of another stream", "resampling"};
  if (block.empty()) return AudioBuffer(stream_->channels, 0);
  return stream_->handle ? stream_->run(block, false) : AudioBuffer(block);
}

AudioBuffer Resampler::finish() {
  stream_->finished = true;
  const AudioBuffer nothing(stream_->channels, 0);
  return stream_->handle ? stream_->run(nothing, true) : nothing;
}

AudioBuffer resample(AudioView signal, std::uint32_t in_rate, std::uint32_t out_rate, ThreadPool& pool) {
  require_rates(in_rate, out_rate);
  const std::uint64_t frames = resampled_frames(signal.frames(), in_rate, out_rate);
  AudioBuffer out(signal.channels(), static_cast<std::size_t>(frames));
  pool.parallel_for(signal.channels(), [&](std::size_t c) {
    Resampler resampler(in_rate, out_rate, 1);
    const AudioBuffer body = resampler.process({signal.channel(c).data(), 1, signal.frames(), signal.frames()});
    const AudioBuffer rest = resampler.finish();
    const auto tail = std::ranges::copy(body.channel(0), out.channel(c).begin()).out;
    std::ranges::copy(rest.channel(0), tail);
  });
  return out;
}

}  // namespace unbraid::dsp
