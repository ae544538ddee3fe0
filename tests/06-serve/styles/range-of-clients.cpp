// serve() is a range-based for: a range whose iterator accepts.
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {
namespace {

using namespace std::chrono_literals;

bool passing(int error) {
  static const std::set<int> errors{ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, ENETDOWN,
                                    ENETUNREACH,  ENONET,    ENOPROTOOPT,  EPROTO};
  return errors.contains(error);
}

/// The clients of one listener, until somebody says stop. A client is accepted when it is asked
/// for, and not before the one before it is gone.
class Clients {
 public:
  Clients(int listener, const std::function<bool()>& stop) : listener_(listener), stop_(stop) {}

  class Iterator {
   public:
    explicit Iterator(Clients& clients) : clients_(clients) { ++*this; }
    Fd operator*() { return std::move(*client_); }
    Iterator& operator++() {
      client_ = clients_.next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !client_; }

   private:
    Clients& clients_;
    std::optional<Fd> client_;
  };

  Iterator begin() { return Iterator(*this); }
  static std::default_sentinel_t end() { return {}; }

 private:
  std::optional<Fd> next() const {
    while (!stop_()) {
      if (Fd client(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)); client.get() >= 0)
        return client;
      if (!passing(errno)) throw std::system_error(errno, std::generic_category(), "accept4");
    }
    return std::nullopt;
  }

  int listener_;
  const std::function<bool()>& stop_;
};

/// Calls what is called `name` and throws when it fails.
template <typename Call, typename... Arguments>
void demand(const Endpoint& where, const char* name, Call call, Arguments... arguments) {
  if (call(arguments...) == 0) return;
  const std::error_code error(errno, std::generic_category());
  throw std::system_error(error, where.to_string() + ": " + name);
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) {
  Fd listener;
  demand(where, "socket", [&] {
    listener.reset(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    return listener.get() < 0;
  });
  const int on = 1;
  const socklen_t size = sizeof on;
  const int fd = listener.get();
  demand(where, "setsockopt", ::setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, size);
  demand(where, "bind", ::bind, fd, where.data(), where.length());
  demand(where, "listen", ::listen, fd, backlog);
  return listener;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) < 0)
    throw std::system_error(errno, std::generic_category());
  return Endpoint(reinterpret_cast<const sockaddr*>(&storage), length).port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  for (Fd client : Clients(listener, stop)) {
    try {
      handle(client.get());
    } catch (...) {
    }
    close_gracefully(std::move(client), 2s);
  }
}

}  // namespace course
