#include "unbraid/pipeline/post.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <memory>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/mask/griffin_lim.hpp"
#include "unbraid/mask/wiener_em.hpp"
#include "unbraid/pipeline/plan.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid {

namespace {

dsp::StftOptions stft_options(double sample_rate, double window_ms) {
  const double exponent = std::round(std::log2(window_ms * 1e-3 * sample_rate));
  const std::size_t length = std::size_t{1} << static_cast<int>(std::clamp(exponent, 5.0, 24.0));
  return {.window = {.kind = dsp::WindowKind::kHann, .length = length}, .hop = length / 4};
}

dsp::Magnitudes<float> magnitudes(const dsp::Spectrogram<float>& x) {
  dsp::Magnitudes<float> out(x.channels(), x.frames(), x.bins());
  std::ranges::transform(x.values(), out.values().begin(), [](std::complex<float> v) { return std::abs(v); });
  return out;
}

class PostSeparator final : public Separator {
 public:
  PostSeparator(std::unique_ptr<Separator> inner, const StreamFormat& format, const PostStage& stage)
      : inner_(std::move(inner)), stage_(stage), stft_(stft_options(format.sample_rate, stage.window_ms)) {
    info_ = {.stems = inner_->info().stems, .sample_rate = format.sample_rate, .channels = format.channels, .blocks = WholeTrack{}};
    info_.working_bytes = [this, format, stems = info_.stems.size()](std::size_t frames) {
      // A spectrogram with 75 % overlap holds 4 complex values per sample: the mixture's and each stem's, with magnitudes.
      const std::size_t spectra = frames * format.channels * 4 * (2 + 3 * stems) * sizeof(float);
      return spectra + estimate_memory(inner_->info(), format, frames, {});
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems = separate(block, info_.sample_rate, *inner_, {}, run);
    if (block.empty()) return stems;
    run.cancel.check();
    if (stage_.kind == PostStage::Kind::kWienerEm) wiener_em(block, stems, run);
    else griffin_lim(stems, run);
    return stems;
  }

 private:
  void wiener_em(AudioView mix, Stems& stems, RunContext& run) const {
    std::vector<dsp::Magnitudes<float>> levels;
    for (const Stem& stem : stems) levels.push_back(magnitudes(stft_.forward(stem.audio, run.pool)));
    const auto refined =
        mask::wiener_em<float>(levels, stft_.forward(mix, run.pool), {.iterations = stage_.iterations > 0 ? stage_.iterations : 1}, run);
    AudioBuffer rest(mix);
    for (std::size_t i = 0; i < stems.size(); ++i) {
      stft_.inverse(refined[i], stems[i].audio, run.pool);
      add_scaled(stems[i].audio, -1.0f, rest);
    }
    for (Stem& stem : stems) add_scaled(rest, 1 / static_cast<float>(stems.size()), stem.audio);
  }

  void griffin_lim(Stems& stems, RunContext& run) const {
    for (Stem& stem : stems) {
      run.cancel.check();
      const dsp::Spectrogram<float> x = stft_.forward(stem.audio, run.pool);
      mask::griffin_lim<float>(magnitudes(x), x, stft_, stem.audio.view(), {.iterations = stage_.iterations > 0 ? stage_.iterations : 32},
                               run);
    }
  }

  std::unique_ptr<Separator> inner_;
  PostStage stage_;
  dsp::Stft<float> stft_;
  SeparatorInfo info_;
};

}  // namespace

PostStage PostStage::named(std::string_view name) {
  if (name == "wiener_em") return {.kind = Kind::kWienerEm};
  if (name == "griffin_lim") return {.kind = Kind::kGriffinLim};
  throw Error{ErrorCode::kUsage, "unknown stage; there are wiener_em, griffin_lim", std::string(name)};
}

Method with_post(Method method, const PostStage& stage) {
  method.name += stage.kind == PostStage::Kind::kWienerEm ? "+wiener_em" : "+griffin_lim";
  method.whole_track = true;
  method.make = [make = std::move(method.make), stage](const StreamFormat& format, const ParameterValues& values,
                                                       std::uint64_t seed) -> std::unique_ptr<Separator> {
    return std::make_unique<PostSeparator>(make(format, values, seed), format, stage);
  };
  return method;
}

}  // namespace unbraid
