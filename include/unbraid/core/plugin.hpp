#pragma once
// Parts of the library that are opened on first use, because what they link takes long to load.
//
//   // in libunbraid_ffmpeg.so:
//   UNBRAID_PLUGIN()
//   extern "C" const Backend* unbraid_ffmpeg() { … }
//   // in libunbraid:
//   const Backend* backend = plugin_function<const Backend*()>("ffmpeg", "unbraid_ffmpeg")();
//
// The library libunbraid_<name>.so is looked for beside libunbraid itself, and stays open until the process
// ends. Errors: kUnsupported when it is missing, cannot be opened or is of another version; the message says
// what to do.

#include <filesystem>
#include <string>

#include "unbraid/core/version.hpp"

namespace unbraid {

/// The folder that libunbraid was loaded from.
std::filesystem::path library_folder();

/// Whether there is such a file; opening it may still fail.
bool plugin_exists(const std::string& name);

/// The address of a C function in a plugin.
void* plugin_address(const std::string& name, const char* function);

template <class Function>
Function* plugin_function(const std::string& name, const char* function) {
  return reinterpret_cast<Function*>(plugin_address(name, function));
}

}  // namespace unbraid

/// Once in every plugin: the version it was built as.
#define UNBRAID_PLUGIN() \
  extern "C" const char* unbraid_plugin_version() { return UNBRAID_VERSION; }
