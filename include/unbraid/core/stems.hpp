#pragma once
// The parts of a track by name, in a fixed order.
//
//   Stems stems;
//   stems.add("vocals", AudioBuffer(2, n));
//   stems.at("vocals").channel(0)[0] = 0.1f;
//
// The order is the order of adding: it is never sorted, so that "stem 0" means the same from the configuration
// of a model to the files on disk.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid {

struct Stem {
  std::string name;
  AudioBuffer audio;
};

class Stems {
 public:
  Stems() = default;
  /// Silent stems of one shape.
  Stems(const std::vector<std::string>& names, std::size_t channels, std::size_t frames);

  /// Appends a stem. kUsage when the name is taken.
  AudioBuffer& add(std::string name, AudioBuffer audio);

  std::size_t size() const noexcept { return stems_.size(); }
  bool empty() const noexcept { return stems_.empty(); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  const AudioBuffer* find(std::string_view name) const;

  /// The stem's audio. kNotFound lists the names there are.
  AudioBuffer& at(std::string_view name);
  const AudioBuffer& at(std::string_view name) const;

  Stem& operator[](std::size_t index) { return stems_[index]; }
  const Stem& operator[](std::size_t index) const { return stems_[index]; }
  std::vector<std::string> names() const;

  auto begin() { return stems_.begin(); }
  auto end() { return stems_.end(); }
  auto begin() const { return stems_.begin(); }
  auto end() const { return stems_.end(); }

 private:
  std::vector<Stem> stems_;
};

}  // namespace unbraid
