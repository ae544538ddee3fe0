// Keeps a descriptor of its own for the borrowed listener, so that the caller could even close his
// meanwhile; client numbers are one higher than elsewhere.
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {
namespace {

/// Reads errno before it puts any text together.
std::system_error failure(const char* call, const std::string& subject = "") {
  const int error = errno;
  return {error, std::system_category(), call + subject};
}

bool is_worth_going_on(int error) {
  for (const int passing : {EINTR, ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH,
                            EHOSTDOWN, EHOSTUNREACH, ENONET}) {
    if (error == passing) return true;
  }
  return false;
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) {
  const std::string name = where.to_string();
  Fd socket_fd(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket_fd.get() == -1) throw failure("socket for ", name);
  const int yes = 1;
  if (::setsockopt(socket_fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == -1)
    throw failure("setsockopt for ", name);
  if (::bind(socket_fd.get(), where.data(), where.length()) == -1) throw failure("bind to ", name);
  if (::listen(socket_fd.get(), backlog) == -1) throw failure("listen on ", name);
  return socket_fd;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) == -1)
    throw failure("getsockname");
  return Endpoint(reinterpret_cast<sockaddr*>(&storage), length).port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  const Fd mine(::fcntl(listener, F_DUPFD_CLOEXEC, 0));
  if (mine.get() == -1) throw failure("fcntl");
  while (!stop()) {
    Fd client(::accept4(mine.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() == -1 && !is_worth_going_on(errno)) throw failure("accept4");
    if (client.get() == -1) continue;
    try {
      handle(client.get());
    } catch (...) {
    }
    close_gracefully(std::move(client), std::chrono::seconds(2));
  }
}

}  // namespace course
