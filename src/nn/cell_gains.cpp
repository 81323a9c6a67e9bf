#include "nn/cell_gains.hpp"

#include "nn/threads.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::nn {

namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Where things lie in gains and spectra, all contiguous.
struct Layout {
  Layout(const Tensor& gains, const Tensor& x)
      : bands(gains.size(0)),
        columns(gains.size(1)),
        batch(gains.size(2)),
        stems(gains.size(3)),
        channels(gains.size(4)),
        cells(gains.size(5)),
        bins(x.size(3)) {}
  std::int64_t gain(std::int64_t k, std::int64_t t, std::int64_t b, std::int64_t s, std::int64_t p) const {
    return ((((k * columns + t) * batch + b) * stems + s) * channels + p) * cells;
  }
  std::int64_t in(std::int64_t b, std::int64_t p, std::int64_t t) const { return ((b * channels + p) * columns + t) * bins * 2; }
  std::int64_t out(std::int64_t b, std::int64_t s, std::int64_t p, std::int64_t t) const {
    return (((b * stems + s) * channels + p) * columns + t) * bins * 2;
  }
  /// work(b, t) for every column of the batch, in parallel.
  template <class Work>
  void for_columns(const Work& work) const {
    parallel_for(batch * columns, 16, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) work(i / columns, i % columns);
    });
  }
  std::int64_t bands, columns, batch, stems, channels, cells, bins;
};

float* reals(const Tensor& z) { return reinterpret_cast<float*>(z.data_ptr<c10::complex<float>>()); }

class GainsOnColumns : public torch::autograd::Function<GainsOnColumns> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gains, const Tensor& x, const Tensor& edges) {
    const Layout at(gains, x);
    const Tensor y = torch::empty({at.batch, at.stems, at.channels, at.columns, at.bins}, x.options());
    const float *const g = gains.data_ptr<float>(), *const in = reals(x);
    float* const out = reals(y);
    const std::int64_t* const edge = edges.data_ptr<std::int64_t>();
    at.for_columns([&](std::int64_t b, std::int64_t t) {
      for (std::int64_t s = 0; s < at.stems; ++s)
        for (std::int64_t p = 0; p < at.channels; ++p)
          for (std::int64_t k = 0; k < at.bands; ++k)
            for (std::int64_t c = 0; c < at.cells; ++c) {
              const float gain = g[at.gain(k, t, b, s, p) + c];
              const std::int64_t first = edge[k * at.cells + c], last = edge[k * at.cells + c + 1];
              const float* const from = in + at.in(b, p, t);
              float* const to = out + at.out(b, s, p, t);
              for (std::int64_t i = 2 * first; i < 2 * last; ++i) to[i] = gain * from[i];
            }
    });
    context->save_for_backward({gains, x, edges});
    return y;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& of_result) {
    const tensor_list saved = context->get_saved_variables();
    const Layout at(saved[0], saved[1]);
    const Tensor of_y = of_result[0].contiguous(), of_gains = torch::empty_like(saved[0]);
    const float *const in = reals(saved[1]), *const dy = reals(of_y);
    float* const dg = of_gains.data_ptr<float>();
    const std::int64_t* const edge = saved[2].data_ptr<std::int64_t>();
    at.for_columns([&](std::int64_t b, std::int64_t t) {
      for (std::int64_t s = 0; s < at.stems; ++s)
        for (std::int64_t p = 0; p < at.channels; ++p)
          for (std::int64_t k = 0; k < at.bands; ++k)
            for (std::int64_t c = 0; c < at.cells; ++c) {
              const std::int64_t first = edge[k * at.cells + c], last = edge[k * at.cells + c + 1];
              const float *const from = in + at.in(b, p, t), *const d = dy + at.out(b, s, p, t);
              float sum = 0;
              for (std::int64_t i = 2 * first; i < 2 * last; ++i) sum += d[i] * from[i];
              dg[at.gain(k, t, b, s, p) + c] = sum;
            }
    });
    return {of_gains, Tensor(), Tensor()};
  }
};

}  // namespace

CellGrid::CellGrid(const std::vector<std::pair<std::int64_t, std::int64_t>>& runs, std::int64_t cells, std::int64_t bins) : cells_(cells) {
  std::vector<std::int64_t> edges;
  std::int64_t first = 0;
  for (const auto& [bins_per_cell, bands] : runs)
    for (std::int64_t i = 0; i < bands * cells; ++i, first += bins_per_cell) edges.push_back(first);
  if (edges.empty() || first > bins) throw Error{ErrorCode::kFormat, "the cells do not lie within the bins"};
  edges.push_back(bins);
  edges_ = torch::tensor(edges, torch::kInt64);
}

Tensor CellGrid::cell_of_bin() const { return torch::repeat_interleave(torch::arange(edges_.size(0) - 1), edges_.diff()); }

Tensor apply_gains(const CellGrid& grid, const Tensor& gains, const Tensor& x) {
  if (gains.device().is_cpu() && gains.scalar_type() == torch::kFloat32)
    return GainsOnColumns::apply(gains.contiguous(), x.contiguous(), grid.edges());
  const Tensor cells = gains.permute({2, 3, 4, 1, 0, 5}).flatten(4);  // [batch, stems, channels, columns, all cells]
  const Tensor per_bin = cells.index_select(4, grid.cell_of_bin().to(cells.device()));
  return torch::view_as_complex(torch::view_as_real(x).unsqueeze(1) * per_bin.unsqueeze(-1));
}

}  // namespace unbraid::nn
