// One poll for both; SIGPIPE is blocked meanwhile, and one that came is taken out of the queue.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

class PipeSignalHeldBack {
 public:
  PipeSignalHeldBack() {
    sigemptyset(&only_sigpipe_);
    sigaddset(&only_sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &only_sigpipe_, &before_);
  }
  ~PipeSignalHeldBack() {
    const int error = errno;
    const timespec no_time{};
    if (!was_pending_)
      while (sigtimedwait(&only_sigpipe_, nullptr, &no_time) == -1 && errno == EINTR) {
      }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }

 private:
  sigset_t only_sigpipe_, before_;
  bool was_pending_;
};

struct Direction {
  int from, to;
};

// 1: something was carried, 0: the end, -1: failed to read, -2: failed to write.
int carry(const Direction& way) {
  char buffer[4096];
  ssize_t got;
  do got = read(way.from, buffer, sizeof buffer);
  while (got == -1 && errno == EINTR);
  if (got <= 0) return static_cast<int>(got);
  for (ssize_t done = 0; done < got;) {
    const ssize_t written = write(way.to, buffer + done, static_cast<size_t>(got - done));
    if (written == -1 && errno != EINTR) return -2;
    if (written > 0) done += written;
  }
  return 1;
}

int failed_to_send(const Direction& receiving) {
  const int error = errno;
  pollfd entry{receiving.from, POLLIN, 0};
  while (poll(&entry, 1, 0) == 1 && carry(receiving) == 1) {
  }
  errno = error;
  return 1;
}

}  // namespace

int netcat(int in, int out, int sock) {
  const PipeSignalHeldBack held_back;
  const Direction sending{in, sock}, receiving{sock, out};
  pollfd entries[] = {{in, POLLIN, 0}, {sock, POLLIN, 0}};
  for (;;) {
    if (poll(entries, 2, -1) == -1) {
      if (errno == EINTR) continue;
      return 1;
    }
    if (entries[0].revents != 0) {
      switch (carry(sending)) {
        case 0:
          shutdown(sock, SHUT_WR);
          entries[0].fd = -1;
          entries[0].revents = 0;
          break;
        case -1:
          return 1;
        case -2:
          return failed_to_send(receiving);
      }
    }
    if (entries[1].revents != 0) {
      const int carried = carry(receiving);
      if (carried <= 0) return carried == 0 ? 0 : 1;
    }
  }
}

}  // namespace course
