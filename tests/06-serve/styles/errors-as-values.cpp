// Nothing throws below the two public functions that must: every step returns a variant of a value
// and an error code, and std::errc names the errors.
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <string>
#include <system_error>
#include <variant>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {
namespace {

using Accepted = std::variant<Fd, std::error_code>;

struct Failure {
  const char* call;
  std::error_code error;
};

std::error_code last_error() { return {errno, std::system_category()}; }

/// Stops at the first step that fails.
std::variant<Fd, Failure> try_listen(const Endpoint& where, int backlog) {
  Fd fd(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return Failure{"socket", last_error()};
  const int yes = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
    return Failure{"setsockopt", last_error()};
  if (::bind(fd.get(), where.data(), where.length()) < 0) return Failure{"bind", last_error()};
  if (::listen(fd.get(), backlog) < 0) return Failure{"listen", last_error()};
  return fd;
}

Accepted try_to_accept(int listener) {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return last_error();
  return Fd(client);
}

bool leaves_the_listener_usable(const std::error_code& error) {
  return error == std::errc::interrupted || error == std::errc::connection_aborted ||
         error == std::errc::protocol_error || error == std::errc::no_protocol_option ||
         error == std::errc::network_down || error == std::errc::network_unreachable ||
         error == std::errc::host_unreachable || error.value() == EHOSTDOWN ||
         error.value() == ENONET;
}

std::exception_ptr outcome_of(const Handler& handle, int client) noexcept {
  try {
    handle(client);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

Fd listen_on(const Endpoint& where, int backlog) {
  auto listening = try_listen(where, backlog);
  if (const auto* failure = std::get_if<Failure>(&listening))
    throw std::system_error(failure->error, where.to_string() + ", " + failure->call);
  return std::get<Fd>(std::move(listening));
}

std::uint16_t local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) < 0)
    throw std::system_error(last_error(), "getsockname");
  return Endpoint(reinterpret_cast<sockaddr*>(&storage), length).port();
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  while (!stop()) {
    Accepted accepted = try_to_accept(listener);
    if (Fd* const client = std::get_if<Fd>(&accepted)) {
      (void)outcome_of(handle,
                       client->get());  // what went wrong with one is not the others' affair
      close_gracefully(std::move(*client), std::chrono::seconds(2));
    } else if (!leaves_the_listener_usable(std::get<std::error_code>(accepted))) {
      throw std::system_error(std::get<std::error_code>(accepted), "accept");
    }
  }
}

}  // namespace course
