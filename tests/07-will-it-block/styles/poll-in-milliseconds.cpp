// poll(2): any number fits, so the limit is its own affair; milliseconds in an int, rounded up.
#include <poll.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <system_error>

#include "07-will-it-block/will_it_block.hpp"

namespace {

[[noreturn]] void fail(int error, int fd) {
  throw std::system_error(error, std::system_category(), "poll, descriptor " + std::to_string(fd));
}

int milliseconds_of(const std::optional<course::Duration>& left) {
  if (!left) return -1;
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
  return static_cast<int>(std::min<long long>(count, INT_MAX));
}

// An end or an error answers too, whether it was asked about or not.
bool poll_one(int fd, short events, const std::optional<course::Duration>& timeout) {
  if (fd < 0 || fd >= FD_SETSIZE) fail(EINVAL, fd);
  const auto deadline = timeout ? course::Deadline::after(*timeout) : course::Deadline::never();
  pollfd entry{fd, events, 0};
  for (;;) {
    switch (::poll(&entry, 1, milliseconds_of(deadline.remaining()))) {
      case 1:
        if ((entry.revents & POLLNVAL) != 0) fail(EBADF, fd);
        return true;
      case 0:
        if (deadline.has_passed()) return false;
        break;
      default:
        if (errno != EINTR) fail(errno, fd);
    }
  }
}

}  // namespace

bool course::wait_readable(int fd, std::optional<Duration> timeout) {
  return poll_one(fd, POLLIN, timeout);
}

bool course::wait_writable(int fd, std::optional<Duration> timeout) {
  return poll_one(fd, POLLOUT, timeout);
}
