#pragma once
// A separator made of an STFT and a function from spectrogram to masks; most classical methods are one.
//
//   return make_masking_separator(info, stft_options, [=](const dsp::Spectrogram<float>& mix, RunContext& run) {
//     return std::vector{centre_mask(mix, options, run.pool)};
//   });
//
// The function gives a mask for every stem; that of the last may be left out and is not used: the last stem is the mix
// minus the others, so the stems sum to the mix whatever the masks are, and one inverse transform is saved.
//
// info.working_bytes is what the function itself needs beside the spectrogram, its magnitudes and the masks, which are added.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "unbraid/dsp/stft.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid::classic {

using MaskFunction = std::function<std::vector<dsp::Mask<float>>(const dsp::Spectrogram<float>&, RunContext&)>;

std::unique_ptr<Separator> make_masking_separator(SeparatorInfo info, const dsp::StftOptions& stft, MaskFunction masks);

/// The parameter "window_ms" of stft_options().
Parameter window_parameter(double default_ms);

/// A Hann-windowed STFT with 75 % overlap and a power of two near `window_ms`: 46 ms are 2048 samples at 44.1 and
/// 48 kHz, 1024 at 22.05 kHz. kUsage for a rate that is not above 0 Hz and up to 10 MHz.
dsp::StftOptions stft_options(double sample_rate, double window_ms);

/// Blocks whose cores are about `core_s` seconds and join exactly: all lengths are multiples of the hop, and the
/// context is the window and `context_frames` STFT frames, which is as far as an output sample looks.
Chunked streaming_blocks(const dsp::StftOptions& stft, double sample_rate, std::size_t context_frames, double core_s = 10);

}  // namespace unbraid::classic
