#include "train/losses.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/stft.hpp"
#include "nn/threads.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

using torch::Tensor;

constexpr double kEpsilon = 1e-8;
constexpr double kSnrThreshold = 1e-3;
constexpr double kLogFloor = 1e-5;
constexpr double kQuietest = 1e-2;  // root mean square of a magnitude: white noise at some -65 dB
constexpr std::int64_t kMostPermuted = 6;

struct NamedComparison {
  std::string_view name;
  Tensor (*compare)(const Tensor&, const Tensor&);
};
constexpr NamedComparison kComparisons[] = {
    {"l1", l1}, {"mse", mse}, {"snr", negative_snr}, {"si_sdr", negative_si_sdr}, {"cosine", cosine}};

/// The mixture has the shape of one stem, [batch, 1, …]. Empty for a name that is none of these.
Comparison comparison_named(const std::string& name, const Tensor& mixture = {}) {
  if (name == "thresholded_snr") return [mixture](const Tensor& e, const Tensor& r) { return negative_thresholded_snr(e, r, mixture); };
  const auto found = std::ranges::find(kComparisons, name, &NamedComparison::name);
  return found == std::end(kComparisons) ? Comparison() : Comparison(found->compare);
}

void require_same_shape(const Tensor& estimate, const Tensor& reference) {
  if (estimate.sizes() != reference.sizes())
    throw Error{ErrorCode::kUsage,
                fmt::format("the estimates have the shape [{}], the references [{}]", fmt::join(estimate.sizes(), ", "),
                            fmt::join(reference.sizes(), ", ")),
                "loss"};
}

/// [batch, stems, …] → [batch, stems, values].
Tensor rows(const Tensor& x) { return x.flatten(2); }

/// The same of two whose values are compared one by one, in the order in which the estimate lies in memory: spectrograms
/// come with their columns one after the other.
std::pair<Tensor, Tensor> matching_rows(const Tensor& estimate, const Tensor& reference) {
  require_same_shape(estimate, reference);
  const bool by_columns = estimate.dim() > 3 && estimate.stride(-1) > estimate.stride(-2);
  const auto order = [&](const Tensor& x) { return rows(by_columns ? x.transpose(-1, -2) : x).contiguous(); };
  return {order(estimate), order(reference)};
}

bool plain(const Tensor& a, const Tensor& b) {
  return a.device().is_cpu() && a.scalar_type() == torch::kFloat32 && b.scalar_type() == torch::kFloat32;
}

Tensor decibels(const Tensor& numerator, const Tensor& denominator) {
  return 10 * torch::log10((numerator + kEpsilon) / (denominator + kEpsilon));
}

nn::TorchStft stft_of_size(std::int64_t n_fft) { return {.n_fft = n_fft, .hop = n_fft / 4}; }

/// The STFT of every channel: [batch, stems, channels, bins, columns].
Tensor spectrum(const nn::TorchStft& stft, const Tensor& audio) {
  const Tensor z = stft.forward(audio.flatten(0, -2));
  std::vector<std::int64_t> shape(audio.sizes().begin(), audio.sizes().end() - 1);
  shape.insert(shape.end(), {z.size(-2), z.size(-1)});
  return z.view(shape);
}

/// mean |e − r| of [batch, stems, values] in one pass, which keeps only the signs: there is nothing larger in a training
/// step than the estimates, and torch goes over them eight times for this.
class MeanAbsoluteError : public torch::autograd::Function<MeanAbsoluteError> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& estimate, const Tensor& reference) {
    const std::int64_t count = estimate.size(0) * estimate.size(1), values = estimate.size(2);
    const Tensor result = torch::empty({estimate.size(0), estimate.size(1)}, estimate.options());
    const Tensor signs = torch::empty_like(estimate, torch::kInt8);
    constexpr std::int64_t kPiece = 1 << 14, kLanes = 64;  // the sum is the same for any number of threads
    const std::int64_t pieces = (values + kPiece - 1) / kPiece;
    std::vector<double> sums(static_cast<std::size_t>(count * pieces));
    const float *const e = estimate.data_ptr<float>(), *const r = reference.data_ptr<float>();
    std::int8_t* const sign = signs.data_ptr<std::int8_t>();
    nn::parallel_for(count * pieces, 4, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t piece = from; piece < to; ++piece) {
        const std::int64_t row = piece / pieces * values, first = piece % pieces * kPiece;
        float lanes[kLanes] = {};
        for (std::int64_t i = row + first; i < row + std::min(first + kPiece, values); i += kLanes) {
          const std::int64_t there = std::min(kLanes, row + values - i);
          for (std::int64_t lane = 0; lane < there; ++lane) {
            const float difference = e[i + lane] - r[i + lane];
            lanes[lane] += std::abs(difference);
            sign[i + lane] = static_cast<std::int8_t>((difference > 0) - (difference < 0));
          }
        }
        sums[static_cast<std::size_t>(piece)] = std::accumulate(lanes, lanes + kLanes, 0.0);
      }
    });
    for (std::int64_t row = 0; row < count; ++row) {
      const auto first = sums.begin() + row * pieces;
      result.data_ptr<float>()[row] = static_cast<float>(std::accumulate(first, first + pieces, 0.0) / static_cast<double>(values));
    }
    context->save_for_backward({signs});
    return result;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, const torch::autograd::tensor_list& of_result) {
    const Tensor signs = context->get_saved_variables()[0];
    const Tensor of_estimate = signs * (of_result[0] / static_cast<double>(signs.size(2))).unsqueeze(-1);
    return {of_estimate, context->needs_input_grad(1) ? -of_estimate : Tensor()};
  }
};

