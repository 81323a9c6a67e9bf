#include "unbraid/io/audio_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include "unbraid/core/error.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::io {

namespace {

constexpr std::array kWritable{Container::kWav,  Container::kAiff, Container::kFlac,    Container::kOgg,
                               Container::kOpus, Container::kMp3,  Container::kStemMp4, Container::kM4a};

constexpr std::array<double, 5> kOpusRates{8000, 12000, 16000, 24000, 48000};
constexpr std::array<double, 9> kMp3Rates{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};
constexpr std::array<double, 12> kAacRates{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000};

std::span<const double> rates_of(Container container) {
  switch (container) {
    case Container::kOpus: return kOpusRates;
    case Container::kMp3: return kMp3Rates;
    case Container::kM4a:
    case Container::kStemMp4: return kAacRates;
    default: return {};
  }
}

}  // namespace

std::string_view to_string(Container container) {
  switch (container) {
    case Container::kWav: return "wav";
    case Container::kAiff: return "aiff";
    case Container::kFlac: return "flac";
    case Container::kOgg: return "ogg";
    case Container::kOpus: return "opus";
    case Container::kMp3: return "mp3";
    case Container::kM4a: return "m4a";
    case Container::kStemMp4: return "stem.mp4";
    case Container::kOther: return "other";
  }
  return "other";
}

std::string_view to_string(SampleFormat format) {
  switch (format) {
    case SampleFormat::kPcm8: return "pcm8";
    case SampleFormat::kPcm16: return "pcm16";
    case SampleFormat::kPcm24: return "pcm24";
    case SampleFormat::kPcm32: return "pcm32";
    case SampleFormat::kFloat32: return "float32";
    case SampleFormat::kFloat64: return "float64";
    case SampleFormat::kLossy: return "lossy";
  }
  return "lossy";
}

int bits(SampleFormat format) {
  switch (format) {
    case SampleFormat::kPcm8: return 8;
    case SampleFormat::kPcm16: return 16;
    case SampleFormat::kPcm24: return 24;
    case SampleFormat::kPcm32:
    case SampleFormat::kFloat32: return 32;
    case SampleFormat::kFloat64: return 64;
    case SampleFormat::kLossy: return 0;
  }
  return 0;
}

bool is_integer(SampleFormat format) { return format <= SampleFormat::kPcm32; }

bool is_lossy(Container container) {
  switch (container) {
    case Container::kOgg:
    case Container::kOpus:
    case Container::kMp3:
    case Container::kM4a:
    case Container::kStemMp4: return true;
    default: return false;
  }
}

std::string extension(Container container) { return "." + std::string(to_string(container)); }

Container container_for(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Container container : kWritable)
    if (name.ends_with(extension(container))) return container;
  if (name.ends_with(".aif")) return Container::kAiff;
  if (name.ends_with(".oga")) return Container::kOgg;
  if (name.ends_with(".wave")) return Container::kWav;
  throw Error{ErrorCode::kUsage, "cannot tell the format; use .wav, .aiff, .flac, .ogg, .opus, .mp3, .m4a or .stem.mp4", path.string()};
}

SampleFormat closest_format(Container container, SampleFormat wanted) {
  if (is_lossy(container)) return SampleFormat::kLossy;
  if (container == Container::kFlac) return std::min(wanted, SampleFormat::kPcm24);
  return wanted == SampleFormat::kLossy ? SampleFormat::kFloat32 : wanted;
}

double closest_sample_rate(Container container, double wanted) {
  const auto rates = rates_of(container);
  if (rates.empty()) return wanted;
  const auto found = std::lower_bound(rates.begin(), rates.end(), wanted);
  return found == rates.end() ? rates.back() : *found;
}

}  // namespace unbraid::io
