#include <fmt/format.h>
#include <hdf5.h>

#include <cstring>

#include "checkpoint/formats.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

[[noreturn]] void damaged(std::string_view what) {
  throw Error{ErrorCode::kFormat, fmt::format("damaged or unsupported HDF5 file: {}", what)};
}

/// An HDF5 identifier with the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), std::string_view what) : id_(id), close_(close) {
    if (id_ < 0) damaged(what);
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// An attribute that holds a list of texts, of fixed or variable length.
std::vector<std::string> read_texts(hid_t object, const char* name) {
  const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose, "an attribute is missing");
  const Handle type(H5Aget_type(attribute), H5Tclose, "an attribute without type");
  const Handle space(H5Aget_space(attribute), H5Sclose, "an attribute without size");
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  constexpr hssize_t kMostNames = 1 << 16;
  if (count == 0) return {};  // numpy gives an empty list the type float64
  if (count < 0 || count > kMostNames || H5Tget_class(type) != H5T_STRING) damaged("an attribute that is no list of names");

  std::vector<std::string> texts;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(static_cast<std::size_t>(count), nullptr);
    if (H5Aread(attribute, type, pointers.data()) < 0) damaged("an unreadable attribute");
    for (const char* text : pointers) texts.emplace_back(text ? text : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
  } else {
    const std::size_t width = H5Tget_size(type);
    if (width == 0 || H5Aget_storage_size(attribute) > (1 << 24)) damaged("an attribute that is too large");
    std::vector<char> bytes(width * static_cast<std::size_t>(count));
    if (H5Aread(attribute, type, bytes.data()) < 0) damaged("an unreadable attribute");
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      texts.emplace_back(bytes.data() + i * width, strnlen(bytes.data() + i * width, width));
  }
  return texts;
}

/// That every step of a path is a place of this very file: links by name may lead to other files, or nowhere.
void require_own(hid_t from, const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    H5L_info_t link;
    if (H5Lget_info(from, path.substr(0, end).c_str(), &link, H5P_DEFAULT) < 0) damaged(fmt::format("{} is missing", path));
    if (link.type != H5L_TYPE_HARD) damaged(fmt::format("{} is a link to another place", path));
    if (end == std::string::npos) return;
  }
}

/// Data in other files (external storage, virtual data sets) would be read as if it were this one's.
void require_own_data(hid_t array, const std::string& name) {
  const Handle creation(H5Dget_create_plist(array), H5Pclose, "an array without layout");
  const H5D_layout_t layout = H5Pget_layout(creation);
  const bool own = layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED;
  if (!own || H5Pget_external_count(creation) != 0) damaged(fmt::format("the values of {} lie in another file", name));
}

/// left: bytes that this array and those after it may take.
Tensor read_array(hid_t group, const std::string& name, std::uint64_t file_size, std::uint64_t& left) {
  require_own(group, name);
  const Handle array(H5Dopen2(group, name.c_str(), H5P_DEFAULT), H5Dclose, fmt::format("array {} is missing", name));
  require_own_data(array, name);
  const Handle space(H5Dget_space(array), H5Sclose, "an array without shape");
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > 32) damaged("an array without shape");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  // Keras stores arrays uncompressed; anything larger than the file is a lie or a bomb.
  std::uint64_t bytes = sizeof(float);
  for (const hsize_t size : sizes)
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > file_size) damaged(fmt::format("array {} is larger than the file", name));
  if (bytes > left) damaged("its arrays are much larger than the file");
  left -= bytes;
  auto values = std::make_shared<std::vector<float>>(bytes / sizeof(float));
  if (H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values->data()) < 0)
    damaged(fmt::format("array {} is unreadable", name));
  const std::span<const std::byte> view = std::as_bytes(std::span<const float>(*values));
  return {Dtype::kF32, {sizes.begin(), sizes.end()}, Storage{std::move(values), view}};
}

}  // namespace

bool is_hdf5(const Storage& file) {
  constexpr unsigned char kSignature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  return file.bytes.size() > sizeof kSignature && std::memcmp(file.bytes.data(), kSignature, sizeof kSignature) == 0;
}

void read_hdf5(const std::filesystem::path& path, std::uint64_t file_size, Checkpoint& out) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors come back as ours, not on stderr
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "it cannot be opened");
  // Weights alone stand at the root, a whole Keras model keeps them in a group.
  const char* place = H5Lexists(file, "model_weights", H5P_DEFAULT) > 0 ? "model_weights" : "/";
  if (*place != '/') require_own(file, place);
  const Handle root(H5Gopen2(file, place, H5P_DEFAULT), H5Gclose, "no weights");
  if (H5Aexists(root, "layer_names") <= 0) throw Error{ErrorCode::kFormat, "an HDF5 file, but not of Keras weights: no layer_names"};
  constexpr std::uint64_t kMostPerByte = 4;  // half precision becomes twice as much, and so may what is compressed
  std::uint64_t left = kMostPerByte * file_size;
  for (const std::string& layer : read_texts(root, "layer_names")) {
    require_own(root, layer);
    const Handle group(H5Gopen2(root, layer.c_str(), H5P_DEFAULT), H5Gclose, fmt::format("layer {} is missing", layer));
    if (H5Aexists(group, "weight_names") <= 0) continue;
    for (const std::string& weight : read_texts(group, "weight_names"))
      out.tensors.add(fmt::format("{}/{}", layer, weight), read_array(group, weight, file_size, left));
  }
}

}  // namespace unbraid::checkpoint
