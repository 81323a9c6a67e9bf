#include "unbraid/unbraid.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/pipeline/separate.hpp"
#include "unbraid/pipeline/separate_file.hpp"

using namespace unbraid;

struct unbraid_context {
  explicit unbraid_context(std::size_t threads) : pool(threads) {}

  ThreadPool pool;
  Progress progress;
  CancelSource cancel;

  RunContext run() { return {.pool = pool, .progress = progress, .cancel = cancel.token()}; }
};

struct unbraid_method {
  Method method;
  std::map<std::string, std::string> values;  ///< that were set
  std::vector<std::string> texts;             ///< present values, by parameter
};

struct unbraid_stream {
  unbraid_context& context;
  std::unique_ptr<Separator> separator;
  std::size_t channels;
  SeparationStream stream;
  SeparatedBlock taken;
};

namespace {

constexpr std::size_t kPieceFrames = 1 << 16;  // copied from the caller's arrays at a time

thread_local std::string last_error;

unbraid_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage: return UNBRAID_USAGE;
    case ErrorCode::kNotFound: return UNBRAID_NOT_FOUND;
    case ErrorCode::kIo: return UNBRAID_IO;
    case ErrorCode::kFormat: return UNBRAID_FORMAT;
    case ErrorCode::kUnsupported: return UNBRAID_UNSUPPORTED;
    case ErrorCode::kResource: return UNBRAID_RESOURCE;
    case ErrorCode::kCancelled: return UNBRAID_CANCELLED;
    case ErrorCode::kInternal: return UNBRAID_INTERNAL;
  }
  return UNBRAID_INTERNAL;
}

/// Nothing that is thrown may reach C.
template <class Body>
unbraid_status guarded(Body&& body) noexcept {
  try {
    last_error.clear();
    body();
    return UNBRAID_OK;
  } catch (const std::exception& exception) {
    try {
      const Error error = error_of(exception);
      last_error = error.what();
      return status_of(error.code());
    } catch (...) {  // no memory for the text
      return UNBRAID_RESOURCE;
    }
  } catch (...) {
    return UNBRAID_INTERNAL;
  }
}

void require(const void* pointer, const char* what) {
  if (!pointer) throw Error{ErrorCode::kUsage, "must not be NULL", what};
}

/// One array per channel, or per stem and channel.
template <class Array>
void require_each(const Array* arrays, std::size_t count, const char* what) {
  require(arrays, what);
  for (std::size_t i = 0; i < count; ++i) require(arrays[i], what);
}

unbraid_options defaults() { return {.overlap = -1}; }

SeparationOptions separation_of(const unbraid_options& options) {
  SeparationOptions separation{
      .shifts = options.shifts, .seed = options.seed, .augment = options.augment, .consistent = options.consistent};
  if (!(options.overlap < 0)) separation.overlap = options.overlap;
  separation.validate();
  return separation;
}

StreamFormat format_of(double sample_rate, std::size_t channels) {
  if (channels == 0) throw Error{ErrorCode::kUsage, "there must be at least one", "channels"};
  return {.sample_rate = sample_rate, .channels = channels};
}

std::unique_ptr<Separator> separator_of(const unbraid_method& method, const StreamFormat& format, std::uint64_t seed) {
  return method.method.make(format, ParameterValues::resolve(method.method.parameters, method.values), seed);
}

void copy_in(const float* const* channels, std::size_t first, MutableAudioView block) {
  for (std::size_t c = 0; c < block.channels(); ++c) std::copy_n(channels[c] + first, block.frames(), block.channel(c).data());
}

const char* name_at(const std::vector<std::string>& names, std::size_t index) {
  return index < names.size() ? names[index].c_str() : nullptr;
}

}  // namespace

const char* unbraid_version(void) {
  static const std::string text(version());
  return text.c_str();
}

const char* unbraid_last_error(void) { return last_error.c_str(); }

unbraid_status unbraid_context_open(size_t threads, unbraid_context** context) {
  return guarded([&] {
    require(context, "context");
    *context = nullptr;
    *context = new unbraid_context(threads);
  });
}

void unbraid_context_close(unbraid_context* context) { delete context; }

