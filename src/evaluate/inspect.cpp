#include "unbraid/evaluate/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluate/bleed_meter.hpp"
#include "evaluate/stem_meter.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

namespace {

constexpr std::uint64_t kBlock = 1 << 18;  ///< frames read at a time
constexpr double kSilentDb = -80, kOffset = 1e-3, kFullBand = 0.8;
constexpr double kGoodResidualDb = -40, kBadResidualDb = -10, kSimilar = 0.3, kSame = 0.9, kAudibleBleedDb = -15;

double power_db(double ratio) { return 10 * std::log10(ratio); }

std::vector<Check> checks_of(const StemMeter& meter, double sample_rate) {
  std::vector<Check> checks;
  const auto count = [](std::uint64_t n) { return static_cast<double>(n); };
  checks.push_back(
      {"not finite", meter.not_finite() > 0 ? Verdict::kBad : Verdict::kOk, count(meter.not_finite()), "samples",
       meter.not_finite() > 0
           ? fmt::format("{} NaN or infinite", meter.not_finite() == 1 ? "1 sample is" : fmt::format("{} samples are", meter.not_finite()))
           : "every sample is a number"});
  const double level = power_db(meter.mean_square());
  checks.push_back({"silence", level < kSilentDb ? Verdict::kNote : Verdict::kOk, level, "dB",
                    std::isinf(level) ? "digital silence" : fmt::format("level {:.1f} dBFS", level)});
  checks.push_back(
      {"clipping", meter.clipped() > 0 ? Verdict::kNote : Verdict::kOk, count(meter.clipped()), "samples",
       meter.clipped() > 0 ? fmt::format("{} samples in runs at full scale", meter.clipped()) : "nothing stays at full scale"});
  const double offset = meter.offset();
  checks.push_back({"offset", std::abs(offset) > kOffset ? Verdict::kNote : Verdict::kOk, offset, "", fmt::format("mean {:+.5f}", offset)});
  const double hz = meter.bandwidth() * sample_rate / 2;
  const bool narrow = hz > 0 && meter.bandwidth() < kFullBand;
  checks.push_back({"bandwidth", narrow ? Verdict::kNote : Verdict::kOk, hz, "Hz",
                    hz == 0  ? "no spectrum"
                    : narrow ? fmt::format("nothing above {:.1f} kHz", hz / 1000)
                             : fmt::format("up to {:.1f} kHz", hz / 1000)});
  const StemMeter::Seams seams = meter.seams();
  checks.push_back({"seams", seams.distance > 0 ? Verdict::kBad : Verdict::kOk, count(seams.distance), "frames",
                    seams.distance > 0 ? fmt::format("{} jumps on a grid of {} frames ({:.3f} s)", seams.count, seams.distance,
                                                     count(seams.distance) / sample_rate)
                                       : "no regular jumps"});
  return checks;
}

AudioBuffer finite_part(AudioBuffer block) {
  for (float& x : block.samples())
    if (!std::isfinite(x)) x = 0;
  return block;
}

double dot(const AudioBuffer& a, const AudioBuffer& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.samples().size(); ++i) sum += static_cast<double>(a.samples()[i]) * static_cast<double>(b.samples()[i]);
  return sum;
}

std::string bleed_text(double db) { return db < -60 ? "below -60 dB" : fmt::format("{:.1f} dB", db); }

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "ok";
    case Verdict::kNote: return "note";
    case Verdict::kBad: return "bad";
  }
  return "bad";
}

Inspection inspect(const std::vector<NamedSource>& stems, const data::SourcePtr& mixture, RunContext& run) {
  if (stems.empty()) throw Error{ErrorCode::kUsage, "no stems to inspect"};
  const data::SourceInfo first = stems[0].audio->info();
  const auto check_like_first = [&](const std::string& name, const data::SourceInfo& info) {
    if (info.sample_rate != first.sample_rate || info.channels != first.channels || info.frames != first.frames)
      throw Error{ErrorCode::kFormat,
                  fmt::format("{:g} Hz, {} channels, {} frames, but {} has {:g} Hz, {}, {}: not stems of one track", info.sample_rate,
                              info.channels, info.frames, stems[0].name, first.sample_rate, first.channels, first.frames),
                  name};
  };
  for (const NamedSource& stem : stems) check_like_first(stem.name, stem.audio->info());
  if (mixture) check_like_first("mixture", mixture->info());

  const std::size_t count = stems.size();
  std::vector<StemMeter> meters(count, StemMeter(first.channels));
  BleedMeter bleed(count);
  std::vector<double> products(count * count);
  double residual = 0, total = 0;
  run.progress.start("inspect", first.frames, "frames");
  for (std::uint64_t at = 0; at < first.frames; at += kBlock) {
    run.cancel.check();
    std::vector<AudioBuffer> blocks(count);
    run.pool.parallel_for(count, [&](std::size_t i) {
      const AudioBuffer block = stems[i].audio->read(at, kBlock);
      meters[i].add(block);
      blocks[i] = finite_part(block);
    });
    bleed.add(blocks, run.pool);
    run.pool.parallel_for(count * count, [&](std::size_t pair) {
      const std::size_t i = pair / count, j = pair % count;
      if (i <= j) products[pair] += dot(blocks[i], blocks[j]);
    });
    if (mixture) {
      AudioBuffer rest = finite_part(mixture->read(at, kBlock));
      total += dot(rest, rest);
      for (const AudioBuffer& block : blocks) add_scaled(block, -1.0f, rest);
      residual += dot(rest, rest);
    }
    run.progress.advance(std::min(kBlock, first.frames - at));
  }

  Inspection result{.sample_rate = first.sample_rate, .seconds = first.seconds()};
  for (std::size_t i = 0; i < count; ++i) result.stems.push_back({stems[i].name, checks_of(meters[i], first.sample_rate)});
  if (mixture) {
    const double db = power_db(residual / total);
    const Verdict verdict = std::isnan(db) || db <= kGoodResidualDb ? Verdict::kOk : db > kBadResidualDb ? Verdict::kBad : Verdict::kNote;
    result.together.push_back(
        {"residual", verdict, db, "dB",
         residual == 0 ? "the stems add up to the mixture exactly" : fmt::format("sum of the stems − mixture: {:.1f} dB", db)});
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) {
      const double energies = products[i * count + i] * products[j * count + j];
      if (energies <= 0) continue;  // silence resembles nothing
      const double r = products[i * count + j] / std::sqrt(energies), size = std::abs(r);
      result.together.push_back({"similarity",
                                 size > kSame      ? Verdict::kBad
                                 : size > kSimilar ? Verdict::kNote
                                                   : Verdict::kOk,
                                 r, "", fmt::format("{} and {}: correlation {:+.3f}", stems[i].name, stems[j].name, r)});
      const double there = power_db(bleed.share(i, j)), back = power_db(bleed.share(j, i)), louder = std::max(there, back);
      if (std::isnan(louder)) continue;
      result.together.push_back({"bleed", louder > kAudibleBleedDb ? Verdict::kNote : Verdict::kOk, louder, "dB",
                                 fmt::format("{} in {}: {}, {} in {}: {}", stems[i].name, stems[j].name, bleed_text(there), stems[j].name,
                                             stems[i].name, bleed_text(back))});
    }
  }
  return result;
}

}  // namespace unbraid::evaluate
