#include "unbraid/dsp/fft.hpp"

#include <fftw3.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "dsp/half_spectrum.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

/// FFTW's two precisions under one name.
template <class T>
struct Fftw;

template <>
struct Fftw<float> {
  using Plan = fftwf_plan;
  using Complex = fftwf_complex;
  static constexpr auto plan_r2c = fftwf_plan_dft_r2c_1d;
  static constexpr auto plan_c2r = fftwf_plan_dft_c2r_1d;
  static constexpr auto plan_c2c = fftwf_plan_dft_1d;
  static constexpr auto run_r2c = fftwf_execute_dft_r2c;
  static constexpr auto run_c2r = fftwf_execute_dft_c2r;
  static constexpr auto run_c2c = fftwf_execute_dft;
  static constexpr auto alignment_of = fftwf_alignment_of;
};

template <>
struct Fftw<double> {
  using Plan = fftw_plan;
  using Complex = fftw_complex;
  static constexpr auto plan_r2c = fftw_plan_dft_r2c_1d;
  static constexpr auto plan_c2r = fftw_plan_dft_c2r_1d;
  static constexpr auto plan_c2c = fftw_plan_dft_1d;
  static constexpr auto run_r2c = fftw_execute_dft_r2c;
  static constexpr auto run_c2r = fftw_execute_dft_c2r;
  static constexpr auto run_c2c = fftw_execute_dft;
  static constexpr auto alignment_of = fftw_alignment_of;
};

template <class T>
typename Fftw<T>::Complex* fftw(std::complex<T>* values) {
  // The layouts agree: C++ standard, [complex.numbers.general].
  return reinterpret_cast<typename Fftw<T>::Complex*>(values);
}

void require(bool condition) {
  if (!condition) throw Error{ErrorCode::kInternal, "data of the wrong length for this FFT"};
}

/// FFTW's planner is not thread-safe, in either precision.
std::mutex& planner() {
  static std::mutex mutex;
  return mutex;
}

/// The plans of one kind, by size. They live as long as the process: a song needs a handful of sizes, and a
/// plan that outlives main() cannot be used after its destruction.
template <class Plan>
std::shared_ptr<const Plan> cached(std::size_t size) {
  if (size == 0 || size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error{ErrorCode::kUsage, "an FFT's size must lie between 1 and 2147483647"};
  static auto& plans = *new std::map<std::size_t, std::shared_ptr<const Plan>>;
  const std::lock_guard lock(planner());
  auto& plan = plans[size];
  if (!plan) plan = std::make_shared<const Plan>(static_cast<int>(size));
  return plan;
}

/// FFTW's SIMD kernels want data on a 16-byte boundary.
template <class T>
bool aligned(const T* values) {
  using Real = decltype(std::real(T{}));
  return Fftw<Real>::alignment_of(reinterpret_cast<Real*>(const_cast<T*>(values))) == 0;
}

template <class Values, class T>
void scale(Values values, T factor) {
  for (auto& value : values) value *= factor;
}

}  // namespace

/// Even sizes go through a complex transform of half the size; odd ones are left to FFTW's real transforms.
template <class T>
struct RealFft<T>::Plan {
  using Complex = std::complex<T>;

  std::optional<HalfSpectrum<T>> half;  ///< for even sizes
  typename Fftw<T>::Plan forward;
  typename Fftw<T>::Plan inverse;

  explicit Plan(int size) {
    AlignedVector<T> time(static_cast<std::size_t>(size));
    AlignedVector<Complex> frequency(static_cast<std::size_t>(size) / 2 + 1);
    T* const x = time.data();
    const auto z = fftw(frequency.data());
    if (size % 2 == 0) {
      half.emplace(static_cast<std::size_t>(size));
      forward = Fftw<T>::plan_c2c(size / 2, pairs(x), z, FFTW_FORWARD, FFTW_ESTIMATE);
      inverse = Fftw<T>::plan_c2c(size / 2, z, pairs(x), FFTW_BACKWARD, FFTW_ESTIMATE);
    } else {
      forward = Fftw<T>::plan_r2c(size, x, z, FFTW_ESTIMATE);
      inverse = Fftw<T>::plan_c2r(size, z, x, FFTW_ESTIMATE);
    }
    if (!forward || !inverse) throw Error{ErrorCode::kInternal, "FFTW made no plan"};
  }

  /// Real samples two by two.
  static typename Fftw<T>::Complex* pairs(const T* time) {
    return reinterpret_cast<typename Fftw<T>::Complex*>(const_cast<T*>(time));  // FFTW keeps its input
  }

  /// time and work are aligned; work may be frequency.
  void run_forward(const T* time, Complex* work, std::span<Complex> frequency) const {
    if (half) {
      Fftw<T>::run_c2c(forward, pairs(time), fftw(work));
      half->split(work, frequency.data());
    } else {
      Fftw<T>::run_r2c(forward, const_cast<T*>(time), fftw(work));
      if (work != frequency.data()) std::copy_n(work, frequency.size(), frequency.begin());
    }
  }