/// Between rows of [estimates; references].
struct Distance {
  std::size_t from, to;
  double weight;
};

/// Σ weight · ‖x_from − x_to‖² of [batch, stems, values] → [batch].
Tensor weighted_distances(const Tensor& estimate, const Tensor& reference, const std::vector<Distance>& distances) {
  const Tensor x = torch::cat({estimate, reference}, 1);
  Tensor sum = torch::zeros({x.size(0)}, x.options());
  for (const Distance& d : distances)
    sum = sum + d.weight * (x.select(1, static_cast<std::int64_t>(d.from)) - x.select(1, static_cast<std::int64_t>(d.to))).square().sum(-1);
  return sum;
}

/// The same with a gradient for the estimates, each in one pass over memory: a dozen distances of eight rows are the larger
/// part of a small network's step otherwise.
class WeightedDistances : public torch::autograd::Function<WeightedDistances> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& estimate, const Tensor& reference,
                        const std::vector<Distance>& distances) {
    const Tensor result = torch::empty({estimate.size(0)}, estimate.options());
    float* const out = result.data_ptr<float>();
    for_blocks(estimate, reference, [&](std::int64_t item, const auto& blocks) {
      double sum = 0;
      blocks([&](const std::vector<const float*>& x, std::int64_t, std::int64_t count) {
        for (const Distance& d : distances) sum += d.weight * squared_distance(x[d.from], x[d.to], count);
      });
      out[item] = static_cast<float>(sum);
    });
    context->save_for_backward({estimate, reference});
    std::vector<double> kept;
    for (const Distance& d : distances) kept.insert(kept.end(), {static_cast<double>(d.from), static_cast<double>(d.to), d.weight});
    context->saved_data["distances"] = kept;
    return result;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, const torch::autograd::tensor_list& of_result) {
    const torch::autograd::tensor_list saved = context->get_saved_variables();
    const Tensor estimate = saved[0].detach(), reference = saved[1];
    const std::vector<double> kept = context->saved_data["distances"].toDoubleVector();
    const Tensor gradient = torch::zeros_like(estimate), scale = of_result[0].contiguous();
    const std::int64_t stems = estimate.size(1), values = estimate.size(2);
    for_blocks(estimate, reference, [&](std::int64_t item, const auto& blocks) {
      float* const rows = gradient.data_ptr<float>() + item * stems * values;
      blocks([&](const std::vector<const float*>& x, std::int64_t at, std::int64_t count) {
        for (std::size_t i = 0; i < kept.size(); i += 3) {
          const auto from = static_cast<std::int64_t>(kept[i]), to = static_cast<std::int64_t>(kept[i + 1]);
          const float factor = static_cast<float>(2 * kept[i + 2]) * scale.data_ptr<float>()[item];
          add_difference(x[static_cast<std::size_t>(from)], x[static_cast<std::size_t>(to)], factor, count, rows + from * values + at);
          if (to < stems)
            add_difference(x[static_cast<std::size_t>(to)], x[static_cast<std::size_t>(from)], factor, count, rows + to * values + at);
        }
      });
    });
    return {gradient, Tensor(), Tensor()};
  }

 private:
  static double squared_distance(const float* a, const float* b, std::int64_t count) {
    constexpr std::int64_t kLanes = 64;
    float lanes[kLanes] = {};
    for (std::int64_t i = 0; i < count; i += kLanes)
      for (std::int64_t lane = 0; lane < std::min(kLanes, count - i); ++lane) {
        const float difference = a[i + lane] - b[i + lane];
        lanes[lane] += difference * difference;
      }
    return std::accumulate(lanes, lanes + kLanes, 0.0);
  }

  static void add_difference(const float* __restrict a, const float* __restrict b, float factor, std::int64_t count, float* __restrict to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += factor * (a[i] - b[i]);
  }

  /// For every item in parallel work(item, blocks), where blocks calls what it is given with all rows, some values at a time.
  template <class Work>
  static void for_blocks(const Tensor& estimate, const Tensor& reference, const Work& work) {
    const std::int64_t stems = estimate.size(1), values = estimate.size(2);
    const float *const e = estimate.data_ptr<float>(), *const r = reference.data_ptr<float>();
    nn::parallel_for(estimate.size(0), 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t item = first; item < last; ++item)
        work(item, [&](const auto& each) {
          constexpr std::int64_t kBlock = 1024;  // of eight rows: 32 kB
          std::vector<const float*> x(2 * static_cast<std::size_t>(stems));
          for (std::int64_t at = 0; at < values; at += kBlock) {
            for (std::int64_t s = 0; s < stems; ++s) {
              x[static_cast<std::size_t>(s)] = e + (item * stems + s) * values + at;
              x[static_cast<std::size_t>(stems + s)] = r + (item * stems + s) * values + at;
            }
            each(x, at, std::min(kBlock, values - at));
          }
        });
    });
  }
};

}  // namespace

