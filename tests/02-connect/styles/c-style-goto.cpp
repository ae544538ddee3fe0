// Different here: C style. Plain descriptors and pointers, one exit with goto clean-up, errors as
// int, and duplicates found by comparing the socket addresses field by field.
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

static int same_address(const struct addrinfo* a, const struct addrinfo* b) {
  if (a->ai_family != b->ai_family) return 0;
  if (a->ai_family == AF_INET) {
    const struct sockaddr_in* x = (const struct sockaddr_in*)a->ai_addr;
    const struct sockaddr_in* y = (const struct sockaddr_in*)b->ai_addr;
    return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
  }
  if (a->ai_family == AF_INET6) {
    const struct sockaddr_in6* x = (const struct sockaddr_in6*)a->ai_addr;
    const struct sockaddr_in6* y = (const struct sockaddr_in6*)b->ai_addr;
    return x->sin6_port == y->sin6_port && x->sin6_scope_id == y->sin6_scope_id &&
           memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
  }
  return a->ai_addrlen == b->ai_addrlen && memcmp(a->ai_addr, b->ai_addr, a->ai_addrlen) == 0;
}

static int seen_before(const struct addrinfo* list, const struct addrinfo* entry) {
  const struct addrinfo* p;
  for (p = list; p != entry; p = p->ai_next)
    if (same_address(p, entry)) return 1;
  return 0;
}

static int wait_until_decided(int fd) {
  struct pollfd p;
  int error = 0;
  socklen_t length = sizeof error;
  p.fd = fd;
  p.events = POLLOUT;
  p.revents = 0;
again:
  if (poll(&p, 1, -1) < 0) {
    if (errno == EINTR) goto again;
    return errno;
  }
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

/* 0 and a connected *result, or an errno and nothing open */
static int open_connection(const course::Endpoint* address, int* result) {
  int error = 0;
  int fd = socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  if (connect(fd, address->data(), address->length()) < 0) {
    error = errno;
    if (error == EINTR) error = wait_until_decided(fd);
    if (error != 0) goto fail;
  }
  *result = fd;
  return 0;
fail:
  close(fd);
  return error;
}

namespace course {

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  struct addrinfo hints;
  struct addrinfo* list = NULL;
  struct addrinfo* p;
  std::vector<Endpoint> found;
  int rc;

  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  if (rc == EAI_SYSTEM) {
    rc = errno;
    throw std::system_error(rc, std::system_category(), host);
  }
  if (rc != 0) throw std::system_error(rc, resolver_category(), host);

  try {
    for (p = list; p != NULL; p = p->ai_next)
      if (!seen_before(list, p)) found.push_back(Endpoint(p->ai_addr, p->ai_addrlen));
  } catch (...) {
    freeaddrinfo(list);
    throw;
  }
  freeaddrinfo(list);
  return found;
}

Fd connect_to(const std::string& host, const std::string& service) {
  const std::vector<Endpoint> list = resolve(host, service);
  int error = 0, reason = EAFNOSUPPORT;
  int fd = -1;
  size_t i, failed = 0;
  for (i = 0; i < list.size(); i++) {
    error = open_connection(&list[i], &fd);
    if (error == 0) return Fd(fd);
    if (error == EAFNOSUPPORT && reason != EAFNOSUPPORT) continue;
    reason = error;
    failed = i;
  }
  throw std::system_error(reason, std::system_category(), list[failed].to_string());
}

}  // namespace course
