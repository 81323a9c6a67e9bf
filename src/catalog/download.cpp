#include "unbraid/catalog/download.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>

#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"

namespace unbraid::catalog {

namespace {

namespace fs = std::filesystem;

constexpr long kRedirects = 10;
constexpr long kConnectSeconds = 20;

fs::path with_ending(const fs::path& path, const char* ending) { return path.string() + ending; }

std::uint64_t size_of(const fs::path& path) {
  std::error_code none;
  const auto size = fs::file_size(path, none);
  return none ? 0 : size;
}

void prepare_curl() {
  static std::once_flag once;  // libcurl's own rule: once per process, before any handle
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One transfer from one address into the part. What the server calls this state of the file (its ETag) is kept beside the part;
/// a part goes on only if the server still has that state.
class Transfer {
 public:
  Transfer(const Download& request, const std::string& url, const fs::path& part, RunContext& run)
      : request_(request),
        run_(run),
        start_(size_of(part)),
        tag_path_(with_ending(part, ".etag")),
        curl_(curl_easy_init(), &curl_easy_cleanup),
        headers_(nullptr, &curl_slist_free_all),
        file_(std::fopen(part.c_str(), "ab"), &std::fclose) {
    if (!curl_) throw Error{ErrorCode::kInternal, "libcurl could not be started", url};
    if (!file_) throw Error{ErrorCode::kIo, "cannot be written", part.string()};
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl_.get(), option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_USERAGENT, fmt::format("unbraid/{}", version()).c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kRedirects);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_seconds));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(start_));
    // Where a hash will be checked, a part from another mirror is as good.
    if (const std::string tag = read_text(tag_path_); start_ > 0 && !tag.empty() && request.sha256.empty()) {
      headers_.reset(curl_slist_append(nullptr, ("If-Range: " + tag).c_str()));
      set(CURLOPT_HTTPHEADER, headers_.get());
    }
    set(CURLOPT_HEADERFUNCTION, &Transfer::read_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::write);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::watch);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
  }

  CURLcode perform() {
    CURLcode code = curl_easy_perform(curl_.get());
    if (std::fflush(file_.get()) != 0) throw Error{ErrorCode::kIo, "cannot be written: is the disk full?", request_.target.string()};
    run_.cancel.check();
    // Without a length in the answer a broken connection looks like the end of the file.
    curl_off_t length = -1;
    curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    const bool unchecked = length < 0 && request_.sha256.empty();
    if (code == CURLE_OK && unchecked && start_ + received_ < request_.bytes.value_or(0)) code = CURLE_PARTIAL_FILE;
    return code;
  }
  long status() const {
    long code = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

 private:
  static std::size_t read_header(const char* bytes, std::size_t, std::size_t count, void* self) {
    auto& tag = static_cast<Transfer*>(self)->tag_;
    const std::string_view line(bytes, count);
    constexpr std::string_view kName = "etag:";
    if (line.starts_with("HTTP/")) tag.clear();  // of a redirect: the answer is still to come
    if (line.size() < kName.size() ||
        !std::ranges::equal(line.substr(0, kName.size()), kName, {}, [](unsigned char c) { return std::tolower(c); }))
      return count;
    const std::size_t first = line.find('"'), last = line.rfind('"');
    const bool strong = first != std::string_view::npos && last > first && line.find("W/") == std::string_view::npos;
    if (strong) tag = line.substr(first, last - first + 1);
    return count;
  }
  static std::size_t write(const char* bytes, std::size_t, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.received_ == 0 && transfer.start_ == 0) {
      std::error_code none;
      fs::remove(transfer.tag_path_, none);
      if (!transfer.tag_.empty()) std::ofstream(transfer.tag_path_, std::ios::binary) << transfer.tag_;
    }
    const std::size_t written = std::fwrite(bytes, 1, count, transfer.file_.get());
    transfer.received_ += written;
    transfer.run_.progress.advance(written);
    return written;
  }
  static int watch(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->run_.cancel.cancelled() ? 1 : 0;
  }

  const Download& request_;
  RunContext& run_;
  std::uint64_t start_;
  std::uint64_t received_ = 0;
  fs::path tag_path_;
  std::string tag_;  ///< of the answer; empty when it has none that can be relied on
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

