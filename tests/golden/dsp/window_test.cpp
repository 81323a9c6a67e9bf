// Windows against scipy.signal.get_window (fixtures dsp/windows.json).
#include "unbraid/dsp/window.hpp"

#include "support/fixtures.hpp"

namespace unbraid::dsp {
namespace {

using namespace unbraid::testing;

TEST(WindowGolden, EqualsScipy) {
  UNBRAID_NEEDS_FIXTURE("dsp/windows.json");
  const std::map<std::string, WindowKind> kinds{{"hann", WindowKind::kHann},         {"hamming", WindowKind::kHamming},
                                                {"blackman", WindowKind::kBlackman}, {"blackmanharris", WindowKind::kBlackmanHarris},
                                                {"boxcar", WindowKind::kBoxcar},     {"kaiser", WindowKind::kKaiser}};
  const nlohmann::json windows = load_json("dsp/windows.json").at("windows");
  int compared = 0;
  for (const auto& item : windows.items()) {
    const std::string& key = item.key();  // "kaiser_14.0|512|periodic"
    const nlohmann::json& expected = item.value();
    const std::string name = key.substr(0, key.find('|'));
    const auto found = kinds.find(name.substr(0, name.find('_')));
    if (found == kinds.end()) continue;
    const std::size_t length = std::stoul(key.substr(key.find('|') + 1));
    const WindowSpec spec{.kind = found->second,
                          .length = length,
                          .periodic = key.ends_with("|periodic"),
                          .kaiser_beta = found->first == "kaiser" ? std::stod(name.substr(7)) : 0};
    const auto window = make_window(spec);
    double sum = 0, squares = 0;
    for (const double value : window) sum += value, squares += value * value;
    EXPECT_NEAR(sum, expected.at("sum"), 1e-13 * static_cast<double>(length)) << key;
    EXPECT_NEAR(squares, expected.at("sum_sq"), 1e-13 * static_cast<double>(length)) << key;
    const auto compare = [&](std::size_t n, double value) { EXPECT_NEAR(window.at(n), value, 1e-13) << key; };
    if (expected.contains("v")) {
      for (std::size_t n = 0; n < length; ++n) compare(n, expected["v"].at(n));
    } else {
      for (std::size_t n = 0; n < 3; ++n) compare(n, expected.at("v[0:3]").at(n));
      compare(length / 3, expected.at("v[n//3]"));
      compare(length / 2, expected.at("v[n//2]"));
      compare(length - 1, expected.at("v[-1]"));
    }
    ++compared;
  }
  EXPECT_GE(compared, 60);  // at least six windows, five lengths, both symmetries
}

}  // namespace
}  // namespace unbraid::dsp
