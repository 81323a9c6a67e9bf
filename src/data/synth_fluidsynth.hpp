#pragma once
// The FluidSynth library, opened on first use: it drags in some sixty sound-server libraries, which would
// slow the start of every command and which only `unbraid synth` needs.
//
//   const FluidSynth& fluid = FluidSynth::get();          // kUnsupported, with advice, when it is not
//   installed fluid_settings_t* settings = fluid.new_fluid_settings();

#include <fluidsynth.h>

namespace unbraid::data {

struct FluidSynth {
  static const FluidSynth& get();

  decltype(&::new_fluid_settings) new_fluid_settings;
  decltype(&::delete_fluid_settings) delete_fluid_settings;
  decltype(&::fluid_settings_setnum) fluid_settings_setnum;
  decltype(&::fluid_settings_setint) fluid_settings_setint;
  decltype(&::fluid_settings_setstr) fluid_settings_setstr;
  decltype(&::new_fluid_synth) new_fluid_synth;
  decltype(&::delete_fluid_synth) delete_fluid_synth;
  decltype(&::fluid_synth_sfload) fluid_synth_sfload;
  decltype(&::fluid_synth_noteon) fluid_synth_noteon;
  decltype(&::fluid_synth_noteoff) fluid_synth_noteoff;
  decltype(&::fluid_synth_cc) fluid_synth_cc;
  decltype(&::fluid_synth_program_change) fluid_synth_program_change;
  decltype(&::fluid_synth_channel_pressure) fluid_synth_channel_pressure;
  decltype(&::fluid_synth_key_pressure) fluid_synth_key_pressure;
  decltype(&::fluid_synth_pitch_bend) fluid_synth_pitch_bend;
  decltype(&::fluid_synth_write_float) fluid_synth_write_float;
  decltype(&::fluid_synth_get_internal_bufsize) fluid_synth_get_internal_bufsize;
  decltype(&::fluid_is_soundfont) fluid_is_soundfont;
  decltype(&::fluid_set_log_function) fluid_set_log_function;

 private:
  FluidSynth();
};

}  // namespace unbraid::data
