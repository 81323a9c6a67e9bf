#pragma once
// Stages behind any method that work on its stems together.
//
//   const Method refined = with_post(catalog::find("hpss"), PostStage::named("wiener_em"));
//   separate_file("song.wav", "stems/song", refined, {}, run);
//
//   wiener_em    the stems' magnitudes become the start of a multichannel Wiener filter, which uses where sources stand
//                between the channels (mask/wiener_em.hpp); each stem takes an equal part of what EM leaves over, so that
//                they add up to the mixture.
//   griffin_lim  the stems keep their magnitudes and get phases of their own that fit together in time
//                (mask/griffin_lim.hpp), starting from those they have; they no longer add up to the mixture.
//
// The stage sees the whole track, since statistics of blocks would change from block to block; the method behind it runs
// in the blocks it wants, with its own overlap.

#include <cstddef>
#include <string_view>

#include "unbraid/separator/separator.hpp"

namespace unbraid {

struct PostStage {
  enum class Kind { kWienerEm, kGriffinLim };
  Kind kind = Kind::kWienerEm;
  std::size_t iterations = 0;  ///< 0: one of EM, 32 of Griffin-Lim
  double window_ms = 93;       ///< of the stage's STFT, rounded to a power of two samples

  /// "wiener_em" or "griffin_lim"; kUsage for others.
  static PostStage named(std::string_view name);
};

/// The method with the stage behind it; "+wiener_em" or "+griffin_lim" is appended to its name.
Method with_post(Method method, const PostStage& stage);

}  // namespace unbraid
