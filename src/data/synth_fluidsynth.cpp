#include "data/synth_fluidsynth.hpp"

#include "unbraid/core/shared_library.hpp"

namespace unbraid::data {
namespace {

#ifdef __APPLE__
constexpr const char* kLibrary = "libfluidsynth.3.dylib";
#else
constexpr const char* kLibrary = "libfluidsynth.so.3";  // FluidSynth 2.2 and later
#endif

void say_nothing(int, const char*, void*) {}

}  // namespace

const FluidSynth& FluidSynth::get() {
  static const FluidSynth fluid;  // a failed attempt throws and is repeated at the next call
  return fluid;
}

FluidSynth::FluidSynth() {
  const SharedLibrary library(kLibrary, "FluidSynth 2 is not installed (Debian: apt install libfluidsynth3)");
#define UNBRAID_RESOLVE(name) library.resolve(#name, name)
  UNBRAID_RESOLVE(new_fluid_settings);
  UNBRAID_RESOLVE(delete_fluid_settings);
  UNBRAID_RESOLVE(fluid_settings_setnum);
  UNBRAID_RESOLVE(fluid_settings_setint);
  UNBRAID_RESOLVE(fluid_settings_setstr);
  UNBRAID_RESOLVE(new_fluid_synth);
  UNBRAID_RESOLVE(delete_fluid_synth);
  UNBRAID_RESOLVE(fluid_synth_sfload);
  UNBRAID_RESOLVE(fluid_synth_noteon);
  UNBRAID_RESOLVE(fluid_synth_noteoff);
  UNBRAID_RESOLVE(fluid_synth_cc);
  UNBRAID_RESOLVE(fluid_synth_program_change);
  UNBRAID_RESOLVE(fluid_synth_channel_pressure);
  UNBRAID_RESOLVE(fluid_synth_key_pressure);
  UNBRAID_RESOLVE(fluid_synth_pitch_bend);
  UNBRAID_RESOLVE(fluid_synth_write_float);
  UNBRAID_RESOLVE(fluid_synth_get_internal_bufsize);
  UNBRAID_RESOLVE(fluid_is_soundfont);
  UNBRAID_RESOLVE(fluid_set_log_function);
#undef UNBRAID_RESOLVE
  // The library must not write to standard error; what matters comes back as an error code.
  for (const int level : {FLUID_PANIC, FLUID_ERR, FLUID_WARN, FLUID_INFO, FLUID_DBG}) fluid_set_log_function(level, say_nothing, nullptr);
  // The first synthesiser fills the library's tables and default modulators, and another thread's may be made before
  // it is done, without them. So the first one is made here, while everybody waits.
  fluid_settings_t* settings = new_fluid_settings();
  if (fluid_synth_t* synth = new_fluid_synth(settings)) delete_fluid_synth(synth);
  delete_fluid_settings(settings);
}

}  // namespace unbraid::data
