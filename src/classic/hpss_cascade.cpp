// The voice between two median filters: neither steady for long nor struck.
//
// In a long window a voice moves too fast to be harmonic, in a short one it lasts too long to be percussive. The first
// pass, of high frequency resolution, takes out what is steady; the second, of high time resolution, what is struck; the
// voice remains (Fitzgerald, Gainza, "Single channel vocal separation using median filtering and factorisation
// techniques", ISAST Transactions on Electronic and Signal Processing 4(1), 2010, section 2). Further passes over the
// steady part with ever shorter windows give back the vowels that were held (`passes`). classic4 starts from the same two
// passes and looks at the stereo image as well.
//
// Streaming. Cost: one HPSS per pass.

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/classic/hpss.hpp"
#include "unbraid/classic/methods.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kKernel = 17;  ///< frames and bins

/// One pass: the harmonic part by masks on this transform, and the rest.
struct Parts {
  AudioBuffer harmonic, rest;
};
Parts split(AudioView signal, const dsp::Stft<float>& stft, RunContext& run) {
  dsp::Spectrogram<float> x = stft.forward(signal, run.pool);
  const HpssMasks masks = hpss_masks(joint_magnitudes(x, run.pool), {.kernel_frames = kKernel, .kernel_bins = kKernel}, run.pool);
  apply_mask(x, masks.harmonic, x, run.pool);
  Parts parts{AudioBuffer(signal.channels(), signal.frames()), AudioBuffer(signal)};
  stft.inverse(x, parts.harmonic, run.pool);
  add_scaled(parts.harmonic, -1.0f, parts.rest);
  return parts;
}

class CascadeSeparator final : public Separator {
 public:
  CascadeSeparator(const StreamFormat& format, double long_ms, double short_ms, std::size_t passes)
      : short_(stft_options(format.sample_rate, short_ms)) {
    std::size_t reach = window_reach(short_);
    for (std::size_t pass = 0; pass < passes; ++pass) {
      long_.emplace_back(stft_options(format.sample_rate, long_ms / std::exp2(static_cast<double>(pass))));
      reach += window_reach(long_.back());
    }
    info_ = {.stems = {"harmonic", "vocals", "percussive"}, .sample_rate = format.sample_rate, .channels = format.channels};
    info_.blocks = streaming_blocks(long_[0].options(), format.sample_rate, reach / long_[0].hop() + 1);
    info_.working_bytes = [channels = format.channels](std::size_t frames) {
      return frames * channels * (5 * sizeof(float) + 4 * sizeof(std::complex<float>)) + frames * 4 * 3 * sizeof(float);
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    if (block.empty()) return stems;
    // Every pass keeps as steady only what the passes before found steady, too.
    AudioBuffer steady(block), moving(block.channels(), block.frames());
    for (const dsp::Stft<float>& stft : long_) {
      run.cancel.check();
      Parts parts = split(steady, stft, run);
      steady = std::move(parts.harmonic);
      add_scaled(parts.rest, 1.0f, moving);
    }
    run.cancel.check();
    Parts parts = split(moving, short_, run);
    stems[0].audio = std::move(steady);
    stems[1].audio = std::move(parts.harmonic);
    stems[2].audio = std::move(parts.rest);
    return stems;
  }

 private:
  static std::size_t window_reach(const dsp::Stft<float>& stft) { return stft.options().window.length + (kKernel / 2 + 1) * stft.hop(); }

  SeparatorInfo info_;
  std::vector<dsp::Stft<float>> long_;
  dsp::Stft<float> short_;
};

}  // namespace

Method hpss_cascade_method() {
  Method method{.name = "hpss_cascade",
                .summary = "the voice between what lasts and what is struck, by median filters in long and short windows",
                .paper =
                    "Fitzgerald, Gainza, Single channel vocal separation using median filtering and factorisation techniques, "
                    "ISAST Transactions on Electronic and Signal Processing 4(1), 2010",
                .stems = {"harmonic", "vocals", "percussive"},
                .parameters = {{.name = "long_window_ms",
                                .help = "window that tells steady from sung sounds",
                                .unit = "ms",
                                .value = 372.0,
                                .minimum = 10,
                                .maximum = 2000,
                                .source = "Fitzgerald, Gainza 2010: 16384 samples"},
                               {.name = "short_window_ms",
                                .help = "window that tells sung from struck sounds",
                                .unit = "ms",
                                .value = 23.0,
                                .minimum = 1,
                                .maximum = 1000,
                                .source = "Fitzgerald, Gainza 2010: 1024 samples"},
                               {.name = "passes",
                                .help = "passes with long windows, each half as long as the one before",
                                .value = std::int64_t{1},
                                .minimum = 1,
                                .maximum = 4}}};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    return std::make_unique<CascadeSeparator>(format, values.number("long_window_ms"), values.number("short_window_ms"),
                                              static_cast<std::size_t>(values.integer("passes")));
  };
  return method;
}

}  // namespace unbraid::classic
