#include "unbraid/classic/subband.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "classic/sample_rate.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/biquad.hpp"
#include "unbraid/dsp/convolution.hpp"
#include "unbraid/dsp/fir.hpp"

namespace unbraid::classic {

namespace {

constexpr double kStopBandDb = 60;

dsp::KaiserDesign kaiser(double edge_hz, const BandOptions& options, double sample_rate) {
  return dsp::kaiser_design(kStopBandDb, options.transition * edge_hz, sample_rate);
}

/// Forwards, then backwards.
void filter_both_ways(const std::vector<dsp::Biquad>& sections, MutableAudioView signal) {
  dsp::BiquadCascade forwards(sections, signal.channels()), backwards(sections, signal.channels());
  forwards.process(signal);
  const auto reverse = [&] {
    for (std::size_t c = 0; c < signal.channels(); ++c) std::ranges::reverse(signal.channel(c));
  };
  reverse();
  backwards.process(signal);
  reverse();
}

}  // namespace

void BandOptions::validate() const {
  if (edges_hz.empty()) throw Error{ErrorCode::kUsage, "needs at least one frequency", "edges_hz"};
  for (std::size_t i = 0; i < edges_hz.size(); ++i)
    if (!(edges_hz[i] > (i == 0 ? 0 : edges_hz[i - 1])))
      throw Error{ErrorCode::kUsage, "frequencies must be positive and ascend", "edges_hz"};
  if (!(transition > 0 && transition <= 2)) throw Error{ErrorCode::kUsage, "must lie between 0 and 2", "transition"};
  if (order != 2 && order != 4 && order != 8) throw Error{ErrorCode::kUsage, "must be 2, 4 or 8", "order"};
}

AudioBuffer low_band(AudioView signal, double edge_hz, const BandOptions& options, double sample_rate, ThreadPool& pool) {
  if (edge_hz >= sample_rate / 2) return AudioBuffer(signal);
  if (options.filter == BandOptions::Filter::kFir) {
    const dsp::KaiserDesign design = kaiser(edge_hz, options, sample_rate);
    AudioBuffer out(signal.channels(), signal.frames());
    dsp::filter_aligned(signal,
                        dsp::fir_low_pass({.sample_rate = sample_rate,
                                           .high_hz = edge_hz,
                                           .taps = design.taps,
                                           .window = dsp::WindowKind::kKaiser,
                                           .kaiser_beta = design.beta}),
                        out, pool);
    return out;
  }
  AudioBuffer out(signal);
  filter_both_ways(dsp::butterworth_low_pass({.sample_rate = sample_rate, .frequency_hz = edge_hz, .order = options.order / 2}), out);
  return out;
}

std::vector<AudioBuffer> split_bands(AudioView signal, const BandOptions& options, double sample_rate, ThreadPool& pool) {
  options.validate();
  std::vector<AudioBuffer> bands;
  for (const double edge : options.edges_hz) bands.push_back(low_band(signal, edge, options, sample_rate, pool));
  bands.emplace_back(signal);
  for (std::size_t b = bands.size() - 1; b > 0; --b) add_scaled(bands[b - 1], -1.0f, bands[b]);
  return bands;
}

std::size_t context_frames(const BandOptions& options, double sample_rate) {
  std::size_t most = 0;
  for (const double edge : options.edges_hz) {
    if (edge >= sample_rate / 2) continue;
    if (options.filter == BandOptions::Filter::kFir) {
      most = std::max(most, kaiser(edge, options, sample_rate).taps / 2);
      continue;
    }
    // The slowest pole of a Butterworth filter of order n decays by ω·sin(π/2n) per second, and twice the filter
    // multiplies that by a line: 20 time constants leave 21·exp(−20) < 1e-7.
    const double decay = 2 * std::numbers::pi * edge * std::sin(std::numbers::pi / static_cast<double>(options.order));
    most = std::max(most, static_cast<std::size_t>(std::ceil(20 / decay * sample_rate)));
  }
  return most;
}

namespace {

class SubbandSeparator final : public Separator {
 public:
  SubbandSeparator(const StreamFormat& format, std::vector<std::string> stems, BandOptions options) : options_(std::move(options)) {
    require_sample_rate(format.sample_rate);
    const std::size_t context = context_frames(options_, format.sample_rate);
    const auto core = static_cast<std::size_t>(std::ceil(10 * format.sample_rate));
    info_ = {.stems = std::move(stems),
             .sample_rate = format.sample_rate,
             .channels = format.channels,
             .blocks = Chunked{.length = core + 2 * context, .overlap = 0, .window = BlockWindow::kBox, .context = context}};
    info_.working_bytes = [channels = format.channels, context](std::size_t frames) {
      return (frames * channels + 64 * context + 65536) * sizeof(float);  // one more copy, and the transforms
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    std::vector<AudioBuffer> bands = split_bands(block, options_, info_.sample_rate, run.pool);
    Stems stems;
    for (std::size_t b = 0; b < bands.size(); ++b) stems.add(info_.stems[b], std::move(bands[b]));
    return stems;
  }

 private:
  SeparatorInfo info_;
  BandOptions options_;
};

/// "200,2000" → {200, 2000}
std::vector<double> parse_edges(const std::string& text) {
  std::vector<double> edges;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    double value = 0;
    const auto [next, status] = std::from_chars(at, end, value);
    if (status != std::errc{} || (next < end && *next != ','))
      throw Error{ErrorCode::kUsage, "'" + text + "' is not a list of frequencies such as 200,2000", "edges_hz"};
    edges.push_back(value);
    at = next < end ? next + 1 : next;
  }
  return edges;
}

std::vector<std::string> band_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t b = 1; b <= count; ++b) names.push_back("band" + std::to_string(b));
  return names;
}

