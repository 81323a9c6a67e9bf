#include "pipeline/block_stream.hpp"

#include <utility>

namespace unbraid {

BlockStream::BlockStream(std::size_t core, std::size_t context, std::size_t inputs, std::size_t outputs)
    : inputs_(inputs),
      layout_(ChunkLayout::of({.length = core + 2 * context,
                               .overlap = 0,
                               .window = BlockWindow::kBox,
                               .context = context,
                               .padding = PaddingMode::kConstant})),
      chunker_(layout_, inputs),
      stitcher_(layout_, block_weights(BlockWindow::kBox, layout_), outputs) {}

void BlockStream::push(AudioView frames, ThreadPool& pool) {
  received_ += frames.frames();
  chunker_.push(frames);
  process_blocks(pool);
}

void BlockStream::finish(ThreadPool& pool) {
  chunker_.finish();
  process_blocks(pool);
  stitcher_.finish(received_);
}

void BlockStream::process_blocks(ThreadPool& pool) {
  while (chunker_.ready()) {
    const BlockSpan span = chunker_.span();
    AudioBuffer block(inputs_, span.length);
    chunker_.next(block);
    stitcher_.add(process(std::move(block), pool), span);
  }
}

}  // namespace unbraid
