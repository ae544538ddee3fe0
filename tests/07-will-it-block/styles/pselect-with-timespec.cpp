// pselect(2): its timespec counts nanoseconds like Duration, and it leaves it alone.
#include <sys/select.h>

#include <cerrno>
#include <system_error>

#include "07-will-it-block/will_it_block.hpp"

using namespace std::chrono;

static timespec to_timespec(course::Duration left) {
  const auto whole = duration_cast<seconds>(left);
  return {whole.count(), (left - whole).count()};
}

static bool ready(int fd, bool to_write, std::optional<course::Duration> timeout) {
  if (fd < 0 || fd > FD_SETSIZE - 1)
    throw std::system_error(EINVAL, std::generic_category(), "not for an fd_set");
  const auto deadline = timeout ? course::Deadline::after(*timeout) : course::Deadline::never();
  int count;
  do {
    fd_set sets[3]{};
    FD_SET(fd, &sets[to_write ? 1 : 0]);
    const auto left = deadline.remaining();
    const timespec time = to_timespec(left.value_or(0ns));
    count = ::pselect(fd + 1, &sets[0], &sets[1], &sets[2], left ? &time : nullptr, nullptr);
  } while (count == -1 && errno == EINTR);
  if (count == -1) throw std::system_error(errno, std::generic_category(), "pselect");
  return count == 1;
}

bool course::wait_readable(int fd, std::optional<Duration> timeout) {
  return ready(fd, false, timeout);
}

bool course::wait_writable(int fd, std::optional<Duration> timeout) {
  return ready(fd, true, timeout);
}