Tensor l1(const Tensor& estimate, const Tensor& reference) {
  if (!plain(estimate, reference)) return rows(estimate - reference).abs().mean(-1);
  const auto [e, r] = matching_rows(estimate, reference);
  return MeanAbsoluteError::apply(e, r);
}

Tensor mse(const Tensor& estimate, const Tensor& reference) { return rows(estimate - reference).square().mean(-1); }

Tensor negative_snr(const Tensor& estimate, const Tensor& reference) {
  return -decibels(rows(reference).square().sum(-1), rows(reference - estimate).square().sum(-1));
}

Tensor negative_thresholded_snr(const Tensor& estimate, const Tensor& reference, const Tensor& mixture) {
  const Tensor energy = rows(mixture).square().sum(-1);
  return decibels(rows(reference - estimate).square().sum(-1) + kSnrThreshold * energy, energy);
}

Tensor negative_si_sdr(const Tensor& estimate, const Tensor& reference) {
  const Tensor e = rows(estimate), r = rows(reference);
  const Tensor scaled = (e * r).sum(-1, true) / (r.square().sum(-1, true) + kEpsilon) * r;
  return -decibels(scaled.square().sum(-1), (scaled - e).square().sum(-1));
}

Tensor cosine(const Tensor& estimate, const Tensor& reference) {
  const Tensor e = rows(estimate), r = rows(reference);
  // ε under the root: the norm of silence has no gradient otherwise.
  const Tensor norms = (e.square().sum(-1) + kEpsilon * kEpsilon).sqrt() * (r.square().sum(-1) + kEpsilon * kEpsilon).sqrt();
  return 1 - (e * r).sum(-1) / (norms + kEpsilon);
}

Tensor multi_resolution_stft(const Tensor& estimate, const Tensor& reference, const Tensor& mixture,
                             const std::vector<std::int64_t>& n_ffts) {
  Tensor sum;
  for (const std::int64_t n_fft : n_ffts) {
    const nn::TorchStft stft = stft_of_size(n_fft);
    const Tensor e = rows(spectrum(stft, estimate).abs()), r = rows(spectrum(stft, reference).abs());
    const Tensor energy_of_mixture = rows(spectrum(stft, mixture).abs()).square().sum(-1);
    const Tensor distance = ((r - e).square().sum(-1) + kEpsilon * kEpsilon).sqrt();
    const double least = kQuietest * kQuietest * static_cast<double>(r.size(-1));
    const Tensor energy = torch::maximum(r.square().sum(-1), kSnrThreshold * energy_of_mixture).clamp_min(least);
    const Tensor convergence = distance / energy.sqrt();
    const Tensor logarithms = ((r + kLogFloor).log() - (e + kLogFloor).log()).abs().mean(-1);
    const Tensor one = convergence + logarithms;
    sum = sum.defined() ? sum + one : one;
  }
  return sum / static_cast<double>(n_ffts.size());
}

