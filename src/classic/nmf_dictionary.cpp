#include "unbraid/classic/nmf_dictionary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/classic/nmf.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr const char* kFormat = "unbraid.nmf/1";

const std::string& name_of(const data::TrackStem& stem) { return stem.instrument.empty() ? stem.name : stem.instrument; }

std::vector<std::string> names_in(const data::Track& track) {
  std::vector<std::string> names;
  for (const data::TrackStem& stem : track.stems)
    if (std::ranges::find(names, name_of(stem)) == names.end()) names.push_back(name_of(stem));
  return names;
}

/// The frames of a spectrogram that sound, at most `most` of them, at equal distances.
void append_frames(const dsp::Magnitudes<float>& magnitudes, double silence_db, std::size_t most, std::vector<float>& out) {
  std::vector<double> energy(magnitudes.frames());
  for (std::size_t m = 0; m < energy.size(); ++m)
    for (const float v : magnitudes.frame(0, m)) energy[m] += static_cast<double>(v) * v;
  const double floor = (energy.empty() ? 0 : std::ranges::max(energy)) * std::pow(10, silence_db / 10);
  std::vector<std::size_t> heard;
  for (std::size_t m = 0; m < energy.size(); ++m)
    if (energy[m] > floor) heard.push_back(m);
  const std::size_t count = std::min(heard.size(), most);
  for (std::size_t i = 0; i < count; ++i) {
    const auto frame = magnitudes.frame(0, heard[i * heard.size() / count]);
    out.insert(out.end(), frame.begin(), frame.end());
  }
}

/// The spectra that factor these frames, [component][bin], each summing to 1; the seed's random start.
std::vector<float> factor(std::vector<float> frames, std::size_t bins, const DictionaryOptions& options, RunContext& run) {
  const float peak = std::ranges::max(frames);
  for (float& v : frames) v /= peak;
  const std::size_t count = frames.size() / bins;
  NmfFactors<float> factors = nmf_random_start<float>(frames, count, bins, options.components, options.seed);
  RunContext quiet{.pool = run.pool, .cancel = run.cancel};  // progress counts tracks and stems
  nmf<float>(frames, factors, {.components = options.components, .beta = 1, .iterations = options.iterations, .tolerance = 1e-6}, quiet);
  for (std::size_t c = 0; c < options.components; ++c) {
    const auto row = std::span(factors.dictionary).subspan(c * bins, bins);
    double sum = 0;
    for (const float v : row) sum += v;
    if (sum > 0)
      for (float& v : row) v = static_cast<float>(v / sum);
  }
  return factors.dictionary;
}

}  // namespace

void DictionaryOptions::validate() const {
  if (components == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "components"};
  if (iterations == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "iterations"};
  if (!(window_ms >= 1 && window_ms <= 1000)) throw Error{ErrorCode::kUsage, "must lie between 1 and 1000", "window_ms"};
  if (max_frames == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "max_frames"};
  if (!(silence_db < 0)) throw Error{ErrorCode::kUsage, "must lie below 0", "silence_db"};
}

