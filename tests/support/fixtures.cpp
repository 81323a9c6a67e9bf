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

namespace {

Npy parse_npy(const std::string& bytes, const std::string& name) {
  if (bytes.size() < 12 || bytes.compare(1, 5, "NUMPY") != 0) throw std::runtime_error("not .npy: " + name);
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

}  // namespace

Npy load_npy(const std::filesystem::path& relative) { return parse_npy(load_bytes(relative), relative.string()); }

std::map<std::string, Npy> load_npz(const std::filesystem::path& relative) {
  // A zip file of stored members: local headers one after the other, each followed by its bytes.
  const std::string bytes = load_bytes(relative);
  const auto field = [&](std::size_t at, std::size_t width) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    return value;
  };
  std::map<std::string, Npy> arrays;
  std::size_t at = 0;
  while (at + 30 <= bytes.size() && bytes.compare(at, 4, "PK\3\4") == 0) {
    const std::size_t size = field(at + 18, 4), name_size = field(at + 26, 2), extra_size = field(at + 28, 2);
    const std::string name = bytes.substr(at + 30, name_size);
    const std::size_t data = at + 30 + name_size + extra_size;
    if (field(at + 8, 2) != 0 || data + size > bytes.size()) throw std::runtime_error("npz member " + name);
    arrays.emplace(name.substr(0, name.rfind(".npy")), parse_npy(bytes.substr(data, size), name));
    at = data + size;
  }
  return arrays;
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
