// Files that the HDF5 library itself writes, some of them made to reach beyond themselves.

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {
namespace {

using testing::TemporaryFolder;

constexpr std::array<float, 6> kValues{1, 2, 3, 4, 5, 6};

void write_names(hid_t object, const char* attribute, const std::vector<std::string>& names) {
  constexpr std::size_t kWidth = 16;
  std::string bytes;
  for (std::string name : names) {
    name.resize(kWidth, '\0');
    bytes += name;
  }
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, kWidth);
  const hsize_t count = names.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t written = H5Acreate2(object, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(written, type, bytes.data());
  H5Aclose(written);
  H5Sclose(space);
  H5Tclose(type);
}

/// A data set [2, 3] of kValues, made with these properties.
void write_array(hid_t group, const char* name, hid_t properties = H5P_DEFAULT) {
  const std::array<hsize_t, 2> sizes{2, 3};
  const hid_t space = H5Screate_simple(2, sizes.data(), nullptr);
  const hid_t array = H5Dcreate2(group, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  ASSERT_GE(array, 0);
  if (properties == H5P_DEFAULT || H5Pget_layout(properties) != H5D_VIRTUAL)
    H5Dwrite(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, kValues.data());
  H5Dclose(array);
  H5Sclose(space);
}

/// A Keras file of one layer, whose group `fill` fills.
void write_keras(const std::filesystem::path& path, const std::vector<std::string>& weights, const std::function<void(hid_t)>& fill) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  write_names(file, "layer_names", {"layer"});
  const hid_t group = H5Gcreate2(file, "layer", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  write_names(group, "weight_names", weights);
  fill(group);
  H5Gclose(group);
  H5Fclose(file);
}

class Hdf5 : public ::testing::Test {
 protected:
  void refuses(const char* words) const {
    try {
      load(path_);
      ADD_FAILURE() << "read a file although: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "m.h5";
};

TEST_F(Hdf5, ReadsItsOwnArraysHoweverTheyLie) {
  const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE), compact = H5Pcreate(H5P_DATASET_CREATE);
  const std::array<hsize_t, 2> chunk{1, 2};
  H5Pset_chunk(chunked, 2, chunk.data());
  H5Pset_deflate(chunked, 6);
  H5Pset_layout(compact, H5D_COMPACT);
  write_keras(path_, {"plain", "chunked", "compact", "below/kernel:0"}, [&](hid_t group) {
    write_array(group, "plain");
    write_array(group, "chunked", chunked);
    write_array(group, "compact", compact);
    const hid_t below = H5Gcreate2(group, "below", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    write_array(below, "kernel:0");
    H5Gclose(below);
  });
  H5Pclose(chunked);
  H5Pclose(compact);
  const Checkpoint file = load(path_);
  ASSERT_EQ(file.tensors.size(), 4u);
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(tensor.shape(), (std::vector<std::int64_t>{2, 3})) << name;
    EXPECT_EQ(tensor.to_floats(), std::vector<float>(kValues.begin(), kValues.end())) << name;
  }
}

TEST_F(Hdf5, RefusesExternalStorage) {
  std::ofstream(folder_ / "secret") << std::string(24, 's');
  const hid_t external = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(external, (folder_ / "secret").c_str(), 0, 24);
  write_keras(path_, {"w"}, [&](hid_t group) { write_array(group, "w", external); });
  H5Pclose(external);
  refuses("another file");
}

TEST_F(Hdf5, RefusesVirtualDataSets) {
  const auto other = folder_ / "other.h5";
  write_keras(other, {"w"}, [&](hid_t group) { write_array(group, "w"); });
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  const std::array<hsize_t, 2> sizes{2, 3};
  const hid_t space = H5Screate_simple(2, sizes.data(), nullptr);
  H5Pset_virtual(properties, space, other.c_str(), "/layer/w", space);
  write_keras(path_, {"w"}, [&](hid_t group) { write_array(group, "w", properties); });
  H5Sclose(space);
  H5Pclose(properties);
  refuses("another file");
}

TEST_F(Hdf5, RefusesLinksByName) {
  const auto other = folder_ / "other.h5";
  write_keras(other, {"w"}, [&](hid_t group) { write_array(group, "w"); });
  write_keras(path_, {"w"}, [&](hid_t group) { H5Lcreate_external(other.c_str(), "/layer/w", group, "w", H5P_DEFAULT, H5P_DEFAULT); });
  refuses("link to another place");
  write_keras(path_, {"up/w"}, [&](hid_t group) { H5Lcreate_external(other.c_str(), "/layer", group, "up", H5P_DEFAULT, H5P_DEFAULT); });
  refuses("link to another place");
  write_keras(path_, {"w"}, [&](hid_t group) {
    write_array(group, "v");
    H5Lcreate_soft("v", group, "w", H5P_DEFAULT, H5P_DEFAULT);
  });
  refuses("link to another place");
}

TEST_F(Hdf5, OneArrayUnderManyNamesTakesNoMoreThanAFewFiles) {
  // An array of 400 kB, which is the whole file but for its names.
  std::vector<std::string> names{"w"};
  for (int i = 1; i < 400; ++i) names.push_back("w" + std::to_string(i));
  const auto written = [&](std::size_t read) {
    write_keras(path_, {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(read)}, [&](hid_t group) {
      const hsize_t size = 100'000;
      const hid_t space = H5Screate_simple(1, &size, nullptr);
      const hid_t array = H5Dcreate2(group, "w", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      const std::vector<float> values(size, 1);
      H5Dwrite(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
      H5Dclose(array);
      H5Sclose(space);
      for (std::size_t i = 1; i < read; ++i) H5Lcreate_hard(group, "w", group, names[i].c_str(), H5P_DEFAULT, H5P_DEFAULT);
    });
  };
  written(4);
  EXPECT_EQ(load(path_).tensors.size(), 4u);
  written(400);
  refuses("much larger than the file");
}

}  // namespace
}  // namespace unbraid::checkpoint
