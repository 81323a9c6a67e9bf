#pragma once
// How well could time-frequency masking separate a track, if the masks were ideal?
//
//   evaluate::OracleResult result = evaluate::oracle(dataset->track(0), {.masks = {"ibm", "wiener2", "psm"}},
//   run); for (const evaluate::OracleMask& mask : result.masks) print(mask.name, mask.mean_db);
//
// Every stem's spectrogram is known, so ideal masks (mask/ideal.hpp) can be computed, applied to the mixture
// and the result scored against the stem by SI-SDR. What a ratio or binary mask reaches bounds separators
// that apply such a mask to the mixture's phase; phase-sensitive masks reach more, and methods that estimate
// phase are not bounded at all.
//
// The transform is streamed: memory holds some seconds of audio per stem and one frame of spectrum per
// thread, whatever the length of the track. Results do not depend on the number of threads.
//
// SI-SDR (Le Roux, Wisdom, Erdogan, Hershey, ICASSP 2019, eq. 3, no mean removed) is taken over all channels
// together, from sums of products: above 150 dB it is only rounding and is cut there. A silent stem has no
// score; it is skipped with a reason and keeps out of the mean; so does an estimate of which a mask left
// nothing.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"

namespace unbraid::evaluate {

/// Filters beside the real masks of mask::ideal_mask(): the complex ratio mask S / X with magnitudes up to 10, and the
/// multichannel Wiener filter from the true powers and places (mask::expectation_maximisation), anew for every
/// stretch of 2^18 frames.
inline constexpr std::string_view kComplexRatioMask = "cirm", kMultichannelWiener = "mwf";

struct OracleOptions {
  /// Names of mask::ideal_mask(), and the two above. Equal masks under two names ("irm", "wiener1") are computed once.
  std::vector<std::string> masks = {"ibm", "irm", "wiener1", "wiener2", "psm"};
  double trim_s = 0;       ///< only so many seconds from the start; 0: the whole track
  std::size_t window = 0;  ///< samples of the Hann window; 0: the power of two at or below 64 ms (1024 at 16 kHz)
  std::size_t hop = 0;     ///< samples, a divisor of the window; 0: a quarter of the window
  /// The arithmetic of the oracle notebook: scipy's scaling, ε = 1e−10 in every mask and in SI-SDR, silent
  /// stems scored by ε alone (0 dB) and counted in the mean.
  bool seed_arithmetic = false;

  /// The notebook's settings: its four masks in its order, ten seconds, window 1024, hop 256, its arithmetic.
  static OracleOptions seed();
  /// kUsage for unknown masks and masks asked for twice, a trim out of range, a hop that does not divide the window or is
  /// more than half of it, also where it is the window's quarter.
  void validate() const;
};

struct OracleMask {
  std::string name;
  std::vector<double> si_sdr_db;                              ///< of each of OracleResult::stems; NaN where there is no score
  double mean_db = std::numeric_limits<double>::quiet_NaN();  ///< over the stems that have a score
};

struct OracleResult {
  std::string track;
  double sample_rate = 0;  ///< Hz
  std::size_t channels = 0;
  std::uint64_t samples = 0;  ///< per channel, after trimming
  double trim_s = 0;
  bool seed_arithmetic = false;
  std::size_t window = 0, hop = 0, frames = 0;
  std::vector<std::string> stems;  ///< loaded ones, "S00_Bass" where the dataset names the instrument
  /// Stems without scores and why: by the dataset's name ("S10"), missing ones included.
  std::vector<std::pair<std::string, std::string>> skipped;
  std::vector<std::string> warnings = {};                         ///< data::Track::warnings
  double correlation = std::numeric_limits<double>::quiet_NaN();  ///< of the sum of the loaded stems with the mixture
  double residual_db = std::numeric_limits<double>::quiet_NaN();  ///< of that sum minus the mixture, against the mixture
  std::vector<OracleMask> masks;
};

/// Receives the estimates as they are made, block after block of the track, [channel][frame], for every mask
/// and stem by their names in the result.
using OracleSink = std::function<void(const std::string& mask, const std::string& stem, AudioView block)>;

/// kFormat when no stem can be loaded or samples are not finite; kUsage for bad options.
OracleResult oracle(const data::Track& track, const OracleOptions& options, RunContext& run, const OracleSink& sink = {});

/// One spectrogram or mask, as numbers to be drawn: values[frame · bins + bin].
struct OraclePicture {
  std::string name;  ///< "mix", "S00_Bass", "ibm S00_Bass"
  std::size_t frames = 0, bins = 0;
  std::vector<float> values;  ///< dB against the mixture's peak for spectrograms, 0 to 1 for masks
  float low = 0, high = 1;    ///< the range worth showing
};

/// Spectrograms of the mixture and the stems and all their masks, for the first channel of at most `seconds`.
/// Each is handed to `draw` as soon as it is made.
void oracle_pictures(const data::Track& track, const OracleOptions& options, double seconds, RunContext& run,
                     const std::function<void(const OraclePicture&)>& draw);

}  // namespace unbraid::evaluate