NmfDictionary learn_dictionary(const data::Dataset& dataset, const DictionaryOptions& options, RunContext& run) {
  options.validate();
  if (dataset.size() == 0) throw Error{ErrorCode::kNotFound, "there are no tracks to learn from"};
  const data::Track first = dataset.track(0);
  NmfDictionary dictionary{.sample_rate = first.sample_rate, .stems = options.stems.empty() ? names_in(first) : options.stems};
  const dsp::StftOptions stft_of = stft_options(first.sample_rate, options.window_ms);
  dictionary.window = stft_of.window.length;
  dictionary.hop = stft_of.hop;
  const dsp::Stft<float> stft(stft_of);

  run.progress.start("learn", dataset.size() + dictionary.stems.size(), "steps");
  const std::size_t frames_per_track = (options.max_frames + dataset.size() - 1) / dataset.size();
  std::vector<std::vector<float>> frames(dictionary.stems.size());
  for (std::size_t t = 0; t < dataset.size(); ++t) {
    const data::Track track = dataset.track(t);
    if (track.sample_rate != dictionary.sample_rate)
      throw Error{ErrorCode::kFormat, fmt::format("is at {:g} Hz, the first track at {:g} Hz", track.sample_rate, dictionary.sample_rate),
                  track.name};
    for (std::size_t s = 0; s < dictionary.stems.size(); ++s) {
      run.cancel.check();
      std::vector<data::SourcePtr> sources;
      for (const data::TrackStem& stem : track.stems)
        if (name_of(stem) == dictionary.stems[s]) sources.push_back(stem.audio);
      if (sources.empty()) continue;
      const AudioBuffer audio = data::sum_source(sources)->read();
      if (audio.empty()) continue;
      if (!std::ranges::all_of(audio.samples(), [](float x) { return std::isfinite(x); }))
        throw Error{ErrorCode::kFormat, fmt::format("{} has samples that are no numbers", dictionary.stems[s]), track.name};
      append_frames(joint_magnitudes(stft.forward(audio, run.pool), run.pool), options.silence_db, frames_per_track, frames[s]);
    }
    run.progress.advance(1);
  }
  for (std::size_t s = 0; s < frames.size(); ++s) {
    if (frames[s].empty())
      throw Error{ErrorCode::kNotFound, fmt::format("is heard in none of the tracks; the first has {}", fmt::join(names_in(first), ", ")),
                  dictionary.stems[s]};
    dictionary.spectra.push_back(factor(std::move(frames[s]), dictionary.bins(), options, run));
    run.progress.advance(1);
  }
  return dictionary;
}

void save_dictionary(const std::filesystem::path& path, const NmfDictionary& dictionary) {
  checkpoint::TensorMap tensors;
  for (std::size_t s = 0; s < dictionary.stems.size(); ++s)
    tensors.add(dictionary.stems[s], checkpoint::Tensor::from_floats({static_cast<std::int64_t>(dictionary.components(s)),
                                                                      static_cast<std::int64_t>(dictionary.bins())},
                                                                     dictionary.spectra[s]));
  checkpoint::save_safetensors(path, tensors,
                               {{"format", kFormat},
                                {"sample_rate", fmt::format("{:g}", dictionary.sample_rate)},
                                {"window", fmt::to_string(dictionary.window)},
                                {"hop", fmt::to_string(dictionary.hop)}});
}

NmfDictionary load_dictionary(const std::filesystem::path& path) {
  const checkpoint::Checkpoint file = checkpoint::load(path);
  const auto fail = [&](const std::string& message) { throw Error{ErrorCode::kFormat, message, path.string()}; };
  const auto number = [&](const char* key) {
    const auto found = file.metadata.find(key);
    const std::string text = found == file.metadata.end() ? "" : found->second;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (!whole || !(value >= 1 && value <= 1e7)) fail(fmt::format("is no NMF dictionary: no {} in its metadata", key));
    return value;
  };
  if (const auto format = file.metadata.find("format"); format == file.metadata.end() || format->second != kFormat)
    fail("is no NMF dictionary; unbraid train nmf makes one");
  NmfDictionary dictionary{.sample_rate = number("sample_rate"),
                           .window = static_cast<std::size_t>(number("window")),
                           .hop = static_cast<std::size_t>(number("hop"))};
  for (const auto& [name, tensor] : file.tensors) {
    const auto& shape = tensor.shape();
    if (shape.size() != 2 || shape[0] < 1 || shape[1] != static_cast<std::int64_t>(dictionary.bins()))
      fail(fmt::format("{} has the shape {}, not [components, {}]", name, checkpoint::shape_text(shape), dictionary.bins()));
    dictionary.stems.push_back(name);
    dictionary.spectra.push_back(tensor.to_floats());
    if (!std::ranges::all_of(dictionary.spectra.back(), [](float v) { return v >= 0 && std::isfinite(v); }))
      fail(fmt::format("{} has negative values or none", name));
  }
  if (dictionary.stems.empty()) fail("holds no stem");
  return dictionary;
}

}  // namespace unbraid::classic
