// The policies of other programs against their algorithms written down directly: whole track in memory, block after
// block, as demix() and apply_model() describe it. The "model" depends on the place in its block and on what else is in
// it, so that every choice of block, padding and weight shows. Tolerance: sums of up to ten float32 products.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid {
namespace {

using testing::FunctionSeparator;
using testing::largest_difference;
using testing::noise;

constexpr double kRate = 100;  // shifts of up to half a second are up to 50 frames
constexpr double kTolerance = 2e-6;
using Signal = std::vector<float>;

Signal model(const Signal& x) {
  float sum = 0;
  for (const float v : x) sum += v;
  const float mean = sum / static_cast<float>(x.size());
  Signal y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * (1.0f + 0.01f * static_cast<float>(i)) + mean;
  return y;
}

AudioBuffer audio(const Signal& x) {
  AudioBuffer buffer(1, x.size());
  std::ranges::copy(x, buffer.channel(0).begin());
  return buffer;
}

Signal signal(std::size_t frames) {
  const AudioBuffer buffer = noise(1, frames, frames + 1);
  return {buffer.channel(0).begin(), buffer.channel(0).end()};
}

AudioBuffer separated(const Signal& x, const Chunked& blocks, const SeparationOptions& options = {}) {
  FunctionSeparator separator({.stems = {"s"}, .sample_rate = kRate, .channels = 1, .blocks = blocks}, [](AudioView block) {
    return std::vector{audio(model({block.channel(0).begin(), block.channel(0).end()}))};
  });
  ThreadPool pool(1);
  RunContext run{pool};
  return separate(audio(x), kRate, separator, options, run).at("s");
}

Signal demix(const Signal& given, std::size_t chunk, std::size_t overlap, std::size_t batch) {
  const std::size_t fade = chunk / 10, step = chunk / overlap, border = chunk - step, n = given.size();
  Signal mix = given;
  const bool padded = n > 2 * border && border > 0;
  if (padded) {
    mix.clear();
    for (std::size_t i = border; i > 0; --i) mix.push_back(given[i]);
    mix.insert(mix.end(), given.begin(), given.end());
    for (std::size_t i = 0; i < border; ++i) mix.push_back(given[n - 2 - i]);
  }
  Signal window(chunk, 1.0f);
  for (std::size_t i = 0; i < fade; ++i) {
    const float gain = static_cast<float>(i) / static_cast<float>(fade - 1);
    window[i] = gain;
    window[chunk - 1 - i] = gain;
  }
  Signal result(mix.size()), counter(mix.size());
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < mix.size();) {
    starts.push_back(i);
    i += step;
    if (starts.size() < batch && i < mix.size()) continue;
    Signal weights = window;
    if (i == step) std::fill_n(weights.begin(), fade, 1.0f);
    else if (i >= mix.size()) std::fill_n(weights.end() - static_cast<std::ptrdiff_t>(fade), fade, 1.0f);
    for (const std::size_t start : starts) {
      const std::size_t held = std::min(chunk, mix.size() - start);
      Signal part(mix.begin() + static_cast<std::ptrdiff_t>(start), mix.begin() + static_cast<std::ptrdiff_t>(start + held));
      for (std::size_t t = held; t < chunk; ++t) part.push_back(held > chunk / 2 ? part[2 * (held - 1) - t] : 0.0f);
      const Signal y = model(part);
      for (std::size_t t = 0; t < held; ++t) {
        result[start + t] += weights[t] * y[t];
        counter[start + t] += weights[t];
      }
    }
    starts.clear();
  }
  for (std::size_t t = 0; t < mix.size(); ++t) result[t] = counter[t] > 0 ? result[t] / counter[t] : 0.0f;
  if (!padded) return result;
  return {result.begin() + static_cast<std::ptrdiff_t>(border), result.begin() + static_cast<std::ptrdiff_t>(border + n)};
}

