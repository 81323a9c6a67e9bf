#pragma once
// Random values as recipes write them, by Scaper's names.
//
//   const data::Distribution snr_db = data::Distribution::uniform(-5, 5);
//   double value = snr_db.sample(rng);
//
// In a recipe: a bare number (const), or a list that starts with the name:
//   [const, 1]  [choose, [1, 2]]  [choose_weighted, [1, 2], [0.3, 0.7]]  [uniform, low, high]
//   [normal, mean, deviation]  [truncnorm, mean, deviation, low, high]  [loguniform, low, high]
// loguniform, which Scaper does not have, is uniform in the logarithm: for frequencies.

#include <cstddef>
#include <string>
#include <vector>

#include "unbraid/core/rng.hpp"

namespace unbraid::data {

class Distribution {
 public:
  enum class Kind { kConst, kChoose, kChooseWeighted, kUniform, kNormal, kTruncatedNormal, kLogUniform };

  /// Always 0.
  Distribution() : Distribution(Kind::kConst, {0}) {}
  /// values: the arguments as a recipe lists them (the options, for the two that choose); weights only for
  /// kChooseWeighted. kUsage for a wrong number of arguments, bounds in the wrong order, a negative
  /// deviation, a number that is not finite, weights that are negative or do not sum to 1 (within 1e-6).
  /// kChoose drops doubles and sorts, as Scaper does, so that the order of writing does not matter.
  Distribution(Kind kind, std::vector<double> values, std::vector<double> weights = {});

  static Distribution constant(double value) { return {Kind::kConst, {value}}; }
  static Distribution uniform(double low, double high) { return {Kind::kUniform, {low, high}}; }

  double sample(Rng& rng) const;
  /// Redraws until low ≤ x ≤ high; kUsage after ten thousand misses.
  double sample_within(Rng& rng, double low, double high, const char* what) const;

  /// Scaper's rule for times into a source that has room only up to `limit` ≥ 0: every option, bound and mean
  /// beyond it is moved onto it.
  Distribution limited_to(double limit) const;

  Kind kind() const noexcept { return kind_; }
  /// The smallest and largest value it can give; infinite for kNormal.
  double lowest() const;
  double highest() const;

  /// "const", "choose", …; kUsage when there is none of that name.
  static Kind kind_named(const std::string& name);

 private:
  Kind kind_;
  std::vector<double> values_;
  std::vector<double> weights_;
};

/// An index below weights.size() with the probability of its weight; the weights sum to 1.
std::size_t choose_weighted(Rng& rng, const std::vector<double>& weights);

/// A name out of those that are there.
struct NameChoice {
  enum class Kind { kChoose, kChooseWeighted } kind = Kind::kChoose;
  std::vector<std::string> names = {};  ///< or patterns such as "kumi_*"; empty: any
  std::vector<double> weights = {};     ///< for kChooseWeighted; what fits a pattern shares its weight
};

}  // namespace unbraid::data