Tensor complex_stft(const Tensor& estimate, const Tensor& reference, const std::vector<std::int64_t>& n_ffts) {
  const Tensor difference = estimate - reference;  // the STFT is linear
  Tensor sum;
  for (const std::int64_t n_fft : n_ffts) {
    nn::TorchStft stft = stft_of_size(n_fft);
    stft.normalized = true;
    // Per complex value, so that real and imaginary part are added, not averaged.
    const Tensor one = 2 * rows(torch::view_as_real(spectrum(stft, difference))).abs().mean(-1);
    sum = sum.defined() ? sum + one : one;
  }
  return sum / static_cast<double>(n_ffts.size());
}

Tensor deepconvsep(const Tensor& estimate, const Tensor& reference, const std::vector<std::string>& stems,
                   const DeepConvSepWeights& weights) {
  const auto index = [&](const char* name) {
    const auto found = std::ranges::find(stems, name);
    if (found == stems.end()) throw Error{ErrorCode::kUsage, "needs the stems bass, drums, vocals and other", "loss deepconvsep"};
    return static_cast<std::size_t>(found - stems.begin());
  };
  const std::array<std::size_t, 4> order{index("bass"), index("drums"), index("vocals"), index("other")};
  constexpr std::size_t kBass = 0, kDrums = 1, kVocals = 2, kOther = 3;
  std::vector<Distance> distances;
  const auto to_reference = [&](std::size_t of, std::size_t which, double weight) {
    distances.push_back({order[of], stems.size() + order[which], weight});
  };
  for (const std::size_t j : {kBass, kDrums, kVocals}) to_reference(j, j, 1);
  for (std::size_t j = 0; j < order.size(); ++j)
    for (std::size_t k = j + 1; k < order.size(); ++k) distances.push_back({order[j], order[k], -weights.alpha});
  to_reference(kBass, kOther, -weights.beta);
  to_reference(kDrums, kOther, -weights.beta);
  to_reference(kVocals, kOther, -weights.gamma);
  if (estimate.size(1) != static_cast<std::int64_t>(stems.size()))
    throw Error{ErrorCode::kUsage, fmt::format("compares all {} stems, and the model gives {}", stems.size(), estimate.size(1)),
                "loss deepconvsep"};
  const auto [e, r] = matching_rows(estimate, reference);
  const Tensor loss = plain(e, r) ? WeightedDistances::apply(e, r, distances) : weighted_distances(e, r, distances);
  return weights.absolute ? loss.abs() : loss;
}

Tensor best_permutation(const Comparison& loss, const Tensor& estimate, const Tensor& reference) {
  const std::int64_t stems = reference.size(1);
  if (stems > kMostPermuted)
    throw Error{ErrorCode::kUsage, fmt::format("at most {} stems can be permuted", kMostPermuted), "loss.permutation_invariant"};
  std::vector<Tensor> shifted;  // shifted[s][:, k]: estimate (k + s) mod stems against reference k
  for (std::int64_t s = 0; s < stems; ++s) shifted.push_back(loss(estimate.roll(-s, 1), reference));
  std::vector<std::int64_t> order(static_cast<std::size_t>(stems));
  std::iota(order.begin(), order.end(), 0);
  std::vector<Tensor> totals;
  do {
    Tensor total;
    for (std::int64_t k = 0; k < stems; ++k) {
      const std::int64_t shift = (order[static_cast<std::size_t>(k)] - k + stems) % stems;
      const Tensor one = shifted[static_cast<std::size_t>(shift)].select(1, k);
      total = total.defined() ? total + one : one;
    }
    totals.push_back(total / static_cast<double>(stems));
  } while (std::ranges::next_permutation(order).found);
  return std::get<0>(torch::stack(totals).min(0));
}

LossTerm LossTerm::of(const models::Config& config) {
  LossTerm term;
  term.name = config.get<std::string>("name", term.name);
  term.weight = config.get<double>("weight", term.weight);
  term.domain = config.get<std::string>("domain", term.name == "deepconvsep" ? "magnitude" : "time");
  term.n_fft = config.get<std::int64_t>("n_fft", term.n_fft);
  term.hop = config.get<std::int64_t>("hop", term.n_fft / 4);
  term.n_ffts = config.get<std::vector<std::int64_t>>("n_ffts", term.n_ffts);
  term.permutation_invariant = config.get<bool>("permutation_invariant", false);
  term.deepconvsep.alpha = config.get<double>("alpha", term.deepconvsep.alpha);
  term.deepconvsep.beta = config.get<double>("beta", term.deepconvsep.beta);
  term.deepconvsep.gamma = config.get<double>("gamma", term.deepconvsep.gamma);
  term.deepconvsep.absolute = config.get<bool>("absolute", term.deepconvsep.absolute);
  config.refuse_others({});
  const auto require = [&](bool fine, const char* message) {
    if (!fine) throw Error{ErrorCode::kUsage, message, config.name()};
  };
  const bool compares = static_cast<bool>(comparison_named(term.name));
  require(compares || term.name == "mrstft" || term.name == "complex_stft" || term.name == "deepconvsep",
          "there are l1, mse, snr, thresholded_snr, si_sdr, cosine, mrstft, complex_stft and deepconvsep");
  require(term.domain == "time" || term.domain == "magnitude" || term.domain == "spectrum", "the domain is time, magnitude or spectrum");
  require(compares || term.domain == (term.name == "deepconvsep" ? "magnitude" : "time"), "this loss has a domain of its own");
  require(compares || !term.permutation_invariant, "this loss cannot be permutation-invariant");
  require(std::isfinite(term.weight) && term.weight >= 0, "the weight is at least 0");
  require(term.n_fft >= 16 && term.hop >= 1 && term.hop <= term.n_fft, "n_fft is at least 16, hop lies in 1 … n_fft");
  require(!term.n_ffts.empty() && std::ranges::all_of(term.n_ffts, [](auto n) { return n >= 16; }), "n_ffts are at least 16");
  return term;
}

