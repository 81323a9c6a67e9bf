#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "support/fixtures.hpp"
#include "unbraid/catalog/device.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {
namespace {

std::string message_for(std::string_view name) {
  try {
    find(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(Methods, AreFoundByTheirNames) {
  for (const Method& method : methods()) EXPECT_EQ(&find(method.name), &method);
}

TEST(Methods, AreFullyDescribed) {
  std::set<std::string> names;
  ASSERT_FALSE(methods().empty());
  for (const Method& method : methods()) {
    SCOPED_TRACE(method.name);
    EXPECT_TRUE(names.insert(method.name).second) << "a name twice";
    EXPECT_FALSE(method.summary.empty());
    const bool needs_file = std::ranges::any_of(method.parameters, &Parameter::required);
    EXPECT_EQ(method.stems.empty(), needs_file);
    std::set<std::string> parameters;
    for (const Parameter& parameter : method.parameters) {
      EXPECT_TRUE(parameters.insert(parameter.name).second) << parameter.name << " twice";
      EXPECT_FALSE(parameter.help.empty()) << parameter.name;
    }
    if (needs_file) {
      EXPECT_THROW(ParameterValues::resolve(method.parameters), Error);
      continue;
    }
    // Defaults lie in their own ranges, and a separator made from them agrees with the description.
    const ParameterValues values = ParameterValues::resolve(method.parameters);
    const auto separator = method.make({.sample_rate = 44100, .channels = 2}, values, 0);
    EXPECT_EQ(separator->info().stems, method.stems);
    EXPECT_EQ(std::holds_alternative<WholeTrack>(separator->info().blocks), method.whole_track);
  }
}

TEST(Methods, OffersNamesThatAreSpeltAlike) {
  EXPECT_EQ(message_for("hpps"), "hpps: no such method; did you mean hpss?");
  EXPECT_EQ(message_for("repet_sin"), "repet_sin: no such method; did you mean repet_sim?");
  EXPECT_NE(message_for("zzzzzzzz").find("there are "), std::string::npos);
  EXPECT_NE(message_for("").find("there are "), std::string::npos);
}

TEST(Backend, ReplacesNothingSilently) {
  EXPECT_EQ(choose_backend("auto", "auto").device, "cpu");
  EXPECT_EQ(choose_backend("cpu", "fp32").precision, "fp32");
  const auto code_for = [](std::string_view device, std::string_view precision) {
    try {
      choose_backend(device, precision);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code_for("cuda", "auto"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_for("cuda:1", "auto"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_for("cpu", "bf16"), ErrorCode::kUnsupported);
  EXPECT_EQ(code_for("cuda:", "auto"), ErrorCode::kUsage);
  EXPECT_EQ(code_for("cuda:x", "auto"), ErrorCode::kUsage);
  EXPECT_EQ(code_for("gpu", "auto"), ErrorCode::kUsage);
  EXPECT_EQ(code_for("cpu", "fp16"), ErrorCode::kUsage);
}

TEST(Sha256, OfKnownFiles) {
  const testing::TemporaryFolder folder;
  const auto hash_of = [&](std::string_view bytes) {
    std::ofstream(folder / "file", std::ios::binary) << bytes;
    return sha256_of_file(folder / "file");
  };
  // The examples of FIPS 180.
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(hash_of(std::string(3 << 20, 'a')).size(), 64u);
}

TEST(Sha256, SaysWhatItCannotRead) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(sha256_of_file(folder / "missing"), Error);
  EXPECT_THROW(sha256_of_file(folder.path()), Error);
  CancelSource stop;
  stop.cancel();
  std::ofstream(folder / "file") << "abc";
  EXPECT_THROW(sha256_of_file(folder / "file", stop.token()), Error);
}

}  // namespace
}  // namespace unbraid::catalog