void unbraid_context_on_progress(unbraid_context* context, unbraid_progress progress, void* user) {
  if (!context) return;
  context->progress = !progress ? Progress() : Progress([=](const Progress::Update& update) {
    progress(user, update.stage.c_str(), update.unit.c_str(), update.done, update.total);
  });
}

void unbraid_context_cancel(unbraid_context* context) {
  if (context) context->cancel.cancel();
}

const char* unbraid_builtin_method(size_t index) {
  const auto methods = catalog::methods();
  return index < methods.size() ? methods[index].name.c_str() : nullptr;
}

unbraid_status unbraid_method_open(const char* name, unbraid_method** method) {
  return guarded([&] {
    require(method, "method");
    *method = nullptr;
    auto opened = std::make_unique<unbraid_method>();
    opened->method = catalog::open_method({.weights = name ? std::string(name) : catalog::usual_method()}, {});
    for (const Parameter& parameter : opened->method.parameters)
      opened->texts.push_back(parameter.required ? "" : to_string(parameter.value));
    *method = opened.release();
  });
}

void unbraid_method_close(unbraid_method* method) { delete method; }

const char* unbraid_method_name(const unbraid_method* method) { return method ? method->method.name.c_str() : nullptr; }

const char* unbraid_method_stem(const unbraid_method* method, size_t index) {
  return method ? name_at(method->method.stems, index) : nullptr;
}

unbraid_status unbraid_method_parameter(const unbraid_method* method, size_t index, unbraid_parameter* parameter) {
  return guarded([&] {
    require(method, "method");
    require(parameter, "parameter");
    const auto& declared = method->method.parameters;
    if (index >= declared.size()) throw Error{ErrorCode::kUsage, fmt::format("there are {} parameters", declared.size()), "index"};
    const Parameter& found = declared[index];
    *parameter = {.name = found.name.c_str(),
                  .help = found.help.c_str(),
                  .unit = found.unit.c_str(),
                  .type = type_name(found.value).data(),
                  .value = method->texts[index].c_str(),
                  .minimum = found.minimum,
                  .maximum = found.maximum};
  });
}

unbraid_status unbraid_method_set(unbraid_method* method, const char* name, const char* value) {
  return guarded([&] {
    require(method, "method");
    require(name, "name");
    require(value, "value");
    const auto& declared = method->method.parameters;
    const auto found = std::ranges::find(declared, std::string(name), &Parameter::name);
    const auto checked = found == declared.end() ? declared : std::vector<Parameter>{*found};  // others may still be missing
    ParameterValues::resolve(checked, {{name, value}});
    method->values[name] = value;
    method->texts[static_cast<std::size_t>(found - declared.begin())] = value;
  });
}

void unbraid_options_init(unbraid_options* options) {
  if (options) *options = defaults();
}

unbraid_status unbraid_separate_file(unbraid_context* context, const unbraid_method* method, const char* input, const char* folder,
                                     const unbraid_options* options) {
  return guarded([&] {
    require(context, "context");
    require(method, "method");
    require(input, "input");
    require(folder, "folder");
    const unbraid_options wanted = options ? *options : defaults();
    RunContext run = context->run();
    separate_file(input, folder, method->method,
                  {.parameters = method->values,
                   .separation = separation_of(wanted),
                   .max_memory_bytes = static_cast<std::size_t>(wanted.max_memory),
                   .overwrite = wanted.overwrite},
                  run);
  });
}