constexpr const char* kPaper =
    "Kaiser, Nonrecursive digital filter design using the I0-sinh window function, ISCAS 1974; Linkwitz, Riley, Active "
    "crossover networks for noncoincident drivers, JAES 24(1), 1976";

std::vector<Parameter> filter_parameters() {
  return {{.name = "filter",
           .help = "kind of filter; all bands sum to the mix with each",
           .value = std::string("fir"),
           .choices = {"fir", "linkwitz_riley"}},
          {.name = "transition",
           .help = "width of the FIR transition bands, as a share of their frequency",
           .value = 0.5,
           .minimum = 0.01,
           .maximum = 2},
          {.name = "order", .help = "slope of the Linkwitz-Riley filters", .value = std::string("4"), .choices = {"2", "4", "8"}}};
}

BandOptions band_options(std::vector<double> edges, const ParameterValues& values) {
  BandOptions options{.edges_hz = std::move(edges),
                      .filter = values.text("filter") == "fir" ? BandOptions::Filter::kFir : BandOptions::Filter::kLinkwitzRiley,
                      .transition = values.number("transition"),
                      .order = static_cast<std::size_t>(std::stoul(values.text("order")))};
  options.validate();
  return options;
}

}  // namespace

Method subband_method() {
  Method method{.name = "subband",
                .summary = "frequency bands that sum to the recording exactly",
                .paper = kPaper,
                .stems = band_names(4),
                .parameters = filter_parameters()};
  method.parameters.insert(
      method.parameters.begin(),
      {.name = "edges_hz", .help = "frequencies between the bands, ascending", .unit = "Hz", .value = std::string("200,1000,5000")});
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    const BandOptions options = band_options(parse_edges(values.text("edges_hz")), values);
    return std::make_unique<SubbandSeparator>(format, band_names(options.edges_hz.size() + 1), options);
  };
  return method;
}

Method lowpass_method() {
  Method method{.name = "lowpass",
                .summary = "the low end (bass, kick) and the rest, by one filter",
                .paper = kPaper,
                .stems = {"low", "high"},
                .parameters = filter_parameters()};
  method.parameters.insert(
      method.parameters.begin(),
      {.name = "cutoff_hz", .help = "where both stems are 6 dB down", .unit = "Hz", .value = 200.0, .minimum = 1, .maximum = 1e6});
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    return std::make_unique<SubbandSeparator>(format, std::vector<std::string>{"low", "high"},
                                              band_options({values.number("cutoff_hz")}, values));
  };
  return method;
}

}  // namespace unbraid::classic
