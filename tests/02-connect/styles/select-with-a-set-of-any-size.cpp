// Different here: select instead of poll, on a set made as large as the descriptor needs, because
// FD_SET is undefined from FD_SETSIZE on.
#include <netdb.h>
#include <netinet/in.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

class WideSet {
 public:
  explicit WideSet(int fd) : sets_(static_cast<std::size_t>(fd) / FD_SETSIZE + 1) { arm(fd); }

  void arm(int fd) {
    for (fd_set& each : sets_) FD_ZERO(&each);
    FD_SET(fd % FD_SETSIZE, &sets_[static_cast<std::size_t>(fd) / FD_SETSIZE]);
  }

  fd_set* data() { return sets_.data(); }

 private:
  std::vector<fd_set> sets_;  // contiguous, so the kernel sees one long bit map
};

int wait_writable(int fd) {
  for (WideSet writable(fd);; writable.arm(fd)) {
    if (select(fd + 1, nullptr, writable.data(), nullptr, nullptr) > 0) return 0;
    if (errno != EINTR) return errno;
  }
}

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

int connect_or_errno(int fd, const Endpoint& address) {
  if (connect(fd, address.data(), address.length()) == 0) return 0;
  if (errno != EINTR) return errno;
  const int error = wait_writable(fd);
  return error != 0 ? error : pending_error(fd);
}

class Lookup {
 public:
  Lookup(const std::string& host, const std::string& service) {
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &first_);
    if (rc == 0) return;
    std::error_code error(rc, resolver_category());
    if (rc == EAI_SYSTEM) error = std::error_code(errno, std::system_category());
    throw std::system_error(error, host + ", " + service);
  }
  ~Lookup() { freeaddrinfo(first_); }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  [[nodiscard]] const addrinfo* first() const { return first_; }

 private:
  addrinfo* first_ = nullptr;
};

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  const Lookup lookup(host, service);
  std::vector<Endpoint> once;
  for (auto* p = lookup.first(); p != nullptr; p = p->ai_next) {
    once.emplace_back(p->ai_addr, p->ai_addrlen);
    if (std::find(once.begin(), once.end() - 1, once.back()) != once.end() - 1) once.pop_back();
  }
  return once;
}

Fd connect_to(const std::string& host, const std::string& service) {
  struct {
    int error = EAFNOSUPPORT;
    Endpoint address;
  } last;
  for (const Endpoint& address : resolve(host, service)) {
    Fd socket_fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    const int error = socket_fd.get() < 0 ? errno : connect_or_errno(socket_fd.get(), address);
    if (error == 0) return socket_fd;
    if (error != EAFNOSUPPORT || last.error == EAFNOSUPPORT) last = {error, address};
  }
  throw std::system_error(last.error, std::system_category(), last.address.to_string());
}

}  // namespace course
