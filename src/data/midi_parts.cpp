#include <algorithm>
#include <map>
#include <optional>

#include "unbraid/data/midi.hpp"

namespace unbraid::data {
namespace {

constexpr std::uint8_t kDrumChannel = 9;
constexpr std::uint8_t kBankCoarse = 0, kBankFine = 32;  ///< controllers that choose a bank

/// An event with the track it stands in.
struct Sourced {
  const MidiEvent* event;
  std::size_t track;
};

/// All channel messages in order of time; at one tick by track, and inside a track as written.
std::vector<Sourced> merged(const MidiFile& file) {
  std::vector<Sourced> all;
  for (std::size_t t = 0; t < file.tracks.size(); ++t)
    for (const MidiEvent& event : file.tracks[t])
      if (event.is_channel()) all.push_back({&event, t});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.event->tick < b.event->tick; });
  return all;
}

std::string track_name(const MidiFile& file, std::size_t track) {
  for (const MidiEvent& event : file.tracks[track])
    if (event.is_meta(kMetaTrackName)) return event.payload;
  return {};
}

/// A player: one channel of one track, or percussion as a whole. (track, channel)
using Lane = std::pair<std::size_t, std::uint8_t>;

Lane lane_of(const Sourced& sourced) {
  const std::uint8_t channel = sourced.event->channel();
  return {channel == kDrumChannel ? 0 : sourced.track, channel};
}

/// What is in force in a lane while the song is read.
struct LaneState {
  int program = 0;
  bool has_own_program = false;                               ///< set in its own track: other tracks no longer change it
  std::optional<MidiEvent> bank[2];                           ///< coarse, fine
  std::vector<MidiEvent> controls;                            ///< so far, without banks, for parts that start later
  std::map<int, std::size_t> parts;                           ///< program → index of the part
  std::map<std::uint8_t, std::vector<std::size_t>> sounding;  ///< key → the parts that hold it, oldest first
};

class Splitter {
 public:
  explicit Splitter(const MidiFile& file) : file_(file), events_(merged(file)) {
    for (const Sourced& sourced : events_)
      if (sourced.event->is_note_on()) lanes_.try_emplace(lane_of(sourced));
  }

  std::vector<MidiPart> split() {
    for (const Sourced& sourced : events_) {
      const MidiEvent& event = *sourced.event;
      if (event.is_note_on()) {
        note_on(sourced);
      } else if (event.is_note_off()) {
        note_off(sourced);
      } else if (const auto own = lanes_.find(lane_of(sourced)); own != lanes_.end()) {
        control(own->second, event, true);
      } else {  // from a track that plays nothing on the channel: meant for those that do
        for (auto& [lane, state] : lanes_)
          if (lane.second == event.channel()) control(state, event, false);
      }
    }
    end_hanging_notes();
    std::vector<MidiPart> ordered;
    std::stable_sort(order_.begin(), order_.end());
    for (const auto& [track, index] : order_) ordered.push_back(std::move(parts_[index]));
    return ordered;
  }

 private:
  void note_on(const Sourced& sourced) {
    const MidiEvent& event = *sourced.event;
    LaneState& state = lanes_.at(lane_of(sourced));
    const bool is_drum = event.channel() == kDrumChannel;
    const int program = is_drum ? kDrumProgram : state.program;
    const auto [found, is_new] = state.parts.try_emplace(program, parts_.size());
    if (is_new) {
      MidiPart part{.program = program, .is_drum = is_drum, .name = track_name(file_, sourced.track)};
      for (const auto& bank : state.bank)
        if (bank) part.events.push_back(*bank);
      part.events.push_back(
          {.status = static_cast<std::uint8_t>(0xC0 | event.channel()), .data = {static_cast<std::uint8_t>(state.program), 0}});
      for (MidiEvent& setup : part.events) setup.tick = 0;  // the sound is chosen before anything plays
      part.events.insert(part.events.end(), state.controls.begin(), state.controls.end());
      order_.emplace_back(sourced.track, parts_.size());
      parts_.push_back(std::move(part));
    }
    MidiPart& part = parts_[found->second];
    part.events.push_back(event);
    ++part.notes;
    state.sounding[event.data[0]].push_back(found->second);
  }

  void note_off(const Sourced& sourced) {
    const auto lane = lanes_.find(lane_of(sourced));
    if (lane == lanes_.end()) return;
    std::vector<std::size_t>& holders = lane->second.sounding[sourced.event->data[0]];
    if (holders.empty()) return;
    MidiPart& part = parts_[holders.front()];
    holders.erase(holders.begin());
    part.events.push_back(*sourced.event);
    part.end = std::max(part.end, sourced.event->tick);
  }

  void control(LaneState& state, const MidiEvent& event, bool is_own) {
    if (event.kind() == 0xC0) {
      if (!is_own && state.has_own_program) return;
      state.has_own_program |= is_own;
      state.program = event.data[0];
      if (event.channel() != kDrumChannel) return;  // what follows belongs to another part
    } else if (event.kind() == 0xB0 && (event.data[0] == kBankCoarse || event.data[0] == kBankFine)) {
      state.bank[event.data[0] == kBankFine] = event;
      return;
    } else {
      state.controls.push_back(event);
    }
    for (const auto& [program, index] : state.parts) parts_[index].events.push_back(event);
  }

  void end_hanging_notes() {
    std::uint64_t last_tick = 0;
    for (const auto& track : file_.tracks)
      if (!track.empty()) last_tick = std::max(last_tick, track.back().tick);
    for (const auto& [lane, state] : lanes_)
      for (const auto& [key, holders] : state.sounding)
        for (const std::size_t index : holders) {
          parts_[index].events.push_back({.tick = last_tick, .status = static_cast<std::uint8_t>(0x80 | lane.second), .data = {key, 64}});
          parts_[index].end = last_tick;
        }
  }

  const MidiFile& file_;
  std::vector<Sourced> events_;
  std::map<Lane, LaneState> lanes_;                         ///< those that play notes
  std::vector<MidiPart> parts_;                             ///< by first note
  std::vector<std::pair<std::size_t, std::size_t>> order_;  ///< (track of the first note, index in parts_)
};

}  // namespace

std::vector<MidiPart> split_by_instrument(const MidiFile& file) { return Splitter(file).split(); }

MidiFile part_file(const MidiFile& song, const MidiPart& part) {
  std::vector<MidiEvent> conductor;
  for (const auto& track : song.tracks)
    for (const MidiEvent& event : track)
      if (event.is_meta(kMetaTempo) || event.is_meta(kMetaTimeSignature) || event.is_meta(kMetaKeySignature)) conductor.push_back(event);
  std::stable_sort(conductor.begin(), conductor.end(), [](const auto& a, const auto& b) { return a.tick < b.tick; });
  std::vector<MidiEvent> events{{.status = 0xFF, .data = {kMetaTrackName, 0}, .payload = std::string(program_name(part.program))}};
  events.insert(events.end(), part.events.begin(), part.events.end());
  return {.format = 1, .division = song.division, .tracks = {std::move(conductor), std::move(events)}};
}

}  // namespace unbraid::data
