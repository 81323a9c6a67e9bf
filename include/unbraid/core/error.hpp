#pragma once
// Errors of the whole library.
//
//   throw unbraid::Error{unbraid::ErrorCode::kNotFound, "no such file", "song.wav"};
//
// The library never prints, exits or aborts: it throws Error as early as it can. what() is one line that says
// what happened, where, and where possible what to do: "song.wav: no such file".

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace unbraid {

enum class ErrorCode {
  kUsage,        ///< wrong option, unknown name, value out of range (exit status 2)
  kNotFound,     ///< a file, folder, stem or model that is not there
  kIo,           ///< reading or writing failed: permissions, full disk
  kFormat,       ///< a file that is damaged or not what it claims to be
  kUnsupported,  ///< valid input that this method or build cannot handle
  kResource,     ///< would exceed the memory budget, or what the machine has
  kCancelled,    ///< the caller's CancelToken fired
  kInternal      ///< a broken invariant: a bug
};

/// A stable lower-case name, for JSON: "usage", "not_found", …
std::string_view to_string(ErrorCode code);

class Error : public std::runtime_error {
 public:
  /// context names the file, option or track that the message is about; it may be empty.
  Error(ErrorCode code, std::string message, std::string context = {});

  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& context() const noexcept { return context_; }

 private:
  ErrorCode code_;
  std::string message_;
  std::string context_;
};

/// What an exception says where one file or track may fail and the others go on: an Error is itself; out of memory
/// (std::bad_alloc, std::length_error) is kResource, std::filesystem::filesystem_error kIo, any other kInternal.
Error error_of(const std::exception& exception);

}  // namespace unbraid
