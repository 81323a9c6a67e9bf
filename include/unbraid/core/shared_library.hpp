#pragma once
// A library of the system that is opened on first use, because few commands need it or because it brings along what the
// others are better without.
//
//   const SharedLibrary soxr("libsoxr.so.0", "libsoxr is not installed (Debian: apt install libsoxr0)");
//   decltype(&::soxr_create) create;
//   soxr.resolve("soxr_create", create);
//
// It stays open until the process ends.

#include <string>

namespace unbraid {

class SharedLibrary {
 public:
  /// Errors: kUnsupported with `advice` where there is no such library.
  SharedLibrary(std::string file, const std::string& advice);

  /// Errors: kUnsupported where it lacks the function.
  template <class Function>
  void resolve(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(address(name));
  }

 private:
  void* address(const char* name) const;

  std::string file_;
  void* handle_;
};

}  // namespace unbraid