unbraid_status unbraid_separate(unbraid_context* context, const unbraid_method* method, const float* const* mix, size_t channels,
                                size_t frames, double sample_rate, const unbraid_options* options, float* const* stems) {
  return guarded([&] {
    require(context, "context");
    require(method, "method");
    const StreamFormat format = format_of(sample_rate, channels);
    const unbraid_options wanted = options ? *options : defaults();
    const SeparationOptions separation = separation_of(wanted);
    require_each(mix, channels, "mix");
    require_each(stems, method->method.stems.size() * channels, "stems");
    const auto separator = separator_of(*method, format, wanted.seed);
    if (separator->info().stems != method->method.stems)
      throw Error{ErrorCode::kUnsupported, "its parameters decide its stems: use a stream, which names them", method->method.name};

    RunContext run = context->run();
    RunContext quiet{.pool = run.pool, .cancel = run.cancel};  // frames are counted, not what a method says of its block
    std::size_t at = 0;
    const ReadBlock read = [&](MutableAudioView block) {
      const std::size_t count = std::min(block.frames(), frames - at);
      copy_in(mix, at, block.slice(0, count));
      at += count;
      return count;
    };
    SeparationStream stream(*separator, format, separation, measure_stream(read, format, separator->info(), run.cancel));
    std::size_t done = 0;
    const auto drain = [&] {
      while (stream.ready()) {
        const SeparatedBlock piece = stream.take(quiet);
        for (std::size_t s = 0; s < piece.stems.size(); ++s)
          for (std::size_t c = 0; c < channels; ++c) {
            const auto samples = piece.stems[s].audio.channel(c);
            std::copy(samples.begin(), samples.end(), stems[s * channels + c] + done);
          }
        done += piece.mix.frames();
        run.progress.advance(piece.mix.frames());
      }
    };
    run.progress.start("separate", frames, "frames");
    at = 0;
    AudioBuffer block(channels, std::min(kPieceFrames, frames));
    while (const std::size_t got = read(block)) {
      stream.push(block.view().slice(0, got), quiet);
      drain();
    }
    stream.finish(quiet);
    drain();
  });
}

unbraid_status unbraid_stream_open(unbraid_context* context, const unbraid_method* method, double sample_rate, size_t channels,
                                   const unbraid_options* options, unbraid_stream** stream) {
  return guarded([&] {
    require(stream, "stream");
    *stream = nullptr;
    require(context, "context");
    require(method, "method");
    const StreamFormat format = format_of(sample_rate, channels);
    const unbraid_options wanted = options ? *options : defaults();
    const SeparationOptions separation = separation_of(wanted);
    auto separator = separator_of(*method, format, wanted.seed);
    if (separator->info().normalize != Normalization::kNone)
      throw Error{ErrorCode::kUnsupported, "wants the level of the whole recording first: it cannot separate a stream",
                  method->method.name};
    Separator& kept = *separator;
    *stream = new unbraid_stream{*context, std::move(separator), channels, SeparationStream(kept, format, separation), {}};
  });
}

void unbraid_stream_close(unbraid_stream* stream) { delete stream; }

unbraid_status unbraid_stream_push(unbraid_stream* stream, const float* const* frames, size_t count) {
  return guarded([&] {
    require(stream, "stream");
    require_each(frames, stream->channels, "frames");
    RunContext run = stream->context.run();
    AudioBuffer block(stream->channels, std::min(kPieceFrames, count));
    for (std::size_t first = 0; first < count; first += block.frames()) {
      const MutableAudioView piece = block.view().slice(0, std::min(block.frames(), count - first));
      copy_in(frames, first, piece);
      stream->stream.push(piece, run);
    }
  });
}

unbraid_status unbraid_stream_finish(unbraid_stream* stream) {
  return guarded([&] {
    require(stream, "stream");
    RunContext run = stream->context.run();
    stream->stream.finish(run);
  });
}

unbraid_status unbraid_stream_take(unbraid_stream* stream, size_t* frames) {
  return guarded([&] {
    require(frames, "frames");
    *frames = 0;
    require(stream, "stream");
    stream->taken = {};
    RunContext run = stream->context.run();
    while (stream->taken.mix.frames() == 0 && stream->stream.ready()) stream->taken = stream->stream.take(run);
    *frames = stream->taken.mix.frames();
  });
}

const char* unbraid_stream_stem_name(const unbraid_stream* stream, size_t index) {
  return stream ? name_at(stream->separator->info().stems, index) : nullptr;
}

const float* unbraid_stream_stem(const unbraid_stream* stream, size_t stem, size_t channel) {
  if (!stream || stem >= stream->taken.stems.size() || channel >= stream->channels) return nullptr;
  return stream->taken.stems[stem].audio.channel(channel).data();
}

const float* unbraid_stream_mix(const unbraid_stream* stream, size_t channel) {
  if (!stream || channel >= stream->taken.mix.channels()) return nullptr;
  return stream->taken.mix.channel(channel).data();
}
