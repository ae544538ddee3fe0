#include "06-serve/serve.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"

namespace course {
namespace {

constexpr std::chrono::seconds linger{2};

[[noreturn]] void fail(const char* call, const Endpoint& where) {
  const int error = errno;  // before putting the text together can change it
  throw std::system_error(error, std::system_category(),
                          std::string(call) + " " + where.to_string());
}

/// True when accept(2) failed for the connection that it was about to return, not for the listener.
/// The list is that of accept(2), "Error handling", and ECONNABORTED. EOPNOTSUPP is left out
/// although it stands there: a socket of the wrong type says it for ever.
bool concerns_one_connection(int error) {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

/// The next client, or nobody: a signal came, or the client left before it was accepted.
Fd accept_client(int listener) {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (client >= 0) return Fd(client);
  if (errno == EINTR || concerns_one_connection(errno)) return Fd();
  throw std::system_error(errno, std::system_category(), "accept");
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) {
  Fd listener(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (listener.get() < 0) fail("socket", where);

  // Before bind, which is the call that looks at it (socket(7)).
  const int yes = 1;
  if (::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
    fail("setsockopt", where);

  if (::bind(listener.get(), where.data(), where.length()) != 0) fail("bind", where);
  if (::listen(listener.get(), backlog) != 0) fail("listen", where);
  return listener;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage storage{};
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  socklen_t length = sizeof storage;
  if (::getsockname(fd, address, &length) != 0)
    throw std::system_error(errno, std::system_category(), "getsockname");
  return Endpoint(address, length).port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  while (!stop()) {
    Fd client = accept_client(listener);
    if (client.get() < 0) continue;
    try {
      handle(client.get());
    } catch (...) {
      // What went wrong with one client is no reason to leave the others unserved.
    }
    close_gracefully(std::move(client), linger);
  }
}

}  // namespace course
