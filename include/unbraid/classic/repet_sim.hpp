#pragma once
// The repeating background and the varying foreground of a recording, by the similarity of its frames.
//
//   classic::RepetSimOptions options{.min_distance_frames = 86, .max_repeating_frames = 100};
//   dsp::Mask<float> background = classic::repet_sim_mask(magnitudes, options, run);
//
// Rafii, Pardo, "Music/voice separation using the similarity matrix", ISMIR 2012: the cosine similarity of all pairs
// of frames (eq. 1); for every frame the most similar ones, some distance apart (eq. 2); their median is the
// background (eq. 3), and never louder than the mix (eq. 4, 5). The similarities are taken on the mean of the
// channels, the medians per channel.
//
// Equals nussl.separation.primitive.RepetSim but for one thing: nussl drops the most similar frame, taking it to be
// the frame itself. Where loops repeat exactly, another frame may be as similar; here it is the frame itself that
// is left out, always.
//
// Whole-track. Time O(frames²·bins), memory O(frames·bins): the similarity matrix is made and used up in strips.

#include <cstddef>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct RepetSimOptions {
  double similarity_threshold = 0;         ///< 0 … 1, on similarities scaled to 0 … 1 for each frame
  double min_distance_frames = 1;          ///< frames chosen for one frame are further apart than this, ≥ 0
  std::size_t max_repeating_frames = 100;  ///< chosen for one frame at most, ≥ 1
  std::size_t first_bin = 0;               ///< the bins below belong to the background

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// For every frame its similar frames, most similar first. T is float or double.
template <class T>
std::vector<std::vector<std::size_t>> similar_frames(const dsp::Magnitudes<T>& magnitudes, const RepetSimOptions& options, RunContext& run);

/// The mask of the background, [channel][frame][bin] in 0 … 1. A frame without similar ones and a silent bin are
/// background.
template <class T>
dsp::Mask<T> repet_sim_mask(const dsp::Magnitudes<T>& magnitudes, const RepetSimOptions& options, RunContext& run);

extern template std::vector<std::vector<std::size_t>> similar_frames<float>(const dsp::Magnitudes<float>&, const RepetSimOptions&,
                                                                            RunContext&);
extern template std::vector<std::vector<std::size_t>> similar_frames<double>(const dsp::Magnitudes<double>&, const RepetSimOptions&,
                                                                             RunContext&);
extern template dsp::Mask<float> repet_sim_mask<float>(const dsp::Magnitudes<float>&, const RepetSimOptions&, RunContext&);
extern template dsp::Mask<double> repet_sim_mask<double>(const dsp::Magnitudes<double>&, const RepetSimOptions&, RunContext&);

}  // namespace unbraid::classic
