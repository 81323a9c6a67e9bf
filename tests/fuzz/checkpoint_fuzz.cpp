// Any bytes at all, taken for a checkpoint: safetensors, torch's zip and older pickles, Keras HDF5, .npy. The readers must
// return tensors or throw Error, in memory of the order of the input: run with -malloc_limit_mb=256.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/checkpoint/npy.hpp"
#include "unbraid/core/error.hpp"

namespace {

using unbraid::checkpoint::Tensor;

void promise(bool kept) {
  if (!kept) std::abort();
}

void read(const Tensor& tensor) {
  std::size_t count = 1;
  for (const std::int64_t size : tensor.shape()) count *= static_cast<std::size_t>(size);
  promise(tensor.size() == count);
  promise(tensor.to_bytes().size() == count * size_of(tensor.dtype()));
  promise(tensor.to_floats().size() == count);
  promise(tensor.bytes().empty() || tensor.bytes().size() == count * size_of(tensor.dtype()));
}

/// Errors are of the file: nothing else is thrown.
template <class Work>
void tolerate(const Work& work) {
  try {
    work();
  } catch (const unbraid::Error& error) {
    promise(error.code() != unbraid::ErrorCode::kInternal && !error.message().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int memory = memfd_create("input", MFD_CLOEXEC);
  if (memory < 0 || write(memory, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(memory);
  tolerate([&] {
    const unbraid::checkpoint::Checkpoint file = unbraid::checkpoint::load(path);
    promise(file.tensors.distinct_values() <= size);
    for (const auto& [name, tensor] : file.tensors) {
      promise(file.tensors.find(name) != nullptr);
      read(tensor);
    }
  });
  tolerate([&] { read(unbraid::checkpoint::load_npy(path)); });
  close(memory);
  return 0;
}
