#include "unbraid/report/text_table.hpp"

#include <gtest/gtest.h>

#include "unbraid/core/error.hpp"

namespace unbraid::report {
namespace {

TEST(TextTable, AlignsByCodePoints) {
  TextTable table({{"track"}, {"dB", Align::kRight}});
  table.add_row({"Für Elise", "4.18"});
  table.add_row({"x", "-12.00"});
  EXPECT_EQ(table.to_string(),
            "track          dB\n"
            "-----------------\n"
            "Für Elise    4.18\n"
            "x          -12.00\n");
}

TEST(TextTable, EmptyTableAndBadRows) {
  TextTable table({{"a"}, {"b"}});
  EXPECT_EQ(table.to_string(), "a  b\n----\n");
  EXPECT_THROW(table.add_row({"one"}), Error);
  table.add_row({"two\nlines", ""});
  EXPECT_EQ(table.to_string(), "a          b\n------------\ntwo lines\n");
}

}  // namespace
}  // namespace unbraid::report
