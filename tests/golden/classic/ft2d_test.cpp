// Separation by the 2D Fourier transform against nussl 1.1.9, in double precision as nussl works.

#include "unbraid/classic/ft2d.hpp"

#include <gtest/gtest.h>

#include "golden/classic/nussl.hpp"

namespace unbraid::classic {
namespace {

TEST(Ft2dGolden, LocalDeviationEqualsNussl) {
  UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
  ThreadPool pool(2);
  expect_nussl_mask(ft2d_mask(nussl_magnitudes(pool), {.mirror = Ft2dOptions::Mirror::kNussl, .first_bin = kNusslFirstBin}, pool),
                    nussl_result("ft2d_default"));
}

TEST(Ft2dGolden, ThresholdEqualsNussl) {
  UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
  ThreadPool pool(2);
  expect_nussl_mask(
      ft2d_mask(nussl_magnitudes(pool),
                {.peaks = Ft2dOptions::Peaks::kThreshold, .mirror = Ft2dOptions::Mirror::kNussl, .first_bin = kNusslFirstBin}, pool),
      nussl_result("ft2d_original"));
}

}  // namespace
}  // namespace unbraid::classic
