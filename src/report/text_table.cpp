#include "unbraid/report/text_table.hpp"

#include <algorithm>
#include <numeric>

#include "unbraid/core/error.hpp"

namespace unbraid::report {

namespace {

std::size_t width_of(const std::string& text) {
  // Every byte but UTF-8's continuation bytes starts a code point.
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

void TextTable::add_row(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) throw Error{ErrorCode::kInternal, "a row needs one cell per column", "TextTable"};
  for (std::string& cell : cells) {
    std::ranges::replace_if(
        cell, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  }
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_string() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(width_of(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  const auto add_line = [&](auto cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = cell_of(i);
      const std::string fill(widths[i] - std::min(widths[i], width_of(cell)), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kRight ? fill + cell : cell + fill;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  add_line([&](std::size_t i) { return columns_[i].title; });
  text +=
      std::string(std::accumulate(widths.begin(), widths.end(), 2 * (widths.size() - std::min<std::size_t>(widths.size(), 1))), '-') + '\n';
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; });
  return text;
}

}  // namespace unbraid::report
