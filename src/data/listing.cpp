#include "data/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "unbraid/core/error.hpp"

namespace unbraid::data {

namespace fs = std::filesystem;

namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_audio(const fs::path& path) {
  static constexpr std::array kExtensions{".wav", ".flac", ".aif", ".aiff", ".ogg", ".opus", ".mp3", ".m4a", ".aac"};
  const std::string extension = lower(path.extension().string());
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

template <class Accept>
std::vector<fs::path> entries_in(const fs::path& folder, Accept accept) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
    if (it->path().filename().string().front() != '.' && accept(*it)) found.push_back(it->path());
  }
  if (failure) throw Error{ErrorCode::kIo, "cannot list the folder: " + failure.message(), folder.string()};
  std::ranges::sort(found, {}, [](const fs::path& p) { return p.filename().string(); });
  return found;
}

class ListedDataset final : public Dataset {
 public:
  explicit ListedDataset(Listing listing) : listing_(std::move(listing)) {}

  std::size_t size() const override { return listing_.entries.size(); }
  std::string track_name(std::size_t index) const override { return listing_.entries.at(index).name; }
  std::string split(std::size_t index) const override { return listing_.entries.at(index).split; }
  std::string format() const override { return listing_.format; }

  Track track(std::size_t index) const override {
    const Entry& entry = listing_.entries.at(index);
    Track track = entry.load();
    track.name = entry.name;
    track.split = entry.split;
    return track;
  }

 private:
  Listing listing_;
};

}  // namespace

DatasetPtr listed(Listing listing) { return std::make_shared<ListedDataset>(std::move(listing)); }

std::vector<fs::path> folders_in(const fs::path& folder) {
  return entries_in(folder, [](const fs::directory_entry& entry) { return entry.is_directory(); });
}

std::vector<fs::path> audio_in(const fs::path& folder) {
  return entries_in(folder, [](const fs::directory_entry& entry) { return entry.is_regular_file() && is_audio(entry.path()); });
}

std::string title_of(const fs::path& path) {
  const fs::path clean = fs::absolute(path / "").lexically_normal().parent_path();
  if (fs::is_directory(clean)) return clean.filename().string();
  const std::string name = clean.filename().string();
  const std::string suffix = ".stem.mp4";
  if (lower(name).ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  return clean.stem().string();
}

bool names_a_mixture(const std::string& name) {
  const std::string plain = lower(name);
  return plain == "mix" || plain == "mixture";
}

void sum_stems_as_mixture(Track& track, const std::string& context) {
  if (track.stems.empty()) throw Error{ErrorCode::kNotFound, "neither a mixture nor any stem", context};
  std::vector<SourcePtr> sources;
  for (const TrackStem& stem : track.stems) sources.push_back(stem.audio);
  track.mixture = sum_source(std::move(sources), track.stem_names());
  track.has_mixture_file = false;
}

Track track_of_files(const fs::path& mixture, const std::vector<std::pair<std::string, fs::path>>& stems) {
  Track track;
  for (const auto& [name, path] : stems) {
    if (track.find(name)) {
      track.warnings.push_back(fmt::format("there are several files for {}; {} is left out", name, path.filename().string()));
      continue;
    }
    if (!fs::exists(path)) {
      track.missing[name] = "no " + path.filename().string();
      track.warnings.push_back(fmt::format("{} is listed but there is no {}", name, path.string()));
      continue;
    }
    track.stems.push_back({.name = name, .instrument = {}, .audio = file_source(path)});
  }
  const bool expected = !mixture.empty();
  if (expected && fs::exists(mixture)) {
    track.mixture = file_source(mixture);
  } else {
    if (expected) track.warnings.push_back("there is no " + mixture.string() + "; the sum of the stems stands in");
    sum_stems_as_mixture(track, expected ? mixture.string() : "track");
  }
  if (track.has_mixture_file) {
    track.sample_rate = track.mixture->info().sample_rate;
    return track;
  }
  // A mixture that nobody wrote has the rate of its stems; whether they agree is asked when it is read.
  for (const TrackStem& stem : track.stems) {
    try {
      track.sample_rate = stem.audio->info().sample_rate;
      break;
    } catch (const Error&) {  // a damaged stem speaks up when it is read
    }
  }
  return track;
}

}  // namespace unbraid::data
