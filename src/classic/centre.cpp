#include "unbraid/classic/centre.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "classic/masking_separator.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

void CentreOptions::validate() const {
  if (!(width_deg > 0 && width_deg < 45)) throw Error{ErrorCode::kUsage, "must lie between 0 and 45", "width_deg"};
  if (!(azimuth_deg >= -45 && azimuth_deg <= 45)) throw Error{ErrorCode::kUsage, "must lie between -45 and 45", "azimuth_deg"};
  if (!(power > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "power"};
  if (!(low_hz >= 0)) throw Error{ErrorCode::kUsage, "must not be negative", "low_hz"};
  if (!(high_hz > low_hz)) throw Error{ErrorCode::kUsage, "must be above low_hz", "high_hz"};
}

dsp::Mask<float> centre_mask(const dsp::Spectrogram<float>& stereo, const CentreOptions& options, double sample_rate, ThreadPool& pool) {
  options.validate();
  if (stereo.channels() < 2) throw Error{ErrorCode::kUnsupported, "needs two channels: one has no middle", "centre"};
  if (!(sample_rate > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "sample_rate"};
  dsp::Mask<float> mask(1, stereo.frames(), stereo.bins());
  if (mask.size() == 0) return mask;
  const double hz_per_bin = sample_rate / (2.0 * static_cast<double>(stereo.bins() - 1));
  const double tangent = std::tan(options.width_deg * std::numbers::pi / 180);
  const auto inverse_square = static_cast<float>(1 / (tangent * tangent));
  const double turned = (45 + options.azimuth_deg) * std::numbers::pi / 180;
  const auto cosine = static_cast<float>(std::cos(turned)), sine = static_cast<float>(std::sin(turned));
  const auto half_power = static_cast<float>(options.power / 2);
  const auto bins = static_cast<double>(stereo.bins());
  const auto first = static_cast<std::size_t>(std::min(bins, std::ceil(options.low_hz / hz_per_bin)));
  const auto last = static_cast<std::size_t>(std::min(bins - 1, std::floor(options.high_hz / hz_per_bin)));
  pool.parallel_for(
      stereo.frames(),
      [&](std::size_t m) {
        const auto left = stereo.frame(0, m), right = stereo.frame(1, m);
        const auto out = mask.frame(0, m);
        const auto weights = [&](auto raise) {
          for (std::size_t k = first; k <= last; ++k) {
            const float mid = std::norm(cosine * left[k] + sine * right[k]);
            const float side = std::norm(sine * left[k] - cosine * right[k]) * inverse_square;
            const float a = raise(mid), b = raise(side);
            out[k] = a + b > 0 ? a / (a + b) : 1.0f;
          }
        };
        if (half_power == 1) weights([](float v) { return v; });
        else weights([half_power](float v) { return std::pow(v, half_power); });
      },
      16);
  return mask;
}

namespace {

/// The centre is one signal in both channels: the mask times the mid, which also takes out what of the sides is in
/// opposite phase. Surround channels beyond the first two belong to the sides.
class CentreSeparator final : public Separator {
 public:
  CentreSeparator(SeparatorInfo info, const dsp::StftOptions& stft, const CentreOptions& options)
      : info_(std::move(info)), stft_(stft), options_(options) {
    info_.working_bytes = [bins = stft_.bins(), hop = stft_.hop()](std::size_t frames) {
      return (frames / hop + 2) * bins * (3 * sizeof(std::complex<float>) + sizeof(float));
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    copy(block, stems[1].audio);
    if (block.frames() == 0) return stems;
    const AudioView front(block.data(), 2, block.frames(), block.stride());
    const dsp::Spectrogram<float> mix = stft_.forward(front, run.pool);
    const dsp::Mask<float> mask = centre_mask(mix, options_, info_.sample_rate, run.pool);
    dsp::Spectrogram<float> centre(1, mix.frames(), mix.bins());
    run.pool.parallel_for(
        mix.frames(),
        [&](std::size_t m) {
          const auto left = mix.frame(0, m), right = mix.frame(1, m);
          const auto out = centre.frame(0, m);
          const auto weight = mask.frame(0, m);
          for (std::size_t k = 0; k < out.size(); ++k) out[k] = 0.5f * weight[k] * (left[k] + right[k]);
        },
        16);
    MutableAudioView target = stems[0].audio;
    stft_.inverse(centre, {target.data(), 1, target.frames(), target.stride()}, run.pool);
    std::ranges::copy(target.channel(0), target.channel(1).begin());
    add_scaled(stems[0].audio, -1.0f, stems[1].audio);
    return stems;
  }

 private:
  SeparatorInfo info_;
  dsp::Stft<float> stft_;
  CentreOptions options_;
};

}  // namespace

Method centre_method() {
  Method method{.name = "centre",
                .summary = "what stands in the middle of the stereo image (often vocals, bass, kick), and the sides",
                .paper = "after Barry, Lawlor, Coyle, Sound source separation: azimuth discrimination and resynthesis, DAFx 2004",
                .stems = {"centre", "sides"},
                .parameters = {window_parameter(93.0),
                               {.name = "width_deg",
                                .help = "half width of the middle; hard left or right is 45",
                                .unit = "degrees",
                                .value = 12.0,
                                .minimum = 0.1,
                                .maximum = 44.9},
                               {.name = "azimuth_deg",
                                .help = "where the middle of what is sought stands: -45 hard left, 45 hard right",
                                .unit = "degrees",
                                .value = 0.0,
                                .minimum = -45,
                                .maximum = 45,
                                .source = "Barry, Lawlor, Coyle 2004"},
                               {.name = "power", .help = "steepness of the mask", .value = 2.0, .minimum = 0.1, .maximum = 100},
                               {.name = "low_hz", .help = "below, nothing counts as centre", .unit = "Hz", .value = 0.0, .minimum = 0},
                               {.name = "high_hz", .help = "above, nothing counts as centre", .unit = "Hz", .value = 1e6, .minimum = 0}}};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    if (format.channels < 2) throw Error{ErrorCode::kUnsupported, "needs two channels: one has no middle", "centre"};
    const CentreOptions options{.width_deg = values.number("width_deg"),
                                .azimuth_deg = values.number("azimuth_deg"),
                                .power = values.number("power"),
                                .low_hz = values.number("low_hz"),
                                .high_hz = values.number("high_hz")};
    options.validate();
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    SeparatorInfo info{.stems = {"centre", "sides"},
                       .sample_rate = format.sample_rate,
                       .channels = format.channels,
                       .blocks = streaming_blocks(stft, format.sample_rate, 0)};
    return std::make_unique<CentreSeparator>(std::move(info), stft, options);
  };
  return method;
}

}  // namespace unbraid::classic
