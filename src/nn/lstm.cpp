#include "nn/lstm.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "nn/lstm_kernel.hpp"
#include "nn/threads.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::nn {

namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Rows of a batch that one thread takes through the steps together: their gates stay in its cache.
constexpr std::int64_t kRowsTogether = 24;

/// [steps, rows, directions · size], or [rows, steps, …], as what one direction of rows from `row` on sees of it.
Sequence part(const Tensor& values, bool batch_first, std::int64_t size, std::int64_t direction, std::int64_t row) {
  const std::int64_t step = values.stride(batch_first ? 1 : 0), row_stride = values.stride(batch_first ? 0 : 1);
  return {.data = values.data_ptr<float>() + row * row_stride + direction * size,
          .step = static_cast<std::size_t>(step),
          .row = static_cast<std::size_t>(row_stride)};
}

/// Calls work(direction, first row, rows) for all rows of all directions, in parallel.
template <class Work>
void for_directions(std::int64_t directions, std::int64_t rows, const Work& work) {
  const std::int64_t blocks = (rows + kRowsTogether - 1) / kRowsTogether;
  parallel_for(directions * blocks, 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t first = i / directions * kRowsTogether;
      work(i % directions, first, static_cast<std::size_t>(std::min(kRowsTogether, rows - first)));
    }
  });
}

/// gates [steps, rows, directions · 4 · hidden] (or [rows, steps, …]) from the inputs, recurrent [directions, 4 · hidden,
/// hidden] → [steps, rows, directions · hidden]. The values of gates are used up: they become the gates' gradients.
class Recurrence : public torch::autograd::Function<Recurrence> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gates, const Tensor& recurrent, bool batch_first, bool keep) {
    const std::int64_t directions = recurrent.size(0), hidden = recurrent.size(2);
    const std::int64_t steps = gates.size(batch_first ? 1 : 0), rows = gates.size(batch_first ? 0 : 1);
    const Tensor outputs = torch::empty({gates.size(0), gates.size(1), directions * hidden}, gates.options());
    const Tensor cells = keep ? torch::empty_like(outputs) : Tensor();
    std::vector<LstmKernel> kernels;
    for (std::int64_t d = 0; d < directions; ++d) kernels.emplace_back(recurrent[d].data_ptr<float>(), static_cast<std::size_t>(hidden));
    for_directions(directions, rows, [&](std::int64_t d, std::int64_t row, std::size_t count) {
      kernels[static_cast<std::size_t>(d)].run(part(gates, batch_first, 4 * hidden, d, row), static_cast<std::size_t>(steps), count, d == 1,
                                               part(outputs, batch_first, hidden, d, row),
                                               keep ? part(cells, batch_first, hidden, d, row) : Sequence{});
    });
    if (keep) {
      context->save_for_backward({gates, recurrent, cells, outputs});
      context->saved_data["batch_first"] = batch_first;
    }
    return outputs;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& of_result) {
    if (context->saved_data.count("spent") > 0) throw Error{ErrorCode::kInternal, "an LSTM's gradient can be taken once"};
    context->saved_data["spent"] = true;
    const bool batch_first = context->saved_data["batch_first"].toBool();
    const tensor_list saved = context->get_saved_variables();
    const Tensor gates = saved[0].detach(), recurrent = saved[1], cells = saved[2], outputs = saved[3];
    const Tensor of_outputs = of_result[0].contiguous();
    const std::int64_t directions = recurrent.size(0), hidden = recurrent.size(2);
    const std::int64_t time = batch_first ? 1 : 0, steps = gates.size(time), rows = gates.size(1 - time);
    std::vector<LstmGradientKernel> kernels;
    for (std::int64_t d = 0; d < directions; ++d) kernels.emplace_back(recurrent[d].data_ptr<float>(), static_cast<std::size_t>(hidden));
    for_directions(directions, rows, [&](std::int64_t d, std::int64_t row, std::size_t count) {
      kernels[static_cast<std::size_t>(d)].run(part(gates, batch_first, 4 * hidden, d, row), static_cast<std::size_t>(steps), count, d == 1,
                                               part(of_outputs, batch_first, hidden, d, row), part(cells, batch_first, hidden, d, row));
    });
    // ∂L/∂W = Σ_t (∂L/∂a_t)ᵀ h of the step before it in this direction.
    std::vector<Tensor> of_recurrent;
    for (std::int64_t d = 0; d < directions; ++d) {
      Tensor before = torch::zeros({gates.size(0), gates.size(1), hidden}, gates.options());
      before.narrow(time, d == 0 ? 1 : 0, steps - 1).copy_(outputs.narrow(2, d * hidden, hidden).narrow(time, d == 0 ? 0 : 1, steps - 1));
      of_recurrent.push_back(gates.flatten(0, 1).narrow(1, d * 4 * hidden, 4 * hidden).t().mm(before.flatten(0, 1)));
    }
    return {gates, torch::stack(of_recurrent), Tensor(), Tensor()};
  }
};

bool fast_way_serves(torch::nn::LSTM& lstm, const Tensor& x) {
  return x.device().is_cpu() && lstm->options.bias() && lstm->options.proj_size() == 0 &&
         lstm->parameters()[0].scalar_type() == torch::kFloat32;
}

}  // namespace

Tensor run_lstm(torch::nn::LSTM& lstm, const Tensor& x) {
  if (!fast_way_serves(lstm, x)) return std::get<0>(lstm->forward(x));
  const auto weights = lstm->named_parameters();
  const auto& options = lstm->options;
  Tensor y = x;
  for (std::int64_t layer = 0; layer < options.num_layers(); ++layer) {
    std::vector<Tensor> in, bias, recurrent;
    for (const char* suffix : {"", "_reverse"}) {
      if (*suffix != '\0' && !options.bidirectional()) break;
      const std::string name = "_l" + std::to_string(layer) + suffix;
      in.push_back(weights["weight_ih" + name]);
      bias.push_back(weights["bias_ih" + name] + weights["bias_hh" + name]);
      recurrent.push_back(weights["weight_hh" + name]);
    }
    const bool keep = torch::GradMode::is_enabled();
    const Tensor gates = torch::linear(y, torch::cat(in), torch::cat(bias)).to(torch::kFloat32).contiguous();
    y = Recurrence::apply(gates, torch::stack(recurrent), options.batch_first(), keep);
    if (layer + 1 < options.num_layers()) y = torch::dropout(y, options.dropout(), lstm->is_training());
  }
  return y;
}

}  // namespace unbraid::nn
