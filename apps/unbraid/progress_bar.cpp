#include "progress_bar.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace unbraid::app {

namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::size_t kBarCells = 24;

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  return whole < 3600 ? fmt::format("{}:{:02}", whole / 60, whole % 60)
                      : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

/// At most so many characters, counting UTF-8 sequences as one.
std::string shortened(const std::string& text, std::size_t characters) {
  std::size_t count = 0, at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && count++ == characters) break;
  }
  return text.substr(0, at);
}

}  // namespace

ProgressBar::ProgressBar(bool shown) : shown_(shown && isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::set_title(std::string title) { title_ = std::move(title); }

Progress ProgressBar::progress() {
  if (!shown_) return {};
  return Progress([this](const Progress::Update& update) { draw(update); });
}

void ProgressBar::clear() {
  if (!on_screen_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  on_screen_ = false;
}

void ProgressBar::draw(const Progress::Update& update) {
  const Clock::time_point now = Clock::now();
  if (stage_ != update.stage || update.done == 0) {
    stage_ = update.stage;
    started_ = now;
  } else if (now - drawn_ < kRedraw) {
    return;
  }
  drawn_ = now;

  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double done = static_cast<double>(update.done);
  const double share = update.total > 0 ? std::min(1.0, done / static_cast<double>(update.total)) : 0.0;
  std::string line = fmt::format("{}  {} ", shortened(title_, 30), update.stage);
  if (update.total > 0) {
    const auto cells = static_cast<std::size_t>(share * kBarCells);
    for (std::size_t i = 0; i < kBarCells; ++i) line += i < cells ? "█" : "░";
    line += fmt::format(" {:3.0f} %", 100.0 * share);
  }
  if (share > 0.0 && elapsed > 0.5) line += fmt::format("  {} left", clock_time(elapsed * (1.0 - share) / share));
  if (elapsed > 0.5 && done > 0.0) {
    const double rate = done / elapsed;
    line += update.unit == "ms" ? fmt::format("  {:.1f} × real time", rate / 1000.0) : fmt::format("  {:.1f} {}/s", rate, update.unit);
  }
  fmt::print(stderr, "\r{}\033[K", shortened(line, terminal_columns() - 1));
  std::fflush(stderr);
  on_screen_ = true;
}

}  // namespace unbraid::app
