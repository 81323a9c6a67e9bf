#include "train/processes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/core/error.hpp"

#ifdef UNBRAID_WITH_GLOO
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace unbraid::train {

namespace {

constexpr int kMost = 65535;  // processes, and ports

class Alone : public Processes {
 public:
  Alone() : Processes(0, 1) {}
  void average(torch::Tensor&) const override {}
  void share(torch::Tensor&) const override {}
};

/// The first of the variables that is set, as a number in [0, most].
std::optional<int> number_of(std::initializer_list<const char*> names, int most) {
  for (const char* name : names) {
    const char* const text = std::getenv(name);
    if (!text) continue;
    int value = -1;
    const std::string_view digits(text);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0 || value > most)
      throw Error{ErrorCode::kUsage, fmt::format("'{}' is no number in 0 … {}", digits, most), name};
    return value;
  }
  return {};
}

#ifdef UNBRAID_WITH_GLOO

// A validation, during which the others wait, may take long.
constexpr std::chrono::hours kPatience{6};

class Together : public Processes {
 public:
  Together(int rank, int count, const std::string& host, int port) : Processes(rank, count) {
    try {
      c10d::TCPStoreOptions store;
      store.port = static_cast<std::uint16_t>(port);
      store.isServer = rank == 0;
      store.numWorkers = static_cast<std::size_t>(count);
      const auto options = c10d::ProcessGroupGloo::Options::create();
      options->timeout = kPatience;
      const bool one_machine = host == "localhost" || host.rfind("127.", 0) == 0;
      options->devices.push_back(one_machine ? c10d::ProcessGroupGloo::createDeviceForHostname(host)
                                             : c10d::ProcessGroupGloo::createDefaultDevice());
      group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(c10::make_intrusive<c10d::TCPStore>(host, store), rank, count, options);
    } catch (const std::exception& error) {
      const std::string_view text = error.what();
      throw Error{ErrorCode::kIo, fmt::format("the processes do not find each other: {}", text.substr(0, text.find('\n'))),
                  fmt::format("{}:{}", host, port)};
    }
  }

  void average(torch::Tensor& values) const override {
    std::vector<torch::Tensor> one = {values.to(torch::kCPU)};  // the same tensor where it is there already
    group_->allreduce(one, c10d::AllreduceOptions())->wait();
    one[0].div_(count());
    if (!values.is_same(one[0])) values.copy_(one[0]);
  }

  void share(torch::Tensor& values) const override {
    std::vector<torch::Tensor> one = {values.to(torch::kCPU)};
    group_->broadcast(one, c10d::BroadcastOptions())->wait();
    if (!values.is_same(one[0])) values.copy_(one[0]);
  }

 private:
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

#endif

}  // namespace

int local_rank() { return number_of({"LOCAL_RANK", "SLURM_LOCALID"}, kMost).value_or(0); }

std::unique_ptr<Processes> only_process() { return std::make_unique<Alone>(); }

std::unique_ptr<Processes> join_processes() {
  const char* const host = std::getenv("MASTER_ADDR");
  std::optional<int> given = number_of({"WORLD_SIZE"}, kMost);
  if (!given && host) given = number_of({"SLURM_NTASKS"}, kMost);  // an allocation alone does not mean that all take part
  const int count = given.value_or(1);
  if (count <= 1) return std::make_unique<Alone>();
  const std::optional<int> rank = number_of({"RANK", "SLURM_PROCID"}, count - 1);
  const std::optional<int> port = number_of({"MASTER_PORT"}, kMost);
  if (!rank || !port || !host)
    throw Error{ErrorCode::kUsage, "WORLD_SIZE is set, so RANK, MASTER_ADDR and MASTER_PORT must be", "environment"};
#ifdef UNBRAID_WITH_GLOO
  return std::make_unique<Together>(*rank, count, host, *port);
#else
  throw Error{ErrorCode::kUnsupported, "this build trains in one process only: it was made without libgloo-dev", "WORLD_SIZE"};
#endif
}

}  // namespace unbraid::train