Tensor total_loss(const std::vector<LossTerm>& terms, const Separated& data, models::Model& model) {
  // Made when a term asks for them.
  Tensor waveforms, truth = data.reference, own_reference, own_estimate, own_reference_spectra, own_estimate_spectra;
  const Tensor mixture = data.mix.unsqueeze(1);  // where the stems stand
  const auto in_time = [&] {
    if (waveforms.defined()) return waveforms;
    if (model.conditioned()) {  // of every example one stem, by lot: all of them would cost as many passes
      const std::int64_t batch = truth.size(0), stems = truth.size(1);
      const Tensor asked = torch::randint(stems, {batch}, torch::TensorOptions().dtype(torch::kInt64)).to(truth.device());
      const Tensor condition = torch::nn::functional::one_hot(asked, stems).to(torch::kFloat32);
      truth = truth.index({torch::arange(batch, asked.options()), asked}).unsqueeze(1);
      waveforms = model.forward_conditioned(data.mix, condition).unsqueeze(1);
    } else {
      waveforms = model.forward(data.mix);
    }
    waveforms = waveforms.to(torch::kFloat32);
    return waveforms;
  };
  Tensor sum;
  for (const LossTerm& term : terms) {
    const bool hears_mixture = term.name == "thresholded_snr" || term.name == "mrstft";
    Tensor estimate, reference, mix;
    if (term.on_spectra() && model.has_spectra()) {
      if (!own_estimate_spectra.defined()) {
        own_reference_spectra = torch::view_as_real(model.spectra(data.reference));
        own_estimate_spectra = torch::view_as_real(model.estimate_spectra(data.mix));
      }
      estimate = own_estimate_spectra;
      reference = own_reference_spectra;
      if (hears_mixture) mix = torch::view_as_real(model.spectra(mixture));
    } else if (term.on_magnitudes() && model.has_magnitudes()) {
      if (!own_estimate.defined()) {
        own_reference = model.magnitudes(data.reference);
        own_estimate = model.estimate_magnitudes(data.mix).to(torch::kFloat32);
      }
      estimate = own_estimate;
      reference = own_reference;
      if (hears_mixture) mix = model.magnitudes(mixture);
    } else {
      const std::int64_t frames = std::min(in_time().size(-1), truth.size(-1));  // some models give less, or whole excerpts
      const auto in_domain = [&](const Tensor& audio) {
        const Tensor cut = audio.narrow(-1, 0, frames);
        if (term.domain == "time") return cut;
        const Tensor z = spectrum({.n_fft = term.n_fft, .hop = term.hop}, cut);
        return term.on_spectra() ? torch::view_as_real(z) : z.abs();
      };
      estimate = in_domain(waveforms);
      reference = in_domain(truth);
      if (hears_mixture) mix = in_domain(mixture);
    }
    require_same_shape(estimate, reference);
    Tensor one;
    if (term.name == "mrstft") one = multi_resolution_stft(estimate, reference, mix, term.n_ffts);
    else if (term.name == "complex_stft") one = complex_stft(estimate, reference, term.n_ffts);
    else if (term.name == "deepconvsep") one = deepconvsep(estimate, reference, data.stems, term.deepconvsep);
    else if (term.permutation_invariant) one = best_permutation(comparison_named(term.name, mix), estimate, reference);
    else one = comparison_named(term.name, mix)(estimate, reference);
    one = term.weight * one.mean();
    sum = sum.defined() ? sum + one : one;
  }
  return sum;
}

}  // namespace unbraid::train
