#include "unbraid/dsp/fft.hpp"

#include <fftw3.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

#include "unbraid/core/error.hpp"
#include "unbraid/dsp/aligned_vector.hpp"

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
  static bool aligned(const void* data) {
    return fftwf_alignment_of(static_cast<float*>(const_cast<void*>(data))) == 0;
  }
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
  static bool aligned(const void* data) {
    return fftw_alignment_of(static_cast<double*>(const_cast<void*>(data))) == 0;
  }
};

template <class T>
typename Fftw<T>::Complex* fftw(std::complex<T>* values) {
  return reinterpret_cast<typename Fftw<T>::Complex*>(values);  // layouts agree: C++ [complex.numbers.general]
}

void require(bool condition) {
  if (!condition) throw Error{ErrorCode::kInternal, "data of the wrong length for this FFT"};
}

/// FFTW's planner is not thread-safe, in either precision.
std::mutex& planner() {
  static std::mutex mutex;
  return mutex;
}

/// The plans of one kind, by size. They live as long as the process: a song needs a handful of sizes, and a plan that
/// outlives main() cannot be used after its destruction.
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

/// `values` where they are when FFTW can work on them there, else an aligned copy of them.
template <class T>
class AlignedInput {
 public:
  explicit AlignedInput(std::span<T> values) : values_(values) {
    if (Fftw<decltype(std::real(T{}))>::aligned(values.data())) return;
    copy_.assign(values.begin(), values.end());
    values_ = copy_;
  }
  T* data() { return values_.data(); }

 private:
  AlignedVector<T> copy_;
  std::span<T> values_;
};

/// As AlignedInput for what a transform writes; finish() brings it home.
template <class T>
class AlignedOutput {
 public:
  explicit AlignedOutput(std::span<T> target) : target_(target), values_(target) {
    if (Fftw<decltype(std::real(T{}))>::aligned(target.data())) return;
    copy_.resize(target.size());
    values_ = copy_;
  }
  T* data() { return values_.data(); }
  void finish() { std::ranges::copy(copy_, target_.begin()); }

 private:
  std::span<T> target_;
  AlignedVector<T> copy_;
  std::span<T> values_;
};

template <class Values, class T>
void scale(Values values, T factor) {
  for (auto& value : values) value *= factor;
}

}  // namespace

template <class T>
struct RealFft<T>::Plan {
  typename Fftw<T>::Plan forward;
  typename Fftw<T>::Plan inverse;

  explicit Plan(int size) {
    AlignedVector<T> time(static_cast<std::size_t>(size));
    AlignedVector<std::complex<T>> frequency(static_cast<std::size_t>(size) / 2 + 1);
    forward = Fftw<T>::plan_r2c(size, time.data(), fftw(frequency.data()), FFTW_ESTIMATE);
    inverse = Fftw<T>::plan_c2r(size, fftw(frequency.data()), time.data(), FFTW_ESTIMATE);
    if (!forward || !inverse) throw Error{ErrorCode::kInternal, "FFTW made no plan"};
  }
};

template <class T>
RealFft<T>::RealFft(std::size_t size) : size_(size), plan_(cached<Plan>(size)) {}

template <class T>
void RealFft<T>::forward(std::span<const T> time, std::span<std::complex<T>> frequency) const {
  require(time.size() == size_ && frequency.size() == bins());
  // FFTW keeps the input of an out-of-place r2c but wants it mutable.
  AlignedInput<T> in({const_cast<T*>(time.data()), time.size()});
  AlignedOutput<std::complex<T>> out(frequency);
  Fftw<T>::run_r2c(plan_->forward, in.data(), fftw(out.data()));
  out.finish();
}

template <class T>
void RealFft<T>::inverse_unscaled(std::span<std::complex<T>> frequency, std::span<T> time) const {
  require(time.size() == size_ && frequency.size() == bins());
  AlignedInput<std::complex<T>> in(frequency);
  AlignedOutput<T> out(time);
  Fftw<T>::run_c2r(plan_->inverse, fftw(in.data()), out.data());
  out.finish();
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
void ComplexFft<T>::forward(std::span<std::complex<T>> values) const {
  require(values.size() == size_);
  AlignedInput<std::complex<T>> aligned(values);
  Fftw<T>::run_c2c(plan_->forward, fftw(aligned.data()), fftw(aligned.data()));
  if (aligned.data() != values.data()) std::copy_n(aligned.data(), size_, values.begin());
}

template <class T>
void ComplexFft<T>::inverse(std::span<std::complex<T>> values) const {
  require(values.size() == size_);
  AlignedInput<std::complex<T>> aligned(values);
  Fftw<T>::run_c2c(plan_->inverse, fftw(aligned.data()), fftw(aligned.data()));
  if (aligned.data() != values.data()) std::copy_n(aligned.data(), size_, values.begin());
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
