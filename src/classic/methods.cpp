#include "unbraid/classic/methods.hpp"

namespace unbraid::classic {

std::vector<Method> methods() {
  return {classic4_method(),  hpss_method(),      hpss_cascade_method(), centre_method(),          melody_method(),
          subband_method(),   gammatone_method(), lowpass_method(),      repet_method(),           repet_sim_method(),
          ft2d_method(),      rpca_method(),      nmf_method(),          nmf_convolutive_method(), nmf_supervised_method(),
          nmf_score_method(), timbre_method(),    duet_method(),         spatial_method(),         projet_method(),
          ica_method(),       iva_method(),       random_method()};
}

}  // namespace unbraid::classic
