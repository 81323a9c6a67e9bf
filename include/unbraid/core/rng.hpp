#pragma once
// Random numbers that are the same on every platform, compiler and thread count.
//
//   Rng rng(seed, item_index);        // every item of a data set has a stream of its own
//   double gain_db = rng.uniform(-5.0, 5.0);
//
// Algorithm: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
// a counter run through ten rounds of multiply and xor under a key, so streams are independent by construction and
// need no warm-up. The key is the seed, the upper half of the counter the stream. All distributions use only IEEE
// additions, multiplications, divisions and square roots in a fixed order. Not thread-safe: one Rng per thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace unbraid {

class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) noexcept;

  /// 32 uniformly distributed bits.
  std::uint32_t bits32() noexcept;
  std::uint64_t bits64() noexcept;

  /// Uniform in [0, 1) with 53 bits.
  double uniform() noexcept;
  /// Uniform in [low, high); low when they are equal.
  double uniform(double low, double high) noexcept;
  /// Uniform in {0, …, count − 1}, without modulo bias; count > 0.
  std::size_t index(std::size_t count) noexcept;
  /// Normal, by Marsaglia's polar method.
  double normal(double mean = 0.0, double standard_deviation = 1.0) noexcept;
  /// Normal, redrawn until low ≤ x ≤ high. kUsage when the interval is empty or a million draws miss it.
  double truncated_normal(double mean, double standard_deviation, double low, double high);

  /// A random permutation of the values (Fisher–Yates).
  template <class T>
  void shuffle(std::span<T> values) noexcept {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[index(i)]);
  }

  /// Everything needed to continue later; restoring it continues the same sequence.
  struct State {
    std::uint64_t seed, stream, block;
    std::uint32_t used;
    bool has_spare;
    double spare;
  };
  State state() const noexcept;
  static Rng restore(const State& state) noexcept;

 private:
  void refill() noexcept;

  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t block_ = 0;  ///< blocks of four words drawn so far
  std::array<std::uint32_t, 4> words_{};
  std::uint32_t used_ = 4;  ///< words of the current block handed out
  bool has_spare_ = false;
  double spare_ = 0.0;  ///< the polar method makes two normals at a time
};

}  // namespace unbraid
