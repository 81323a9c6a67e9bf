#pragma once
// A line on a terminal that shows how far work has come: share done, time left, speed as a multiple of real
// time.

#include <chrono>
#include <string>

#include "unbraid/core/progress.hpp"

namespace unbraid::app {

class ProgressBar {
 public:
  /// shown: false for a bar that never appears. Standard error that is no terminal gets no bar either.
  explicit ProgressBar(bool shown);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// What the line begins with: the name of the track.
  void set_title(std::string title);
  /// An observer of this bar, which must outlive it.
  Progress progress();
  /// Takes the line off the screen, so that something else can be printed.
  void clear();

 private:
  void draw(const Progress::Update& update);

  using Clock = std::chrono::steady_clock;
  bool shown_;
  bool on_screen_ = false;
  std::string title_;
  std::string stage_;
  Clock::time_point started_;  ///< of this stage
  Clock::time_point drawn_;
};

}  // namespace unbraid::app
