#include "unbraid/data/augment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "data/augment_effects.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::data {
namespace {

const EffectKind& kind_named(const std::string& name) {
  std::string known;
  for (const EffectKind& kind : effect_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw Error{ErrorCode::kUsage, fmt::format("no effect is called '{}'; there are {}", name, known)};
}

}  // namespace

const std::vector<EffectKind>& effect_kinds() {
  using D = Distribution;
  const auto log_uniform = [](double low, double high) { return D(D::Kind::kLogUniform, {low, high}); };
  static const std::vector<EffectKind> kinds{
      {"gain", "another level", {{"gain_db", "gain in dB", D::uniform(-12, 2), -60, 60}}},
      {"invert", "the other polarity", {}},
      {"swap_channels", "left for right", {}},
      {"width", "stereo wider or narrower", {{"side_db", "gain of left minus right in dB", D::uniform(-12, 3), -120, 12}}},
      {"pan",
       "towards one side, the power of equal channels kept",
       {{"balance_db", "gain of left over right in dB", D::uniform(-9, 9), -60, 60}}},
      {"eq",
       "a peak or dip in the spectrum",
       {{"frequency_hz", "centre in Hz", log_uniform(80, 6000), 10, 20000},
        {"gain_db", "gain at the centre in dB", D::uniform(-6, 6), -40, 40},
        {"q", "centre over bandwidth", log_uniform(0.5, 2), 0.05, 50}}},
      {"low_shelf",
       "more or less bass",
       {{"frequency_hz", "midpoint in Hz", log_uniform(80, 400), 10, 20000}, {"gain_db", "gain below in dB", D::uniform(-6, 6), -40, 40}}},
      {"high_shelf",
       "more or less treble",
       {{"frequency_hz", "midpoint in Hz", log_uniform(2000, 6000), 10, 20000},
        {"gain_db", "gain above in dB", D::uniform(-6, 6), -40, 40}}},
      {"reverb",
       "a room: exponentially decaying noise, or a given impulse response",
       {{"rt60_s", "time to decay by 60 dB in s", D::uniform(0.2, 1.0), 0.01, 10},
        {"pre_delay_s", "silence before the room answers in s", D::uniform(0, 0.03), 0, 0.5},
        {"wet_db", "energy of the room against the direct sound in dB", D::uniform(-18, -6), -100, 40}},
       true},
      {"compress",
       "less dynamics",
       {{"threshold_db", "where it starts, against the signal's RMS level, in dB", D::uniform(-12, 0), -60, 60},
        {"ratio", "dB in per dB out above the threshold", D::uniform(2, 6), 1, 100},
        {"attack_ms", "time constant of louder in ms", D::uniform(1, 20), 0.01, 1000},
        {"release_ms", "time constant of softer in ms", D::uniform(50, 300), 0.01, 5000}}},
      {"saturate", "soft clipping", {{"drive_db", "peak into the curve in dB", D::uniform(0, 12), -40, 40}}},
      {"mp3", "encoded to MP3 and back", {{"bitrate_kbps", "bit rate in kbit/s", D(D::Kind::kChoose, {64, 96, 128, 192}), 8, 320}}},
      {"aac", "encoded to AAC and back", {{"bitrate_kbps", "bit rate in kbit/s", D(D::Kind::kChoose, {64, 96, 128, 192}), 8, 512}}}};
  return kinds;
}

void EffectSpec::validate() const {
  const EffectKind& known = kind_named(kind);
  if (!(probability >= 0 && probability <= 1)) throw Error{ErrorCode::kUsage, "the probability must lie between 0 and 1", kind};
  if (!files.empty() && !known.takes_files) throw Error{ErrorCode::kUsage, "takes no files", kind};
  for (const auto& [name, value] : parameters) {
    const auto declared =
        std::find_if(known.parameters.begin(), known.parameters.end(), [&](const EffectParameter& p) { return p.name == name; });
    if (declared == known.parameters.end()) throw Error{ErrorCode::kUsage, fmt::format("has no parameter '{}'", name), kind};
    if (value.kind() == Distribution::Kind::kNormal)
      throw Error{ErrorCode::kUsage, fmt::format("{}: a normal distribution has no bounds; use truncnorm", name), kind};
    if (value.lowest() < declared->minimum || value.highest() > declared->maximum)
      throw Error{ErrorCode::kUsage, fmt::format("{} must lie between {} and {}", name, declared->minimum, declared->maximum), kind};
  }
}

std::optional<DrawnEffect> draw(const EffectSpec& spec, Rng& rng) {
  DrawnEffect drawn{.kind = spec.kind};
  const bool happens = rng.uniform() < spec.probability;
  for (const EffectParameter& parameter : kind_named(spec.kind).parameters) {
    const auto given = spec.parameters.find(parameter.name);
    drawn.values[parameter.name] = (given == spec.parameters.end() ? parameter.value : given->second).sample(rng);
  }
  if (!spec.files.empty()) drawn.file = spec.files[rng.index(spec.files.size())];
  drawn.seed = rng.bits64();
  if (!happens) return std::nullopt;
  return drawn;
}

void apply(const DrawnEffect& effect, AudioBuffer& audio, double sample_rate) {
  if (audio.empty()) return;
  const auto value = [&](const char* name) { return effect.values.at(name); };
  const double nyquist = sample_rate / 2;
  if (effect.kind == "gain") {
    const auto gain = static_cast<float>(std::pow(10, value("gain_db") / 20));
    for (float& sample : audio.samples()) sample *= gain;
  } else if (effect.kind == "invert") {
    for (float& sample : audio.samples()) sample = -sample;
  } else if (effect.kind == "swap_channels") {
    if (audio.channels() > 1) std::ranges::swap_ranges(audio.channel(0), audio.channel(1));
  } else if (effect.kind == "width") {
    if (audio.channels() != 2) return;
    const auto side = static_cast<float>(std::pow(10, value("side_db") / 20));
    for (std::size_t i = 0; i < audio.frames(); ++i) {
      float &left = audio.channel(0)[i], &right = audio.channel(1)[i];
      const float half_sum = (left + right) / 2, half_difference = side * (left - right) / 2;
      left = half_sum + half_difference;
      right = half_sum - half_difference;
    }
  } else if (effect.kind == "pan") {
    if (audio.channels() != 2) return;
    const double ratio = std::pow(10, value("balance_db") / 20);  // left² + right² = 2
    const double right = std::sqrt(2 / (1 + ratio * ratio));
    for (float& sample : audio.channel(0)) sample *= static_cast<float>(ratio * right);
    for (float& sample : audio.channel(1)) sample *= static_cast<float>(right);
  } else if (effect.kind == "eq" || effect.kind == "low_shelf" || effect.kind == "high_shelf") {
    if (value("frequency_hz") >= 0.99 * nyquist) return;  // nothing of the band is there
    const dsp::BiquadDesign design{.sample_rate = sample_rate,
                                   .frequency_hz = value("frequency_hz"),
                                   .q = effect.kind == "eq" ? value("q") : dsp::BiquadDesign{}.q,
                                   .gain_db = value("gain_db")};
    const dsp::Biquad section = effect.kind == "eq"          ? dsp::peak(design)
                                : effect.kind == "low_shelf" ? dsp::low_shelf(design)
                                                             : dsp::high_shelf(design);
    dsp::BiquadCascade({section}, audio.channels()).process(audio);
  } else if (effect.kind == "reverb") {
    add_reverb(audio, sample_rate,
               {.rt60_s = value("rt60_s"),
                .pre_delay_s = value("pre_delay_s"),
                .wet_db = value("wet_db"),
                .seed = effect.seed,
                .impulse_response = effect.file});
  } else if (effect.kind == "compress") {
    compress(audio, sample_rate,
             {.threshold_db = value("threshold_db"),
              .ratio = value("ratio"),
              .attack_s = value("attack_ms") / 1000,
              .release_s = value("release_ms") / 1000});
  } else if (effect.kind == "saturate") {
    saturate(audio, value("drive_db"));
  } else if (effect.kind == "mp3" || effect.kind == "aac") {
    encode_and_decode(audio, sample_rate, effect.kind == "mp3" ? io::Container::kMp3 : io::Container::kM4a,
                      static_cast<int>(std::lround(value("bitrate_kbps"))));
  } else {
    throw Error{ErrorCode::kInternal, "a declared effect that nobody applies", effect.kind};
  }
}

}  // namespace unbraid::data
