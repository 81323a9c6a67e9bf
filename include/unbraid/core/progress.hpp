#pragma once
// Telling the caller how far long work has come.
//
//   Progress progress([](const Progress::Update& u) { draw_bar(u.done, u.total); });
//   progress.start("separate", total_frames, "frames");
//   progress.advance(block_frames);
//
// Copies share one state. advance() may be called from any thread; the observer is called by one thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace unbraid {

class Progress {
 public:
  struct Update {
    std::string stage;    ///< what is going on, a verb: "separate"
    std::string unit;     ///< what is counted: "frames", "tracks"
    std::uint64_t done;   ///< in units
    std::uint64_t total;  ///< 0 when unknown
  };
  using Observer = std::function<void(const Update&)>;

  /// Nobody watches.
  Progress() = default;
  explicit Progress(Observer observer);

  void start(std::string stage, std::uint64_t total, std::string unit) const;
  void advance(std::uint64_t units) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace unbraid
