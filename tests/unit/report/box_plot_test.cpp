#include "unbraid/report/box_plot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace unbraid::report {
namespace {

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(BoxPlot, ShowsMedianMeanAndOutliers) {
  // Quartiles of 1…9 are 3 and 7, so the whiskers reach to −3 and 13 and 40 lies beyond; mean 85/10,
  // median 5.5.
  const std::string svg = box_plot_svg({{"a", {9, 8, 7, 6, 5, 4, 3, 2, 1, 40}}}, "dB");
  EXPECT_NE(svg.find("mean 8.50, median 5.50"), std::string::npos) << svg;
  EXPECT_EQ(count(svg, "<circle"), 1u);
  EXPECT_NE(svg.find("n = 10"), std::string::npos);
}

TEST(BoxPlot, EmptyAndInfiniteValuesKeepTheirPlace) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string svg = box_plot_svg({{"none", {}}, {"one", {3, infinity, std::nan("")}}}, "dB");
  EXPECT_NE(svg.find("n = 0"), std::string::npos);
  EXPECT_NE(svg.find("n = 1"), std::string::npos);
  EXPECT_EQ(count(svg, "<rect"), 1u);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(box_plot_svg({}, "").find("nan"), std::string::npos);
}

TEST(BoxPlot, NamesAreEscaped) {
  EXPECT_EQ(escape_html("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
  EXPECT_EQ(box_plot_svg({{"<script>", {1}}}, "").find("<script>"), std::string::npos);
}

}  // namespace
}  // namespace unbraid::report
