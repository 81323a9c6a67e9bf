#pragma once
// The models on this machine: one folder per model in the user's cache.
//
//   catalog::ModelStore store;                                     // $XDG_CACHE_HOME/unbraid/models
//   store.pull(catalog::find_card("htdemucs"), run);
//   const ModelFiles files = store.files("htdemucs");              // what separate() is given
//
// Below it lie the models that come with Unbraid, which are only read; one of the user's with the same name goes first.
// Without a home there is no cache: then there are only these, and what writes throws kUsage.
//
// A model counts as installed once all its files are there and checked, which its installed.json records with the hash
// of each. Two processes that pull, import, check or remove one model take turns.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "unbraid/catalog/model_card.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::catalog {

/// What a check of one file found.
struct FileCheck {
  std::string file;
  bool good = false;
  std::string problem = {};  ///< "is missing", "has changed: …"
};

/// A file of a model to import. Of a folder every file that is read has the role of weights.
struct ImportedFile {
  FileRole role = FileRole::kWeights;
  std::filesystem::path path;
};

class ModelStore {
 public:
  ModelStore();
  explicit ModelStore(std::filesystem::path folder, std::filesystem::path bundled = {})
      : folder_(std::move(folder)), bundled_(std::move(bundled)) {}

  /// Empty without a cache.
  const std::filesystem::path& folder() const noexcept { return folder_; }
  /// As it was when it was pulled or imported; nothing when it is not installed.
  std::optional<ModelCard> installed(const std::string& name) const;
  /// All of them, by name.
  std::vector<ModelCard> all() const;
  /// Those that were once pulled or imported, or come with Unbraid: also damaged ones, whose files are missing.
  std::vector<std::string> names() const;

  /// Fetches what is missing. Errors as download(); kUsage for what is no name of a model or that of a method, kIo where a model
  /// with other files has the name.
  void pull(const ModelCard& card, RunContext& run) const;
  /// Copies files of the user's into the store under a name; family, stems and whatever else is known come with the card,
  /// whose files are filled in here. kIo when the name is taken, kUsage when it is no name of a model or that of a method.
  void import(ModelCard card, const std::vector<ImportedFile>& files, RunContext& run) const;
  /// Reads every file again. A changed one of the user's is set aside as <file>.corrupt, so that the next pull fetches it. kNotFound
  /// when it is not installed.
  std::vector<FileCheck> verify(const std::string& name, RunContext& run) const;
  /// kNotFound when there is nothing of that name, kUsage when it comes with Unbraid.
  void remove(const std::string& name, const CancelToken& cancel = {}) const;
  /// kNotFound, saying how to get it.
  ModelFiles files(const std::string& name) const;

 private:
  /// kUsage without a cache.
  std::filesystem::path own(const std::string& name) const;
  /// Where it is read from: the user's folder, or the one below; nothing when it lies in neither.
  std::optional<std::filesystem::path> of(const std::string& name) const;
  bool is_bundled(const std::string& name) const;
  std::filesystem::path folder_, bundled_;
};

}  // namespace unbraid::catalog
