// The goodbye stands in a destructor: an object holds the conversation, and unwinding ends it
// gracefully however the handler is left.
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {
namespace {

/// A listening socket under construction; throws when a step fails.
class Listening {
 public:
  explicit Listening(const Endpoint& where)
      : where_(where), fd_(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    need(fd_.get() != -1, "socket");
    const int yes = 1;
    need(::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "setsockopt");
    need(::bind(fd_.get(), where.data(), where.length()) == 0, "bind");
  }

  Fd listen(int backlog) && {
    need(::listen(fd_.get(), backlog) == 0, "listen");
    return std::move(fd_);
  }

 private:
  void need(bool success, const char* call) const {
    if (success) return;
    const int error = errno;
    throw std::system_error(error, std::system_category(), call + (": " + where_.to_string()));
  }

  const Endpoint& where_;
  Fd fd_;
};

class Conversation {
 public:
  explicit Conversation(int client) noexcept : client_(client) {}
  ~Conversation() { close_gracefully(std::move(client_), std::chrono::seconds(2)); }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void run(const Handler& handle) const { handle(client_.get()); }

 private:
  Fd client_;
};

bool is_the_connections_own(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENOPROTOOPT ||
         error == ENETDOWN || error == ENETUNREACH || error == EHOSTDOWN || error == EHOSTUNREACH ||
         error == ENONET || error == ETIMEDOUT;
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) { return Listening(where).listen(backlog); }

std::uint16_t local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    throw std::system_error(errno, std::system_category(), "getsockname");
  return Endpoint(reinterpret_cast<sockaddr*>(&storage), length).port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  for (; !stop();) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client != -1) {
      try {
        Conversation(client).run(handle);
      } catch (...) {
      }
    } else if (!is_the_connections_own(errno)) {
      throw std::system_error(errno, std::system_category(), "accept");
    }
  }
}

}  // namespace course
