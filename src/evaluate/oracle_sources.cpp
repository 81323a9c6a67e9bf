#include "evaluate/oracle_sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

std::size_t window_samples(const OracleOptions& options, double sample_rate) {
  if (options.window > 0) return options.window;
  return std::bit_floor(std::max<std::size_t>(static_cast<std::size_t>(0.064 * sample_rate), 16));
}

namespace {

/// Errors of a mixture that is the sum of its stems do not know whose it is.
data::SourceInfo info_of_mixture(const data::Track& track) {
  try {
    return track.mixture->info();
  } catch (const Error& error) {
    if (!error.context().empty()) throw;
    throw Error{error.code(), error.message(), track.name};
  }
}

}  // namespace

OracleSources::OracleSources(const data::Track& track, double trim_s) : track_(track.name), info_(info_of_mixture(track)) {
  if (trim_s > 0) info_.frames = std::min(info_.frames, static_cast<std::uint64_t>(trim_s * info_.sample_rate));
  if (info_.frames == 0) throw Error{ErrorCode::kFormat, "the mixture is empty", track.name};
  for (const auto& [name, reason] : track.missing) skipped_.emplace_back(name, reason);
  for (const data::TrackStem& stem : track.stems) {
    try {
      const data::SourceInfo info = stem.audio->info();
      if (info.frames == 0) throw Error{ErrorCode::kFormat, "the stem is empty"};
      if (info.sample_rate != info_.sample_rate || info.channels != info_.channels) {
        throw Error{ErrorCode::kFormat, fmt::format("{:g} Hz with {} channels beside a mixture of {:g} Hz with {}", info.sample_rate,
                                                    info.channels, info_.sample_rate, info_.channels)};
      }
    } catch (const Error& error) {
      skipped_.emplace_back(stem.name, error.what());
      continue;
    }
    sources_.push_back(stem.audio);
    names_.push_back(stem.name);
    labels_.push_back(stem.instrument.empty() ? stem.name : stem.name + "_" + stem.instrument);
  }
  if (sources_.empty()) throw Error{ErrorCode::kFormat, "no stem can be loaded", track.name};
  sources_.push_back(track.mixture);
}

std::vector<AudioBuffer> OracleSources::read(std::uint64_t first, std::uint64_t count, ThreadPool& pool) const {
  std::vector<AudioBuffer> audio(sources_.size());
  pool.parallel_for(sources_.size(), [&](std::size_t i) {
    AudioBuffer got = sources_[i]->read(first, count);
    for (const float x : got.samples()) {
      if (!std::isfinite(x)) {
        throw Error{ErrorCode::kFormat, fmt::format("{} has samples that are not finite", i < names_.size() ? names_[i] : "the mixture"),
                    track_};
      }
    }
    if (got.frames() < count) {
      AudioBuffer whole(info_.channels, static_cast<std::size_t>(count));
      copy(got.view(), whole.view().slice(0, got.frames()));
      got = std::move(whole);
    }
    audio[i] = std::move(got);
  });
  return audio;
}

void OracleSums::add(const std::vector<AudioBuffer>& audio, std::size_t first, std::size_t count) {
  const AudioBuffer& mixture = audio.back();
  std::vector<double> sum(count);
  for (std::size_t c = 0; c < mixture.channels(); ++c) {
    std::ranges::fill(sum, 0.0);
    for (std::size_t s = 0; s < references_.size(); ++s) {
      const std::span<const float> stem = audio[s].channel(c).subspan(first, count);
      double energy = 0;
      for (std::size_t n = 0; n < count; ++n) {
        const double value = static_cast<double>(stem[n]);
        energy += value * value;
        sum[n] += value;
      }
      references_[s] += energy;
    }
    const std::span<const float> mix = mixture.channel(c).subspan(first, count);
    for (std::size_t n = 0; n < count; ++n) {
      const double x = static_cast<double>(mix[n]), y = sum[n];
      x_ += x;
      y_ += y;
      xx_ += x * x;
      yy_ += y * y;
      xy_ += x * y;
      difference_ += (y - x) * (y - x);
    }
    n_ += static_cast<double>(count);
  }
}

void OracleSums::finish(OracleResult& result, const OracleSources& sources, bool score_silence) const {
  result.correlation = (n_ * xy_ - x_ * y_) / std::sqrt((n_ * xx_ - x_ * x_) * (n_ * yy_ - y_ * y_));
  result.residual_db = 10 * std::log10(difference_ / xx_);
  for (std::size_t s = 0; s < references_.size(); ++s) {
    if (references_[s] == 0 && !score_silence) result.skipped.emplace_back(sources.names()[s], "silent: SI-SDR does not apply");
  }
}

}  // namespace unbraid::evaluate
