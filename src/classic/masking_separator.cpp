#include "classic/masking_separator.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "classic/masks.hpp"
#include "classic/sample_rate.hpp"

namespace unbraid::classic {

namespace {

class MaskingSeparator final : public Separator {
 public:
  MaskingSeparator(SeparatorInfo info, const dsp::StftOptions& stft, MaskFunction masks)
      : info_(std::move(info)), stft_(stft), masks_(std::move(masks)) {
    const std::size_t bytes_per_value = sizeof(std::complex<float>) + (3 + info_.stems.size()) * sizeof(float);
    info_.working_bytes = [=, of_masks = info_.working_bytes, channels = info_.channels, bins = stft_.bins(),
                           hop = stft_.hop()](std::size_t frames) {
      const std::size_t values = (frames / hop + 2) * bins * channels;
      return values * bytes_per_value + std::max(of_masks(frames), values * sizeof(std::complex<float>));  // first masks, then stems
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    AudioBuffer& rest = stems[stems.size() - 1].audio;
    copy(block, rest);
    if (block.empty()) return stems;
    dsp::Spectrogram<float> mix = stft_.forward(block, run.pool);
    const std::vector<dsp::Mask<float>> masks = masks_(mix, run);
    dsp::Spectrogram<float> part(mix.channels(), mix.frames(), mix.bins());
    for (std::size_t i = 0; i + 1 < stems.size(); ++i) {
      run.cancel.check();
      apply_mask(mix, masks[i], part, run.pool);
      stft_.inverse(part, stems[i].audio, run.pool);
      add_scaled(stems[i].audio, -1.0f, rest);
    }
    return stems;
  }

 private:
  SeparatorInfo info_;
  dsp::Stft<float> stft_;
  MaskFunction masks_;
};

}  // namespace

std::unique_ptr<Separator> make_masking_separator(SeparatorInfo info, const dsp::StftOptions& stft, MaskFunction masks) {
  return std::make_unique<MaskingSeparator>(std::move(info), stft, std::move(masks));
}

Parameter window_parameter(double default_ms) {
  return {.name = "window_ms",
          .help = "length of the analysis window, rounded to a power of two samples",
          .unit = "ms",
          .value = default_ms,
          .minimum = 1,
          .maximum = 1000};
}

dsp::StftOptions stft_options(double sample_rate, double window_ms) {
  require_sample_rate(sample_rate);
  const double exponent = std::round(std::log2(window_ms * 1e-3 * sample_rate));
  const std::size_t length = std::size_t{1} << static_cast<int>(std::clamp(exponent, 5.0, 24.0));
  return {.window = {.kind = dsp::WindowKind::kHann, .length = length}, .hop = length / 4};
}

Chunked streaming_blocks(const dsp::StftOptions& stft, double sample_rate, std::size_t context_frames, double core_s) {
  const std::size_t hop = stft.hop;
  const std::size_t window_hops = (stft.window.length + hop - 1) / hop;
  const std::size_t context = (context_frames + window_hops) * hop;
  const auto core = static_cast<std::size_t>(std::ceil(core_s * sample_rate / static_cast<double>(hop))) * hop;
  return {.length = std::max(core, hop) + 2 * context, .overlap = 0, .window = BlockWindow::kBox, .context = context};
}

}  // namespace unbraid::classic
