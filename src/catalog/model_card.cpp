#include "unbraid/catalog/model_card.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "catalog/folders.hpp"
#include "catalog/manifest.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "unbraid.catalogue/1";
constexpr std::size_t kOffered = 8;
constexpr std::string_view kRoles[] = {"weights", "config", "bag"};  // as FileRole counts them

bool plain(std::string_view name, std::string_view also) {
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [&](unsigned char c) {
    return std::isalnum(c) || also.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// One model's entry, with errors that say where.
class Reader {
 public:
  Reader(const Json& entry, std::string where) : entry_(entry), where_(std::move(where)) {}

  std::string text(const char* key) const {
    const Json& value = at(key);
    if (!value.is_string()) fail(key, "must be text");
    return value.get<std::string>();
  }
  std::optional<std::string> optional_text(const char* key) const { return absent(key) ? std::nullopt : std::optional(text(key)); }
  std::vector<std::string> texts(const char* key) const {
    const Json& value = at(key);
    if (!value.is_array() || !std::ranges::all_of(value, [](const Json& item) { return item.is_string(); }))
      fail(key, "must be a list of texts");
    return value.get<std::vector<std::string>>();
  }
  std::optional<bool> optional_flag(const char* key) const {
    if (absent(key)) return std::nullopt;
    if (!at(key).is_boolean()) fail(key, "must be true, false or null");
    return at(key).get<bool>();
  }
  std::optional<std::uint64_t> optional_size(const char* key) const {
    if (absent(key)) return std::nullopt;
    if (!at(key).is_number_unsigned()) fail(key, "must be a number of bytes");
    return at(key).get<std::uint64_t>();
  }
  const Json& list(const char* key) const {
    if (!at(key).is_array()) fail(key, "must be a list");
    return at(key);
  }
  const Json& object(const char* key) const {
    if (!at(key).is_object()) fail(key, "must have keys");
    return at(key);
  }
  [[noreturn]] void fail(std::string_view key, std::string_view what) const {
    throw Error{ErrorCode::kFormat, fmt::format("{}: {}", key, what), where_};
  }
  const std::string& where() const { return where_; }

 private:
  bool absent(const char* key) const { return !entry_.contains(key) || entry_.at(key).is_null(); }
  const Json& at(const char* key) const {
    if (!entry_.is_object() || !entry_.contains(key)) fail(key, "is missing");
    return entry_.at(key);
  }
  const Json& entry_;
  std::string where_;
};

CardFile parse_file(const Reader& read) {
  CardFile file{.name = read.text("name"), .urls = read.texts("urls"), .sha256 = read.optional_text("sha256").value_or("")};
  file.bytes = read.optional_size("bytes");
  const auto role = std::ranges::find(kRoles, read.text("role"));
  if (role == std::end(kRoles)) read.fail("role", "must be weights, config or bag");
  file.role = static_cast<FileRole>(role - std::begin(kRoles));
  if (!plain(file.name, ".-_ +()")) read.fail("name", "must be the name of a file, without a folder");
  for (const std::string& url : file.urls)
    if (!url.starts_with("https://") && !url.starts_with("http://")) read.fail("urls", "must be http or https");
  const bool hexadecimal = std::ranges::all_of(file.sha256, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hexadecimal || file.sha256.size() > 64) read.fail("sha256", "must be lower-case hexadecimal digits");
  return file;
}

ModelScore parse_score(const Reader& read) {
  ModelScore score{.metric = read.text("metric"), .dataset = read.text("dataset"), .values = {}};
  if (score.dataset.empty()) read.fail("dataset", "a score without its data set says nothing");
  for (const auto& [stem, value] : read.object("values").items()) {
    if (!value.is_number()) read.fail("values", "must be numbers");
    score.values.emplace_back(stem, value.get<double>());
  }
  if (score.values.empty()) read.fail("values", "is empty");
  return score;
}

ModelCard parse_card(const Reader& read) {
  ModelCard card;
  card.name = read.text("name");
  if (!is_model_name(card.name)) read.fail("name", "must be of letters, digits, '.', '-' and '_'");
  card.family = read.text("family");
  card.authors = read.texts("authors");
  card.stems = read.texts("stems");
  card.paper = read.optional_text("paper").value_or("");
  card.training_data = read.optional_text("training_data");
  card.licence = read.optional_text("licence");
  card.note = read.optional_text("note");
  card.commercial_use = read.optional_flag("commercial_use");
  card.source = read.optional_text("source").value_or("");
  for (const Json& score : read.list("scores")) card.scores.push_back(parse_score({score, read.where() + ": scores"}));
  for (const Json& file : read.list("files")) card.files.push_back(parse_file({file, read.where() + ": files"}));
  if (std::ranges::none_of(card.files, [](const CardFile& f) { return f.role == FileRole::kWeights; }))
    read.fail("files", "no weights among them");
  return card;
}

void add_user_cards(std::vector<ModelCard>& cards) {
  std::error_code none;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(config_folder(), none))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::ranges::sort(files);
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    for (ModelCard& card : parse_cards(std::string{std::istreambuf_iterator<char>(file), {}}, path.string()))
      cards.push_back(std::move(card));
  }
}

}  // namespace

std::string_view to_string(FileRole role) { return kRoles[static_cast<std::size_t>(role)]; }

double ModelScore::mean() const {
  for (const auto& [stem, value] : values)
    if (stem == "mean") return value;
  return std::accumulate(values.begin(), values.end(), 0.0, [](double sum, const auto& value) { return sum + value.second; }) /
         static_cast<double>(values.size());
}

bool is_model_name(std::string_view name) { return plain(name, ".-_"); }

std::optional<std::uint64_t> ModelCard::bytes() const {
  std::uint64_t sum = 0;
  for (const CardFile& file : files) {
    if (file.role != FileRole::kWeights) continue;  // the others are some kilobytes
    if (!file.bytes) return std::nullopt;
    sum += *file.bytes;
  }
  return sum;
}

std::vector<ModelCard> parse_cards(std::string_view json, const std::string& origin) {
  const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("models") || !document.contains("schema") || document.at("schema") != kSchema ||
      !document.at("models").is_array())
    throw Error{ErrorCode::kFormat, fmt::format("not a catalogue of the schema {}", kSchema), origin};
  std::vector<ModelCard> cards;
  for (const Json& entry : document.at("models")) {
    const bool named = entry.is_object() && entry.contains("name") && entry.at("name").is_string();
    cards.push_back(parse_card({entry, fmt::format("{}: {}", origin, named ? entry.at("name").get<std::string>() : "a model")}));
  }
  return cards;
}

std::vector<ModelCard> model_cards() {
  std::vector<ModelCard> cards;
  add_user_cards(cards);
  for (ModelCard& card : parse_cards(built_in_manifest(), "models.json")) cards.push_back(std::move(card));
  std::ranges::stable_sort(cards, {}, &ModelCard::name);
  const auto repeated = std::ranges::unique(cards, {}, &ModelCard::name);
  cards.erase(repeated.begin(), repeated.end());
  return cards;
}

ModelCard find_card(std::string_view name) {
  std::vector<std::string> alike;
  for (ModelCard& card : model_cards()) {
    if (card.name == name) return std::move(card);
    if (alike.size() < kOffered && card.name.find(name) != std::string::npos) alike.push_back(card.name);
  }
  throw Error{ErrorCode::kNotFound,
              alike.empty() ? "no such model in the catalogue; see unbraid models ls"
                            : fmt::format("no such model in the catalogue; did you mean {}?", fmt::join(alike, ", ")),
              std::string(name)};
}

}  // namespace unbraid::catalog
