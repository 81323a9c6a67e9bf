#include "train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::train {

ScheduleOptions ScheduleOptions::of(const models::Config& config) {
  ScheduleOptions options;
  options.kind = config.get<std::string>("name", options.kind);
  options.warmup_steps = config.get<std::uint64_t>("warmup_steps", options.warmup_steps);
  options.factor = config.get<double>("factor", options.factor);
  options.every = config.get<std::uint64_t>("every", options.every);
  options.patience = config.get<std::uint64_t>("patience", options.patience);
  options.minimum = config.get<double>("minimum", options.minimum);
  config.refuse_others({});
  options.validate();
  return options;
}

void ScheduleOptions::validate() const {
  const auto require = [](bool fine, const char* key, const char* message) {
    if (!fine) throw Error{ErrorCode::kUsage, message, std::string("schedule.") + key};
  };
  require(kind == "constant" || kind == "step" || kind == "cosine" || kind == "plateau", "name",
          "there are constant, step, cosine and plateau");
  require(factor > 0 && factor < 1, "factor", "must lie between 0 and 1");
  require(every > 0, "every", "must be at least 1");
  require(patience > 0, "patience", "must be at least 1");
  require(minimum >= 0 && minimum <= 1, "minimum", "must lie between 0 and 1");
}

Schedule::Schedule(ScheduleOptions options, double base_rate, std::uint64_t total_steps)
    : options_(std::move(options)), base_rate_(base_rate), total_steps_(total_steps) {
  options_.validate();
}

double Schedule::rate(std::uint64_t step) const {
  const std::uint64_t warm = options_.warmup_steps;
  if (step < warm) return base_rate_ * static_cast<double>(step + 1) / static_cast<double>(warm);
  const double floor = options_.minimum * base_rate_;
  if (options_.kind == "step")
    return std::max(floor, base_rate_ * std::pow(options_.factor, static_cast<double>((step - warm) / options_.every)));
  if (options_.kind == "plateau") return std::max(floor, base_rate_ * std::pow(options_.factor, static_cast<double>(state_.reductions)));
  if (options_.kind == "cosine") {
    const double span = total_steps_ > warm ? static_cast<double>(total_steps_ - warm) : 1.0;
    const double u = std::min(1.0, static_cast<double>(step - warm) / span);
    return floor + (base_rate_ - floor) * (1 + std::cos(std::numbers::pi * u)) / 2;
  }
  return base_rate_;
}

void Schedule::observe(double score) {
  if (options_.kind != "plateau" || std::isnan(score)) return;
  if (score > state_.best) {
    state_.best = score;
    state_.since_best = 0;
  } else if (++state_.since_best == options_.patience) {
    state_.since_best = 0;
    ++state_.reductions;
  }
}

}  // namespace unbraid::train
