// C: microseconds by hand, at most an hour in one select, and the clock read by clock_gettime(2).
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

#include <system_error>

#include "07-will-it-block/will_it_block.hpp"

#define HOUR_US INT64_C(3600000000)

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* 1 ready, 0 not, -1 failed; until_us NULL: for ever */
static int wait_fd(int fd, int to_write, const int64_t* until_us) {
  fd_set bits;
  struct timeval time;
  int64_t left_us;
  int rc;
  if (fd < 0 || fd >= FD_SETSIZE) {
    errno = EINVAL;
    return -1;
  }
again:
  left_us = HOUR_US;
  if (until_us != NULL) {
    left_us = *until_us - now_us();
    if (left_us < 0) left_us = 0;
    if (left_us > HOUR_US) left_us = HOUR_US;
  }
  time.tv_sec = left_us / 1000000;
  time.tv_usec = left_us % 1000000;
  memset(&bits, 0, sizeof bits);
  FD_SET(fd, &bits);
  if (to_write)
    rc = select(fd + 1, NULL, &bits, NULL, &time);
  else
    rc = select(fd + 1, &bits, NULL, NULL, &time);
  if (rc == -1 && errno == EINTR) goto again;
  if (rc == 0 && left_us == HOUR_US) goto again;
  return rc;
}

static bool wait_for(int fd, int to_write, const std::optional<course::Duration>& timeout) {
  int64_t until_us = INT64_MAX;
  int rc;
  if (timeout.has_value()) {
    /* One more than the clock shows, for the part of a microsecond that it does not show. */
    const int64_t us = timeout->count() / 1000 + (timeout->count() % 1000 > 0 ? 2 : 1);
    until_us = timeout->count() <= 0 ? 0 : now_us() + us;
  }
  rc = wait_fd(fd, to_write, timeout.has_value() ? &until_us : NULL);
  if (rc < 0) throw std::system_error(errno, std::system_category());
  return rc != 0;
}

bool course::wait_readable(int fd, std::optional<Duration> timeout) {
  return wait_for(fd, 0, timeout);
}

bool course::wait_writable(int fd, std::optional<Duration> timeout) {
  return wait_for(fd, 1, timeout);
}
