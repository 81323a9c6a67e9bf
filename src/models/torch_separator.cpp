#include "models/torch_separator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

class TorchSeparator : public Separator {
 public:
  TorchSeparator(std::shared_ptr<Model> model, torch::Device device, const StreamFormat& format, ParameterValues values)
      : model_(std::move(model)), device_(device), values_(std::move(values)) {
    const ModelTraits& traits = model_->traits();
    info_.stems = model_->stems(values_);
    info_.sample_rate = traits.sample_rate;
    info_.channels = traits.any_channels ? format.channels : static_cast<std::size_t>(traits.channels);
    info_.normalize = traits.normalize;
    info_.blocks = traits.blocks;
    std::size_t weights = 0;
    for (const auto& parameter : model_->parameters()) weights += parameter.nbytes();
    // Measured on the families here: activations of one block take some hundred values per sample and channel.
    constexpr std::size_t kValuesPerFrame = 512;
    info_.working_bytes = [weights, channels = info_.channels](std::size_t frames) {
      return weights + frames * channels * kValuesPerFrame * sizeof(float);
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override { return std::move(process_batch({&block, 1}, run)[0]); }

  std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run) override {
    run.cancel.check();
    const c10::InferenceMode no_gradient;
    const auto frames = static_cast<std::int64_t>(blocks[0].frames());
    torch::Tensor mix = torch::empty({static_cast<std::int64_t>(blocks.size()), static_cast<std::int64_t>(info_.channels), frames});
    float* to = mix.data_ptr<float>();
    for (const AudioView& block : blocks)
      for (std::size_t c = 0; c < block.channels(); ++c) to = std::ranges::copy(block.channel(c), to).out;

    const torch::Tensor stems = model_->separate(mix.to(device_), values_, run).to(torch::kCPU).contiguous();
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
  std::shared_ptr<Model> model_;
  torch::Device device_;
  ParameterValues values_;
  SeparatorInfo info_;
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
                                          const ParameterValues& values) {
  return std::make_unique<TorchSeparator>(std::move(model), device, format, values);
}

}  // namespace unbraid::models
