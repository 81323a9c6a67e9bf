#include "unbraid/data/distribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::data {
namespace {

using Kind = Distribution::Kind;

constexpr std::array<std::pair<const char*, Kind>, 7> kNames{{{"const", Kind::kConst},
                                                              {"choose", Kind::kChoose},
                                                              {"choose_weighted", Kind::kChooseWeighted},
                                                              {"uniform", Kind::kUniform},
                                                              {"normal", Kind::kNormal},
                                                              {"truncnorm", Kind::kTruncatedNormal},
                                                              {"loguniform", Kind::kLogUniform}}};

const char* name_of(Kind kind) {
  for (const auto& [name, value] : kNames)
    if (value == kind) return name;
  return "";
}

void require(bool is_fine, Kind kind, const char* message) {
  if (!is_fine) throw Error{ErrorCode::kUsage, message, name_of(kind)};
}

}  // namespace

Kind Distribution::kind_named(const std::string& name) {
  for (const auto& [known, kind] : kNames)
    if (name == known) return kind;
  throw Error{ErrorCode::kUsage, fmt::format("no distribution is called '{}'; there are const, choose, choose_weighted, uniform, normal, "
                                             "truncnorm and loguniform",
                                             name)};
}

Distribution::Distribution(Kind kind, std::vector<double> values, std::vector<double> weights)
    : kind_(kind), values_(std::move(values)), weights_(std::move(weights)) {
  for (const double value : values_) require(std::isfinite(value), kind, "takes finite numbers");
  const std::size_t count = values_.size();
  switch (kind) {
    case Kind::kConst: require(count == 1, kind, "takes one value"); break;
    case Kind::kChoose:
      require(count > 0, kind, "takes a list of at least one value");
      std::sort(values_.begin(), values_.end());
      values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
      break;
    case Kind::kChooseWeighted: {
      require(count > 0 && weights_.size() == count, kind, "takes a list of values and as many weights");
      double sum = 0;
      for (const double weight : weights_) {
        require(weight >= 0, kind, "takes weights that are not negative");
        sum += weight;
      }
      require(std::abs(sum - 1) < 1e-6, kind, "takes weights that sum to 1");
      break;
    }
    case Kind::kUniform:
    case Kind::kLogUniform:
      require(count == 2 && values_[0] <= values_[1], kind, "takes a lower and an upper bound, in this order");
      require(kind == Kind::kUniform || values_[0] > 0, kind, "takes bounds above 0");
      break;
    case Kind::kNormal: require(count == 2 && values_[1] >= 0, kind, "takes a mean and a deviation that is not negative"); break;
    case Kind::kTruncatedNormal:
      require(count == 4 && values_[1] >= 0 && values_[2] <= values_[3], kind,
              "takes a mean, a deviation that is not negative, a lower and an upper bound");
      break;
  }
}

double Distribution::sample(Rng& rng) const {
  switch (kind_) {
    case Kind::kConst: return values_[0];
    case Kind::kChoose: return values_[rng.index(values_.size())];
    case Kind::kChooseWeighted: return values_[choose_weighted(rng, weights_)];
    case Kind::kUniform: return rng.uniform(values_[0], values_[1]);
    case Kind::kNormal: return rng.normal(values_[0], values_[1]);
    case Kind::kTruncatedNormal:
      if (values_[2] == values_[3]) return values_[2];
      return rng.truncated_normal(values_[0], values_[1], values_[2], values_[3]);
    case Kind::kLogUniform: return std::exp(rng.uniform(std::log(values_[0]), std::log(values_[1])));
  }
  throw Error{ErrorCode::kInternal, "a distribution of no kind"};
}

double Distribution::sample_within(Rng& rng, double low, double high, const char* what) const {
  for (int attempt = 0; attempt < 10'000; ++attempt)
    if (const double value = sample(rng); value >= low && value <= high) return value;
  throw Error{ErrorCode::kUsage, fmt::format("{} gives no value from {} to {}", name_of(kind_), low, high), what};
}

Distribution Distribution::limited_to(double limit) const {
  if (kind_ == Kind::kLogUniform && limit <= 0) return constant(0);
  Distribution limited = *this;
  for (std::size_t i = 0; i < limited.values_.size(); ++i) {
    const bool is_deviation = i == 1 && (kind_ == Kind::kNormal || kind_ == Kind::kTruncatedNormal);
    if (!is_deviation) limited.values_[i] = std::min(limited.values_[i], limit);
  }
  return limited;
}

double Distribution::lowest() const {
  switch (kind_) {
    case Kind::kNormal: return -std::numeric_limits<double>::infinity();
    case Kind::kTruncatedNormal: return values_[2];
    default: return *std::min_element(values_.begin(), values_.end());
  }
}

double Distribution::highest() const {
  switch (kind_) {
    case Kind::kNormal: return std::numeric_limits<double>::infinity();
    case Kind::kTruncatedNormal: return values_[3];
    default: return *std::max_element(values_.begin(), values_.end());
  }
}

std::size_t choose_weighted(Rng& rng, const std::vector<double>& weights) {
  const double u = rng.uniform();
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = i;
    sum += weights[i];
    if (u < sum) return i;
  }
  return last;  // the weights' sum may be an ulp below 1
}

}  // namespace unbraid::data
