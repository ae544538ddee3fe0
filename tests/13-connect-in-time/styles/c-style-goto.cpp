// Different here: C style. Plain arrays and descriptors, poll, errors as int, one exit with goto.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <stdexcept>
#include <system_error>

#include "13-connect-in-time/connect_in_time.hpp"

typedef long long nanoseconds;
static const nanoseconds no_time = -1;

static nanoseconds now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (nanoseconds)t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* milliseconds from now until then, rounded up; -1: no end */
static int until(nanoseconds then) {
  nanoseconds left;
  if (then == no_time) return -1;
  left = then - now();
  if (left <= 0) return 0;
  left = (left + 999999) / 1000000;
  return left > INT_MAX ? INT_MAX : (int)left;
}

static int is_same_end(const struct sockaddr_storage* a, const struct sockaddr_storage* b) {
  if (a->ss_family != b->ss_family) return 0;
  if (a->ss_family == AF_INET) {
    const struct sockaddr_in* x = (const struct sockaddr_in*)a;
    const struct sockaddr_in* y = (const struct sockaddr_in*)b;
    return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
  }
  const struct sockaddr_in6* x = (const struct sockaddr_in6*)a;
  const struct sockaddr_in6* y = (const struct sockaddr_in6*)b;
  return x->sin6_port == y->sin6_port && memcmp(&x->sin6_addr, &y->sin6_addr, 16) == 0;
}

/* 0: connected, else an errno */
static int result_of(int fd) {
  struct sockaddr_storage mine, other;
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  if (error != 0) return error;
  length = sizeof mine;
  if (getsockname(fd, (struct sockaddr*)&mine, &length) < 0) return errno;
  length = sizeof other;
  if (getpeername(fd, (struct sockaddr*)&other, &length) < 0) return errno;
  return is_same_end(&mine, &other) ? ECONNREFUSED : 0;
}

/* 0: on its way in *fd, else an errno and nothing open */
static int start(int* fd, const struct sockaddr* to, socklen_t length) {
  int error;
  *fd = socket(to->sa_family, SOCK_STREAM, 0);
  if (*fd < 0) return errno;
  if (fcntl(*fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(*fd, F_SETFL, O_NONBLOCK) < 0) goto failed;
  if (connect(*fd, to, length) == 0 || errno == EINPROGRESS) return 0;
failed:
  error = errno;
  close(*fd);
  *fd = -1;
  return error;
}

/* The connected descriptor, or -1 with *error and *who. stagger 0: one at a time. */
static int connect_first(const course::Endpoint* list, size_t count, nanoseconds stagger,
                         nanoseconds deadline, int* error, size_t* who) {
  struct pollfd* entries = (struct pollfd*)malloc(count * sizeof *entries);
  size_t next = 0, i, open = 0;
  nanoseconds due = 0;
  int winner = -1, e, ready;
  *error = EAFNOSUPPORT;
  *who = count - 1;
  if (entries == NULL) {
    *error = ENOMEM;
    return -1;
  }
  for (i = 0; i < count; i++) entries[i].fd = -1, entries[i].events = POLLOUT;
  for (;;) {
    while (next < count && (open == 0 || (due != no_time && now() >= due))) {
      i = next++;
      e = start(&entries[i].fd, list[i].data(), list[i].length());
      due = e != 0 ? now() : stagger != 0 ? now() + stagger : no_time;
      if (e == 0) open++;
      if (e == 0 || (e == EAFNOSUPPORT && *error != EAFNOSUPPORT)) continue;
      *error = e;
      *who = i;
    }
    if (open == 0) goto done;
    if (next == count) due = no_time;
    ready = poll(entries, count,
                 until(due == no_time                          ? deadline
                       : deadline == no_time || due < deadline ? due
                                                               : deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) {
      *error = errno;
      goto done;
    }
    for (i = 0; ready > 0 && i < count; i++) {
      if (entries[i].fd < 0 || entries[i].revents == 0) continue;
      e = result_of(entries[i].fd);
      if (e == 0) {
        winner = entries[i].fd;
        entries[i].fd = -1;
        goto done;
      }
      close(entries[i].fd);
      entries[i].fd = -1;
      open--;
      due = now();
      *error = e;
      *who = i;
    }
    if (ready > 0 || deadline == no_time || now() < deadline) continue;
    *error = ETIMEDOUT;
    for (i = 0; i < count; i++)
      if (entries[i].fd >= 0) *who = i;
    goto done;
  }
done:
  for (i = 0; i < count; i++)
    if (entries[i].fd >= 0) close(entries[i].fd);
  free(entries);
  if (winner >= 0) fcntl(winner, F_SETFL, 0);
  return winner;
}

static course::Fd connect_or_throw(std::span<const course::Endpoint> list, nanoseconds stagger,
                                   course::Deadline deadline) {
  int error, fd;
  size_t who;
  if (list.empty()) throw std::invalid_argument("empty list");
  const auto left = deadline.remaining();
  fd = connect_first(list.data(), list.size(), stagger, left ? now() + left->count() : no_time,
                     &error, &who);
  if (fd >= 0) return course::Fd(fd);
  throw std::system_error(error, std::system_category(), list[who].to_string());
}

course::Fd course::connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  return connect_or_throw(addresses, 0, deadline);
}

course::Fd course::connect_race(std::span<const Endpoint> addresses,
                                std::chrono::milliseconds stagger, Deadline deadline) {
  return connect_or_throw(addresses, stagger.count() * 1000000LL, deadline);
}
