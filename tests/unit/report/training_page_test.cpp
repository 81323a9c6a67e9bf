#include "unbraid/report/training_page.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/report/line_plot.hpp"

namespace unbraid::report {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(LinePlot, DrawsWhatIsFinite) {
  const Curve curve{.label = "a<b", .points = {{0, 0}, {1, 1}, {2, std::nan("")}, {3, 1}, {4, 2}}};
  const std::string svg = line_plot_svg({curve}, {.x_label = "step", .y_label = "loss"});
  const std::size_t path = svg.find("<path d=\"") + 9;
  const std::string d = svg.substr(path, svg.find('"', path) - path);
  EXPECT_EQ(count(d, "M"), 2u);  // the gap lifts the pen
  EXPECT_EQ(count(d, "L"), 2u);
  EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
  EXPECT_EQ(line_plot_svg({}, {}), "");
  EXPECT_EQ(line_plot_svg({{.label = "x", .points = {{1, INFINITY}}}}, {}), "");
  EXPECT_EQ(line_plot_svg({{.label = "x", .points = {{1, -1.0}}}}, {.logarithmic = true}), "");
  EXPECT_NE(line_plot_svg({{.label = "flat", .points = {{1, 5}}}}, {}), "");  // one point, no range
}

TEST(LinePlot, LongCurvesAreMeans) {
  Curve curve{.label = "long", .points = {}};
  for (int i = 0; i < 8000; ++i) curve.points.emplace_back(i, i % 2);  // mean ½ everywhere
  const std::string svg = line_plot_svg({curve, {.label = "range", .points = {{0, 0}, {7999, 1}}}}, {});
  const std::size_t path = svg.find("<path d=\"") + 9;
  const std::string d = svg.substr(path, svg.find('"', path) - path);
  EXPECT_LE(count(d, "L"), 400u);
  const std::string middle = d.substr(d.find(' ') + 1, d.find('L') - d.find(' ') - 1);
  EXPECT_EQ(count(d, " " + middle), 400u) << "every mean lies at the same height";
}

TEST(TrainingPage, ShowsTheRun) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(training_page(folder.path()), Error);
  std::ofstream(folder / "log.csv") << "step,loss,learning_rate,gradient_norm,samples_per_s,data_wait\n"
                                       "1,0.5,0.001,2,10,0.1\n2,0.25,0.001,1,11,0.0\n";
  std::ofstream(folder / "validation.csv") << "step,target,tracks,sdr,si_sdr,mix_sdr,mix_si_sdr\n"
                                              "2,vocals,3,4.5,4.25,-1,-1.5\n2,bass,0,,,,\n";
  std::ofstream(folder / "config.yaml") << "architecture: <tiny>\n";
  const std::string page = training_page(folder.path());
  EXPECT_NE(page.find("4.50"), std::string::npos);
  EXPECT_NE(page.find("-1.50"), std::string::npos);
  EXPECT_NE(page.find("architecture: &lt;tiny&gt;"), std::string::npos);
  EXPECT_EQ(count(page, "<svg"), 7u);
  EXPECT_EQ(page.find("http"), std::string::npos);
  std::ofstream(folder / "validation.csv") << "step,target,tracks,sdr,si_sdr,mix_sdr,mix_si_sdr\n2,vocals,3,4.5 dB,4.25,-1,-1.5\n";
  EXPECT_THROW(training_page(folder.path()), Error);
  std::ofstream(folder / "validation.csv") << "step,target,tracks,sdr,si_sdr,mix_sdr,mix_si_sdr\n";
  std::ofstream(folder / "log.csv") << "step,loss\n1\n";
  EXPECT_THROW(training_page(folder.path()), Error);
}

}  // namespace
}  // namespace unbraid::report
