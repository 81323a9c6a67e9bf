#pragma once
// Reference numbers and audio for tests: the folder UNBRAID_FIXTURES, which is not part of the project.
//
//   TEST(Stft, EqualsScipy) {
//     UNBRAID_NEEDS_FIXTURE("dsp/stft.json");        // skips, with the reason, where the folder is missing
//     const nlohmann::json expected = load_json("dsp/stft.json");
//     const Npy x = load_npy("dsp/x.npy");
//   }

#include <gtest/gtest.h>

#include <complex>
#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace unbraid::testing {

/// Where the fixtures lie: the environment variable UNBRAID_FIXTURES, else what the build was configured with.
std::filesystem::path fixtures();

/// A NumPy array of any real or complex type, converted to double. Shape as stored, C order.
struct Npy {
  std::vector<std::size_t> shape;
  std::vector<double> real;  ///< the values; for complex arrays their real parts
  std::vector<double> imag;  ///< empty for real arrays
  std::string dtype;         ///< as in the file: "<f4", "<c16", …

  std::size_t size() const { return real.size(); }
  std::complex<double> complex(std::size_t i) const { return {real[i], imag.empty() ? 0.0 : imag[i]}; }
};

Npy load_npy(const std::filesystem::path& relative);

/// The arrays of an uncompressed .npz by name.
std::map<std::string, Npy> load_npz(const std::filesystem::path& relative);

/// JSON in which bare NaN and Infinity tokens count as null.
nlohmann::json load_json(const std::filesystem::path& relative);

/// A number that the fixtures may write as "nan", "inf" or "-inf".
double number(const nlohmann::json& value);

/// A fresh folder that is removed at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace unbraid::testing

#define UNBRAID_NEEDS_FIXTURE(relative)                                         \
  if (!std::filesystem::exists(unbraid::testing::fixtures() / (relative)))      \
  GTEST_SKIP() << "no " << (unbraid::testing::fixtures() / (relative)).string() \
               << " (set UNBRAID_FIXTURES to the folder of reference numbers)"
