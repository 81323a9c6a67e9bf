#pragma once
// What the oracle reads: the mixture and the stems that fit it, and the sums over their samples.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/oracle.hpp"

namespace unbraid::evaluate {

/// The window asked for, or the largest power of two within 64 ms.
std::size_t window_samples(const OracleOptions& options, double sample_rate);

class OracleSources {
 public:
  /// Opens every stem; those that are missing, damaged, empty or of another shape are skipped with the
  /// reason. kFormat when none is left or the mixture is empty.
  OracleSources(const data::Track& track, double trim_s);

  const data::SourceInfo& info() const { return info_; }  ///< of the mixture, after trimming
  const std::vector<std::string>& labels() const { return labels_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::pair<std::string, std::string>>& skipped() const { return skipped_; }

  /// The frames [first, first + count) of every stem, then of the mixture; a stem that ends early is silent
  /// behind its end. kFormat for samples that are not finite.
  std::vector<AudioBuffer> read(std::uint64_t first, std::uint64_t count, ThreadPool& pool) const;

 private:
  std::string track_;
  data::SourceInfo info_;
  std::vector<data::SourcePtr> sources_;  ///< stems, then the mixture
  std::vector<std::string> labels_, names_;
  std::vector<std::pair<std::string, std::string>> skipped_;
};

/// Sums over all samples and channels: the references' energies, and the mixture against the sum of the
/// stems.
class OracleSums {
 public:
  explicit OracleSums(std::size_t stems) : references_(stems) {}

  /// As OracleSources::read gives it.
  void add(const std::vector<AudioBuffer>& audio, std::size_t first, std::size_t count);
  double reference(std::size_t stem) const { return references_[stem]; }
  /// Fills in correlation and residual, and the reason for stems that turned out silent (unless they are
  /// scored).
  void finish(OracleResult& result, const OracleSources& sources, bool score_silence) const;

 private:
  std::vector<double> references_;
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, yy_ = 0, xy_ = 0, difference_ = 0;
};

}  // namespace unbraid::evaluate
