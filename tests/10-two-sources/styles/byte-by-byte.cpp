// One byte per turn, and the sets copied from a master; wakes once a minute to no purpose.
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

enum class Moved { byte, nothing, end, failed };

Moved take(int fd, char& byte) {
  const ssize_t got = read(fd, &byte, 1);
  if (got == 1) return Moved::byte;
  if (got == 0) return Moved::end;
  return errno == EINTR ? Moved::nothing : Moved::failed;
}

bool put(int fd, char byte) {
  ssize_t n;
  do n = write(fd, &byte, 1);
  while (n != 1 && errno == EINTR);
  return n == 1;
}

bool has_more(int fd) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  timeval no_time{};
  return select(fd + 1, &set, nullptr, nullptr, &no_time) == 1;
}

int carry_all(int in, int out, int sock) {
  fd_set watched;
  FD_ZERO(&watched);
  FD_SET(in, &watched);
  FD_SET(sock, &watched);
  for (;;) {
    fd_set ready = watched;
    timeval minute{60, 0};
    const int count = select(std::max(in, sock) + 1, &ready, nullptr, nullptr, &minute);
    if (count == -1 && errno != EINTR) return 1;
    if (count <= 0) continue;
    char byte;
    if (FD_ISSET(sock, &ready)) {
      const Moved moved = take(sock, byte);
      if (moved == Moved::end) return 0;
      if (moved == Moved::failed || (moved == Moved::byte && !put(out, byte))) return 1;
    }
    if (FD_ISSET(in, &ready)) {
      const Moved moved = take(in, byte);
      if (moved == Moved::failed) return 1;
      if (moved == Moved::end) {
        FD_CLR(in, &watched);
        shutdown(sock, SHUT_WR);
      }
      if (moved == Moved::byte && !put(sock, byte)) {
        const int error = errno;
        for (Moved last = Moved::nothing; has_more(sock);) {
          last = take(sock, byte);
          if (last == Moved::end || last == Moved::failed) break;
          if (last == Moved::byte && !put(out, byte)) break;
        }
        errno = error;
        return 1;
      }
    }
  }
}

}  // namespace

int netcat(int in, int out, int sock) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  const int result = carry_all(in, out, sock);
  sigaction(SIGPIPE, &before, nullptr);
  return result;
}

}  // namespace course
