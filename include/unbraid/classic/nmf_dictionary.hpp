#pragma once
// Spectra of instruments, learnt from recordings of each alone: what supervised factorisation explains a mixture with.
//
//   const auto songs = data::open_dataset("musdb18hq/train");
//   const classic::NmfDictionary learnt = classic::learn_dictionary(*songs, {.components = 40}, run);
//   classic::save_dictionary("dictionary.safetensors", learnt);
//   // unbraid separate song.wav -m nmf_supervised --param dictionary=dictionary.safetensors
//
// Each stem's frames are gathered from all tracks, those that sound, at equal distances when there are too many, and
// factored by themselves; the rows of the factorisation's dictionary are the stem's spectra (Smaragdis, Raj, Shashanka,
// "Supervised and semi-supervised separation of sounds from single-channel mixtures", ICA 2007, with the
// Kullback-Leibler divergence, of which their model is the probabilistic form). Rows are scaled to a sum of 1.
//
// The file is safetensors: a float32 tensor [component][bin] per stem in order, with the metadata format
// (unbraid.nmf/1), sample_rate, window and hop.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"

namespace unbraid::classic {

struct NmfDictionary {
  double sample_rate = 0;           ///< Hz
  std::size_t window = 0, hop = 0;  ///< samples, of the Hann-windowed STFT; window/2 + 1 bins
  std::vector<std::string> stems;
  std::vector<std::vector<float>> spectra;  ///< of each stem, [component][bin]

  std::size_t bins() const noexcept { return window / 2 + 1; }
  std::size_t components(std::size_t stem) const { return spectra[stem].size() / bins(); }
};

struct DictionaryOptions {
  std::vector<std::string> stems = {};  ///< empty: those of the first track; Slakh's by their class
  std::size_t components = 40;          ///< per stem
  std::size_t iterations = 200;
  double window_ms = 46;            ///< rounded to a power of two samples
  std::size_t max_frames = 20'000;  ///< per stem, what is factored at once
  double silence_db = -60;          ///< frames so far below the stem's loudest are left out
  std::uint64_t seed = 0;

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// Tracks must have one sample rate (kFormat otherwise). kNotFound when a stem is nowhere to be heard. Progress counts
/// stems of tracks.
NmfDictionary learn_dictionary(const data::Dataset& dataset, const DictionaryOptions& options, RunContext& run);

void save_dictionary(const std::filesystem::path& path, const NmfDictionary& dictionary);
/// kNotFound, kFormat.
NmfDictionary load_dictionary(const std::filesystem::path& path);

}  // namespace unbraid::classic
