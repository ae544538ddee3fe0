// Different here: recursion instead of loops. A list is its head and its tail; the depth is the
// number of addresses, which getaddrinfo keeps small.
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <system_error>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

void append_new(std::vector<Endpoint>& known, const addrinfo* list) {
  if (list == nullptr) return;
  const Endpoint head(list->ai_addr, list->ai_addrlen);
  if (std::none_of(known.begin(), known.end(), [&](const auto& e) { return e == head; }))
    known.push_back(head);
  append_new(known, list->ai_next);
}

bool settled(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  return poll(&entry, 1, -1) == 1 || (errno == EINTR && settled(fd));
}

int outcome(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (!settled(fd)) return errno;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ? errno : error;
}

/// `reason` and `culprit`: the failure that is reported when none of `addresses` accepts.
Fd connect_to_one_of(std::span<const Endpoint> addresses, int reason, const Endpoint& culprit) {
  if (addresses.empty())
    throw std::system_error(reason, std::system_category(), culprit.to_string());
  const Endpoint& head = addresses.front();
  const auto tail = addresses.subspan(1);

  int error = 0;
  {
    Fd fd(socket(head.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.get() == -1)
      error = errno;
    else if (connect(fd.get(), head.data(), head.length()) == -1)
      error = errno == EINTR ? outcome(fd.get()) : errno;
    if (error == 0) return fd;
  }  // closed before the next one opens
  if (error == EAFNOSUPPORT && reason != EAFNOSUPPORT)
    return connect_to_one_of(tail, reason, culprit);
  return connect_to_one_of(tail, error, head);
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  const std::error_code error = rc == EAI_SYSTEM ? std::error_code(errno, std::system_category())
                                                 : std::error_code(rc, resolver_category());
  if (rc != 0) throw std::system_error(error, host);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  std::vector<Endpoint> known;
  append_new(known, list);
  return known;
}

Fd connect_to(const std::string& host, const std::string& service) {
  return connect_to_one_of(resolve(host, service), EAFNOSUPPORT, Endpoint());
}

}  // namespace course
