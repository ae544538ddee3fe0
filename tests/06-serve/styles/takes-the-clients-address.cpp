// Has accept fill in who called, and asks for nothing that a client which has gone could not
// answer; accept, then fcntl.
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {
namespace {

struct Caller {
  Fd socket;
  Endpoint address;
};

/// The address that `call` fills in, and what it returned.
template <typename Call>
std::pair<int, Endpoint> with_address(Call call) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int result = call(reinterpret_cast<sockaddr*>(&storage), &length);
  if (result == -1) return {result, Endpoint()};
  return {result, Endpoint(reinterpret_cast<sockaddr*>(&storage), length)};
}

Caller accept_caller(int listener) {
  auto [fd, address] =
      with_address([=](sockaddr* name, socklen_t* size) { return ::accept(listener, name, size); });
  if (fd != -1) {
    Fd socket(fd);
    (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);  // cannot fail on a descriptor that we just got
    return {std::move(socket), address};
  }
  switch (errno) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return {};
    default:
      throw std::system_error(errno, std::system_category(), "accept");
  }
}

void converse(const Handler& handle, Caller caller) noexcept {
  try {
    handle(caller.socket.get());
  } catch (...) {
  }
  close_gracefully(std::move(caller.socket), std::chrono::seconds(2));
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) {
  const auto must = [&where](const char* call, int result) {
    if (result != -1) return result;
    const int error = errno;
    throw std::system_error(error, std::system_category(),
                            std::string(call) + " [" + where.to_string() + "]");
  };
  const int yes = 1;
  Fd fd(must("socket", ::socket(where.family(), SOCK_STREAM, 0)));
  must("fcntl", ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC));
  must("setsockopt", ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
  must("bind", ::bind(fd.get(), where.data(), where.length()));
  must("listen", ::listen(fd.get(), backlog));
  return fd;
}

std::uint16_t local_port(int fd) {
  const auto [result, address] =
      with_address([=](sockaddr* name, socklen_t* size) { return ::getsockname(fd, name, size); });
  if (result == -1) throw std::system_error(errno, std::system_category(), "getsockname");
  return address.port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  while (!stop()) {
    if (Caller caller = accept_caller(listener); caller.socket.get() != -1)
      converse(handle, std::move(caller));
  }
}

}  // namespace course
