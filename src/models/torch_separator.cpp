#include "models/torch_separator.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "models/peak_allocation.hpp"
#include "nn/autocast.hpp"
#include "nn/memory.hpp"
#include "nn/threads.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::models {

namespace {

class TorchSeparator : public Separator {
 public:
  TorchSeparator(std::shared_ptr<Model> model, torch::Device device, const StreamFormat& format, ParameterValues values, bool bf16,
                 std::optional<Normalization> normalization)
      : model_(std::move(model)), device_(device), bf16_(bf16), values_(std::move(values)) {
    const ModelTraits& traits = model_->traits();
    info_.stems = model_->stems(values_);
    info_.sample_rate = traits.sample_rate;
    info_.channels = traits.any_channels ? format.channels : static_cast<std::size_t>(traits.channels);
    info_.normalize = normalization.value_or(traits.normalize);
    info_.blocks = traits.blocks;
    kept_.resize(traits.stems.size());
    std::iota(kept_.begin(), kept_.end(), std::size_t{0});
    info_.working_bytes = [this](std::size_t frames) {
      const auto found = measured_.find(frames);
      return found != measured_.end() ? found->second : measured_.insert({frames, measure(frames)}).first->second;
    };
  }

  ~TorchSeparator() override { nn::release_memory(); }
  TorchSeparator(const TorchSeparator&) = delete;
  TorchSeparator& operator=(const TorchSeparator&) = delete;

  const SeparatorInfo& info() const override { return info_; }

  bool keep_only(std::span<const std::string> wanted) override {
    const std::vector<std::string>& all = model_->traits().stems;
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (std::ranges::find(wanted, all[i]) != wanted.end()) kept.push_back(i);
    if (kept.empty() || model_->stems(values_) != all || !model_->keep_only(kept)) return false;
    kept_ = kept;
    info_.stems.clear();
    for (const std::size_t i : kept) info_.stems.push_back(all[i]);
    return true;
  }

  Stems process(AudioView block, RunContext& run) override { return std::move(process_batch({&block, 1}, run)[0]); }

  std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run) override {
    run.cancel.check();
    const c10::InferenceMode no_gradient;
    nn::use_threads(static_cast<int>(run.pool.threads()));
    model_->keep_only(kept_);  // others may share it
    const auto frames = static_cast<std::int64_t>(blocks[0].frames());
    torch::Tensor mix = torch::empty({static_cast<std::int64_t>(blocks.size()), static_cast<std::int64_t>(info_.channels), frames});
    float* to = mix.data_ptr<float>();
    for (const AudioView& block : blocks)
      for (std::size_t c = 0; c < block.channels(); ++c) to = std::ranges::copy(block.channel(c), to).out;

    const nn::Autocast autocast(bf16_, device_);
    const torch::Tensor stems = separate(mix.to(device_), run).to(torch::kCPU, torch::kFloat32).contiguous();
    std::vector<Stems> results;
    const auto given = static_cast<std::size_t>(std::min(stems.size(-1), frames));  // some models give less, or whole excerpts
    for (std::int64_t b = 0; b < stems.size(0); ++b) {
      Stems& result = results.emplace_back(info_.stems, info_.channels, blocks[0].frames());
      for (std::size_t s = 0; s < info_.stems.size(); ++s)
        for (std::size_t c = 0; c < info_.channels; ++c) {
          const float* from = stems[b][static_cast<std::int64_t>(s)][static_cast<std::int64_t>(c)].data_ptr<float>();
          std::copy_n(from, given, result[s].audio.channel(c).begin());
        }
    }
    return results;
  }

 private:
  torch::Tensor separate(const torch::Tensor& mix, RunContext& run) const {
    torch::Tensor stems;
    try {
      stems = model_->separate(mix, values_, run);
    } catch (const c10::Error& error) {
      throw Error{ErrorCode::kInternal, error.what_without_backtrace()};
    }
    if (stems.dim() != 4 || stems.size(0) != mix.size(0) || stems.size(1) != static_cast<std::int64_t>(info_.stems.size()) ||
        stems.size(2) != mix.size(1))
      throw Error{ErrorCode::kInternal, fmt::format("the network gives [{}] for {} stems of {} channels", fmt::join(stems.sizes(), ", "),
                                                    info_.stems.size(), mix.size(1))};
    return stems;
  }

  /// Measured on the model itself: what it takes for shorter blocks, carried on as b·n + c·n² (attention over time is
  /// quadratic); on the whole block where the model takes no shorter one.
  std::size_t measure(std::size_t frames) const {
    constexpr double kBesides = 1.25;  // buffers of oneDNN and BLAS, and what the allocator cannot use again
    const c10::InferenceMode no_gradient;
    ThreadPool pool(1);
    RunContext run{pool};
    const auto peak = [&](std::size_t length) {
      return static_cast<double>(peak_allocation([&] {
        separate(torch::zeros({1, static_cast<std::int64_t>(info_.channels), static_cast<std::int64_t>(length)}, device_), run);
      }));
    };
    const auto n = static_cast<double>(frames);
    try {
      constexpr std::size_t kShare = 8;
      const double one = peak(frames / kShare), two = peak(frames / kShare * 2);
      const double length = static_cast<double>(frames / kShare);
      const double quadratic = std::max(0.0, (two - 2 * one) / (2 * length * length));
      const double linear = std::max(0.0, one / length - quadratic * length);
      return static_cast<std::size_t>(kBesides * (linear * n + quadratic * n * n));
    } catch (const Error&) {
      return static_cast<std::size_t>(kBesides * peak(frames));
    }
  }

  std::shared_ptr<Model> model_;
  torch::Device device_;
  bool bf16_;
  ParameterValues values_;
  SeparatorInfo info_;
  std::vector<std::size_t> kept_;                     ///< the stems that are asked for
  std::map<std::size_t, std::size_t> measured_ = {};  ///< bytes by frames
};

}  // namespace

torch::Device choose_device(const std::string& name) {
  if (name == "auto") return torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
  if (name == "cpu") return torch::kCPU;
  if (name == "cuda" || name.starts_with("cuda:")) {
    if (!torch::cuda::is_available())
      throw Error{ErrorCode::kUnsupported, "there is no CUDA device, or libtorch was built without CUDA", name};
    try {
      const torch::Device device(name);
      if (device.index() < static_cast<int>(torch::cuda::device_count())) return device;
    } catch (const c10::Error&) {
    }
    throw Error{ErrorCode::kUsage, fmt::format("there are {} CUDA devices", torch::cuda::device_count()), name};
  }
  throw Error{ErrorCode::kUsage, "unknown device; there are: auto, cpu, cuda, cuda:N", name};
}

std::unique_ptr<Separator> make_separator(std::shared_ptr<Model> model, torch::Device device, const StreamFormat& format,
                                          const ParameterValues& values, bool bf16, std::optional<Normalization> normalization) {
  return std::make_unique<TorchSeparator>(std::move(model), device, format, values, bf16, normalization);
}

}  // namespace unbraid::models