  /// As run_forward. What work held is gone.
  void run_inverse(std::span<const Complex> frequency, Complex* work, T* time) const {
    if (half) {
      half->join(frequency.data(), work);
      Fftw<T>::run_c2c(inverse, fftw(work), pairs(time));
    } else {
      if (work != frequency.data()) std::ranges::copy(frequency, work);
      Fftw<T>::run_c2r(inverse, fftw(work), time);
    }
  }
};

template <class T>
RealFft<T>::RealFft(std::size_t size) : size_(size), plan_(cached<Plan>(size)) {}

template <class T>
void RealFft<T>::forward(std::span<const T> time, std::span<std::complex<T>> frequency, Scratch& scratch) const {
  require(time.size() == size_ && frequency.size() == bins() && scratch.size() == bins());
  if (aligned(time.data())) {
    plan_->run_forward(time.data(), scratch.data(), frequency);
  } else {
    const AlignedVector<T> copy(time.begin(), time.end());
    plan_->run_forward(copy.data(), scratch.data(), frequency);
  }
}

template <class T>
void RealFft<T>::inverse_unscaled(std::span<const std::complex<T>> frequency, std::span<T> time, Scratch& scratch) const {
  require(time.size() == size_ && frequency.size() == bins() && scratch.size() == bins());
  if (aligned(time.data())) {
    plan_->run_inverse(frequency, scratch.data(), time.data());
  } else {
    AlignedVector<T> copy(size_);
    plan_->run_inverse(frequency, scratch.data(), copy.data());
    std::ranges::copy(copy, time.begin());
  }
}

template <class T>
void RealFft<T>::forward(std::span<const T> time, std::span<std::complex<T>> frequency) const {
  if (aligned(time.data()) && aligned(frequency.data())) {
    require(time.size() == size_ && frequency.size() == bins());
    plan_->run_forward(time.data(), frequency.data(), frequency);
  } else {
    Scratch work = scratch();
    forward(time, frequency, work);
  }
}

template <class T>
void RealFft<T>::inverse_unscaled(std::span<std::complex<T>> frequency, std::span<T> time) const {
  if (aligned(time.data()) && aligned(frequency.data())) {
    require(time.size() == size_ && frequency.size() == bins());
    plan_->run_inverse(frequency, frequency.data(), time.data());
  } else {
    Scratch work = scratch();
    inverse_unscaled(frequency, time, work);
  }
}

template <class T>
void RealFft<T>::inverse(std::span<std::complex<T>> frequency, std::span<T> time) const {
  inverse_unscaled(frequency, time);
  scale(time, T(1) / static_cast<T>(size_));
}

template <class T>
struct ComplexFft<T>::Plan {
  typename Fftw<T>::Plan forward;
  typename Fftw<T>::Plan inverse;

  /// In place.
  void run(typename Fftw<T>::Plan plan, std::span<std::complex<T>> values) const;

  explicit Plan(int size) {
    AlignedVector<std::complex<T>> values(static_cast<std::size_t>(size));
    forward = Fftw<T>::plan_c2c(size, fftw(values.data()), fftw(values.data()), FFTW_FORWARD, FFTW_ESTIMATE);
    inverse = Fftw<T>::plan_c2c(size, fftw(values.data()), fftw(values.data()), FFTW_BACKWARD, FFTW_ESTIMATE);
    if (!forward || !inverse) throw Error{ErrorCode::kInternal, "FFTW made no plan"};
  }
};

template <class T>
ComplexFft<T>::ComplexFft(std::size_t size) : size_(size), plan_(cached<Plan>(size)) {}

template <class T>
void ComplexFft<T>::Plan::run(typename Fftw<T>::Plan plan, std::span<std::complex<T>> values) const {
  if (aligned(values.data())) {
    Fftw<T>::run_c2c(plan, fftw(values.data()), fftw(values.data()));
  } else {
    AlignedVector<std::complex<T>> copy(values.begin(), values.end());
    Fftw<T>::run_c2c(plan, fftw(copy.data()), fftw(copy.data()));
    std::ranges::copy(copy, values.begin());
  }
}

template <class T>
void ComplexFft<T>::forward(std::span<std::complex<T>> values) const {
  require(values.size() == size_);
  plan_->run(plan_->forward, values);
}

template <class T>
void ComplexFft<T>::inverse(std::span<std::complex<T>> values) const {
  require(values.size() == size_);
  plan_->run(plan_->inverse, values);
  scale(values, T(1) / static_cast<T>(size_));
}

template class RealFft<float>;
template class RealFft<double>;
template class ComplexFft<float>;
template class ComplexFft<double>;

std::size_t fast_fft_size(std::size_t n) {
  for (std::size_t size = std::max<std::size_t>(n, 1);; ++size) {
    std::size_t rest = size;
    for (const std::size_t prime : {2u, 3u, 5u, 7u})
      while (rest % prime == 0) rest /= prime;
    if (rest == 1) return size;
  }
}

}  // namespace unbraid::dsp
