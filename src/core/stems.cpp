#include "unbraid/core/stems.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid {

Stems::Stems(const std::vector<std::string>& names, std::size_t channels, std::size_t frames) {
  stems_.reserve(names.size());
  for (const std::string& name : names) add(name, AudioBuffer(channels, frames));
}

AudioBuffer& Stems::add(std::string name, AudioBuffer audio) {
  if (contains(name)) throw Error{ErrorCode::kUsage, "two stems of the same name", name};
  stems_.push_back({std::move(name), std::move(audio)});
  return stems_.back().audio;
}

const AudioBuffer* Stems::find(std::string_view name) const {
  for (const Stem& stem : stems_)
    if (stem.name == name) return &stem.audio;
  return nullptr;
}

const AudioBuffer& Stems::at(std::string_view name) const {
  if (const AudioBuffer* audio = find(name)) return *audio;
  throw Error{ErrorCode::kNotFound, fmt::format("no such stem; there are: {}", fmt::join(names(), ", ")), std::string(name)};
}

AudioBuffer& Stems::at(std::string_view name) { return const_cast<AudioBuffer&>(std::as_const(*this).at(name)); }

std::vector<std::string> Stems::names() const {
  std::vector<std::string> names;
  names.reserve(stems_.size());
  for (const Stem& stem : stems_) names.push_back(stem.name);
  return names;
}

}  // namespace unbraid
