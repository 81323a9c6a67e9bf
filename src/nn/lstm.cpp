#include "nn/lstm.hpp"

#include <ATen/Parallel.h>

#include <string>
#include <vector>

#include "nn/lstm_kernel.hpp"

namespace unbraid::nn {

namespace {

using torch::Tensor;

bool fast_way_serves(torch::nn::LSTM& lstm, const Tensor& x) {
  return !torch::GradMode::is_enabled() && !lstm->is_training() && x.device().is_cpu() && x.scalar_type() == torch::kFloat32 &&
         lstm->options.bias() && lstm->options.proj_size() == 0;
}

}  // namespace

Tensor run_lstm(torch::nn::LSTM& lstm, const Tensor& x) {
  if (!fast_way_serves(lstm, x)) return std::get<0>(lstm->forward(x));
  const auto weights = lstm->named_parameters();
  const std::int64_t hidden = lstm->options.hidden_size(), directions = lstm->options.bidirectional() ? 2 : 1;
  Tensor y = lstm->options.batch_first() ? x : x.transpose(0, 1);
  const std::int64_t batch = y.size(0), steps = y.size(1);
  for (std::int64_t layer = 0; layer < lstm->options.num_layers(); ++layer) {
    std::vector<LstmKernel> kernels;
    std::vector<Tensor> inputs;
    for (std::int64_t d = 0; d < directions; ++d) {
      const std::string suffix = "_l" + std::to_string(layer) + (d == 1 ? "_reverse" : "");
      inputs.push_back(torch::linear(y, weights["weight_ih" + suffix], weights["bias_ih" + suffix] + weights["bias_hh" + suffix]).contiguous());
      kernels.emplace_back(weights["weight_hh" + suffix].contiguous().data_ptr<float>(), static_cast<std::size_t>(hidden));
    }
    Tensor out = torch::empty({batch, steps, directions * hidden}, y.options());
    at::parallel_for(0, directions * batch, 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) {
        const std::int64_t d = i % directions, item = i / directions;
        kernels[static_cast<std::size_t>(d)].run(inputs[static_cast<std::size_t>(d)].data_ptr<float>() + item * steps * 4 * hidden,
                                                 static_cast<std::size_t>(steps), d == 1,
                                                 out.data_ptr<float>() + item * steps * directions * hidden + d * hidden,
                                                 static_cast<std::size_t>(directions * hidden));
      }
    });
    y = out;
  }
  return lstm->options.batch_first() ? y : y.transpose(0, 1);
}

}  // namespace unbraid::nn
