// Right in another way: C with C++ at the edges. Points in time are nanoseconds of clock_gettime,
// the waiting call is pselect, and clean-up is a goto.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#include <string>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace {

constexpr int64_t never_ns = INT64_MAX;
constexpr int64_t second_ns = 1000000000;

int64_t now_ns() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * second_ns + now.tv_nsec;
}

int64_t point_after(int64_t time_ns) {
  const int64_t now = now_ns();
  return time_ns > never_ns - now ? never_ns : now + time_ns;
}

int64_t point_of(course::Deadline deadline) {
  const auto left = deadline.remaining();
  return left ? point_after(left->count()) : never_ns;
}

// pselect until a point in time. Returns its result; the sets hold the answer unless it is -1.
int wait_until(int nfds, fd_set* sets, int64_t point_ns) {
  const fd_set asked[3] = {sets[0], sets[1], sets[2]};
  int count;
again:
  struct timespec left = {0, 0};
  const int64_t left_ns = point_ns == never_ns ? 0 : point_ns - now_ns();
  if (left_ns > 0) {
    left.tv_sec = left_ns / second_ns;
    left.tv_nsec = left_ns % second_ns;
  }
  for (int i = 0; i < 3; ++i) sets[i] = asked[i];
  count = pselect(nfds, &sets[0], &sets[1], &sets[2], point_ns == never_ns ? NULL : &left, NULL);
  if (count == -1 && errno == EINTR) goto again;
  return count;
}

course::IoResult result(course::IoStatus status, size_t bytes, int error = 0) {
  std::error_code code;
  if (error != 0) code.assign(error, std::system_category());
  return {status, bytes, code};
}

// 1: a byte or more; 0: the end; -1: errno, ETIMEDOUT_BY_US when the time is over.
constexpr int ETIMEDOUT_BY_US = -1;

ssize_t receive_until(int fd, void* buffer, size_t size, int64_t point_ns) {
  if (fd < 0 || fd >= FD_SETSIZE) {
    errno = EINVAL;
    return -1;
  }
  ssize_t got;
again:
  fd_set sets[3];
  for (fd_set& set : sets) FD_ZERO(&set);
  FD_SET(fd, &sets[0]);
  const int count = wait_until(fd + 1, sets, point_ns);
  if (count == 0) errno = ETIMEDOUT_BY_US;
  if (count <= 0) return -1;
  got = recv(fd, buffer, size, 0);
  if (got == -1 && errno == EINTR) goto again;
  return got;
}

}  // namespace

course::Ready course::select_until(std::span<const int> readers, std::span<const int> writers,
                                   std::span<const int> exceptional, Deadline deadline) {
  const std::span<const int> lists[3] = {readers, writers, exceptional};
  fd_set sets[3];
  std::vector<int> found[3];
  int nfds = 0;
  for (int i = 0; i < 3; ++i) {
    FD_ZERO(&sets[i]);
    for (const int fd : lists[i]) {
      const int error = fd < 0 || fd >= FD_SETSIZE ? EINVAL : fcntl(fd, F_GETFD) == -1 ? EBADF : 0;
      if (error != 0)
        throw std::system_error(error, std::system_category(), "fd " + std::to_string(fd));
      FD_SET(fd, &sets[i]);
      if (fd >= nfds) nfds = fd + 1;
    }
  }
  if (wait_until(nfds, sets, point_of(deadline)) == -1)
    throw std::system_error(errno, std::system_category(), "pselect");
  for (int i = 0; i < 3; ++i)
    for (const int fd : lists[i])
      if (FD_ISSET(fd, &sets[i])) {
        found[i].push_back(fd);
        FD_CLR(fd, &sets[i]);
      }
  return {found[0], found[1], found[2]};
}

course::IoResult course::recv_exact(int fd, bytes buffer, Deadline deadline) {
  const int64_t point_ns = point_of(deadline);
  size_t received = 0;
  ssize_t got = 1;
  while (received < buffer.size()) {
    got = receive_until(fd, buffer.data() + received, buffer.size() - received, point_ns);
    if (got <= 0) goto ended;
    received += static_cast<size_t>(got);
  }
  return result(IoStatus::ok, received);
ended:
  if (got == 0) return result(IoStatus::eof, received);
  if (errno == ETIMEDOUT_BY_US) return result(IoStatus::timed_out, received);
  return result(IoStatus::error, received, errno);
}

course::IoResult course::read_line(int fd, std::string& line, Duration idle, Duration total) {
  const int64_t last_ns = point_after(total.count());
  size_t received = 0;
  char c = 0;
  do {
    const int64_t idle_ns = point_after(idle.count());
    const ssize_t got = receive_until(fd, &c, 1, idle_ns < last_ns ? idle_ns : last_ns);
    if (got == 0) return result(IoStatus::eof, received);
    if (got == -1 && errno == ETIMEDOUT_BY_US) return result(IoStatus::timed_out, received);
    if (got == -1) return result(IoStatus::error, received, errno);
    ++received;
    if (c != '\n') line += c;
  } while (c != '\n');
  return result(IoStatus::ok, received);
}
