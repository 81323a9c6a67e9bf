// Shell completion, from the same declarations as --help: the scripts for bash, zsh and fish only ask the
// hidden verb `unbraid complete -- WORD…`, which walks the verbs and options up to the word that is being
// typed. It prints one candidate per line, a tab and its description, and at the end :files, :folders or
// :nothing, which says what else the shell may offer.

#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "declarations.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

constexpr std::string_view kBash = R"(# bash completion for unbraid
_unbraid() {
  # bash cuts words at = and :, the program wants them whole.
  local words=() i line extra=
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if [[ ${#words[@]} -gt 0 && (${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i - 1]} == *[=:]) ]]; then
      words[-1]+=${COMP_WORDS[i]}
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  local typed=${words[-1]} cut=
  [[ $typed == *[=:]* ]] && cut=${typed%"${typed##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) extra=$line ;;
      *) line=${line%%$'\t'*} && COMPREPLY+=("${line#"$cut"}") ;;
    esac
  done < <("${COMP_WORDS[0]}" complete -- "${words[@]}" 2>/dev/null)
  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
  case $extra in
    :files) compopt -o default -o filenames ;;
    :folders) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${typed#"$cut"}") && compopt -o filenames ;;
  esac 2>/dev/null
}
complete -F _unbraid unbraid
)";

constexpr std::string_view kZsh = R"(#compdef unbraid
_unbraid() {
  local line extra
  local -a found ending
  while IFS= read -r line; do
    case $line in
      :*) extra=$line ;;
      *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done < <("${words[1]}" complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
  [[ ${found[1]-} == *=:* ]] && ending=(-S '')
  (( $#found )) && _describe unbraid found "${ending[@]}"
  case $extra in
    :files) _files ;;
    :folders) _files -/ ;;
  esac
}
if [[ ${funcstack[1]-} == _unbraid ]]; then _unbraid "$@"; else compdef _unbraid unbraid; fi
)";

constexpr std::string_view kFish = R"(# fish completion for unbraid
function __unbraid_complete
    set -l words (commandline -opc)
    for line in ($words[1] complete -- $words[2..] (commandline -ct) 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :folders
                __fish_complete_directories (commandline -ct)
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c unbraid -f -a '(__unbraid_complete)'
)";

/// What is known about the command line when the cursor is reached.
struct Position {
  const CLI::App* verb;
  const CLI::Option* awaiting = nullptr;     ///< the option whose value is being typed
  std::size_t positionals = 0;               ///< words before that belong to no option
  std::map<std::string, std::string> given;  ///< values of options by their name
};

/// The option with this spelling on the verb or, since options fall through, on a verb above it.
const CLI::Option* find_option(const CLI::App* verb, const std::string& spelling) {
  for (; verb; verb = verb->get_parent()) {
    if (const CLI::Option* option = verb->get_option_no_throw(spelling)) return option;
  }
  return nullptr;
}

Position walk(const CLI::App& program, const std::vector<std::string>& words) {
  Position at{.verb = &program};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (at.awaiting) {
      at.given[at.awaiting->get_name()] = word;
      at.awaiting = nullptr;
    } else if (word.size() > 1 && word[0] == '-') {
      const std::size_t equals = word.find('=');
      const CLI::Option* option = find_option(at.verb, word.substr(0, equals));
      if (!option) continue;
      if (equals != std::string::npos) at.given[option->get_name()] = word.substr(equals + 1);
      else if (takes_value(*option)) at.awaiting = option;
    } else if (const CLI::App* sub = find_verb(*at.verb, word)) {
      at.verb = sub;
      at.positionals = 0;
    } else {
      ++at.positionals;
    }
  }
  return at;
}

/// Prints what fits the typed beginning, and collects what else may be offered.
class Offer {
 public:
  explicit Offer(std::string typed) : typed_(std::move(typed)) {}

  void word(const std::string& candidate, const std::string& description) const {
    if (candidate.starts_with(typed_)) fmt::print("{}\t{}\n", candidate, first_line(description));
  }

  /// The options of the verb and, since options fall through, those of the verbs above it.
  void options(const CLI::App* verb) const {
    std::set<std::string> offered;
    for (; verb; verb = verb->get_parent()) {
      for (const CLI::Option* option : shown_options(*verb)) {
        std::vector<std::string> names;
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        if (names.empty()) names.push_back("-" + option->get_snames().front());
        for (const std::string& name : names) {
          if (offered.insert(name).second) word(name, option->get_description());
        }
      }
    }
  }

  void verbs(const CLI::App& verb) const {
    for (const CLI::App* sub : shown_verbs(verb)) word(sub->get_name(), sub->get_description());
  }

  /// Values of an option, behind `--option=` or the values that a list holds already.
  void values(const CLI::Option& option, const Position& at) {
    const std::string type = option.get_type_name();
    std::size_t start = typed_.starts_with("--") ? typed_.find('=') + 1 : 0;
    const char delimiter = option.get_delimiter();
    if (delimiter != '\0') {
      const std::size_t last = typed_.rfind(delimiter);
      if (last != std::string::npos && last + 1 > start) start = last + 1;
    }
    const std::string before = typed_.substr(0, start);
    const auto method = at.given.find("--method");
    for (const auto& [value, description] : values_of(option, method == at.given.end() ? "" : method->second)) {
      word(before + value, description);
    }
    if (type.find("DIR") != std::string::npos) extra_ = ":folders";
    else if (names_file(type)) extra_ = ":files";
  }

  void finish() const { fmt::print("{}\n", extra_); }

 private:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  std::string typed_;
  std::string extra_ = ":nothing";
};

void complete(const CLI::App& program, std::vector<std::string> words) {
  if (words.empty()) words.emplace_back();
  const std::string& typed = words.back();
  const Position at = walk(program, words);
  Offer offer(typed);
  const std::size_t equals = typed.starts_with("--") ? typed.find('=') : std::string::npos;
  if (at.awaiting) {
    offer.values(*at.awaiting, at);
  } else if (equals != std::string::npos) {
    if (const CLI::Option* option = find_option(at.verb, typed.substr(0, equals))) offer.values(*option, at);
  } else if (typed.starts_with('-')) {
    offer.options(at.verb);
  } else {
    offer.verbs(*at.verb);
    if (const CLI::Option* positional = positional_at(*at.verb, at.positionals)) offer.values(*positional, at);
  }
  offer.finish();
}

}  // namespace

void add_completion(CLI::App& program, Session&) {
  CLI::App* script = program.add_subcommand("completion", "print the completion script of a shell");
  auto shell = std::make_shared<std::string>();
  script->add_option("shell", *shell, "the shell")->required()->check(CLI::IsMember(std::vector<std::string>{"bash", "fish", "zsh"}));
  script->callback([shell] { fmt::print("{}", *shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish); });

  CLI::App* ask = program.add_subcommand("complete", "print what may come next")->group("");
  auto words = std::make_shared<std::vector<std::string>>();
  ask->add_option("words", *words, "everything typed behind the program's name, up to the cursor");
  ask->callback([&program, words] { complete(program, *words); });
}

}  // namespace unbraid::app
