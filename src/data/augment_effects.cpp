#include "data/augment_effects.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/convolution.hpp"
#include "unbraid/dsp/resample.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::data {
namespace {

const double kDbPerOctave = 20 * std::log10(2.0);

float peak_of(const AudioBuffer& audio) {
  float peak = 0;
  for (const float sample : audio.samples()) peak = std::max(peak, std::abs(sample));
  return peak;
}

/// The direct sound, then noise whose level falls by 60 dB in rt60.
std::vector<double> synthetic_response(const Room& room, double sample_rate, std::size_t channel) {
  const auto start = static_cast<std::size_t>(std::lround(room.pre_delay_s * sample_rate)) + 1;
  const auto length = static_cast<std::size_t>(std::lround(room.rt60_s * sample_rate)) + 1;
  std::vector<double> taps(start + length);
  Rng rng(room.seed, channel);
  const double decay = std::pow(10, -3 / (room.rt60_s * sample_rate));
  double level = 1, energy = 0;
  for (std::size_t i = 0; i < length; ++i, level *= decay) {
    taps[start + i] = level * rng.normal();
    energy += taps[start + i] * taps[start + i];
  }
  const double scale = energy > 0 ? std::sqrt(std::pow(10, room.wet_db / 10) / energy) : 0;
  for (double& tap : taps) tap *= scale;
  taps[0] = 1;
  return taps;
}

/// One response per channel, from a file with one channel or as many.
std::vector<std::vector<double>> read_responses(const std::filesystem::path& path, double sample_rate, std::size_t channels) {
  io::Audio file = io::read_audio(path);
  if (file.samples.empty()) throw Error{ErrorCode::kFormat, "holds no impulse response", path.string()};
  if (file.samples.channels() != 1 && file.samples.channels() != channels)
    throw Error{ErrorCode::kUnsupported, "has neither one channel nor as many as the recipe", path.string()};
  if (file.sample_rate != sample_rate) {
    ThreadPool alone(1);
    file.samples =
        dsp::resample(file.samples, static_cast<std::uint32_t>(file.sample_rate), static_cast<std::uint32_t>(sample_rate), alone);
  }
  std::size_t first = file.samples.frames();  // of the direct sound, the earliest over the channels
  double energy = 0;
  for (std::size_t c = 0; c < file.samples.channels(); ++c) {
    const auto channel = file.samples.channel(c);
    const auto peak = std::max_element(channel.begin(), channel.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
    first = std::min(first, static_cast<std::size_t>(peak - channel.begin()));
  }
  std::vector<std::vector<double>> responses;
  for (std::size_t c = 0; c < file.samples.channels(); ++c) {
    const auto kept = file.samples.channel(c).subspan(first);
    responses.emplace_back(kept.begin(), kept.end());
    for (const double tap : responses.back()) energy += tap * tap;
  }
  if (!(energy > 0) || !std::isfinite(energy)) throw Error{ErrorCode::kFormat, "holds a silent or damaged impulse response", path.string()};
  const double scale = std::sqrt(static_cast<double>(responses.size()) / energy);
  for (auto& response : responses)
    for (double& tap : response) tap *= scale;
  return responses;
}

/// A folder of its own that goes with the scope.
class ScratchFolder {
 public:
  ScratchFolder() : path_(std::filesystem::temp_directory_path() / "unbraid-XXXXXX") {
    std::string name = path_.string();
    if (!mkdtemp(name.data())) throw Error{ErrorCode::kIo, "cannot make a temporary folder", path_.string()};
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

void add_reverb(AudioBuffer& audio, double sample_rate, const Room& room) {
  std::vector<std::vector<double>> responses;
  if (!room.impulse_response.empty()) {
    responses = read_responses(room.impulse_response, sample_rate, audio.channels());
  } else {
    for (std::size_t c = 0; c < audio.channels(); ++c) responses.push_back(synthetic_response(room, sample_rate, c));
  }
  for (std::size_t c = 0; c < audio.channels(); ++c) {
    const auto channel = audio.channel(c);
    const auto wet = dsp::convolve<float>(std::span<const float>(channel), responses[std::min(c, responses.size() - 1)]);
    std::copy_n(wet.begin(), channel.size(), channel.begin());
  }
}

void compress(AudioBuffer& audio, double sample_rate, const Compression& compression) {
  double power = 0;
  for (const float sample : audio.samples()) power += static_cast<double>(sample) * sample;
  power /= static_cast<double>(audio.samples().size());
  if (!(power > 0)) return;
  // In octaves of amplitude, 6.02 dB each: powers of two are the fast ones.
  const float threshold = static_cast<float>(std::log2(power) / 2 + compression.threshold_db / kDbPerOctave);
  const float threshold_amplitude = std::exp2(threshold);
  const auto slope = static_cast<float>(1 - 1 / compression.ratio);
  const auto attack = static_cast<float>(std::exp(-1 / (compression.attack_s * sample_rate)));
  const auto release = static_cast<float>(std::exp(-1 / (compression.release_s * sample_rate)));
  float reduction = 0;  // smoothed, in octaves, ≥ 0
  for (std::size_t n = 0; n < audio.frames(); ++n) {
    float level = 0;
    for (std::size_t c = 0; c < audio.channels(); ++c) level = std::max(level, std::abs(audio.channel(c)[n]));
    const float wanted = level > threshold_amplitude ? slope * (std::log2(level) - threshold) : 0;
    const float memory = wanted > reduction ? attack : release;
    reduction = memory * reduction + (1 - memory) * wanted;
    if (reduction < 1e-6f) continue;
    const float gain = std::exp2(-reduction);
    for (std::size_t c = 0; c < audio.channels(); ++c) audio.channel(c)[n] *= gain;
  }
}

void saturate(AudioBuffer& audio, double drive_db) {
  const float peak = peak_of(audio);
  if (!(peak > 0)) return;
  const float into = static_cast<float>(std::pow(10, drive_db / 20)) / peak;
  for (float& sample : audio.samples()) sample = std::tanh(into * sample) / into;
}

void encode_and_decode(AudioBuffer& audio, double sample_rate, io::Container container, int bitrate_kbps) {
  // Codecs clip what is beyond full scale: pass it through at a safe level and undo that.
  constexpr float kSafePeak = 0.7f;
  const float peak = peak_of(audio);
  if (!(peak > 0)) return;
  const float gain = kSafePeak / peak;
  for (float& sample : audio.samples()) sample *= gain;
  const ScratchFolder folder;
  const std::filesystem::path path = folder.path() / ("round" + io::extension(container));
  const auto writer = io::create_writer(
      path, {.container = container, .sample_rate = sample_rate, .channels = audio.channels(), .bitrate_kbps = bitrate_kbps});
  writer->write(audio);
  writer->finish();
  const AudioBuffer decoded = io::read_audio(path).samples;
  const std::size_t kept = std::min(decoded.frames(), audio.frames());
  for (std::size_t c = 0; c < audio.channels(); ++c) {
    const auto target = audio.channel(c);
    std::fill(std::copy_n(decoded.channel(c).begin(), kept, target.begin()), target.end(), 0.0f);
    for (float& sample : target) sample /= gain;
  }
}

}  // namespace unbraid::data
