// Different here: after an interruption connect is called again, and every answer that a system may
// give to that is understood: 0 or EISCONN (connected), EALREADY (still under way: wait, then ask
// SO_ERROR), EINTR (again), anything else (the attempt failed).
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

int wait_and_ask(int fd) {
  pollfd entry{};
  entry.fd = fd;
  entry.events = POLLOUT;
  int ready = -1;
  while ((ready = poll(&entry, 1, -1)) == -1 && errno == EINTR) continue;
  int error = 0;
  socklen_t length = sizeof error;
  if (ready == -1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1) return errno;
  return error;
}

int connect_through_signals(int fd, const Endpoint& to) {
  int result = connect(fd, to.data(), to.length());
  bool again = false;
  while (result == -1 && errno == EINTR) {
    again = true;
    result = connect(fd, to.data(), to.length());
  }
  if (result == 0) return 0;
  if (again && errno == EISCONN) return 0;
  if (again && errno == EALREADY) return wait_and_ask(fd);
  return errno;
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &list); rc != 0) {
    const std::error_code system(errno, std::system_category());
    const std::error_code resolver(rc, resolver_category());
    throw std::system_error(rc == EAI_SYSTEM ? system : resolver, "no address for " + host);
  }
  const auto free_list = [](addrinfo* p) { freeaddrinfo(p); };
  const std::unique_ptr<addrinfo, decltype(free_list)> owner(list, free_list);

  std::vector<Endpoint> endpoints;
  do {
    Endpoint endpoint(list->ai_addr, list->ai_addrlen);
    if (std::find(endpoints.rbegin(), endpoints.rend(), endpoint) == endpoints.rend())
      endpoints.push_back(endpoint);
    list = list->ai_next;
  } while (list != nullptr);
  return endpoints;
}

Fd connect_to(const std::string& host, const std::string& service) {
  const std::vector<Endpoint> endpoints = resolve(host, service);
  const Endpoint* last = nullptr;  // the last that was tried
  int error = 0;
  Fd fd;
  for (const Endpoint& endpoint : endpoints) {
    fd.reset();
    fd.reset(socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.get() == -1 && errno == EAFNOSUPPORT) continue;
    last = &endpoint;
    error = fd.get() == -1 ? errno : connect_through_signals(fd.get(), endpoint);
    if (error == 0) return fd;
  }
  if (last == nullptr) {
    last = &endpoints.back();
    error = EAFNOSUPPORT;
  }
  throw std::system_error(error, std::system_category(), "no answer from " + last->to_string());
}

}  // namespace course
