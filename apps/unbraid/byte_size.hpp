#pragma once
// Options that take an amount of memory.
//
//   verb->add_option("--max-memory", bytes, "…: 500M, 2G, 1.5GiB")->type_name("SIZE")->transform(byte_size());

#include <CLI/CLI.hpp>

namespace unbraid::app {

/// Turns a number above 0, perhaps with a unit, into whole bytes: k, M, G and T count by 1000, Ki, Mi, Gi and Ti by 1024, in
/// either case and with or without a B behind. Anything else is refused.
CLI::Validator byte_size();

}  // namespace unbraid::app
