#include "unbraid/core/error.hpp"

#include <filesystem>
#include <new>
#include <utility>

namespace unbraid {

namespace {

std::string one_line(const std::string& context, const std::string& message) {
  std::string line = context;
  if (!line.empty()) line += ": ";
  line += message;
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  return line;
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage: return "usage";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kFormat: return "format";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kResource: return "resource";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

Error::Error(ErrorCode code, std::string message, std::string context)
    : std::runtime_error(one_line(context, message)), code_(code), message_(std::move(message)), context_(std::move(context)) {}

Error error_of(const std::exception& exception) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  if (const auto* error = dynamic_cast<const std::filesystem::filesystem_error*>(&exception))
    return {ErrorCode::kIo, error->code().message(), error->path1().string()};
  if (dynamic_cast<const std::bad_alloc*>(&exception) || dynamic_cast<const std::length_error*>(&exception))
    return {ErrorCode::kResource, "not enough memory"};
  return {ErrorCode::kInternal, exception.what()};
}

}  // namespace unbraid
