// Different here: every attempt is made on a non-blocking socket and waited for with ppoll; the
// socket is put back into blocking mode before it is handed over.
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

[[noreturn]] void fail(int error, const Endpoint& address) {
  throw std::system_error(error, std::generic_category(), "connecting to " + address.to_string());
}

std::error_code wait_for(int fd) {
  pollfd item{fd, POLLOUT, 0};
  int events = 0;
  do {
    events = ppoll(&item, 1, nullptr, nullptr);
  } while (events == -1 && errno == EINTR);
  if (events == -1) return {errno, std::generic_category()};

  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) error = errno;
  return {error, std::generic_category()};
}

std::error_code start(int fd, const Endpoint& address) {
  if (connect(fd, address.data(), address.length()) == 0) return {};
  return {errno, std::generic_category()};
}

std::error_code make_blocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags == -1 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1)
    return {errno, std::generic_category()};
  return {};
}

/// Connected and blocking, or nothing and `error`.
std::optional<Fd> attempt(const Endpoint& address, std::error_code& error) {
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() == -1) {
    error.assign(errno, std::generic_category());
    return std::nullopt;
  }
  error = start(fd.get(), address);
  if (error == std::errc::operation_in_progress || error == std::errc::interrupted)
    error = wait_for(fd.get());
  if (!error) error = make_blocking(fd.get());
  if (error) return std::nullopt;
  return fd;
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  const addrinfo hints{.ai_flags = 0,
                       .ai_family = AF_UNSPEC,
                       .ai_socktype = SOCK_STREAM,
                       .ai_protocol = 0,
                       .ai_addrlen = 0,
                       .ai_addr = nullptr,
                       .ai_canonname = nullptr,
                       .ai_next = nullptr};
  addrinfo* raw = nullptr;
  const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &raw);
  const int saved_errno = errno;
  const std::unique_ptr<addrinfo, decltype([](addrinfo* list) { freeaddrinfo(list); })> list(raw);
  if (rc == EAI_SYSTEM)
    throw std::system_error(saved_errno, std::system_category(), "resolving " + host);
  if (rc != 0) throw std::system_error(rc, resolver_category(), "resolving " + host);

  std::vector<Endpoint> result;
  for (addrinfo* entry = list.get(); entry; entry = entry->ai_next) {
    Endpoint endpoint(entry->ai_addr, entry->ai_addrlen);
    if (std::count(result.begin(), result.end(), endpoint) == 0) result.push_back(endpoint);
  }
  return result;
}

Fd connect_to(const std::string& host, const std::string& service) {
  const auto addresses = resolve(host, service);
  std::pair<std::error_code, Endpoint> missing_family, failure;
  for (const auto& address : addresses) {
    std::error_code error;
    if (auto connected = attempt(address, error)) return std::move(*connected);
    const bool is_missing = error == std::errc::address_family_not_supported;
    (is_missing ? missing_family : failure) = {error, address};
  }
  const auto& [error, address] = failure.first ? failure : missing_family;
  fail(error.value(), address);
}

}  // namespace course