TEST(MsstPolicy, IsDemix) {
  constexpr std::size_t kChunk = 60;
  for (const std::size_t overlap : {1u, 2u, 4u, 7u})
    for (const std::size_t batch : {1u, 2u, 3u, 8u, 64u})
      for (const std::size_t frames : {1u, 2u, 29u, 30u, 31u, 59u, 60u, 61u, 90u, 91u, 119u, 120u, 121u, 177u, 240u, 1001u}) {
        const Chunked blocks{.length = kChunk,
                             .overlap = 1.0 - 1.0 / static_cast<double>(overlap),
                             .window = BlockWindow::kLinearFade,
                             .fade = 0.1,
                             .policy = BlockPolicy::kMsst,
                             .reference_batch = batch};
        const Signal x = signal(frames);
        EXPECT_LT(largest_difference(separated(x, blocks), audio(demix(x, kChunk, overlap, batch))), kTolerance)
            << "overlap " << overlap << ", batch " << batch << ", " << frames << " frames";
      }
}

TEST(MsstPolicy, DoesNotDependOnTheBatchOfThisRun) {
  const Chunked blocks{.length = 60, .overlap = 0.5, .window = BlockWindow::kLinearFade, .policy = BlockPolicy::kMsst};
  const Signal x = signal(777);
  EXPECT_EQ(largest_difference(separated(x, blocks), separated(x, blocks, {.batch = 5})), 0.0);
}

TEST(MsstPolicy, FloorsTheHopAsItsIntegerDivisionDoes) {
  for (const std::size_t length : {131584u, 352800u, 485100u, 7u, 100u})
    for (std::size_t overlap = 1; overlap <= 12 && overlap <= length; ++overlap) {
      const Chunked blocks{.length = length, .overlap = 1.0 - 1.0 / static_cast<double>(overlap), .policy = BlockPolicy::kMsst};
      EXPECT_EQ(ChunkLayout::of(blocks).hop, length / overlap) << length << " / " << overlap;
    }
}

TEST(MsstDemucsPolicy, IsThePlainMeanOfBlocksThatZerosComplete) {
  constexpr std::size_t kChunk = 50;
  for (const std::size_t overlap : {1u, 2u, 3u})
    for (const std::size_t frames : {1u, 24u, 25u, 49u, 50u, 51u, 333u}) {
      const Signal x = signal(frames);
      Signal sum(frames), counter(frames);
      for (std::size_t start = 0; start < frames; start += kChunk / overlap) {
        Signal part(kChunk);
        const std::size_t held = std::min(kChunk, frames - start);
        std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(start), held, part.begin());
        const Signal y = model(part);
        for (std::size_t t = 0; t < held; ++t) sum[start + t] += y[t], counter[start + t] += 1;
      }
      for (std::size_t t = 0; t < frames; ++t) sum[t] /= counter[t];
      const Chunked blocks{.length = kChunk,
                           .overlap = 1.0 - 1.0 / static_cast<double>(overlap),
                           .window = BlockWindow::kBox,
                           .policy = BlockPolicy::kMsstDemucs};
      EXPECT_LT(largest_difference(separated(x, blocks), audio(sum)), kTolerance) << overlap << ", " << frames << " frames";
    }
}

/// apply_model() with split, on a track that `lead` zeros precede; `whole`: the model wants blocks of the full length.
Signal apply_model(const Signal& x, std::size_t segment, double overlap, double power, bool whole, std::size_t lead) {
  Signal track(lead, 0.0f);
  track.insert(track.end(), x.begin(), x.end());
  const auto at = [&](std::int64_t t) {
    return t >= 0 && t < static_cast<std::int64_t>(track.size()) ? track[static_cast<std::size_t>(t)] : 0.0f;
  };
  const auto stride = static_cast<std::size_t>((1 - overlap) * static_cast<double>(segment));
  Signal out(track.size()), total(track.size());
  for (std::size_t offset = 0; offset < track.size(); offset += stride) {
    const std::size_t held = std::min(segment, track.size() - offset);
    const std::size_t length = whole ? segment : held, left = (length - held) / 2;
    Signal part(length);
    for (std::size_t t = 0; t < length; ++t) part[t] = at(static_cast<std::int64_t>(offset + t) - static_cast<std::int64_t>(left));
    const Signal y = model(part);
    for (std::size_t t = 0; t < held; ++t) {
      const std::size_t half = segment / 2, peak = segment - half;
      const double ramp = t < half ? static_cast<double>(t + 1) : static_cast<double>(segment - t);
      const auto weight = static_cast<float>(std::pow(ramp / static_cast<double>(peak), power));
      out[offset + t] += weight * y[left + t];
      total[offset + t] += weight;
    }
  }
  for (std::size_t t = 0; t < out.size(); ++t) out[t] /= total[t];
  return {out.begin() + static_cast<std::ptrdiff_t>(lead), out.end()};
}

