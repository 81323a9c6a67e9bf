#include "unbraid/classic/methods.hpp"

namespace unbraid::classic {

std::vector<Method> methods() {
  return {classic4_method(), hpss_method(), centre_method(), subband_method(), lowpass_method(), repet_method(),
          repet_sim_method(), ft2d_method(), rpca_method(), timbre_method(), duet_method(), spatial_method(),
          projet_method(), ica_method()};
}

}  // namespace unbraid::classic
