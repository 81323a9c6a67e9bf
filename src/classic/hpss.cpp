#include "unbraid/classic/hpss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/classic/median.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

/// The medians x (harmonic) and y (percussive) become the masks. A constant power is compiled into the loop.
template <class Power>
void to_masks(std::span<float> x, std::span<float> y, float margin_x, float margin_y, Power power) {
  const bool split_zeros = margin_x == 1 && margin_y == 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float harmonic = x[i], percussive = y[i];
    x[i] = soft_mask(harmonic, margin_x * percussive, power, split_zeros);
    y[i] = soft_mask(percussive, margin_y * harmonic, power, split_zeros);
  }
}

void require(bool holds, const char* message, const char* option) {
  if (!holds) throw Error{ErrorCode::kUsage, message, option};
}

}  // namespace

void HpssOptions::validate() const {
  require(kernel_frames >= 1, "must be at least 1", "kernel_frames");
  require(kernel_bins >= 1, "must be at least 1", "kernel_bins");
  require(margin_harmonic >= 1, "must be at least 1", "margin_harmonic");
  require(margin_percussive >= 1, "must be at least 1", "margin_percussive");
  require(power > 0, "must be above 0", "power");
}

HpssMasks hpss_masks(const dsp::Magnitudes<float>& magnitudes, const HpssOptions& options, ThreadPool& pool) {
  options.validate();
  HpssMasks masks{median_across_frames(magnitudes, options.kernel_frames, pool), median_across_bins(magnitudes, options.kernel_bins, pool)};
  const auto margin_x = static_cast<float>(options.margin_harmonic);
  const auto margin_y = static_cast<float>(options.margin_percussive);
  pool.parallel_ranges(magnitudes.size(), 1 << 16, [&](std::size_t first, std::size_t last) {
    const std::span<float> x = masks.harmonic.values().subspan(first, last - first);
    const std::span<float> y = masks.percussive.values().subspan(first, last - first);
    if (options.power == 2) to_masks(x, y, margin_x, margin_y, std::integral_constant<int, 2>{});
    else to_masks(x, y, margin_x, margin_y, options.power);
  });
  return masks;
}

Method hpss_method() {
  Method method{.name = "hpss",
                .summary = "harmonic and percussive parts, by median filters along time and frequency",
                .paper =
                    "Fitzgerald, Harmonic/percussive separation using median filtering, DAFx 2010; Driedger, Müller, Disch, "
                    "Extending harmonic-percussive separation of audio signals, ISMIR 2014",
                .stems = {"harmonic", "percussive"},
                .parameters = {{.name = "window_ms",
                                .help = "length of the analysis window, rounded to a power of two samples",
                                .unit = "ms",
                                .value = 46.0,
                                .minimum = 1,
                                .maximum = 1000,
                                .source = "librosa: 2048 samples"},
                               {.name = "kernel_frames",
                                .help = "length of the median along time",
                                .unit = "STFT frames",
                                .value = std::int64_t{31},
                                .minimum = 1,
                                .maximum = 1001,
                                .source = "librosa"},
                               {.name = "kernel_bins",
                                .help = "length of the median along frequency",
                                .unit = "bins",
                                .value = std::int64_t{31},
                                .minimum = 1,
                                .maximum = 1001,
                                .source = "librosa"},
                               {.name = "margin_harmonic",
                                .help = "how many times louder the harmonic estimate must be; above 1 a residual "
                                        "is left",
                                .value = 1.0,
                                .minimum = 1,
                                .maximum = 100},
                               {.name = "margin_percussive",
                                .help = "how many times louder the percussive estimate must be; above 1 a "
                                        "residual is left",
                                .value = 1.0,
                                .minimum = 1,
                                .maximum = 100},
                               {.name = "power",
                                .help = "exponent of the soft masks",
                                .value = 2.0,
                                .minimum = 0.1,
                                .maximum = 100,
                                .source = "Fitzgerald 2010, eq. 5"},
                               {.name = "mask",
                                .help = "soft masks share each bin, hard ones give it to the louder part",
                                .value = std::string("soft"),
                                .choices = {"soft", "hard"}}}};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const HpssOptions options{.kernel_frames = static_cast<std::size_t>(values.integer("kernel_frames")),
                              .kernel_bins = static_cast<std::size_t>(values.integer("kernel_bins")),
                              .margin_harmonic = values.number("margin_harmonic"),
                              .margin_percussive = values.number("margin_percussive"),
                              .power = values.text("mask") == "hard" ? std::numeric_limits<double>::infinity() : values.number("power")};
    options.validate();
    const bool residual = options.has_residual();
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    SeparatorInfo info{.stems = {"harmonic", "percussive"},
                       .sample_rate = format.sample_rate,
                       .channels = format.channels,
                       .blocks = streaming_blocks(stft, format.sample_rate, options.kernel_frames / 2 + 1)};
    if (residual) info.stems.emplace_back("residual");
    return make_masking_separator(info, stft, [=](const dsp::Spectrogram<float>& mix, RunContext& run) {
      HpssMasks masks = hpss_masks(magnitudes(mix, run.pool), options, run.pool);
      std::vector<dsp::Mask<float>> result;
      result.push_back(std::move(masks.harmonic));
      if (residual) result.push_back(std::move(masks.percussive));
      return result;
    });
  };
  return method;
}

}  // namespace unbraid::classic
