#include "07-will-it-block/will_it_block.hpp"

#include <sys/select.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

namespace course {
namespace {

enum class Readiness { reading, writing };

/// Never shorter than `time`: a part of a microsecond counts as a whole one.
timeval to_timeval(Duration time) {
  const auto whole = std::chrono::ceil<std::chrono::microseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(whole);
  return {.tv_sec = seconds.count(), .tv_usec = (whole - seconds).count()};
}

bool wait_until_ready(Readiness wanted, int fd, std::optional<Duration> timeout) {
  // FD_SET of any other number would write beside the set.
  if (fd < 0 || fd >= FD_SETSIZE)
    throw std::system_error(EINVAL, std::system_category(), "descriptor " + std::to_string(fd));

  const Deadline deadline = timeout ? Deadline::after(*timeout) : Deadline::never();
  for (;;) {  // select overwrites the set and the time: each call gets new ones
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    fd_set* const to_read = wanted == Readiness::reading ? &set : nullptr;
    fd_set* const to_write = wanted == Readiness::writing ? &set : nullptr;
    const std::optional<Duration> left = deadline.remaining();
    timeval time = to_timeval(left.value_or(Duration::zero()));

    const int count = ::select(fd + 1, to_read, to_write, nullptr, left ? &time : nullptr);
    if (count == 0) return false;
    if (count > 0) return FD_ISSET(fd, &set);
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), "select");
  }
}

}  // namespace

bool wait_readable(int fd, std::optional<Duration> timeout) {
  return wait_until_ready(Readiness::reading, fd, timeout);
}

bool wait_writable(int fd, std::optional<Duration> timeout) {
  return wait_until_ready(Readiness::writing, fd, timeout);
}

}  // namespace course
