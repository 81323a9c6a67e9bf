#pragma once
// New stems as sums and differences of the separated ones and the mixture.
//
//   const std::vector<DerivedStem> rules{DerivedStem::parse("instrumental=mix-vocals"),
//                                        DerivedStem::parse("beat=drums + 0.5*bass")};
//   Stems all = derive_stems(mix, stems, rules);            // the stems, then instrumental and beat
//
// Grammar: NAME = [±] TERM { ± TERM }, TERM = NAME | NUMBER * NAME | NAME * NUMBER. A NAME is letters, digits
// and underscores, not starting with a digit, or anything between double quotes: "no-vocals". `mix` and
// `mixture` stand for the input. Rules are applied in order and may use earlier results; a rule with the name
// of a stem replaces it in its place.
//
// Every result is a linear combination of the mixture and the stems, so rules are reduced to such
// combinations once, before the first sample.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/stems.hpp"

namespace unbraid {

struct DerivedStem {
  struct Term {
    double gain = 1.0;
    std::string stem;
  };
  std::string name;
  std::vector<Term> terms;

  /// kUsage, with the place, for text that is not of the grammar above.
  static DerivedStem parse(std::string_view rule);
};

/// Which stems to give out.
struct StemSelection {
  std::vector<std::string> stems = {};    ///< of the separator, in its order; empty: all
  std::string two_stems = {};             ///< this stem and "no_<stem>", the mixture without it; empty: no
  std::vector<DerivedStem> derived = {};  ///< always given out, after the others
};

/// Linear combinations ready to be applied block by block. Immutable; concurrent use is safe.
class StemMixer {
 public:
  /// separated: the names that apply() will get, in order. kUsage for a name that is neither `mix` nor a stem
  /// nor derived before, for `stems` together with `two_stems`, and for a stem given out whose name cannot be a file's.
  StemMixer(const std::vector<std::string>& separated, const StemSelection& selection);

  const std::vector<std::string>& names() const noexcept { return names_; }
  /// The separated stems that some output is made of, in order.
  std::vector<std::string> needed() const;
  /// The mixture and the separated stems of one shape to the stems of names().
  Stems apply(AudioView mix, const Stems& separated) const;

 private:
  std::vector<std::string> separated_, names_;
  std::vector<std::vector<double>> gains_;  ///< [output][0: mixture, 1 + i: stem i]
};

/// The stems followed by the derived ones. kUsage as StemMixer.
Stems derive_stems(AudioView mix, const Stems& stems, const std::vector<DerivedStem>& rules);

}  // namespace unbraid
