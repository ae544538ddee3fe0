// Trusts no readiness of the socket, remembers the first failure, and leaves the loop in one place.
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

struct Netcat {
  int in, out, sock;
  std::vector<char> buffer = std::vector<char>(1 << 17);
  bool in_is_open = true, is_over = false;
  int error = 0;

  void fail() {
    if (error == 0) error = errno;
    is_over = true;
  }

  bool wait(fd_set& set) {
    FD_ZERO(&set);
    FD_SET(sock, &set);
    if (in_is_open) FD_SET(in, &set);
    if (::select(std::max(in, sock) + 1, &set, nullptr, nullptr, nullptr) > 0) return true;
    if (errno != EINTR) fail();
    return false;
  }

  void from_peer() {
    const ssize_t got = ::recv(sock, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) is_over = true;
    if (got == -1 && errno != EAGAIN && errno != EINTR) fail();
    for (const char *at = buffer.data(), *end = at + std::max<ssize_t>(got, 0); at != end;) {
      const ssize_t n = ::write(out, at, static_cast<std::size_t>(end - at));
      if (n == -1 && errno != EINTR) return fail();
      at += std::max<ssize_t>(n, 0);
    }
  }

  void from_keyboard() {
    const ssize_t got = ::read(in, buffer.data(), buffer.size());
    if (got == -1 && errno != EINTR) return fail();
    if (got == 0) {
      in_is_open = false;
      (void)::shutdown(sock, SHUT_WR);
    }
    for (const char *at = buffer.data(), *end = at + std::max<ssize_t>(got, 0); at != end;) {
      const ssize_t n = ::send(sock, at, static_cast<std::size_t>(end - at), MSG_NOSIGNAL);
      if (n == -1 && errno != EINTR) {
        fail();
        return last_words();
      }
      at += std::max<ssize_t>(n, 0);
    }
  }

  // A connection that cannot send any more does not keep a receive waiting.
  void last_words() {
    std::size_t pieces = 0;
    char peeked;
    while (++pieces < 100'000 && ::recv(sock, &peeked, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
      from_peer();
  }

  int run() {
    while (!is_over) {
      fd_set ready;
      if (!wait(ready)) continue;
      if (FD_ISSET(sock, &ready)) from_peer();
      if (!is_over && FD_ISSET(in, &ready)) from_keyboard();
    }
    return error == 0 ? 0 : 1;
  }
};

struct RestoreSigpipe {
  void operator()(struct sigaction* before) const {
    ::sigaction(SIGPIPE, before, nullptr);
    delete before;
  }
};

}  // namespace

int netcat(int in, int out, int sock) {
  int error = 0;
  {
    const std::unique_ptr<struct sigaction, RestoreSigpipe> before(new struct sigaction);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, before.get());
    Netcat netcat{.in = in, .out = out, .sock = sock};
    netcat.run();
    error = netcat.error;
  }
  errno = error;
  return error == 0 ? 0 : 1;
}

}  // namespace course
