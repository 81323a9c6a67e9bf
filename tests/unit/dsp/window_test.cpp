#include "unbraid/dsp/window.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {
namespace {

constexpr WindowKind kAll[] = {WindowKind::kHann,   WindowKind::kSqrtHann, WindowKind::kHamming,       WindowKind::kBlackman,
                               WindowKind::kKaiser, WindowKind::kBoxcar,   WindowKind::kBlackmanHarris};

TEST(Window, CosineSumsByTheirDefinition) {
  const auto cosine_sum = [](double phase, double a0, double a1, double a2, double a3) {
    return a0 - a1 * std::cos(phase) + a2 * std::cos(2 * phase) - a3 * std::cos(3 * phase);
  };
  for (const std::size_t length : {2u, 7u, 512u, 1023u}) {
    const auto hann = make_window({.kind = WindowKind::kHann, .length = length});
    const auto root = make_window({.kind = WindowKind::kSqrtHann, .length = length});
    const auto harris = make_window({.kind = WindowKind::kBlackmanHarris, .length = length});
    for (std::size_t n = 0; n < length; ++n) {
      const double phase = 2 * std::numbers::pi * static_cast<double>(n) / static_cast<double>(length);
      EXPECT_NEAR(hann[n], cosine_sum(phase, 0.5, 0.5, 0, 0), 1e-14);
      EXPECT_NEAR(root[n] * root[n], hann[n], 1e-15);
      EXPECT_NEAR(harris[n], cosine_sum(phase, 0.35875, 0.48829, 0.14128, 0.01168), 1e-14);
    }
  }
}

TEST(Window, KaiserByTheLibraryBesselFunction) {
  for (const double beta : {0.0, 3.5, 14.0, 100.0}) {
    const auto window = make_window({.kind = WindowKind::kKaiser, .length = 101, .periodic = false, .kaiser_beta = beta});
    for (std::size_t n = 0; n < 101; ++n) {
      const double x = static_cast<double>(n) / 50 - 1;
      const double arch = std::sqrt(std::max(0.0, 1 - x * x));
      EXPECT_NEAR(window[n], std::cyl_bessel_i(0.0, beta * arch) / std::cyl_bessel_i(0.0, beta), 1e-13);
    }
  }
}

TEST(Window, PeriodicIsSymmetricOneLongerWithoutTheLastPoint) {
  for (const WindowKind kind : kAll)
    for (const std::size_t length : {2u, 5u, 64u}) {
      const auto periodic = make_window({.kind = kind, .length = length});
      const auto symmetric = make_window({.kind = kind, .length = length + 1, .periodic = false});
      for (std::size_t n = 0; n < length; ++n) {
        EXPECT_EQ(periodic[n], symmetric[n]);
        EXPECT_EQ(symmetric[n], symmetric[length - n]);  // exactly, not to rounding
      }
    }
}

TEST(Window, LengthOneIsOneAndZeroIsRefused) {
  for (const WindowKind kind : kAll) {
    EXPECT_EQ(make_window({.kind = kind, .length = 1}), std::vector<double>{1});
    EXPECT_EQ(make_window({.kind = kind, .length = 1, .periodic = false}), std::vector<double>{1});
    EXPECT_THROW(make_window({.kind = kind, .length = 0}), Error);
  }
  for (const double beta : {-1.0, 701.0, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(make_window({.kind = WindowKind::kKaiser, .length = 8, .kaiser_beta = beta}), Error);
}

TEST(Window, NamesGoBothWays) {
  for (const WindowKind kind : kAll) EXPECT_EQ(window_kind(to_string(kind)), kind);
  try {
    window_kind("hanning");
    FAIL() << "an unknown name was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("hanning: unknown window; there are hann,"), std::string::npos);
  }
}

}  // namespace
}  // namespace unbraid::dsp
