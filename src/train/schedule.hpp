#pragma once
// The learning rate as a function of the step.
//
//   Schedule schedule({.kind = "cosine", .warmup_steps = 500}, 1e-3, 20000);
//   optimizer.step(values, gradients, schedule.rate(step));       // step from 0
//   schedule.observe(validation_score);                           // for "plateau"
//
// With base rate r, warm-up of w steps, T steps in all and u = (step − w) / (T − w):
//   every kind  r · (step + 1) / w                        while step < w
//   constant    r
//   step        r · factor^⌊(step − w) / every⌋
//   cosine      m·r + (1 − m)·r · (1 + cos πu) / 2         m: minimum, as a share of r
//   plateau     r · factor^k; k grows by one after `patience` scores in a row that are not above the best so far

#include <cstdint>
#include <limits>
#include <string>

#include "models/config.hpp"

namespace unbraid::train {

struct ScheduleOptions {
  std::string kind = "constant";
  std::uint64_t warmup_steps = 0;
  double factor = 0.5;
  std::uint64_t every = 1000;  ///< steps
  std::uint64_t patience = 2;  ///< validations
  double minimum = 0;          ///< share of the base rate that nothing goes below

  static ScheduleOptions of(const models::Config& config);
  /// kUsage.
  void validate() const;
};

class Schedule {
 public:
  Schedule(ScheduleOptions options, double base_rate, std::uint64_t total_steps);

  double rate(std::uint64_t step) const;
  void observe(double score);

  struct State {
    double best = -std::numeric_limits<double>::infinity();
    std::uint64_t since_best = 0;
    std::uint64_t reductions = 0;
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  ScheduleOptions options_;
  double base_rate_;
  std::uint64_t total_steps_;
  State state_;
};

}  // namespace unbraid::train
