#include "unbraid/dsp/fft.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <thread>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::dsp {
namespace {

using Complex = std::complex<double>;

std::vector<Complex> noise(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Complex> values(size);
  for (Complex& value : values) value = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
  return values;
}

/// The definition, summed directly, in long double so that its own rounding does not count.
Complex transform(const std::vector<Complex>& values, std::size_t bin) {
  std::complex<long double> sum = 0;
  for (std::size_t n = 0; n < values.size(); ++n) {
    const long double turn = static_cast<long double>(bin * n % values.size()) / static_cast<long double>(values.size());
    sum += std::complex<long double>(values[n]) * std::polar(1.0L, -2 * std::numbers::pi_v<long double> * turn);
  }
  return Complex(sum);
}

template <class T>
class Fft : public ::testing::Test {
 public:
  /// Rounding of an N-point FFT grows as √N·ε on noise of unit size; 10 is room for odd factors.
  static double tolerance(std::size_t size) { return 10 * std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(size)); }
};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Fft, Precisions);

// Odd and even; around multiples of the SIMD width, where the butterflies of even sizes change to single
// steps.
constexpr std::size_t kSizes[] = {1, 2, 3, 4, 6, 7, 16, 30, 32, 34, 36, 38, 66, 97, 120, 512, 1023};

TYPED_TEST(Fft, RealEqualsTheSum) {
  for (const std::size_t size : kSizes) {
    const auto values = noise(size, size);
    std::vector<Complex> real_part(size);
    std::vector<TypeParam> time(size);
    for (std::size_t n = 0; n < size; ++n) real_part[n] = time[n] = static_cast<TypeParam>(values[n].real());
    const RealFft<TypeParam> fft(size);
    std::vector<std::complex<TypeParam>> bins(fft.bins());
    const auto before = time;
    fft.forward(time, bins);
    EXPECT_EQ(time, before);
    for (std::size_t k = 0; k < bins.size(); ++k)
      EXPECT_NEAR(std::abs(Complex(bins[k]) - transform(real_part, k)), 0, this->tolerance(size)) << size;
    fft.inverse(bins, time);
    for (std::size_t n = 0; n < size; ++n) EXPECT_NEAR(time[n], before[n], this->tolerance(size)) << size;
  }
}

TYPED_TEST(Fft, ComplexEqualsTheSum) {
  for (const std::size_t size : kSizes) {
    std::vector<Complex> exact = noise(size, size);
    std::vector<std::complex<TypeParam>> values(size);
    for (std::size_t n = 0; n < size; ++n) exact[n] = Complex(values[n] = std::complex<TypeParam>(exact[n]));
    const auto before = values;
    const ComplexFft<TypeParam> fft(size);
    fft.forward(values);
    for (std::size_t k = 0; k < size; ++k)
      EXPECT_NEAR(std::abs(Complex(values[k]) - transform(exact, k)), 0, this->tolerance(size)) << size;
    fft.inverse(values);
    for (std::size_t n = 0; n < size; ++n) EXPECT_NEAR(std::abs(Complex(values[n] - before[n])), 0, this->tolerance(size)) << size;
  }
}

// Wherever the data lies, the bits are the same: what an aligned vector and an odd offset into one give.
TYPED_TEST(Fft, ResultDoesNotDependOnTheAddress) {
  constexpr std::size_t kSize = 240;
  const RealFft<TypeParam> real(kSize);
  const ComplexFft<TypeParam> complex(kSize);
  const auto values = noise(kSize, 3);
  std::vector<TypeParam> time_at[2] = {std::vector<TypeParam>(kSize), std::vector<TypeParam>(kSize + 1)};
  std::vector<std::complex<TypeParam>> bins_at[2], both_at[2];
  for (const std::size_t offset : {0u, 1u}) {
    for (std::size_t n = 0; n < kSize; ++n) time_at[offset][n + offset] = static_cast<TypeParam>(values[n].real());
    bins_at[offset].resize(real.bins() + offset);
    both_at[offset].resize(kSize + offset);
    const auto time = std::span(time_at[offset]).subspan(offset);
    const auto bins = std::span(bins_at[offset]).subspan(offset);
    const auto both = std::span(both_at[offset]).subspan(offset);
    for (std::size_t n = 0; n < kSize; ++n) both[n] = std::complex<TypeParam>(values[n]);
    real.forward(time, bins);
    complex.forward(both);
  }
  for (std::size_t k = 0; k < real.bins(); ++k) EXPECT_EQ(bins_at[0][k], bins_at[1][k + 1]);
  for (std::size_t k = 0; k < kSize; ++k) EXPECT_EQ(both_at[0][k], both_at[1][k + 1]);
  real.inverse(bins_at[0], time_at[0]);
  real.inverse(std::span(bins_at[1]).subspan(1), std::span(time_at[1]).subspan(1));
  complex.inverse(both_at[0]);
  complex.inverse(std::span(both_at[1]).subspan(1));
  for (std::size_t n = 0; n < kSize; ++n) EXPECT_EQ(time_at[0][n], time_at[1][n + 1]);
  for (std::size_t n = 0; n < kSize; ++n) EXPECT_EQ(both_at[0][n], both_at[1][n + 1]);
}

