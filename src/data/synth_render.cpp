#include "data/synth_render.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

#include "data/synth_fluidsynth.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::data {
namespace {

/// Puts most instruments at -40 to -20 LUFS, well above the absolute gate of the loudness measure. Samples
/// are floating point: nothing clips on the way to the loudness correction.
constexpr double kGain = 0.6;

/// FluidSynth keeps the samples of all synthesisers in one cache. Reading samples into it and letting go of them by several
/// threads at a time has crashed in FluidSynth 2.3.1.
std::mutex samples_lock;

void apply(const FluidSynth& fluid, fluid_synth_t* synth, const MidiEvent& event) {
  const int channel = event.channel();
  switch (event.kind()) {  // the return codes say only "no such voice sounds", which is no failure
    case 0x80: fluid.fluid_synth_noteoff(synth, channel, event.data[0]); break;
    case 0x90:
      event.data[1] ? fluid.fluid_synth_noteon(synth, channel, event.data[0], event.data[1])
                    : fluid.fluid_synth_noteoff(synth, channel, event.data[0]);
      break;
    case 0xA0: fluid.fluid_synth_key_pressure(synth, channel, event.data[0], event.data[1]); break;
    case 0xB0: fluid.fluid_synth_cc(synth, channel, event.data[0], event.data[1]); break;
    case 0xC0: {
      const std::scoped_lock lock(samples_lock);
      fluid.fluid_synth_program_change(synth, channel, event.data[0]);
      break;
    }
    case 0xD0: fluid.fluid_synth_channel_pressure(synth, channel, event.data[0]); break;
    case 0xE0: fluid.fluid_synth_pitch_bend(synth, channel, event.data[0] | event.data[1] << 7); break;
  }
}

/// The block at whose start FluidSynth's player would apply an event: the first whose start, in whole
/// milliseconds, reaches the event less half a tick.
std::size_t block_of(std::uint64_t tick, const TempoMap& tempo, double block_frames, double sample_rate) {
  const double half_tick_s = 0.5 * (tempo.seconds(tick + 1) - tempo.seconds(tick));
  const double due_ms = 1000 * (tempo.seconds(tick) - half_tick_s);
  // One division of whole numbers, so that a block that starts on a millisecond is counted there.
  const auto start_ms = [&](double block) { return std::floor(1000 * block * block_frames / sample_rate); };
  double block = std::max(0.0, std::floor(due_ms / 1000 * sample_rate / block_frames));
  while (start_ms(block) < due_ms) ++block;
  return static_cast<std::size_t>(block);
}

}  // namespace

void check_soundfont(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path))
    throw Error{ErrorCode::kNotFound, "no such SoundFont (Debian: apt install fluid-soundfont-gm; or --soundfont FILE)", path.string()};
  if (!FluidSynth::get().fluid_is_soundfont(path.c_str()))
    throw Error{ErrorCode::kFormat, "is not a SoundFont (.sf2 or .sf3)", path.string()};
}

AudioBuffer render_part(const MidiPart& part, const TempoMap& tempo, const RenderOptions& options, std::size_t frames) {
  const FluidSynth& fluid = FluidSynth::get();
  const std::unique_ptr<fluid_settings_t, decltype(fluid.delete_fluid_settings)> settings(fluid.new_fluid_settings(),
                                                                                          fluid.delete_fluid_settings);
  fluid.fluid_settings_setnum(settings.get(), "synth.sample-rate", options.sample_rate);
  fluid.fluid_settings_setnum(settings.get(), "synth.gain", kGain);
  fluid.fluid_settings_setint(settings.get(), "synth.reverb.active", options.reverb);
  fluid.fluid_settings_setint(settings.get(), "synth.chorus.active", options.chorus);
  fluid.fluid_settings_setint(settings.get(), "synth.threadsafe-api", 0);
  fluid.fluid_settings_setint(settings.get(), "synth.lock-memory", 0);
  // Only the part's own program is read from the SoundFont.
  fluid.fluid_settings_setint(settings.get(), "synth.dynamic-sample-loading", 1);
  const auto let_go = [&fluid](fluid_synth_t* synth) {
    const std::scoped_lock lock(samples_lock);
    fluid.delete_fluid_synth(synth);
  };
  std::unique_ptr<fluid_synth_t, decltype(let_go)> synth(nullptr, let_go);
  bool loaded = false;
  {
    const std::scoped_lock lock(samples_lock);
    synth.reset(fluid.new_fluid_synth(settings.get()));
    loaded = synth && fluid.fluid_synth_sfload(synth.get(), options.soundfont.c_str(), 1) >= 0;
  }
  if (!synth) throw Error{ErrorCode::kInternal, "FluidSynth gives no synthesiser at this sample rate"};
  if (!loaded) throw Error{ErrorCode::kFormat, "is a damaged SoundFont", options.soundfont.string()};

  AudioBuffer out(2, frames);
  const auto block = static_cast<std::size_t>(fluid.fluid_synth_get_internal_bufsize(synth.get()));
  std::size_t at = 0;
  const auto render_until = [&](std::size_t end) {
    if (end <= at) return;
    const int count = static_cast<int>(end - at);
    fluid.fluid_synth_write_float(synth.get(), count, out.channel(0).data() + at, 0, 1, out.channel(1).data() + at, 0, 1);
    at = end;
  };
  for (const MidiEvent& event : part.events) {
    const std::size_t boundary = block * block_of(event.tick, tempo, static_cast<double>(block), options.sample_rate);
    if (boundary >= frames) break;
    render_until(boundary);
    apply(fluid, synth.get(), event);
  }
  render_until(frames);
  return out;
}

}  // namespace unbraid::data
