// Vocals, drums, bass and other without any training, in one streaming pass.
//
// A cascade of harmonic/percussive separations at two resolutions, after Fitzgerald, Gainza, "Single channel vocal
// separation using median filtering and factorisation techniques", ISAST Transactions on Electronic and Signal
// Processing 4(1), 2010: seen through long windows a voice is not steady and goes with the drums; seen through short
// ones it is harmonic.
//   1. long windows:  mix = steady + moving        steady: instruments that hold their notes
//   2. short windows: moving = sung + struck       struck: drums
//   3. vocals = the part of `sung` that stands in the middle of the stereo image (centre.hpp), within the voice's band
//   4. low = what is low in mix − drums − vocals; middle windows: low = bass + kick, and drums = struck + kick
//   5. other = mix − drums − vocals − bass
// So the stems sum to the mix by construction. A mono recording has no stereo image: there all of `sung` in the band is
// vocals. With more than two channels, the first two decide for all.

#include <algorithm>
#include <cmath>
#include <utility>

#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/classic/centre.hpp"
#include "unbraid/classic/hpss.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/subband.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::classic {

namespace {

struct Classic4Options {
  double long_window_ms, short_window_ms, kick_window_ms;
  HpssOptions long_hpss, short_hpss, kick_hpss;
  CentreOptions voice;
  double bass_hz;
};

class Classic4Separator final : public Separator {
 public:
  Classic4Separator(const StreamFormat& format, const Classic4Options& options)
      : options_(options),
        long_(stft_options(format.sample_rate, options.long_window_ms)),
        short_(stft_options(format.sample_rate, options.short_window_ms)),
        kick_(stft_options(format.sample_rate, options.kick_window_ms)),
        bass_{.edges_hz = {options.bass_hz}} {
    info_ = {.stems = {"vocals", "drums", "bass", "other"}, .sample_rate = format.sample_rate, .channels = format.channels};
    // An output sample looks through all stages, one after another.
    const std::size_t short_reach = reach(short_, options.short_hpss) + short_.options().window.length +
                                    context_frames(bass_, format.sample_rate) + reach(kick_, options.kick_hpss) +
                                    kick_.options().window.length;
    info_.blocks =
        streaming_blocks(long_.options(), format.sample_rate, options.long_hpss.kernel_frames / 2 + 1 + short_reach / long_.hop() + 1);
    info_.working_bytes = [channels = format.channels](std::size_t frames) {
      // A spectrogram with 75 % overlap holds 4 complex values per sample; two at a time, with masks of one channel.
      return frames * channels * 2 * (4 * sizeof(std::complex<float>) + sizeof(float)) + frames * 4 * 3 * sizeof(float);
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    if (block.empty()) return stems;
    AudioBuffer &vocals = stems[0].audio, &drums = stems[1].audio, &other = stems[3].audio;
    copy(block, other);
    const AudioBuffer moving = struck_or_sung(block, run);
    run.cancel.check();
    split_moving(moving, block, vocals, drums, run);
    run.cancel.check();
    add_scaled(vocals, -1.0f, other);
    add_scaled(drums, -1.0f, other);
    AudioBuffer& bass = stems[2].audio;
    bass = low_band(other, options_.bass_hz, bass_, info_.sample_rate, run.pool);
    add_scaled(bass, -1.0f, other);
    run.cancel.check();
    const AudioBuffer kick = kick_in(bass, run);
    add_scaled(kick, 1.0f, drums);
    add_scaled(kick, -1.0f, bass);
    return stems;
  }

 private:
  /// Samples that a mask made by HPSS on this STFT depends on, to each side.
  static std::size_t reach(const dsp::Stft<float>& stft, const HpssOptions& hpss) {
    return stft.options().window.length + (hpss.kernel_frames / 2 + 1) * stft.hop();
  }

  /// Step 1: what is not steady.
  AudioBuffer struck_or_sung(AudioView mix, RunContext& run) const {
    dsp::Spectrogram<float> x = long_.forward(mix, run.pool);
    const HpssMasks masks = hpss_masks(joint_magnitudes(x, run.pool), options_.long_hpss, run.pool);
    apply_mask(x, masks.percussive, x, run.pool);
    AudioBuffer out(mix.channels(), mix.frames());
    long_.inverse(x, out, run.pool);
    return out;
  }

  /// Steps 2 and 3.
  void split_moving(const AudioBuffer& moving, AudioView mix, AudioBuffer& vocals, AudioBuffer& drums, RunContext& run) const {
    const dsp::Spectrogram<float> x = short_.forward(moving, run.pool);
    HpssMasks masks = hpss_masks(joint_magnitudes(x, run.pool), options_.short_hpss, run.pool);
    const dsp::Mask<float> voice = voice_mask(mix, run);
    for (std::size_t i = 0; i < voice.size(); ++i) masks.harmonic.values()[i] *= voice.values()[i];
    dsp::Spectrogram<float> part(x.channels(), x.frames(), x.bins());
    apply_mask(x, masks.harmonic, part, run.pool);
    short_.inverse(part, vocals, run.pool);
    apply_mask(x, masks.percussive, part, run.pool);
    short_.inverse(part, drums, run.pool);
  }

  /// Step 4: what is struck among what is low.
  AudioBuffer kick_in(const AudioBuffer& low, RunContext& run) const {
    dsp::Spectrogram<float> x = kick_.forward(low, run.pool);
    const dsp::Magnitudes<float> all = joint_magnitudes(x, run.pool);
    // Above three times the edge nothing is left.
    const double bin_hz = info_.sample_rate / static_cast<double>(kick_.options().window.length);
    const std::size_t bins = std::min(x.bins(), static_cast<std::size_t>(3 * options_.bass_hz / bin_hz) + 1);
    dsp::Magnitudes<float> lowest(1, x.frames(), bins);
    for (std::size_t m = 0; m < x.frames(); ++m) std::ranges::copy(all.frame(0, m).first(bins), lowest.frame(0, m).begin());
    const dsp::Mask<float> struck = hpss_masks(lowest, options_.kick_hpss, run.pool).percussive;
    dsp::Mask<float> mask(1, x.frames(), x.bins());
    for (std::size_t m = 0; m < x.frames(); ++m) std::ranges::copy(struck.frame(0, m), mask.frame(0, m).begin());
    apply_mask(x, mask, x, run.pool);
    AudioBuffer kick(low.channels(), low.frames());
    kick_.inverse(x, kick, run.pool);
    return kick;
  }

  dsp::Mask<float> voice_mask(AudioView mix, RunContext& run) const {
    // One channel stands for both sides of an image in which all is in the middle: only the band is left of the mask.
    const AudioView right = mix.channels() == 1 ? mix : AudioView(mix.data() + mix.stride(), 1, mix.frames(), mix.stride());
    AudioBuffer front(2, mix.frames());
    std::ranges::copy(mix.channel(0), front.channel(0).begin());
    std::ranges::copy(right.channel(0), front.channel(1).begin());
    return centre_mask(short_.forward(front, run.pool), options_.voice, info_.sample_rate, run.pool);
  }

  SeparatorInfo info_;
  Classic4Options options_;
  dsp::Stft<float> long_, short_, kick_;
  BandOptions bass_;
};

}  // namespace

Method classic4_method() {
  Method method{
      .name = "classic4",
      .summary = "vocals, drums, bass and other without training: fast, for any recording; a first listen, not a master",
      .paper =
          "after Fitzgerald, Gainza, Single channel vocal separation using median filtering and factorisation "
          "techniques, ISAST Transactions on Electronic and Signal Processing 4(1), 2010",
      .stems = {"vocals", "drums", "bass", "other"},
      .parameters = {
          {.name = "long_window_ms",
           .help = "window that tells steady from moving sounds",
           .unit = "ms",
           .value = 372.0,
           .minimum = 10,
           .maximum = 2000,
           .source = "Fitzgerald, Gainza 2010: 16384 samples"},
          {.name = "short_window_ms",
           .help = "window that tells sung from struck sounds",
           .unit = "ms",
           .value = 46.0,
           .minimum = 1,
           .maximum = 1000},
          {.name = "kick_window_ms",
           .help = "window that tells kick drums from bass",
           .unit = "ms",
           .value = 93.0,
           .minimum = 1,
           .maximum = 1000},
          {.name = "width_deg",
           .help = "half width of the middle where vocals are sought; hard left or right is 45",
           .unit = "degrees",
           .value = 20.0,
           .minimum = 0.1,
           .maximum = 44.9},
          {.name = "voice_low_hz", .help = "lower end of the voice", .unit = "Hz", .value = 180.0, .minimum = 0, .maximum = 1e6},
          {.name = "voice_high_hz", .help = "upper end of the voice", .unit = "Hz", .value = 11000.0, .minimum = 1, .maximum = 1e6},
          {.name = "bass_hz", .help = "upper end of the bass", .unit = "Hz", .value = 200.0, .minimum = 20, .maximum = 1e6}}};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    const Classic4Options options{.long_window_ms = values.number("long_window_ms"),
                                  .short_window_ms = values.number("short_window_ms"),
                                  .kick_window_ms = values.number("kick_window_ms"),
                                  .long_hpss = {.kernel_frames = 25, .kernel_bins = 11},
                                  .short_hpss = {.kernel_frames = 23, .kernel_bins = 15},
                                  .kick_hpss = {.kernel_frames = 21, .kernel_bins = 9},  // half a second, 90 Hz
                                  .voice = {.width_deg = values.number("width_deg"),
                                            .power = 4,
                                            .low_hz = values.number("voice_low_hz"),
                                            .high_hz = values.number("voice_high_hz")},
                                  .bass_hz = values.number("bass_hz")};
    options.voice.validate();
    return std::make_unique<Classic4Separator>(format, options);
  };
  return method;
}

}  // namespace unbraid::classic
