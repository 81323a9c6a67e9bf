#include <fmt/format.h>

#include "verbs.hpp"

namespace unbraid::app {

void add_models(CLI::App& program, Session&) {
  program.add_subcommand("models", "list separation methods and models");
}

}  // namespace unbraid::app
