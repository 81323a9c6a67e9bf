#include "unbraid/pipeline/derive.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

/// Reads a rule from left to right.
class RuleParser {
 public:
  explicit RuleParser(std::string_view text) : text_(text) {}

  DerivedStem parse() {
    DerivedStem rule{.name = name(), .terms = {}};
    if (!accept('=')) fail("expected =");
    double sign = 1.0;
    if (accept('-')) sign = -1.0;
    else accept('+');
    for (;;) {
      rule.terms.push_back(term(sign));
      if (accept('+')) sign = 1.0;
      else if (accept('-')) sign = -1.0;
      else break;
    }
    if (peek() != '\0') fail("expected + or -");
    return rule;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool starts_name(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (static_cast<unsigned char>(c) & 0x80) != 0;
  }

  DerivedStem::Term term(double sign) {
    if (is_digit(peek()) || peek() == '.') {
      const double gain = number();
      if (!accept('*')) fail("expected *");
      return {.gain = sign * gain, .stem = name()};
    }
    std::string stem = name();
    const double gain = accept('*') ? number() : 1.0;
    return {.gain = sign * gain, .stem = std::move(stem)};
  }

  std::string name() {
    const bool quoted = accept('"');
    if (!quoted && !starts_name(peek())) fail("expected a stem");
    const std::size_t first = at_;
    while (at_ < text_.size() && (quoted ? text_[at_] != '"' : starts_name(text_[at_]) || is_digit(text_[at_]))) ++at_;
    std::string found(text_.substr(first, at_ - first));
    if (found.empty()) fail("expected a stem");
    if (quoted && at_++ == text_.size()) fail("expected \"");
    return found;
  }

  double number() {
    peek();
    double value = 0.0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("expected a number");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

  /// The next character that is not a space; '\0' at the end.
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  [[noreturn]] void fail(std::string_view message) const {
    throw Error{ErrorCode::kUsage, fmt::format("{} at character {}; a rule reads like instrumental=mix-vocals", message, at_ + 1),
                std::string(text_)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// Stems are files: a name, which may be a downloaded model's, must not lead out of its folder or hide.
void require_file_name(const std::string& name) {
  constexpr std::string_view kUnsafe("/\\\0", 3);
  if (name.empty() || name.front() == '.' || name.find_first_of(kUnsafe) != std::string::npos)
    throw Error{ErrorCode::kUsage, "a stem of this name could not be written to a file", name};
}

struct Combination {
  std::string name;
  std::vector<double> gains;  ///< of the mixture and the separated stems
  bool wanted = false;
};

Combination* find(std::vector<Combination>& known, std::string_view name) {
  const auto found = std::ranges::find(known, name, &Combination::name);
  return found == known.end() ? nullptr : &*found;
}

Combination& require(std::vector<Combination>& known, const std::string& name) {
  if (Combination* found = find(known, name)) return *found;
  std::vector<std::string> names;
  for (const Combination& one : known) names.push_back(one.name);
  throw Error{ErrorCode::kUsage, fmt::format("no such stem; there are {}", fmt::join(names, ", ")), name};
}

}  // namespace

DerivedStem DerivedStem::parse(std::string_view rule) { return RuleParser(rule).parse(); }

StemMixer::StemMixer(const std::vector<std::string>& separated, const StemSelection& selection) : separated_(separated) {
  const bool two_stems = !selection.two_stems.empty();
  if (two_stems && !selection.stems.empty()) throw Error{ErrorCode::kUsage, "choose stems or two stems, not both", selection.two_stems};

  std::vector<double> mixture(1 + separated.size(), 0.0);
  mixture[0] = 1.0;
  std::vector<Combination> known;
  for (std::size_t i = 0; i < separated.size(); ++i) {
    known.push_back({.name = separated[i], .gains = std::vector<double>(mixture.size(), 0.0)});
    known.back().gains[1 + i] = 1.0;
  }

  std::vector<DerivedStem> rules = selection.derived;
  if (two_stems) {
    require(known, selection.two_stems);
    const DerivedStem rest{"no_" + selection.two_stems, {{1.0, "mix"}, {-1.0, selection.two_stems}}};
    rules.insert(rules.begin(), rest);
  }
  for (const DerivedStem& rule : rules) {
    std::vector<double> gains(mixture.size(), 0.0);
    for (const DerivedStem::Term& term : rule.terms) {
      const bool of_mixture = (term.stem == "mix" || term.stem == "mixture") && !find(known, term.stem);
      const std::vector<double>& source = of_mixture ? mixture : require(known, term.stem).gains;
      for (std::size_t i = 0; i < gains.size(); ++i) gains[i] += term.gain * source[i];
    }
    if (Combination* replaced = find(known, rule.name)) *replaced = {rule.name, gains, true};
    else known.push_back({rule.name, gains, true});
  }

  if (two_stems) require(known, selection.two_stems).wanted = true;
  for (const std::string& name : selection.stems) require(known, name).wanted = true;
  const bool all = !two_stems && selection.stems.empty();
  for (Combination& one : known) {
    if (!all && !one.wanted) continue;
    require_file_name(one.name);
    names_.push_back(one.name);
    gains_.push_back(std::move(one.gains));
  }
}

std::vector<std::string> StemMixer::needed() const {
  std::vector<std::string> stems;
  for (std::size_t i = 0; i < separated_.size(); ++i)
    if (std::ranges::any_of(gains_, [&](const auto& gains) { return gains[1 + i] != 0.0; })) stems.push_back(separated_[i]);
  return stems;
}

Stems StemMixer::apply(AudioView mix, const Stems& separated) const {
  Stems mixed(names_, mix.channels(), mix.frames());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const std::vector<double>& gains = gains_[i];
    if (gains.size() != 1 + separated.size()) throw Error{ErrorCode::kInternal, "stems of another separator"};
    for (std::size_t j = 0; j < gains.size(); ++j) {
      if (gains[j] == 0.0) continue;
      add_scaled(j == 0 ? mix : AudioView(separated[j - 1].audio), static_cast<float>(gains[j]), mixed[i].audio);
    }
  }
  return mixed;
}

Stems derive_stems(AudioView mix, const Stems& stems, const std::vector<DerivedStem>& rules) {
  return StemMixer(stems.names(), {.derived = rules}).apply(mix, stems);
}

}  // namespace unbraid
