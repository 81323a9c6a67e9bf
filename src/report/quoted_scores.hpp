#pragma once
// What others report about their systems, to stand beside measurements and never among them: another dataset, another
// evaluation, nothing of it checked here.

#include <span>
#include <string_view>

namespace unbraid::report {

struct QuotedScore {
  std::string_view system, dataset, target, metric;
  double value;             ///< dB
  std::string_view source;  ///< who says so
};

std::span<const QuotedScore> quoted_scores();

}  // namespace unbraid::report
