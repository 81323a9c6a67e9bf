#pragma once
// An HTTP server on the loopback that does what a test tells it, right or wrong, one connection at a time.
//
//   HttpServer server([](const HttpServer::Request& request) -> HttpServer::Reply {
//     return {.status = 206, .body = content.substr(request.from), .total = content.size(), .from = request.from};
//   });
//   download({.urls = {server.url("/file")}, …});

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace unbraid::testing {

class HttpServer {
 public:
  struct Request {
    std::string path;
    std::optional<std::uint64_t> from;  ///< of its Range header
    std::string if_range = {};          ///< of its If-Range header
    std::size_t number = 0;             ///< how many came before
  };
  struct Reply {
    int status = 200;
    std::string body = {};
    std::vector<std::string> headers = {};           ///< further ones: "Location: …"
    std::optional<std::size_t> content_length = {};  ///< nothing: the body's
    std::chrono::milliseconds stall = {};            ///< before the connection closes
    bool says_length = true;                         ///< otherwise the body ends with the connection
  };
  using Handler = std::function<Reply(const Request&)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 8) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no loopback socket");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    stopped_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopped_) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      answer(client);
      ::close(client);
    }
  }

  void answer(int client) {
    std::string head;
    for (char byte = 0; head.find("\r\n\r\n") == std::string::npos && ::recv(client, &byte, 1, 0) == 1;) head += byte;
    Request request{.path = head.substr(4, head.find(' ', 4) - 4), .from = {}};
    if (const std::size_t range = head.find("Range: bytes="); range != std::string::npos)
      request.from = std::stoull(head.substr(range + 13));
    if (const std::size_t tag = head.find("If-Range: "); tag != std::string::npos)
      request.if_range = head.substr(tag + 10, head.find('\r', tag) - tag - 10);
    {
      const std::lock_guard lock(mutex_);
      request.number = requests_.size();
      requests_.push_back(request);
    }
    const Reply reply = handler_(request);
    std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " x\r\nConnection: close\r\n";
    if (reply.says_length) out += "Content-Length: " + std::to_string(reply.content_length.value_or(reply.body.size())) + "\r\n";
    for (const std::string& header : reply.headers) out += header + "\r\n";
    out += "\r\n" + reply.body;
    for (std::size_t sent = 0; sent < out.size();) {
      const auto count = ::send(client, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
    for (auto left = reply.stall; left.count() > 0 && !stopped_; left -= std::chrono::milliseconds(20))
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  Handler handler_;
  int socket_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace unbraid::testing
