#include "unbraid/data/synth.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>

#include "data/sample_steps.hpp"
#include "data/synth_render.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/loudness.hpp"
#include "unbraid/dsp/resample.hpp"

namespace unbraid::data {
namespace {

constexpr double kMinimumRenderRate = 44100;
constexpr double kShortestMeasured_s = 0.4;  ///< one block of the loudness measure

std::string md5(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) != 1)
    throw Error{ErrorCode::kInternal, "OpenSSL computes no MD5"};
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

AudioBuffer mono(const AudioBuffer& stereo) {
  AudioBuffer out(1, stereo.frames());
  const auto left = stereo.channel(0), right = stereo.channel(1);
  for (std::size_t i = 0; i < out.frames(); ++i) out.channel(0)[i] = 0.5f * (left[i] + right[i]);
  return out;
}

}  // namespace

void SynthOptions::validate() const {
  const auto require = [](bool is_fine, const char* message, const char* option) {
    if (!is_fine) throw Error{ErrorCode::kUsage, message, option};
  };
  require(sample_rate >= 8000 && sample_rate <= 96000, "must lie between 8000 and 96000 Hz", "sample rate");
  require(sample_rate == std::floor(sample_rate), "must be a whole number of Hz", "sample rate");
  require(channels == 1 || channels == 2, "must be 1 or 2", "channels");
  require(format == io::SampleFormat::kPcm16 || format == io::SampleFormat::kPcm24 || format == io::SampleFormat::kFloat32,
          "must be 16, 24 or 32f", "bit depth");
  require(tail_s >= 0 && tail_s <= 60, "must lie between 0 and 60 s", "tail");
  require(length_s == 0 || length_s >= kShortestMeasured_s, "must be 0 (as long as the piece) or at least 0.4 s", "length");
  require(length_s >= 0 && length_s <= max_length_s, "must not be negative nor longer than the longest piece", "length");
  require(stem_loudness_lufs >= -60 && stem_loudness_lufs <= 0, "must lie between -60 and 0 LUFS", "loudness");
  require(peak_dbfs >= -60 && peak_dbfs <= 0, "must lie between -60 and 0 dBFS", "peak");
}

SynthTrack synthesize(const MidiFile& song, const SynthOptions& options, RunContext& run) {
  options.validate();
  check_soundfont(options.soundfont);
  const std::vector<MidiPart> parts = split_by_instrument(song);
  if (parts.empty()) throw Error{ErrorCode::kUnsupported, "plays no note"};
  const TempoMap tempo(song);
  double end_s = 0;
  for (const MidiPart& part : parts) end_s = std::max(end_s, tempo.seconds(part.end));
  const double length_s = options.length_s > 0 ? options.length_s : std::max(end_s + options.tail_s, kShortestMeasured_s);
  if (!(length_s <= options.max_length_s))
    throw Error{ErrorCode::kUnsupported,
                fmt::format("lasts {:.0f} s, more than the {:.0f} s that are allowed", length_s, options.max_length_s)};

  SynthTrack track{.sample_rate = options.sample_rate, .midi = song, .uuid = md5(encode_midi(song)), .options = options};
  const auto frames = static_cast<std::size_t>(std::llround(length_s * options.sample_rate));
  const double rate = std::max(options.sample_rate, kMinimumRenderRate);
  const auto rendered_frames = static_cast<std::size_t>(std::llround(length_s * rate));
  const RenderOptions render{.soundfont = options.soundfont, .sample_rate = rate, .reverb = options.reverb, .chorus = options.chorus};
  track.stems.resize(parts.size());
  run.pool.parallel_for(parts.size(), [&](std::size_t i) {
    run.cancel.check();
    const MidiPart& part = parts[i];
    SynthStem& stem = track.stems[i];
    stem = {.program = part.program, .is_drum = part.is_drum, .notes = part.notes, .midi = part_file(song, part)};
    AudioBuffer audio = render_part(part, tempo, render, rendered_frames);
    if (options.channels == 1) audio = mono(audio);
    if (rate != options.sample_rate)
      audio = dsp::resample(audio, static_cast<std::uint32_t>(rate), static_cast<std::uint32_t>(options.sample_rate), run.pool);
    if (audio.frames() != frames) {
      AudioBuffer fitted(audio.channels(), frames);
      const std::size_t kept = std::min(frames, audio.frames());
      copy(audio.view().slice(0, kept), fitted.view().slice(0, kept));
      audio = std::move(fitted);
    }
    stem.loudness_lufs = dsp::block_loudness_lufs(audio, options.sample_rate);
    if (!std::isfinite(stem.loudness_lufs)) return;
    const auto gain = static_cast<float>(std::pow(10.0, (options.stem_loudness_lufs - stem.loudness_lufs) / 20));
    for (float& sample : audio.samples()) sample *= gain;
    stem.audio = std::move(audio);
  });

  const auto sum = [&] {
    AudioBuffer mix(options.channels, frames);
    for (const SynthStem& stem : track.stems)
      if (stem.is_rendered()) add_scaled(stem.audio, 1.0f, mix);
    return mix;
  };
  track.mix = sum();
  float peak = 0;
  for (const float sample : track.mix.samples()) peak = std::max(peak, std::abs(sample));
  if (peak == 0) throw Error{ErrorCode::kUnsupported, "plays nothing that can be heard"};
  const double target = std::pow(10.0, options.peak_dbfs / 20);
  track.overall_gain = peak >= target ? target / peak : 1.0;
  run.pool.parallel_for(track.stems.size(), [&](std::size_t i) {
    AudioBuffer& audio = track.stems[i].audio;
    const auto gain = static_cast<float>(track.overall_gain);
    for (float& sample : audio.samples()) sample *= gain;
    round_to_format(audio, options.format);
  });
  track.mix = sum();
  return track;
}

}  // namespace unbraid::data
