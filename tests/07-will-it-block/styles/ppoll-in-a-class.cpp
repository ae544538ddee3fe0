// A class that is a question; ppoll(2) takes nanoseconds, so nothing has to be rounded. POLLRDNORM
// and POLLWRNORM are other names of POLLIN and POLLOUT.
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <time.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "07-will-it-block/will_it_block.hpp"

namespace course {
namespace {

class Question {
 public:
  Question(int fd, short events) : entry_{fd, events, 0} {
    demand(std::cmp_greater_equal(fd, 0) && std::cmp_less(fd, FD_SETSIZE), EINVAL, "range");
    demand(::fcntl(fd, F_GETFD) != -1, EBADF, "fcntl");
  }

  bool answered_within(const Deadline& deadline) {
    while (!ask(deadline.remaining())) continue;
    demand((entry_.revents & POLLNVAL) == 0, EBADF, "ppoll");
    return entry_.revents != 0;
  }

 private:
  static void demand(bool holds, int error, const char* what) {
    if (!holds) throw std::system_error(error, std::system_category(), what);
  }

  // False: a signal came first.
  bool ask(std::optional<Duration> left) {
    timespec time{};
    if (left) time = {left->count() / 1'000'000'000, left->count() % 1'000'000'000};
    if (::ppoll(&entry_, 1, left ? &time : nullptr, nullptr) != -1) return true;
    demand(errno == EINTR, errno, "ppoll");
    return false;
  }

  pollfd entry_;
};

Deadline deadline_of(std::optional<Duration> timeout) {
  return timeout ? Deadline::after(*timeout) : Deadline::never();
}

}  // namespace

bool wait_readable(int fd, std::optional<Duration> timeout) {
  return Question(fd, POLLRDNORM).answered_within(deadline_of(timeout));
}

bool wait_writable(int fd, std::optional<Duration> timeout) {
  return Question(fd, POLLWRNORM).answered_within(deadline_of(timeout));
}

}  // namespace course