// With scratch memory the same bits come out, rows may lie anywhere, and the spectrum is kept.
TYPED_TEST(Fft, ScratchChangesNothing) {
  for (const std::size_t size : {9u, 64u, 240u}) {
    const RealFft<TypeParam> fft(size);
    auto scratch = fft.scratch();
    const auto values = noise(size, 5);
    std::vector<TypeParam> time(size), back(size), back_by_scratch(size + 1);
    for (std::size_t n = 0; n < size; ++n) time[n] = static_cast<TypeParam>(values[n].real());
    std::vector<std::complex<TypeParam>> bins(fft.bins()), row(fft.bins() + 1);
    fft.forward(time, bins);
    const auto spectrum = std::span(row).subspan(1);
    fft.forward(time, spectrum, scratch);
    EXPECT_TRUE(std::ranges::equal(bins, spectrum));
    const auto samples = std::span(back_by_scratch).subspan(1);
    fft.inverse_unscaled(std::span<const std::complex<TypeParam>>(spectrum), samples, scratch);
    EXPECT_TRUE(std::ranges::equal(bins, spectrum));
    fft.inverse_unscaled(bins, back);
    EXPECT_TRUE(std::ranges::equal(back, samples));
    typename RealFft<TypeParam>::Scratch too_small(1);
    EXPECT_THROW(fft.forward(time, spectrum, too_small), Error);
  }
}

// Plans of new sizes are made while others run: a data race shows under ThreadSanitizer, a broken plan here.
TYPED_TEST(Fft, ThreadsMayPlanAndRunAtOnce) {
  std::vector<int> failures(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < failures.size(); ++t)
    threads.emplace_back([&, t] {
      for (std::size_t size = 300; size < 360; ++size) {
        const RealFft<TypeParam> fft(size);
        std::vector<TypeParam> time(size, TypeParam(1));
        std::vector<std::complex<TypeParam>> bins(fft.bins());
        fft.forward(time, bins);
        failures[t] += std::abs(Complex(bins[0]) - static_cast<double>(size)) > 1e-3;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, std::vector<int>(4));
}

TEST(FftErrors, ZeroSizeAndWrongLengths) {
  EXPECT_THROW(RealFft<float>(0), Error);
  EXPECT_THROW(ComplexFft<double>(0), Error);
  const RealFft<float> fft(8);
  std::vector<float> time(8), short_time(7);
  std::vector<std::complex<float>> bins(5), more_bins(6);
  EXPECT_THROW(fft.forward(short_time, bins), Error);
  EXPECT_THROW(fft.forward(time, more_bins), Error);
  EXPECT_THROW(fft.inverse(more_bins, time), Error);
  EXPECT_THROW(ComplexFft<float>(4).forward(bins), Error);
}

TEST(FastFftSize, IsTheNextSevenSmoothNumber) {
  EXPECT_EQ(fast_fft_size(0), 1u);
  EXPECT_EQ(fast_fft_size(1), 1u);
  EXPECT_EQ(fast_fft_size(11), 12u);
  EXPECT_EQ(fast_fft_size(97), 98u);
  EXPECT_EQ(fast_fft_size(1024), 1024u);
  EXPECT_EQ(fast_fft_size(1025), 1029u);  // 3·7³
}

}  // namespace
}  // namespace unbraid::dsp