TEST(DemucsPolicy, IsApplyModel) {
  for (const std::size_t segment : {40u, 41u})
    for (const double overlap : {0.0, 0.25, 0.5, 0.9})
      for (const double power : {1.0, 3.0})
        for (const bool whole : {true, false})
          for (const std::size_t frames : {1u, 2u, 29u, 30u, 31u, 39u, 40u, 41u, 70u, 999u}) {
            const Chunked blocks{.length = segment,
                                 .overlap = overlap,
                                 .window = BlockWindow::kTriangular,
                                 .policy = BlockPolicy::kDemucs,
                                 .transition_power = power,
                                 .shorten_last = !whole};
            const Signal x = signal(frames);
            EXPECT_LT(largest_difference(separated(x, blocks), audio(apply_model(x, segment, overlap, power, whole, 0))), kTolerance)
                << segment << ", overlap " << overlap << ", power " << power << ", " << frames << " frames";
          }
}

TEST(DemucsPolicy, ShiftsPutZerosBeforeTheTrack) {
  const Chunked blocks{.length = 40, .overlap = 0.25, .window = BlockWindow::kTriangular, .policy = BlockPolicy::kDemucs};
  const Signal x = signal(333);
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const AudioBuffer shifted = separated(x, blocks, {.shifts = 1, .seed = seed});
    std::size_t agreeing = 0;
    for (std::size_t lead = 0; lead <= 50; ++lead)
      agreeing += largest_difference(shifted, audio(apply_model(x, 40, 0.25, 1, true, lead))) < kTolerance;
    // Two leads that differ by a stride of 30 give the same blocks where the first one holds nothing but zeros.
    EXPECT_TRUE(agreeing == 1 || agreeing == 2) << agreeing << " leads explain seed " << seed;
    EXPECT_EQ(largest_difference(shifted, separated(x, blocks, {.shifts = 1, .seed = seed})), 0.0);
  }
}

TEST(Policies, GiveTheSameBlocksHoweverTheSignalArrives) {
  const AudioBuffer track = noise(1, 1000, 1);
  for (const Chunked& blocks :
       {Chunked{.length = 60, .overlap = 0.75, .policy = BlockPolicy::kMsst, .reference_batch = 4},
        Chunked{.length = 400, .overlap = 0.75, .policy = BlockPolicy::kMsst}, Chunked{.length = 64, .policy = BlockPolicy::kMsstDemucs},
        Chunked{.length = 90, .overlap = 0.25, .policy = BlockPolicy::kDemucs},
        Chunked{.length = 90, .overlap = 0.25, .policy = BlockPolicy::kDemucs, .shorten_last = true}}) {
    const ChunkLayout layout = ChunkLayout::of(blocks);
    for (const std::size_t frames : {1u, 59u, 61u, 300u, 1000u}) {
      const auto expected = generate_chunks(track.view().slice(0, frames), layout);
      for (const std::size_t step : {1u, 7u, 999u}) {
        Chunker chunker(layout, 1);
        std::size_t made = 0;
        const auto drain = [&] {
          while (chunker.ready()) {
            AudioBuffer block(1, chunker.span().length);
            chunker.next(block);
            ASSERT_LT(made, expected.size());
            EXPECT_EQ(largest_difference(block, expected[made++]), 0.0);
          }
        };
        for (std::size_t at = 0; at < frames; at += step) {
          chunker.push(track.view().slice(at, std::min(step, frames - at)));
          drain();
        }
        chunker.finish();
        drain();
        EXPECT_EQ(made, expected.size());
      }
    }
  }
}

TEST(Policies, RefuseAContext) {
  EXPECT_THROW(ChunkLayout::of({.length = 8, .context = 1, .policy = BlockPolicy::kMsst}), Error);
  EXPECT_THROW(ChunkLayout::of({.length = 8, .transition_power = 0.5}), Error);
}

}  // namespace
}  // namespace unbraid
