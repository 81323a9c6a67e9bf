#pragma once
// Reading the declared verbs and options back, for the completion and the manual page. A verb says what its
// option takes by the type name of the option:
//
//   verb->add_option("-m,--method", name)->type_name("METHOD");       // METHOD, MODEL (of the catalogue), INSTALLED (a
//                                                                      // model of this machine), STEM, PARAM: asked of the catalog
//   verb->add_option("--format", format)->check(CLI::IsMember(…));    // the members
//   verb->add_option("input", paths)->type_name("FILE");              // FILE, PATH or DIR: the shell's own completion

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace unbraid::app {

/// The verbs directly below, without hidden ones.
std::vector<const CLI::App*> shown_verbs(const CLI::App& verb);
/// The verb of that name directly below, hidden or not; null when there is none.
const CLI::App* find_verb(const CLI::App& verb, const std::string& name);

/// The options that start with a dash, without hidden ones.
std::vector<const CLI::Option*> shown_options(const CLI::App& verb);
std::vector<const CLI::Option*> positionals(const CLI::App& verb);
/// The positional that takes the word after `count` others: the last one when it takes many. Null when there
/// is none.
const CLI::Option* positional_at(const CLI::App& verb, std::size_t count);

/// False for flags.
bool takes_value(const CLI::Option& option);
bool names_file(const std::string& type_name);
/// "FILE" for the type "TEXT:FILE", "wav|flac" for "TEXT:{wav,flac}".
std::string value_label(const CLI::Option& option);

/// The known values of an option, with descriptions. `method` narrows the stems and parameters to those of
/// one method.
std::vector<std::pair<std::string, std::string>> values_of(const CLI::Option& option, const std::string& method);

}  // namespace unbraid::app
