// Linux writes what is left into the timeval, also when a signal ended the wait (select(2)): one
// timeval is the deadline. Not portable, and right here.
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "07-will-it-block/will_it_block.hpp"

namespace {

class Timeout {
 public:
  explicit Timeout(const std::optional<course::Duration>& timeout) : is_finite_(timeout) {
    if (!timeout) return;
    const auto ns = std::max<long long>(timeout->count(), 0);
    const long carried = ns % 1000 == 0 ? 0 : 1;
    time_.tv_sec = ns / 1'000'000'000;
    time_.tv_usec = ns % 1'000'000'000 / 1000 + carried;
    if (time_.tv_usec == 1'000'000) {
      time_.tv_usec = 0;
      time_.tv_sec += 1;
    }
  }
  timeval* get() { return is_finite_ ? &time_ : nullptr; }

 private:
  bool is_finite_;
  timeval time_{};
};

}  // namespace

#define WAIT(fd, timeout, ...)                                                                 \
  if ((fd) < 0 || (fd) >= FD_SETSIZE) throw std::system_error(EINVAL, std::system_category()); \
  Timeout time(timeout);                                                                       \
  for (;;) {                                                                                   \
    fd_set set;                                                                                \
    FD_ZERO(&set);                                                                             \
    FD_SET(fd, &set);                                                                          \
    const int ready = ::select((fd) + 1, __VA_ARGS__, nullptr, time.get());                    \
    if (ready >= 0) return ready == 1;                                                         \
    if (errno == EINTR) continue;                                                              \
    throw std::system_error(errno, std::system_category(), std::strerror(errno));              \
  }

bool course::wait_readable(int fd, std::optional<Duration> timeout) {
  WAIT(fd, timeout, &set, nullptr)
}

bool course::wait_writable(int fd, std::optional<Duration> timeout) {
  WAIT(fd, timeout, nullptr, &set)
}

#undef WAIT
