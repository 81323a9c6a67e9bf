// How long a model takes for one block, and what memory: time_model WEIGHTS [CONFIG] [RUNS] [THREADS] [FOLDER], a line of
// JSON. The block is noise, or the folder's input.npy, and then the stems are compared with its output.npy.
// bench/compare_models runs it beside the program that the model was published with.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "unbraid/catalog/neural.hpp"
#include "unbraid/checkpoint/npy.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace {

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace unbraid;
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);  // as the program does
  if (argc < 2) {
    fmt::print(stderr, "time_model WEIGHTS [CONFIG] [RUNS] [THREADS] [FOLDER]\n");
    return 2;
  }
  const ModelFiles files{.weights = argv[1], .config = argc > 2 ? argv[2] : ""};
  const int runs = argc > 3 ? std::atoi(argv[3]) : 3;
  ThreadPool pool(argc > 4 ? static_cast<std::size_t>(std::atoi(argv[4])) : 0);
  RunContext run{pool};
  const auto model = catalog::neural_backend().open(files, {.device = "cpu"});
  const auto separator = model->separator({}, ParameterValues::resolve(model->parameters(), {}));
  const SeparatorInfo& info = separator->info();
  const std::size_t frames = std::get<Chunked>(info.blocks).length;
  AudioBuffer block(info.channels, frames);
  Rng rng(1);
  for (float& sample : block.samples()) sample = static_cast<float>(0.1 * (rng.uniform() - 0.5));
  const std::filesystem::path folder = argc > 5 ? argv[5] : "";
  if (!folder.empty()) {
    const std::vector<float> given = checkpoint::load_npy(folder / "input.npy").to_floats();
    if (given.size() != block.samples().size())
      throw Error{ErrorCode::kUsage, "is not a block of this model", (folder / "input.npy").string()};
    std::ranges::copy(given, block.samples().begin());
  }

  const long before = peak_kilobytes();
  std::vector<double> seconds;
  Stems stems;
  for (int i = 0; i < runs; ++i) {
    const auto started = std::chrono::steady_clock::now();
    stems = separator->process(block, run);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  }
  const long peak = peak_kilobytes();
  std::string compared;
  if (!folder.empty()) {
    const std::vector<float> expected = checkpoint::load_npy(folder / "output.npy").to_floats();
    double error = 0;
    std::size_t at = 0;
    for (std::size_t s = 0; s < stems.size(); ++s)
      for (std::size_t c = 0; c < info.channels; ++c)
        for (const float sample : stems[s].audio.channel(c))
          error = std::max(error, static_cast<double>(std::abs(sample - expected.at(at++))));
    compared = fmt::format(", \"max_abs_error\": {:.3g}", at == expected.size() ? error : std::numeric_limits<double>::infinity());
  }
  fmt::print("{{\"block_s\": {:.3f}, \"seconds\": {:.4f}, \"loaded_mb\": {}, \"peak_mb\": {}, \"planned_mb\": {}{}}}\n",
             static_cast<double>(frames) / info.sample_rate, std::ranges::min(seconds), before / 1024, peak / 1024,
             info.working_bytes(frames) >> 20, compared);
} catch (const unbraid::Error& error) {
  fmt::print(stderr, "time_model: {}\n", error.what());
  return 1;
}
