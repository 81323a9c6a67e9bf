#include "models/deepconvsep/deepconvsep.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/spectrogram_model.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

constexpr const char* kAccompaniment = "accompaniment";

/// Conv(1 × bins) and its transpose see a whole spectrum at once: products of matrices.
struct SpectralFilters : torch::nn::Module {
  SpectralFilters(std::vector<std::int64_t> weight_shape, std::int64_t biases) {
    weight = register_parameter("weight", torch::empty(weight_shape));
    bias = register_parameter("bias", torch::zeros({biases}));
    torch::nn::init::xavier_uniform_(weight);
  }
  Tensor weight, bias;
};

struct Decoder {
  torch::nn::Linear dense{nullptr};
  torch::nn::ConvTranspose2d time{nullptr};
  std::shared_ptr<SpectralFilters> spectrum;
};

template <class Layer>
Layer glorot(Layer layer) {
  torch::nn::init::xavier_uniform_(layer->weight);
  torch::nn::init::zeros_(layer->bias);
  return layer;
}

class DeepConvSep : public Model {
 public:
  DeepConvSep(const DeepConvSepConfig& config, ModelTraits traits)
      : Model(std::move(traits)), c_(config), rows_(c_.columns - c_.time_kernel + 1) {
    const std::int64_t bins = c_.stft.bins(), flat = rows_ * c_.time_filters;
    spectrum_ = register_module("vertical_convolution",
                                std::make_shared<SpectralFilters>(std::vector<std::int64_t>{c_.filters, c_.channels, 1, bins}, c_.filters));
    time_ = register_module("horizontal_convolution",
                            glorot(torch::nn::Conv2d(torch::nn::Conv2dOptions(c_.filters, c_.time_filters, {c_.time_kernel, 1}))));
    dense_ = register_module("global_dense", glorot(torch::nn::Linear(flat, c_.hidden)));
    for (const std::string& stem : this->traits().stems) {
      Decoder decoder;
      decoder.dense = register_module("single_dense_" + stem, glorot(torch::nn::Linear(c_.hidden, flat)));
      decoder.time = register_module(
          "horizontal_deconvolution_" + stem,
          glorot(torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(c_.time_filters, c_.filters, {c_.time_kernel, 1}))));
      decoder.spectrum =
          register_module("vertical_deconvolution_" + stem,
                          std::make_shared<SpectralFilters>(std::vector<std::int64_t>{c_.filters, c_.channels, 1, bins}, c_.channels));
      decoders_.push_back(std::move(decoder));
    }
    if (!c_.accompaniment_of.empty()) rival_ = std::ranges::find(this->traits().stems, c_.accompaniment_of) - this->traits().stems.begin();
  }

  /// The seed's segments; whole ones, so that the output may be longer than the mixture.
  Tensor forward(const Tensor& mix) override {
    const Tensor z = analyse_segments(mix);  // [batch·segments, channels, bins, T]
    const Tensor stems = overlap_add(masks(z.abs()) * z.unsqueeze(1));
    return stems.unflatten(0, {mix.size(0), -1}).permute({0, 2, 3, 1, 4}).flatten(3);
  }

  bool has_magnitudes() const override { return true; }
  Tensor magnitudes(const Tensor& audio) const override { return side_by_side(analyse_segments(audio.unsqueeze(0)).abs(), audio); }
  Tensor estimate_magnitudes(const Tensor& mix) override {
    const Tensor mixture = analyse_segments(mix).abs();
    const Tensor found = masks(mixture) * mixture.unsqueeze(1);
    return found.unflatten(0, {mix.size(0), -1}).permute({0, 2, 3, 4, 1, 5}).flatten(4);
  }

  std::vector<Parameter> settings() const override {
    return {{.name = "framing",
             .help = "how a song is cut: excerpts of one spectrogram that overlap, or the seed's separate segments",
             .value = c_.framing,
             .choices = {"centred", "segments"},
             .source = "seed 001 has segments"}};
  }
  std::map<std::string, std::string> reference_settings() const override { return {{"framing", "segments"}}; }

  Tensor separate(const Tensor& mix, const ParameterValues& values, RunContext& run) override {
    if (mix.size(-1) == 0) return torch::zeros({mix.size(0), stem_count(), mix.size(1), 0});
    if (values.text("framing") == "segments") return forward(mix);
    return separate_centred(mix, run);
  }

 private:
  std::int64_t stem_count() const { return static_cast<std::int64_t>(decoders_.size()); }
  std::int64_t segment_frames() const { return c_.stft.hop * (c_.columns - 1) + c_.stft.n_fft; }

  /// Magnitudes [excerpts, channels, bins, T] → masks [excerpts, stems, channels, bins, T].
  Tensor masks(const Tensor& magnitudes) {
    if (magnitudes.size(1) != c_.channels)
      throw Error{ErrorCode::kUsage, fmt::format("{} channels for a model of {}", magnitudes.size(1), c_.channels)};
    const Tensor x = magnitudes.permute({0, 3, 1, 2});  // [excerpts, T, channels, bins]
    // One product for all excerpts: of three-dimensional tensors libtorch makes one each, and sums the gradients.
    const Tensor spectra =
        torch::linear(x.flatten(2).flatten(0, 1), spectrum_->weight.flatten(1), spectrum_->bias).unflatten(0, {-1, c_.columns});
    tap("vertical_convolution", spectra);
    const Tensor shapes = time_->forward(spectra.transpose(1, 2).unsqueeze(3));  // [excerpts, N₂, rows, 1]
    tap("horizontal_convolution", shapes.squeeze(3).transpose(1, 2));
    const Tensor code = torch::relu(dense_->forward(shapes.permute({0, 2, 3, 1}).flatten(1)));
    tap("global_dense", code);
    tap_excerpt("magnitude", x.transpose(2, 3));

    std::vector<Tensor> y;
    for (std::size_t j = 0; j < decoders_.size(); ++j) y.push_back(decode(code, decoders_[j], traits().stems[j]));
    Tensor all = y[0];
    for (std::size_t j = 1; j < y.size(); ++j)
      if (!is_accompaniment(j)) all = all + y[j];
    std::vector<Tensor> shares;
    for (std::size_t j = 0; j < y.size(); ++j) {
      shares.push_back(y[j] / (is_accompaniment(j) ? y[j] + y[static_cast<std::size_t>(rival_)] : all));
      tap_excerpt("division_" + traits().stems[j], shares[j].transpose(2, 3));
    }
    return torch::stack(shares, 1).permute({0, 1, 3, 4, 2});
  }

  /// One stem's |·| [excerpts, T, channels, bins]; above zero, so that stems have equal shares where nothing is estimated at all.
  Tensor decode(const Tensor& code, Decoder& decoder, const std::string& stem) {
    const Tensor flat = torch::relu(decoder.dense->forward(code));
    tap("single_dense_" + stem, flat);
    const Tensor shapes = flat.unflatten(1, {rows_, 1, c_.time_filters}).permute({0, 3, 1, 2});
    const Tensor spectra = decoder.time->forward(shapes).squeeze(3).transpose(1, 2);  // [excerpts, T, N₁]
    tap("horizontal_deconvolution_" + stem, spectra);
    constexpr double kLeast = 1e-30;
    const std::int64_t bins = c_.stft.bins();
    const Tensor bias = decoder.spectrum->bias.unsqueeze(1).expand({c_.channels, bins}).flatten();
    const Tensor y = torch::linear(spectra.flatten(0, 1), decoder.spectrum->weight.flatten(1).t(), bias)
                         .view({spectra.size(0), c_.columns, c_.channels, bins});
    const Tensor module = y.abs().add_(kLeast);
    tap_excerpt("module_" + stem, module.transpose(2, 3));
    return module;
  }

  bool is_accompaniment(std::size_t j) const { return rival_ >= 0 && j + 1 == decoders_.size(); }

  /// The second excerpt alone, as the reference's values of these layers are kept.
  void tap_excerpt(const std::string& name, const Tensor& value) const {
    if (value.size(0) > 0) tap(name, value[std::min<std::int64_t>(1, value.size(0) - 1)]);
  }

  /// [batch, …, frames] → complex [batch·segments, …, bins, T] of whole segments, zeros after the end.
  Tensor analyse_segments(const Tensor& audio) const {
    const std::int64_t length = segment_frames();
    const std::int64_t segments = (audio.size(-1) + length - 1) / length;
    const Tensor padded = torch::constant_pad_nd(audio, {0, segments * length - audio.size(-1)});
    const Tensor cut = padded.unflatten(-1, {segments, length}).movedim(-2, 1).flatten(0, 1);  // [batch·segments, …, length]
    const Tensor z = torch::stft(cut.flatten(0, -2), c_.stft.n_fft, c_.stft.hop, c_.stft.n_fft, window(audio), /*center=*/false, "reflect",
                                 /*normalized=*/false, /*onesided=*/true, /*return_complex=*/true);
    std::vector<std::int64_t> shape(cut.sizes().begin(), cut.sizes().end() - 1);
    shape.insert(shape.end(), {z.size(1), z.size(2)});
    return z.view(shape);
  }

  /// [segments, …, bins, T] → [segments, …, frames]: frames times w / Σ w² of an endless row of frames.
  Tensor overlap_add(const Tensor& spectrum) const {
    const Tensor w = window(spectrum);
    const std::int64_t n_fft = c_.stft.n_fft, hop = c_.stft.hop, shifts = n_fft / hop;
    const Tensor synthesis = w / w.square().view({shifts, hop}).sum(0).repeat({shifts});
    const Tensor columns = torch::fft::irfft(spectrum.transpose(-1, -2), n_fft) * synthesis;  // [segments, …, T, n_fft]
    const Tensor parts = columns.flatten(0, -3).unflatten(2, {shifts, hop});                  // [rows, T, shifts, hop]
    Tensor sum;
    for (std::int64_t i = 0; i < shifts; ++i) {
      const Tensor placed = torch::constant_pad_nd(parts.select(2, i), {0, 0, i, shifts - 1 - i});
      sum = sum.defined() ? sum + placed : placed;
    }
    std::vector<std::int64_t> shape(spectrum.sizes().begin(), spectrum.sizes().end() - 2);
    shape.push_back(segment_frames());
    return sum.flatten(1).view(shape);
  }

  /// Values [segments, …, bins, T] of one signal [..., frames] → [..., bins, segments·T].
  static Tensor side_by_side(const Tensor& values, const Tensor& /*audio*/) { return values.movedim(0, -2).flatten(-2); }

  /// One centred spectrogram; the masks of excerpts that overlap by half, averaged with triangular weights.
  Tensor separate_centred(const Tensor& mix, RunContext& run) {
    nn::TorchStft stft = c_.stft;
    stft.reflect = false;
    stft.whole_hops = true;
    const std::int64_t batch = mix.size(0), channels = mix.size(1), t = c_.columns, step = (t + 1) / 2;
    const Tensor z = stft.forward(mix.flatten(0, 1)).unflatten(0, {batch, channels});
    const std::int64_t columns = z.size(3);
    const std::int64_t excerpts = columns <= t ? 1 : 1 + (columns - t + step - 1) / step;
    // As much silence before as a step, so that the first columns are seen in the middle of an excerpt, too.
    const std::int64_t all = (excerpts + 1) * step + t;
    const Tensor padded = torch::constant_pad_nd(z.abs(), {step, all - step - columns});
    const Tensor weights = torch::minimum(torch::arange(1, t + 1), torch::arange(t, 0, -1)).to(padded.options());
    Tensor sum = torch::zeros({batch, stem_count(), channels, z.size(2), all}, padded.options());
    Tensor norm = torch::zeros({all}, padded.options());
    constexpr std::int64_t kTogether = 32;             // excerpts per call of the network: the seed's batch
    const Tensor windows = padded.unfold(3, t, step);  // [batch, channels, bins, excerpts, T]
    const std::int64_t count = windows.size(3);
    for (std::int64_t from = 0; from < count; from += kTogether) {
      run.cancel.check();
      const std::int64_t n = std::min(kTogether, count - from);
      const Tensor found = masks(windows.narrow(3, from, n).permute({0, 3, 1, 2, 4}).flatten(0, 1)).unflatten(0, {batch, n}) * weights;
      for (std::int64_t i = 0; i < n; ++i) {
        sum.narrow(4, (from + i) * step, t).add_(found.select(1, i));
        norm.narrow(0, (from + i) * step, t).add_(weights);
      }
    }
    const Tensor mask = (sum / norm.clamp_min(1)).narrow(4, step, columns);
    const Tensor stems = stft.inverse((mask * z.unsqueeze(1)).flatten(0, 2), mix.size(2));
    return stems.view({batch, stem_count(), channels, -1});
  }

  Tensor window(const Tensor& where) const { return c_.stft.window.to(where.device()); }

  DeepConvSepConfig c_;
  std::int64_t rows_;        ///< of time after the second convolution
  std::int64_t rival_ = -1;  ///< the stem that the accompaniment is without
  std::shared_ptr<SpectralFilters> spectrum_;
  torch::nn::Conv2d time_{nullptr};
  torch::nn::Linear dense_{nullptr};
  std::vector<Decoder> decoders_;
};

}  // namespace

