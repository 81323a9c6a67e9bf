#pragma once
// Tables for a terminal.
//
//   report::TextTable table({{"track"}, {"SI-SDR (dB)", report::Align::kRight}});
//   table.add_row({"Track00001", "4.18"});
//   fmt::print("{}", table.to_string());
//
// Columns are as wide as their widest cell, two spaces apart; widths count code points, so that names in any
// script line up (double-width characters excepted).

#include <string>
#include <vector>

namespace unbraid::report {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class TextTable {
 public:
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell per column (kInternal otherwise). Line breaks and control characters become spaces.
  void add_row(std::vector<std::string> cells);

  /// Title line, a rule, the rows; every line ends in a line break and none in spaces.
  std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace unbraid::report
