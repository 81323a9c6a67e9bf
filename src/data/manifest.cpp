// CSV manifests. Two forms, told apart by the header, with paths relative to the file:
//   track,split,mixture,vocals,drums   one row per track; split and mixture may be left out, cells may be empty
//   instrum,path                       one row per file: a pool of single stems

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "data/listing.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::data {

namespace fs = std::filesystem;

namespace {

/// The cells of one line (RFC 4180, without line breaks inside cells).
std::vector<std::string> cells_of(const std::string& line, std::size_t number, const std::string& file) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') cells.back() += line[++i];
    else if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) cells.emplace_back();
    else if (c != '\r') cells.back() += c;
  }
  if (quoted) throw Error{ErrorCode::kFormat, fmt::format("line {}: a quote is not closed", number), file};
  return cells;
}

}  // namespace

Listing list_manifest(const fs::path& csv) {
  if (fs::is_directory(csv) || csv.extension() != ".csv") return {};
  const std::string file = csv.string();
  std::ifstream stream(csv);
  std::string line;
  if (!stream || !std::getline(stream, line)) throw Error{ErrorCode::kFormat, "an empty manifest", file};
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // the byte order mark that spreadsheets write
  const std::vector<std::string> header = cells_of(line, 1, file);

  const auto column = [&](std::string_view name) { return static_cast<std::size_t>(std::ranges::find(header, name) - header.begin()); };
  const bool pool = column("instrum") < header.size() && column("path") < header.size();
  const std::size_t name_column = std::min(column("track"), column("name"));
  if (!pool && name_column == header.size()) {
    throw Error{ErrorCode::kFormat, "line 1: the header names neither track nor instrum and path", file};
  }

  Listing listing{pool ? "stem_pools" : "manifest", {}};
  for (std::size_t number = 2; std::getline(stream, line); ++number) {
    if (line.empty() || line == "\r") continue;
    const std::vector<std::string> cells = cells_of(line, number, file);
    if (cells.size() != header.size()) {
      throw Error{ErrorCode::kFormat, fmt::format("line {}: {} cells where the header has {}", number, cells.size(), header.size()), file};
    }
    const auto resolve = [&](const std::string& cell) { return csv.parent_path() / cell; };
    Entry entry;
    fs::path mixture;
    std::vector<std::pair<std::string, fs::path>> stems;
    if (pool) {
      const fs::path path = resolve(cells[column("path")]);
      entry.name = title_of(path);
      stems.emplace_back(cells[column("instrum")], path);
    } else {
      for (std::size_t i = 0; i < header.size(); ++i) {
        if (i == name_column) entry.name = cells[i];
        else if (header[i] == "split") entry.split = cells[i];
        else if (cells[i].empty()) continue;
        else if (names_a_mixture(header[i])) mixture = resolve(cells[i]);
        else stems.emplace_back(header[i], resolve(cells[i]));
      }
      if (entry.name.empty()) throw Error{ErrorCode::kFormat, fmt::format("line {}: the track has no name", number), file};
    }
    entry.load = [mixture, stems] { return track_of_files(mixture, stems); };
    listing.entries.push_back(std::move(entry));
  }
  if (listing.entries.empty()) throw Error{ErrorCode::kFormat, "a manifest without tracks", file};
  return listing;
}

}  // namespace unbraid::data
