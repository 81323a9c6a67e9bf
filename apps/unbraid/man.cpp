// The manual page, from the same declarations as --help: `unbraid man | man -l -`.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <string>
#include <string_view>

#include "declarations.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/core/version.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

/// Text that troff leaves as it is: no escapes, no requests, dashes that can be copied.
std::string plain(std::string_view text) {
  std::string safe;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) safe += "\\&";
    if (c == '\\') safe += "\\e";
    else if (c == '-') safe += "\\-";
    else if (c == '|') safe += "|\\:";  // a long list of choices may break here
    else safe += c;
    line_start = c == '\n';
  }
  return safe;
}

/// "print the manual page" as a sentence.
std::string sentence(const std::string& text) {
  std::string safe = plain(text);
  if (safe.empty()) return safe;
  safe[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(safe[0])));
  return safe.ends_with('.') ? safe : safe + ".";
}

std::string bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

void print_option(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "" : ", ") + bold("-" + name);
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "" : ", ") + bold("--" + name);
  if (takes_value(option)) names += " " + italic(value_label(option));
  fmt::print(".TP\n{}\n{}\n", names, sentence(option.get_description()));
  if (!option.get_default_str().empty()) fmt::print("Default: {}.\n", bold(option.get_default_str()));
}

void print_verb(const CLI::App& verb, const std::string& path) {
  std::string usage = bold(path);
  for (const CLI::Option* positional : positionals(verb)) {
    const std::string name = positional->get_name(true) + (positional->get_items_expected_max() > 1 ? "..." : "");
    usage += positional->get_required() ? " " + italic(name) : " [" + italic(name) + "]";
  }
  if (shown_options(verb).size() > 1) usage += " [" + italic("options") + "]";
  fmt::print(".SS \"{}\"\n{}\n", usage, sentence(verb.get_description()));
  for (const CLI::Option* positional : positionals(verb)) {
    fmt::print(".TP\n{}\n{}\n", italic(positional->get_name(true)), sentence(positional->get_description()));
  }
  for (const CLI::Option* option : shown_options(verb)) {
    if (option != verb.get_help_ptr()) print_option(*option);
  }
  for (const CLI::App* sub : shown_verbs(verb)) print_verb(*sub, path + " " + sub->get_name());
}

void print_method(const Method& method) {
  fmt::print(".SS {}\n{}\n", plain(method.name), sentence(method.summary));
  if (!method.paper.empty()) fmt::print(".br\n{}\n", sentence(method.paper));
  fmt::print(".br\nStems: {}.\n", plain(fmt::format("{}", fmt::join(method.stems, ", "))));
  for (const Parameter& parameter : method.parameters) {
    const std::string unit = parameter.unit.empty() ? "" : " " + plain(parameter.unit);
    fmt::print(".TP\n{}{}{}\n{}\n", bold(parameter.name + "="), italic(to_string(parameter.value)), unit, sentence(parameter.help));
    if (!parameter.choices.empty()) fmt::print("One of {}.\n", plain(fmt::format("{}", fmt::join(parameter.choices, ", "))));
  }
}

void print_page(const CLI::App& program) {
  fmt::print(".TH UNBRAID 1 \"\" \"unbraid {}\" \"User Commands\"\n.ad l\n", version());
  fmt::print(".SH NAME\nunbraid \\- take a recording apart into its instruments\n");
  fmt::print(".SH SYNOPSIS\n.B unbraid\n[\\fIoptions\\fR] \\fIverb\\fR [\\fIarguments\\fR]\n");
  fmt::print(".SH DESCRIPTION\n{}\n", sentence(program.get_description()));
  fmt::print(".SH OPTIONS\nThese work with every verb.\n");
  for (const CLI::Option* option : shown_options(program)) print_option(*option);
  fmt::print(".SH VERBS\n");
  for (const CLI::App* verb : shown_verbs(program)) print_verb(*verb, "unbraid " + verb->get_name());
  fmt::print(".SH METHODS\nWhat separates, and the parameters of each with their defaults, for {}.\n", bold("--param"));
  for (const Method& method : catalog::methods()) print_method(method);
  fmt::print(
      ".SH EXIT STATUS\n"
      ".TP\n.B 0\nDone.\n"
      ".TP\n.B 1\nFailed; one line on standard error says what, where and what to do.\n"
      ".TP\n.B 2\nWrong usage: an unknown option, name or value.\n");
}

}  // namespace

void add_man(CLI::App& program, Session&) {
  CLI::App* man = program.add_subcommand("man", "print the manual page");
  man->callback([&program] { print_page(program); });
}

}  // namespace unbraid::app