void sleep_for(int milliseconds, const CancelToken& cancel) {
  using namespace std::chrono;
  for (const auto until = steady_clock::now() + milliseconds * 1ms; steady_clock::now() < until;) {
    cancel.check();
    std::this_thread::sleep_for(20ms);
  }
}

bool offline(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_PROXY;
}

/// Fills the part from one address; on failure, why.
std::string fetch(const Download& request, const std::string& url, const fs::path& part, const char* stage, RunContext& run) {
  int pause = request.retry_milliseconds;
  std::uint64_t longest = size_of(part);  // beyond it is progress: a server without ranges sends the start again and again
  for (int fruitless = 0;;) {
    const std::uint64_t before = size_of(part);
    run.progress.start(stage, request.bytes.value_or(0), "bytes");
    run.progress.advance(before);
    Transfer transfer(request, url, part, run);
    const CURLcode code = transfer.perform();
    const long status = transfer.status();
    if (code == CURLE_OK) return {};
    constexpr long kRangeNotSatisfiable = 416, kFirstServerError = 500, kTooManyRequests = 429, kTimeout = 408;
    // The server has no ranges, or the part is not of this file: begin again.
    const bool restart = before > 0 && (code == CURLE_RANGE_ERROR || status == kRangeNotSatisfiable);
    if (restart) fs::resize_file(part, 0);
    const bool progress = size_of(part) > longest;
    longest = std::max(longest, size_of(part));
    const bool refused =
        !restart && code == CURLE_HTTP_RETURNED_ERROR && status < kFirstServerError && status != kTooManyRequests && status != kTimeout;
    const bool wrong_address = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_TOO_MANY_REDIRECTS;
    fruitless = progress ? 1 : fruitless + 1;
    if (offline(code))
      return fmt::format("{}: no connection ({}); get the file in another way and give it to unbraid models import", url,
                         curl_easy_strerror(code));
    const bool enough = fruitless >= request.attempts && !restart;  // the attempt from the start decides
    if (refused || wrong_address || enough)
      return status >= 400 ? fmt::format("{}: the server answers {}", url, status) : fmt::format("{}: {}", url, curl_easy_strerror(code));
    sleep_for(progress ? 0 : pause, run.cancel);
    pause *= progress ? 1 : 2;
  }
}

}  // namespace

void download(const Download& request, RunContext& run) {
  prepare_curl();
  if (request.urls.empty()) throw Error{ErrorCode::kNotFound, "no address is published for it", request.target.string()};
  fs::create_directories(request.target.parent_path());
  const fs::path part = with_ending(request.target, ".part"), corrupt = with_ending(request.target, ".corrupt");
  std::string problem;
  bool wrong_bytes = false;
  for (const std::string& url : request.urls) {
    // Without a hash or a tag nothing would show that a part is of another file.
    const bool unsafe = size_of(part) > 0 && request.sha256.empty() && read_text(with_ending(part, ".etag")).empty();
    if (unsafe) fs::remove(part);
    const char* const stage = unsafe ? "download anew (nothing shows that the part is of this file)" : "download";
    for (int round = 0; round < 2; ++round) {
      const bool from_start = size_of(part) == 0;
      const std::string failure = fetch(request, url, part, stage, run);
      if (!failure.empty()) {
        problem = failure;
        break;
      }
      const std::string hash = request.sha256.empty() ? "" : sha256_of_file(part, run.cancel);
      if (hash.starts_with(request.sha256)) {
        fs::rename(part, request.target);
        fs::remove(with_ending(part, ".etag"));
        return;
      }
      fs::rename(part, corrupt);
      wrong_bytes = true;
      problem = fmt::format("{}: its SHA-256 is {}, not {}; kept as {}", url, hash.substr(0, request.sha256.size()), request.sha256,
                            corrupt.filename().string());
      if (from_start) break;  // else the fault may lie in the part that was there
    }
  }
  throw Error{wrong_bytes ? ErrorCode::kFormat : ErrorCode::kIo, problem, request.target.filename().string()};
}

}  // namespace unbraid::catalog
