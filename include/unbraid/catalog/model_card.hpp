#pragma once
// What is known of published models: facts only, each with its source. The library carries a list (models.json); users
// add their own in $XDG_CONFIG_HOME/unbraid/*.json, of the same schema, which take precedence.
//
//   for (const ModelCard& card : catalog::model_cards()) fmt::print("{} {}\n", card.name, card.family);
//   const ModelCard card = catalog::find_card("htdemucs");
//
// A fact that its source does not state is left empty, never guessed. docs/json.md describes the schema,
// unbraid.catalogue/1.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unbraid::catalog {

enum class FileRole {
  kWeights,
  kConfig,  ///< the configuration that belongs to the weights
  kBag      ///< demucs' list of models and their weights per stem
};

/// "weights", "config", "bag".
std::string_view to_string(FileRole role);

struct CardFile {
  FileRole role = FileRole::kWeights;
  std::string name;               ///< in the model's folder; no path
  std::vector<std::string> urls;  ///< http or https; the first one is the authors', the others are mirrors
  std::string sha256;             ///< lower-case hexadecimal, or as many leading digits as are published; may be empty
  std::optional<std::uint64_t> bytes;
};

struct ModelScore {
  std::string metric;                                  ///< "SDR"
  std::string dataset;                                 ///< "MUSDB18-HQ test"; never empty
  std::vector<std::pair<std::string, double>> values;  ///< by stem, or "mean"

  /// "mean" if given, else the mean of the stems.
  double mean() const;
};

struct ModelCard {
  std::string name;    ///< letters, digits, '-', '.' and '_', see is_model_name()
  std::string family;  ///< "bs_roformer", …
  std::vector<std::string> authors;
  std::vector<std::string> stems;
  std::vector<CardFile> files;
  std::string paper;
  std::vector<ModelScore> scores;
  std::optional<std::string> training_data, licence, note;
  std::optional<bool> commercial_use;  ///< nothing: not stated
  std::string source;                  ///< where the facts are from

  /// Of all weights; nothing when one is not known.
  std::optional<std::uint64_t> bytes() const;
};

/// Whether a model may be called so: letters, digits, '-', '.' and '_', and no '.' in front.
bool is_model_name(std::string_view name);

/// kFormat, naming the model and the key, for anything that is not of the schema: also for file names with a path in them.
std::vector<ModelCard> parse_cards(std::string_view json, const std::string& origin);

/// The user's, then those of this library, sorted by name; the first of a name counts. kFormat for a damaged user file.
std::vector<ModelCard> model_cards();

/// kNotFound, offering names that contain the text.
ModelCard find_card(std::string_view name);

}  // namespace unbraid::catalog
