#include "unbraid/catalog/model_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <thread>

#include "catalog/folders.hpp"
#include "unbraid/catalog/download.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kRecord = "installed.json";
constexpr const char* kRoles[] = {"weights", "config", "bag"};

/// What the store keeps beside a model's folder; no model can be called so.
fs::path beside(const fs::path& folder, const char* ending) { return folder.parent_path() / ("." + folder.filename().string() + ending); }

void check_name(const std::string& name) {
  if (!is_model_name(name))
    throw Error{ErrorCode::kUsage, "a model's name must be of letters, digits, '.', '-' and '_', with no '.' in front", name};
}

/// Held by one process at a time; given back when the process ends, however it ends. The file stays: to remove it would
/// let in a second process beside one that waits on it.
class FolderLock {
 public:
  FolderLock(const fs::path& folder, const CancelToken& cancel) {
    fs::create_directories(folder.parent_path());
    const fs::path path = beside(folder, ".lock");
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) throw Error{ErrorCode::kIo, "cannot be written", path.string()};
    while (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int why = errno;
      const bool held = why == EWOULDBLOCK || why == EINTR;
      if (!held || cancel.cancelled()) ::close(file_);
      if (!held) throw Error{ErrorCode::kIo, fmt::format("cannot be locked: {}", std::generic_category().message(why)), path.string()};
      cancel.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  ~FolderLock() { ::close(file_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

Json to_json(const ModelCard& card) {
  const auto optional = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  Json scores = Json::array(), files = Json::array();
  for (const ModelScore& score : card.scores) {
    Json values = Json::object();
    for (const auto& [stem, value] : score.values) values[stem] = value;
    scores.push_back({{"metric", score.metric}, {"dataset", score.dataset}, {"values", values}});
  }
  for (const CardFile& file : card.files)
    files.push_back({{"role", kRoles[static_cast<int>(file.role)]},
                     {"name", file.name},
                     {"urls", file.urls},
                     {"sha256", file.sha256},
                     {"bytes", optional(file.bytes)}});
  return {{"name", card.name},
          {"family", card.family},
          {"authors", card.authors},
          {"stems", card.stems},
          {"paper", card.paper},
          {"scores", scores},
          {"training_data", optional(card.training_data)},
          {"licence", optional(card.licence)},
          {"commercial_use", optional(card.commercial_use)},
          {"note", optional(card.note)},
          {"source", card.source},
          {"files", files}};
}

void record(const fs::path& folder, ModelCard card, const CancelToken& cancel) {
  for (CardFile& file : card.files) {
    file.sha256 = sha256_of_file(folder / file.name, cancel);
    file.bytes = fs::file_size(folder / file.name);
  }
  const Json document{{"schema", "unbraid.catalogue/1"}, {"models", Json::array({to_json(card)})}};
  write_file_atomically(folder / kRecord, document.dump(1) + "\n");
}

/// Nothing when there is none.
std::optional<ModelCard> read_record(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::vector<ModelCard> cards = parse_cards(std::string{std::istreambuf_iterator<char>(file), {}}, path.string());
  if (cards.size() != 1) throw Error{ErrorCode::kFormat, "a damaged record; unbraid models rm removes it", path.string()};
  return std::move(cards.front());
}

}  // namespace

ModelStore::ModelStore() : folder_(cache_folder() / "models"), bundled_(bundled_folder()) {}

fs::path ModelStore::of(const std::string& name) const {
  if (bundled_.empty() || fs::exists(own(name)) || !fs::exists(bundled_ / name / kRecord)) return own(name);
  return bundled_ / name;
}

std::optional<ModelCard> ModelStore::installed(const std::string& name) const {
  if (!is_model_name(name)) return std::nullopt;
  std::optional<ModelCard> card = read_record(of(name) / kRecord);
  if (!card) return std::nullopt;
  for (const CardFile& one : card->files)
    if (!fs::exists(of(name) / one.name)) return std::nullopt;
  return card;
}

std::vector<ModelCard> ModelStore::all() const {
  std::map<std::string, ModelCard> cards;
  std::error_code none;
  for (const fs::path& folder : {folder_, bundled_})
    for (const auto& entry : fs::directory_iterator(folder, none))
      if (entry.is_directory())
        if (auto card = installed(entry.path().filename().string())) cards.insert({card->name, *std::move(card)});
  std::vector<ModelCard> sorted;
  for (auto& [name, card] : cards) sorted.push_back(std::move(card));
  return sorted;
}

void ModelStore::pull(const ModelCard& card, RunContext& run) const {
  check_name(card.name);
  const FolderLock lock(own(card.name), run.cancel);
  if (installed(card.name)) return;  // another process was faster
  fs::create_directories(own(card.name));
  for (const CardFile& file : card.files) {
    const fs::path target = own(card.name) / file.name;
    // From an earlier attempt, which wrote it only when it was whole.
    if (fs::exists(target) && (file.sha256.empty() || sha256_of_file(target, run.cancel).starts_with(file.sha256))) continue;
    download({.urls = file.urls, .target = target, .sha256 = file.sha256, .bytes = file.bytes}, run);
  }
  record(own(card.name), card, run.cancel);
}

void ModelStore::import(ModelCard card, const std::vector<ImportedFile>& files, RunContext& run) const {
  check_name(card.name);
  const FolderLock lock(own(card.name), run.cancel);
  if (fs::exists(own(card.name)))
    throw Error{ErrorCode::kIo, "there is a model of that name; choose another or remove it with unbraid models rm", card.name};
  card.files.clear();
  for (const ImportedFile& file : files)
    card.files.push_back({.role = file.role, .name = file.path.filename().string(), .urls = {}, .sha256 = {}, .bytes = {}});
  const fs::path building = beside(own(card.name), ".new");
  fs::remove_all(building);
  fs::create_directories(building);
  try {
    for (const ImportedFile& file : files) {
      run.cancel.check();
      fs::copy_file(file.path, building / file.path.filename());
    }
    record(building, card, run.cancel);
    parse_cards(Json{{"schema", "unbraid.catalogue/1"}, {"models", Json::array({to_json(card)})}}.dump(), card.name);
    fs::rename(building, own(card.name));
  } catch (const fs::filesystem_error& error) {
    fs::remove_all(building);
    throw Error{ErrorCode::kIo, error.code().message(), error.path1().string()};
  } catch (...) {
    fs::remove_all(building);
    throw;
  }
}

std::vector<FileCheck> ModelStore::verify(const std::string& name, RunContext& run) const {
  if (!is_model_name(name) || !fs::exists(of(name) / kRecord)) throw Error{ErrorCode::kNotFound, "not installed", name};
  const bool bundled = is_bundled(name);
  std::optional<FolderLock> lock;
  if (!bundled) lock.emplace(own(name), run.cancel);
  const std::optional<ModelCard> card = read_record(of(name) / kRecord);
  if (!card) throw Error{ErrorCode::kNotFound, "not installed", name};
  std::vector<FileCheck> checks;
  for (const CardFile& one : card->files) {
    FileCheck& check = checks.emplace_back(FileCheck{.file = one.name});
    const fs::path at = of(name) / one.name;
    if (!fs::exists(at)) {
      check.problem = "is missing";
    } else if (const std::string hash = sha256_of_file(at, run.cancel); hash != one.sha256) {
      if (!bundled) fs::rename(at, at.string() + ".corrupt");
      check.problem = fmt::format("has changed: SHA-256 {} instead of {}{}", hash, one.sha256, bundled ? "" : "; set aside");
    } else {
      check.good = true;
    }
  }
  return checks;
}

void ModelStore::remove(const std::string& name, const CancelToken& cancel) const {
  const bool possible = is_model_name(name);
  if (possible && is_bundled(name)) throw Error{ErrorCode::kUsage, "comes with Unbraid and stays", name};
  if (!possible || !fs::exists(own(name))) throw Error{ErrorCode::kNotFound, "not installed", name};
  const FolderLock lock(own(name), cancel);
  fs::remove_all(own(name));
}

ModelFiles ModelStore::files(const std::string& name) const {
  const std::optional<ModelCard> card = installed(name);
  if (!card) throw Error{ErrorCode::kNotFound, fmt::format("not on this machine; get it with unbraid models pull {}", name), name};
  ModelFiles files;
  std::size_t weights = 0;
  for (const CardFile& file : card->files) {
    if (file.role == FileRole::kConfig) files.config = of(name) / file.name;
    if (file.role == FileRole::kBag) files.weights = of(name) / file.name;
    weights += file.role == FileRole::kWeights;
  }
  if (!files.weights.empty()) return files;
  for (const CardFile& file : card->files)
    if (file.role == FileRole::kWeights) files.weights = weights == 1 ? of(name) / file.name : of(name);
  return files;
}

}  // namespace unbraid::catalog
