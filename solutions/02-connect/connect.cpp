#include "02-connect/connect.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "given/resolver_error.hpp"

namespace course {
namespace {

struct FreeList {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeList>;

/// What getaddrinfo(3) knows of `host`; never an empty list.
AddressList look_up(const std::string& host, const std::string& service) {
  addrinfo hints{};  // whatever is not asked for has to be zero (getaddrinfo(3))
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  if (code == 0) return AddressList(list);
  const std::error_code error = code == EAI_SYSTEM ? std::error_code(errno, std::system_category())
                                                   : std::error_code(code, resolver_category());
  throw std::system_error(error, "look up " + host);
}

/// Waits until the kernel has finished the attempt it is making on `fd`. Returns 0 when connected,
/// otherwise the errno of the attempt.
int outcome_of_attempt(int fd) {
  pollfd waiting{fd, POLLOUT, 0};
  while (poll(&waiting, 1, -1) == -1) {
    if (errno != EINTR) return errno;
  }
  // Writable means finished, not connected: a refused attempt is writable too.
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1) return errno;
  return error;
}

/// Connects the socket `fd` to `address`. Returns 0 when connected, otherwise an errno.
int attempt(int fd, const Endpoint& address) {
  if (connect(fd, address.data(), address.length()) == 0) return 0;
  // POSIX, connect(): an interrupted attempt is not given up, it goes on by itself.
  return errno == EINTR ? outcome_of_attempt(fd) : errno;
}

/// Whether `error` tells the caller more than `earlier` (0: none): that a family is not available
/// here says nothing about the host.
bool tells_more(int error, int earlier) {
  return error != EAFNOSUPPORT || earlier == EAFNOSUPPORT || earlier == 0;
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  const AddressList list = look_up(host, service);
  std::vector<Endpoint> addresses;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    const Endpoint address(entry->ai_addr, entry->ai_addrlen);
    const bool known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (!known) addresses.push_back(address);
  }
  return addresses;
}

Fd connect_to(const std::string& host, const std::string& service) {
  int reason = 0;
  std::string failed_address;
  for (const Endpoint& address : resolve(host, service)) {
    // connect(2): the state of a socket whose connect failed is unspecified, so each gets its own.
    Fd connection(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int error = connection.get() == -1 ? errno : attempt(connection.get(), address);
    if (error == 0) return connection;
    if (tells_more(error, reason)) {
      reason = error;
      failed_address = address.to_string();
    }
  }
  throw std::system_error(reason, std::system_category(), "connect to " + failed_address);
}

}  // namespace course
