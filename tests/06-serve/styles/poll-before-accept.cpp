// Waits for the listener in poll(2) and accepts afterwards: the wait and the call are two steps,
// and a signal ends the first.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {
namespace {

constexpr std::array passing_errors = {
    ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR,  ENETDOWN,
    ENETUNREACH,  ENONET,    ENOPROTOOPT,  EPROTO,
};

void check(int result, const char* call, const Endpoint* where = nullptr) {
  if (result != -1) return;
  const std::error_code error(errno, std::system_category());
  throw std::system_error(error, where ? call + ("(" + where->to_string() + ")") : call);
}

/// False when a signal came first.
bool wait_for_client(int listener) {
  // A descriptor that is no listening socket might never become readable.
  int listens = 0;
  socklen_t size = sizeof listens;
  check(::getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size), "getsockopt");
  if (listens == 0) throw std::system_error(EINVAL, std::system_category(), "not listening");

  pollfd question{listener, POLLIN, 0};
  const int ready = ::poll(&question, 1, -1);
  if (ready == -1 && errno != EINTR) throw std::system_error(errno, std::system_category(), "poll");
  return ready == 1;
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) {
  const int fd = ::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(fd, "socket", &where);
  Fd listener(fd);
  const int on = 1;
  check(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt", &where);
  check(::bind(fd, where.data(), where.length()), "bind", &where);
  check(::listen(fd, backlog), "listen", &where);
  return listener;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  check(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size), "getsockname");
  return Endpoint(reinterpret_cast<sockaddr*>(&name), size).port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  while (!stop()) {
    if (!wait_for_client(listener)) continue;
    Fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() != -1) {
      try {
        handle(client.get());
      } catch (...) {
      }
      close_gracefully(std::move(client), std::chrono::milliseconds(2000));
    } else if (std::ranges::find(passing_errors, errno) == passing_errors.end()) {
      throw std::system_error(errno, std::system_category(), "accept4");
    }
  }
}

}  // namespace course