DeepConvSepConfig DeepConvSepConfig::of(const Config& config) {
  const Config audio = config.section("audio");
  const Config model = config.section("model");
  DeepConvSepConfig result;
  result.stft = stft_of(audio, {});
  result.channels = audio.get<std::int64_t>("num_channels", 1);
  result.columns = model.get<std::int64_t>("frames", 25);
  result.filters = model.get<std::int64_t>("filters", 50);
  result.time_filters = model.get<std::int64_t>("time_filters", 30);
  result.time_kernel = model.get<std::int64_t>("time_kernel", 12);
  result.hidden = model.get<std::int64_t>("hidden", 128);
  result.accompaniment_of = model.get<std::string>("accompaniment_of", "");
  model.refuse_others({});
  result.framing = config.section("inference").get<std::string>("framing", "centred");
  constexpr std::int64_t kMost = 65536;
  audio.check_range("num_channels", result.channels, 1, 64);
  model.check_range("frames", result.columns, 1, kMost);
  model.check_range("filters", result.filters, 1, kMost);
  model.check_range("time_filters", result.time_filters, 1, kMost);
  model.check_range("time_kernel", result.time_kernel, 1, result.columns);
  model.check_range("hidden", result.hidden, 1, kMost);
  if (result.stft.n_fft % result.stft.hop != 0) throw Error{ErrorCode::kUnsupported, "hop_length must divide n_fft", audio.name()};
  if (result.framing != "centred" && result.framing != "segments")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown framing {}; there are centred and segments", result.framing), config.name()};
  return result;
}

std::shared_ptr<Model> make_deepconvsep(const DeepConvSepConfig& config, ModelTraits traits) {
  for (const std::string& stem : traits.stems)
    if (stem.empty() || stem.find('.') != std::string::npos)
      throw Error{ErrorCode::kFormat, "a stem's name may not be empty or hold a dot", stem};
  if (!config.accompaniment_of.empty()) {
    if (std::ranges::find(traits.stems, config.accompaniment_of) == traits.stems.end())
      throw Error{ErrorCode::kFormat, "accompaniment_of names no stem", config.accompaniment_of};
    traits.stems.emplace_back(kAccompaniment);
  }
  return std::make_shared<DeepConvSep>(config, std::move(traits));
}

}  // namespace unbraid::models
