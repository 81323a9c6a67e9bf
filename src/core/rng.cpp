#include "unbraid/core/rng.hpp"

#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::uint32_t key0, std::uint32_t key1) noexcept {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

/// ln(x) for x in (0, 1], from additions, multiplications and divisions alone: libm's log may differ by platform.
/// x = m · 2^e with m in [√½, √2), ln m = 2 artanh((m − 1)/(m + 1)) by its series.
double portable_log(double x) noexcept {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.70710678118654752440) {
    mantissa *= 2;
    --exponent;
  }
  const double z = (mantissa - 1) / (mantissa + 1);
  const double z2 = z * z;
  double sum = 0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * z2 + 1.0 / k;
  return 2 * z * sum + exponent * 0.69314718055994530942;
}

}  // namespace

Rng::Rng(std::uint64_t seed, std::uint64_t stream) noexcept : seed_(seed), stream_(stream) {}

void Rng::refill() noexcept {
  words_ = philox4x32({static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32), static_cast<std::uint32_t>(stream_),
                       static_cast<std::uint32_t>(stream_ >> 32)},
                      static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32));
  ++block_;
  used_ = 0;
}

std::uint32_t Rng::bits32() noexcept {
  if (used_ == words_.size()) refill();
  return words_[used_++];
}

std::uint64_t Rng::bits64() noexcept {
  const std::uint64_t low = bits32();
  return low | (std::uint64_t{bits32()} << 32);
}

double Rng::uniform() noexcept { return static_cast<double>(bits64() >> 11) * 0x1p-53; }

double Rng::uniform(double low, double high) noexcept {
  const double span = high - low;
  const double value = low + span * uniform();
  return value < high ? value : low;  // rounding may reach high
}

std::size_t Rng::index(std::size_t count) noexcept {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % count;
  std::uint64_t bits = bits64();
  while (bits >= limit) bits = bits64();
  return static_cast<std::size_t>(bits % count);
}

double Rng::normal(double mean, double standard_deviation) noexcept {
  if (has_spare_) {
    has_spare_ = false;
    return mean + standard_deviation * spare_;
  }
  double u = 0, v = 0, s = 0;
  do {
    u = 2 * uniform() - 1;
    v = 2 * uniform() - 1;
    s = u * u + v * v;
  } while (s >= 1 || s == 0);
  const double factor = std::sqrt(-2 * portable_log(s) / s);
  spare_ = v * factor;
  has_spare_ = true;
  return mean + standard_deviation * (u * factor);
}

double Rng::truncated_normal(double mean, double standard_deviation, double low, double high) {
  constexpr int kAttempts = 1'000'000;
  if (low <= high)
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const double value = normal(mean, standard_deviation);
      if (value >= low && value <= high) return value;
    }
  throw Error{ErrorCode::kUsage, "truncated normal: the interval is empty or practically out of reach"};
}

Rng::State Rng::state() const noexcept { return {seed_, stream_, block_, used_, has_spare_, spare_}; }

Rng Rng::restore(const State& state) noexcept {
  Rng rng(state.seed, state.stream);
  if (state.block > 0) {
    rng.block_ = state.block - 1;
    rng.refill();
    rng.used_ = state.used;
  }
  rng.has_spare_ = state.has_spare;
  rng.spare_ = state.spare;
  return rng;
}

}  // namespace unbraid
