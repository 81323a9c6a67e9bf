// What chance achieves: every bin of the spectrogram is shared out among the stems at random. A method that is not clearly
// better has learnt nothing.

#include <vector>

#include "classic/masking_separator.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {

Method random_method() {
  Method method{
      .name = "random",
      .summary = "every bin is shared out among the stems at random: what chance achieves, to compare with",
      .paper = "Manilow, Seetharaman, Salamon, Open Source Tools & Data for Music Source Separation, ISMIR 2020 tutorial: baselines",
      .stems = {"vocals", "drums", "bass", "other"},
      .parameters = {window_parameter(46.0)},
      .whole_track = true};
  method.make = [stems = method.stems](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    SeparatorInfo info{.stems = stems, .sample_rate = format.sample_rate, .channels = format.channels, .blocks = WholeTrack{}};
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    return make_masking_separator(info, stft, [seed, count = stems.size()](const dsp::Spectrogram<float>& mix, RunContext& run) {
      std::vector<dsp::Mask<float>> masks;
      for (std::size_t i = 0; i + 1 < count; ++i) masks.emplace_back(mix.channels(), mix.frames(), mix.bins());
      run.pool.parallel_for(
          mix.frames(),
          [&](std::size_t frame) {
            Rng rng(seed, frame);
            std::vector<double> shares(count);
            for (std::size_t bin = 0; bin < mix.bins(); ++bin) {
              double sum = 0;
              for (double& share : shares) sum += share = 1.0 - rng.uniform();  // above 0
              for (std::size_t i = 0; i < masks.size(); ++i)
                for (std::size_t c = 0; c < mix.channels(); ++c) masks[i].frame(c, frame)[bin] = static_cast<float>(shares[i] / sum);
            }
          },
          16);
      return masks;
    });
  };
  return method;
}

}  // namespace unbraid::classic
