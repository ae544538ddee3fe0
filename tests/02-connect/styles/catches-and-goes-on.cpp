// Different here: every failure is an exception. One function connects to one address or throws;
// connect_to() catches, keeps the exception and goes on, and rethrows the last one that counts.
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <set>
#include <system_error>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

int checked(int result, const char* call, const Endpoint& address) {
  if (result >= 0) return result;
  const int error = errno;  // what follows allocates, and may change it
  throw std::system_error(error, std::system_category(),
                          std::string(call) + " for " + address.to_string());
}

void wait_until_connected(int fd, const Endpoint& address) {
  for (;;) {
    pollfd entry{fd, POLLOUT, 0};
    if (poll(&entry, 1, -1) == -1) {
      if (errno == EINTR) continue;
      checked(-1, "poll", address);
    }
    int error = 0;
    socklen_t length = sizeof error;
    checked(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), "getsockopt", address);
    if (error == 0) return;
    errno = error;
    checked(-1, "connect", address);
  }
}

Fd connect_to_one(const Endpoint& address) {
  Fd fd(checked(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0), "socket", address));
  const int result = connect(fd.get(), address.data(), address.length());
  if (result == -1 && errno == EINTR)
    wait_until_connected(fd.get(), address);
  else
    checked(result, "connect", address);
  return fd;
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  addrinfo hints{};
  hints.ai_family = PF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  addrinfo* first = nullptr;
  switch (const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &first)) {
    case 0:
      break;
    case EAI_SYSTEM: {
      const int error = errno;
      throw std::system_error(error, std::system_category(), "resolve(" + host + ")");
    }
    default:
      throw std::system_error(rc, resolver_category(), "resolve(" + host + ")");
  }
  const std::shared_ptr<addrinfo> list(first, freeaddrinfo);

  std::vector<Endpoint> in_order;
  std::set<std::string> seen;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    const std::string raw(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen);
    if (seen.insert(raw).second) in_order.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  return in_order;
}

Fd connect_to(const std::string& host, const std::string& service) {
  std::exception_ptr last_failure;
  bool only_families_are_missing = true;
  for (const Endpoint& address : resolve(host, service)) {
    try {
      return connect_to_one(address);
    } catch (const std::system_error& error) {
      const bool is_missing_family = error.code() == std::errc::address_family_not_supported;
      if (!is_missing_family || only_families_are_missing) last_failure = std::current_exception();
      only_families_are_missing &= is_missing_family;
    }
  }
  std::rethrow_exception(last_failure);
}

}  // namespace course
