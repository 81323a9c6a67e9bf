#include "support/fixtures.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <regex>
#include <stdexcept>

namespace unbraid::testing {

namespace {

std::string load_bytes(const std::filesystem::path& relative) {
  std::ifstream file(fixtures() / relative, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read fixture " + relative.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
void convert(const char* bytes, std::size_t count, std::vector<double>& out) {
  out.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof value, sizeof value);
    out[i] = static_cast<double>(value);
  }
}

}  // namespace

std::filesystem::path fixtures() {
  const char* folder = std::getenv("UNBRAID_FIXTURES");
  return folder && *folder ? folder : UNBRAID_DEFAULT_FIXTURES;
}

Npy load_npy(const std::filesystem::path& relative) {
  const std::string bytes = load_bytes(relative);
  if (bytes.size() < 12 || bytes.compare(1, 5, "NUMPY") != 0) throw std::runtime_error("not .npy: " + relative.string());
  const bool version1 = bytes[6] == 1;
  std::uint32_t header_size = 0;
  std::memcpy(&header_size, bytes.data() + 8, version1 ? 2 : 4);
  const std::size_t start = version1 ? 10 : 12;
  const std::string header = bytes.substr(start, header_size);

  Npy array;
  std::smatch match;
  if (!std::regex_search(header, match, std::regex("'descr': *'([^']+)'"))) throw std::runtime_error("npy descr");
  array.dtype = match[1];
  if (header.find("'fortran_order': True") != std::string::npos) throw std::runtime_error("npy in Fortran order");
  if (!std::regex_search(header, match, std::regex("'shape': *\\(([^)]*)\\)"))) throw std::runtime_error("npy shape");
  const std::string shape = match[1];
  const std::regex digits("[0-9]+");
  std::size_t count = 1;
  for (std::sregex_iterator it(shape.begin(), shape.end(), digits), end; it != end; ++it) {
    array.shape.push_back(std::stoull(it->str()));
    count *= array.shape.back();
  }

  const char* data = bytes.data() + start + header_size;
  const std::string type = array.dtype.substr(1);
  const std::size_t width = std::stoull(type.substr(1));
  if (start + header_size + count * width > bytes.size()) throw std::runtime_error("npy is cut short");
  if (type == "f8") convert<double>(data, count, array.real);
  else if (type == "f4") convert<float>(data, count, array.real);
  else if (type == "i8") convert<std::int64_t>(data, count, array.real);
  else if (type == "i4") convert<std::int32_t>(data, count, array.real);
  else if (type == "i2") convert<std::int16_t>(data, count, array.real);
  else if (type == "u1" || type == "b1") convert<std::uint8_t>(data, count, array.real);
  else if (type == "c16" || type == "c8") {
    std::vector<double> pairs;
    if (type == "c16") convert<double>(data, 2 * count, pairs);
    else convert<float>(data, 2 * count, pairs);
    for (std::size_t i = 0; i < count; ++i) {
      array.real.push_back(pairs[2 * i]);
      array.imag.push_back(pairs[2 * i + 1]);
    }
  } else throw std::runtime_error("npy type " + array.dtype);
  return array;
}

nlohmann::json load_json(const std::filesystem::path& relative) {
  const std::regex bare("([:\\[,]\\s*)(NaN|-?Infinity)");
  return nlohmann::json::parse(std::regex_replace(load_bytes(relative), bare, "$1null"));
}

double number(const nlohmann::json& value) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value.is_string()) return value.get<double>();
  const std::string text = value;
  if (text == "inf") return kInfinity;
  if (text == "-inf") return -kInfinity;
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  throw std::runtime_error("not a number: " + text);
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "unbraid-test-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace unbraid::testing
