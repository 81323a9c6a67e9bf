#include "pipeline/spectral_combiner.hpp"

#include <cmath>
#include <complex>
#include <vector>

namespace unbraid {

namespace {

constexpr std::size_t kFft = 2048, kHop = 1024;  // as in the ensemble.py of MSST
// Blocks begin at whole hops, so that their frames are those of the whole track; the context holds every frame that
// reaches into the core.
constexpr std::size_t kContext = 2 * kFft, kCore = 64 * kHop;

}  // namespace

SpectralCombiner::SpectralCombiner(std::size_t estimates, std::size_t channels, Ensemble::Combine combine)
    : estimates_(estimates),
      channels_(channels),
      largest_(combine == Ensemble::Combine::kMax),
      stft_({.window = {.length = kFft}, .hop = kHop}),
      layout_(ChunkLayout::of({.length = kCore + 2 * kContext, .overlap = 0, .window = BlockWindow::kBox,
                               .context = kContext, .padding = PaddingMode::kConstant})),
      chunker_(layout_, estimates * channels),
      stitcher_(layout_, block_weights(BlockWindow::kBox, layout_), channels) {}

void SpectralCombiner::push(AudioView frames, ThreadPool& pool) {
  received_ += frames.frames();
  chunker_.push(frames);
  combine_blocks(pool);
}

void SpectralCombiner::finish(ThreadPool& pool) {
  chunker_.finish();
  combine_blocks(pool);
  stitcher_.finish(received_);
}

void SpectralCombiner::combine_blocks(ThreadPool& pool) {
  while (chunker_.ready()) {
    const BlockSpan span = chunker_.span();
    AudioBuffer block(estimates_ * channels_, span.length);
    chunker_.next(block);
    const dsp::Spectrogram<float> all = stft_.forward(block.view(), pool);
    dsp::Spectrogram<float> chosen(channels_, all.frames(), all.bins());
    pool.parallel_for(all.frames(), [&](std::size_t m) {
      for (std::size_t c = 0; c < channels_; ++c) {
        const auto out = chosen.frame(c, m);
        for (std::size_t e = 0; e < estimates_; ++e) {
          const auto in = all.frame(e * channels_ + c, m);
          for (std::size_t k = 0; k < out.size(); ++k) {
            const float before = std::norm(out[k]), now = std::norm(in[k]);
            if (e == 0 || (largest_ ? now > before : now < before)) out[k] = in[k];
          }
        }
      }
    });
    AudioBuffer combined(channels_, span.length);
    stft_.inverse(chosen, combined.view(), pool);
    stitcher_.add(combined, span);
  }
}

}  // namespace unbraid
