#pragma once
// The classical separation methods: no training, no weights, every one from a paper.
//
//   const Method method = classic::hpss_method();
//   auto separator = method.make({.sample_rate = 44100, .channels = 2}, ParameterValues::resolve(method.parameters), 0);
//
// Each factory lives in src/classic/<name>.cpp; the description of its algorithm stands there, or in the header of the
// same name beside this one where the algorithm can be used by itself (masks from magnitudes).
// Streaming methods give the same result for a block with its context as for the whole track.

#include <vector>

#include "unbraid/separator/separator.hpp"

namespace unbraid::classic {

Method classic4_method();         ///< vocals, drums, bass, other; streaming
Method hpss_method();             ///< harmonic, percussive (, residual); streaming
Method hpss_cascade_method();     ///< harmonic, vocals, percussive; streaming
Method melody_method();           ///< melody, background; whole track
Method gammatone_method();        ///< band1, band2, …; streaming
Method centre_method();           ///< centre, sides; streaming; needs two channels
Method subband_method();          ///< band1, band2, …; streaming
Method lowpass_method();          ///< low, high; streaming
Method repet_method();            ///< background, foreground; whole track
Method repet_sim_method();        ///< background, foreground; whole track
Method ft2d_method();             ///< background, foreground; whole track
Method rpca_method();             ///< background, foreground; whole track
Method nmf_method();              ///< source1, source2, …; whole track
Method nmf_convolutive_method();  ///< source1, source2, …; whole track
Method nmf_supervised_method();   ///< the stems of its dictionary; whole track
Method nmf_score_method();        ///< the instruments of its score; whole track
Method timbre_method();           ///< source1, source2, …; whole track
Method duet_method();             ///< source1, source2, …; whole track; needs two channels
Method spatial_method();          ///< source1, source2, …; whole track; needs two channels
Method projet_method();           ///< source1, source2, …; whole track; needs two channels
Method iva_method();              ///< source1, source2, … as many as channels; whole track; needs two channels
Method ica_method();              ///< source1, source2, … as many as channels; whole track; needs two channels

Method random_method();  ///< vocals, drums, bass, other; whole track: what chance achieves

/// All of them, the default first: what a catalog lists.
std::vector<Method> methods();

}  // namespace unbraid::classic
