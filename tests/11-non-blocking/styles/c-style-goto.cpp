// Right in another way: C with goto; the mode by fcntl after accept; poll for the waiting.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <system_error>

#include "11-non-blocking/non_blocking.hpp"

namespace course {

static void die(const char* call) { throw std::system_error(errno, std::system_category(), call); }

static IoResult outcome(ssize_t n, bool zero_is_the_end) {
  IoResult result;
  if (n > 0 || (n == 0 && !zero_is_the_end)) {
    result.bytes = (size_t)n;
  } else if (n == 0) {
    result.status = IoStatus::eof;
  } else if (errno == EAGAIN) {
    result.status = IoStatus::would_block;
  } else {
    result.status = IoStatus::error;
    result.error.assign(errno, std::system_category());
  }
  return result;
}

void set_nonblocking(int fd, bool on) {
  int flags = fcntl(fd, F_GETFL, 0);
  if (flags < 0) die("fcntl");
  if (on)
    flags |= O_NONBLOCK;
  else
    flags &= ~O_NONBLOCK;
  if (fcntl(fd, F_SETFL, flags) < 0) die("fcntl");
}

IoResult try_recv(int fd, bytes buffer) {
  ssize_t n;
  if (buffer.empty()) return {};
again:
  n = recv(fd, buffer.data(), buffer.size(), 0);
  if (n < 0 && errno == EINTR) goto again;
  return outcome(n, true);
}

IoResult try_send(int fd, cbytes data) {
  ssize_t n;
  if (data.empty()) return {};
again:
  n = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
  if (n < 0 && errno == EINTR) goto again;
  return outcome(n, false);
}

std::optional<Fd> try_accept(int listener) {
  int fd;
again:
  fd = accept(listener, nullptr, nullptr);
  if (fd < 0) switch (errno) {
      case EAGAIN:
        return std::nullopt;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENOPROTOOPT:
      case ENETDOWN:
      case ENETUNREACH:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ENONET:
        goto again;
      default:
        die("accept");
    }
  {
    Fd client(fd);
    const int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
      die("fcntl after accept");
    return client;
  }
}

IoResult drain(int fd, std::string& into, size_t max_bytes) {
  char piece[4096];
  size_t total = 0;
  IoResult one;
more:
  if (total == max_bytes) return {IoStatus::ok, total, {}};
  {
    const size_t left = max_bytes - total;
    one = try_recv(fd, bytes((std::byte*)piece, left < sizeof piece ? left : sizeof piece));
  }
  into.append(piece, one.bytes);
  total += one.bytes;
  if (one.status == IoStatus::ok) goto more;
  one.bytes = total;
  return one;
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  struct pollfd entry = {fd, POLLIN, 0};
  IoResult result;
  int timeout_ms;
again:
  result = try_recv(fd, buffer);
  if (result.status != IoStatus::would_block) return result;
  timeout_ms = -1;
  if (const auto left = deadline.remaining()) {
    if (left->count() == 0) {
      result.status = IoStatus::timed_out;
      return result;
    }
    const long long ms = (left->count() + 999999) / 1000000;
    timeout_ms = ms > INT_MAX ? INT_MAX : (int)ms;
  }
  if (poll(&entry, 1, timeout_ms) >= 0 || errno == EINTR) goto again;
  return outcome(-1, false);
}

}  // namespace course
