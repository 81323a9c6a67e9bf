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
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

#include "catalog/folders.hpp"
#include "unbraid/catalog/download.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kRecord = "installed.json";

/// What the store keeps beside a model's folder; no model can be called so.
fs::path beside(const fs::path& folder, const char* ending) { return folder.parent_path() / ("." + folder.filename().string() + ending); }

void check_name(const std::string& name) {
  if (!is_model_name(name))
    throw Error{ErrorCode::kUsage, "a model's name must be of letters, digits, '.', '-' and '_', with no '.' in front", name};
  if (find_method(name)) throw Error{ErrorCode::kUsage, "a method is called so; choose another name", name};
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
    files.push_back({{"role", to_string(file.role)},
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

/// Whether a model on this machine has the files of the card, as far as their hashes are published.
bool has_files_of(const ModelCard& installed, const ModelCard& card) {
  return std::ranges::all_of(card.files, [&](const CardFile& file) {
    const auto there = std::ranges::find(installed.files, file.name, &CardFile::name);
    return there != installed.files.end() && there->sha256.starts_with(file.sha256);
  });
}

/// What to do about a model with damaged files. Those of an import have no address.
std::string repair(const ModelCard& card, bool bundled) {
  if (bundled) return "install Unbraid again";
  const bool imported = std::ranges::all_of(card.files, [](const CardFile& file) { return file.urls.empty(); });
  return imported ? fmt::format("remove it with unbraid models rm {}, and import it again", card.name)
                  : fmt::format("get it with unbraid models pull {}", card.name);
}

}  // namespace

ModelStore::ModelStore() : folder_(cache_folder()), bundled_(bundled_folder()) {
  if (!folder_.empty()) folder_ /= "models";
}

fs::path ModelStore::own(const std::string& name) const {
  if (folder_.empty()) throw Error{ErrorCode::kUsage, "neither HOME nor XDG_CACHE_HOME is set", "models"};
  return folder_ / name;
}

std::optional<fs::path> ModelStore::of(const std::string& name) const {
  if (!is_model_name(name)) return std::nullopt;
  if (!folder_.empty() && fs::exists(folder_ / name)) return folder_ / name;
  if (!bundled_.empty() && fs::exists(bundled_ / name / kRecord)) return bundled_ / name;
  return std::nullopt;
}

bool ModelStore::is_bundled(const std::string& name) const { return !bundled_.empty() && of(name) == bundled_ / name; }

std::optional<ModelCard> ModelStore::installed(const std::string& name) const {
  const std::optional<fs::path> folder = of(name);
  std::optional<ModelCard> card = folder ? read_record(*folder / kRecord) : std::nullopt;
  if (!card) return std::nullopt;
  for (const CardFile& one : card->files)
    if (!fs::exists(*folder / one.name)) return std::nullopt;
  return card;
}

std::vector<ModelCard> ModelStore::all() const {
  std::vector<ModelCard> cards;
  for (const std::string& name : names())
    if (auto card = installed(name)) cards.push_back(*std::move(card));
  return cards;
}

std::vector<std::string> ModelStore::names() const {
  std::set<std::string> names;
  std::error_code none;
  for (const fs::path& folder : {folder_, bundled_})
    for (const auto& entry : fs::directory_iterator(folder, none)) {
      const std::string name = entry.path().filename().string();
      if (is_model_name(name) && fs::exists(entry.path() / kRecord)) names.insert(name);
    }
  return {names.begin(), names.end()};
}

void ModelStore::pull(const ModelCard& card, RunContext& run) const {
  check_name(card.name);
  const FolderLock lock(own(card.name), run.cancel);
  if (const auto there = installed(card.name); there && !is_bundled(card.name)) {
    if (has_files_of(*there, card)) return;  // also where another process was faster
    throw Error{ErrorCode::kIo, fmt::format("there is another model of that name; remove it with unbraid models rm {}", card.name),
                card.name};
  }
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
  const std::optional<fs::path> folder = of(name);
  if (!folder || !fs::exists(*folder / kRecord)) throw Error{ErrorCode::kNotFound, "not installed", name};
  const bool bundled = is_bundled(name);
  std::optional<FolderLock> lock;
  if (!bundled) lock.emplace(own(name), run.cancel);
  const std::optional<ModelCard> card = read_record(*folder / kRecord);
  if (!card) throw Error{ErrorCode::kNotFound, "not installed", name};
  std::vector<FileCheck> checks;
  for (const CardFile& one : card->files) {
    FileCheck& check = checks.emplace_back(FileCheck{.file = one.name});
    const fs::path at = *folder / one.name;
    if (!fs::exists(at)) {
      check.problem = "is missing";
    } else if (const std::string hash = sha256_of_file(at, run.cancel); hash != one.sha256) {
      if (!bundled) fs::rename(at, at.string() + ".corrupt");
      check.problem = fmt::format("has changed: SHA-256 {} instead of {}{}", hash, one.sha256, bundled ? "" : ", and is set aside");
    } else {
      check.good = true;
    }
    if (!check.good) check.problem += fmt::format("; {}", repair(*card, bundled));
  }
  return checks;
}

void ModelStore::remove(const std::string& name, const CancelToken& cancel) const {
  if (is_bundled(name)) throw Error{ErrorCode::kUsage, "comes with Unbraid and stays", name};
  if (!of(name)) throw Error{ErrorCode::kNotFound, "not installed", name};
  const FolderLock lock(own(name), cancel);
  fs::remove_all(own(name));
}

ModelFiles ModelStore::files(const std::string& name) const {
  const std::optional<fs::path> folder = of(name);
  const std::optional<ModelCard> card = folder ? read_record(*folder / kRecord) : std::nullopt;
  if (!card) throw Error{ErrorCode::kNotFound, fmt::format("not on this machine; get it with unbraid models pull {}", name), name};
  for (const CardFile& one : card->files)
    if (!fs::exists(*folder / one.name))
      throw Error{ErrorCode::kNotFound, fmt::format("damaged: {} is missing; {}", one.name, repair(*card, is_bundled(name))), name};
  ModelFiles files;
  std::size_t weights = 0;
  for (const CardFile& file : card->files) {
    if (file.role == FileRole::kConfig) files.config = *folder / file.name;
    if (file.role == FileRole::kBag) files.weights = *folder / file.name;
    weights += file.role == FileRole::kWeights;
  }
  if (!files.weights.empty()) return files;
  for (const CardFile& file : card->files)
    if (file.role == FileRole::kWeights) files.weights = weights == 1 ? *folder / file.name : *folder;
  return files;
}

}  // namespace unbraid::catalog
