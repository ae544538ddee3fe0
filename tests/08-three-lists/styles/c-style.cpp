// C, with an early look at what is not open, and bits gathered by number.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>

#include <system_error>

#include "08-three-lists/three_lists.hpp"

struct lists {
  const int* fds[3];
  size_t length[3];
  fd_set sets[3];
  int highest;
  int bad; /* the descriptor that was refused */
};

static int fill(struct lists* lists) {
  struct stat unused;
  size_t list, i;
  lists->highest = -1;
  memset(lists->sets, 0, sizeof lists->sets);
  for (list = 0; list < 3; list++) {
    for (i = 0; i < lists->length[list]; i++) {
      const int fd = lists->fds[list][i];
      lists->bad = fd;
      if (fd < 0 || fd > 1023) return EINVAL;
      if (fstat(fd, &unused) != 0) return errno;
      FD_SET(fd, &lists->sets[list]);
      if (fd > lists->highest) lists->highest = fd;
    }
  }
  return 0;
}

static void take(struct lists* lists, int list, std::vector<int>& out) {
  size_t i;
  for (i = 0; i < lists->length[list]; i++) {
    const int fd = lists->fds[list][i];
    if (FD_ISSET(fd, &lists->sets[list])) {
      out.push_back(fd);
      FD_CLR(fd, &lists->sets[list]);
    }
  }
}

course::Ready course::select_on(std::span<const int> r, std::span<const int> w,
                                std::span<const int> e, std::optional<Duration> timeout) {
  struct lists lists = {{r.data(), w.data(), e.data()}, {r.size(), w.size(), e.size()}, {}, -1, -1};
  struct timeval time = {0, 0};
  struct timeval* limit = NULL;
  char text[64];
  Ready ready;
  int error = fill(&lists);
  if (error != 0) goto failed;
  if (timeout.has_value()) {
    const long long ns = timeout->count();
    limit = &time;
    if (ns > 0) {
      time.tv_sec = ns / 1000000000;
      time.tv_usec = (ns % 1000000000 + 999) / 1000;
      if (time.tv_usec == 1000000) {
        time.tv_sec++;
        time.tv_usec = 0;
      }
    }
  }
  lists.bad = -1;
  if (select(lists.highest + 1, &lists.sets[0], &lists.sets[1], &lists.sets[2], limit) < 0) {
    error = errno;
    goto failed;
  }
  take(&lists, 0, ready.readable);
  take(&lists, 1, ready.writable);
  take(&lists, 2, ready.exceptional);
  return ready;

failed:
  snprintf(text, sizeof text, "select_on, fd %d", lists.bad);
  throw std::system_error(error, std::system_category(), text);
}
