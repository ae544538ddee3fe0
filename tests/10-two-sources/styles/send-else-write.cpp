// Tries send with MSG_NOSIGNAL on everything, and takes write for what is no socket.
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

class PipesMaySignal {
 public:
  PipesMaySignal() { before_ = std::signal(SIGPIPE, SIG_IGN); }
  ~PipesMaySignal() { std::signal(SIGPIPE, before_); }
  PipesMaySignal(const PipesMaySignal&) = delete;
  PipesMaySignal& operator=(const PipesMaySignal&) = delete;

 private:
  void (*before_)(int);
};

ssize_t give(int fd, std::string_view text) {
  ssize_t given;
  do {
    given = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (given < 0 && errno == ENOTSOCK) given = write(fd, text.data(), text.size());
  } while (given < 0 && errno == EINTR);
  return given;
}

ssize_t take(int fd, char* buffer, std::size_t size) {
  ssize_t taken;
  do {
    taken = recv(fd, buffer, size, 0);
    if (taken < 0 && errno == ENOTSOCK) taken = read(fd, buffer, size);
  } while (taken < 0 && errno == EINTR);
  return taken;
}

struct Result {
  ssize_t taken;
  bool is_lost = false;  // what was taken could not be given
};

Result move_some(int from, int to) {
  char buffer[4096];
  Result result{take(from, buffer, sizeof buffer)};
  std::string_view rest(buffer, static_cast<std::size_t>(std::max<ssize_t>(result.taken, 0)));
  while (!rest.empty() && !result.is_lost) {
    const ssize_t given = give(to, rest);
    result.is_lost = given < 0;
    if (given > 0) rest.remove_prefix(static_cast<std::size_t>(given));
  }
  return result;
}

int ask(fd_set& set, int nfds, timeval* time) {
  const fd_set asked = set;
  int count;
  do {
    set = asked;
    count = select(nfds, &set, nullptr, nullptr, time);
  } while (count < 0 && errno == EINTR);
  return count;
}

void save_last_words(int sock, int out) {
  const int reason = errno;
  for (;;) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(sock, &set);
    timeval none{};
    if (ask(set, sock + 1, &none) != 1) break;
    const Result last = move_some(sock, out);
    if (last.taken <= 0 || last.is_lost) break;
  }
  errno = reason;
}

}  // namespace

int netcat(int in, int out, int sock) {
  const PipesMaySignal guard;
  for (bool in_is_open = true;;) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(sock, &set);
    if (in_is_open) FD_SET(in, &set);
    if (ask(set, std::max(in, sock) + 1, nullptr) < 0) return 1;
    if (FD_ISSET(sock, &set)) {
      const Result heard = move_some(sock, out);
      if (heard.taken == 0) return 0;
      if (heard.taken < 0 || heard.is_lost) return 1;
    }
    if (in_is_open && FD_ISSET(in, &set)) {
      const Result typed = move_some(in, sock);
      if (typed.is_lost) save_last_words(sock, out);
      if (typed.taken < 0 || typed.is_lost) return 1;
      in_is_open = typed.taken > 0;
      if (!in_is_open) shutdown(sock, SHUT_WR);
    }
  }
}

}  // namespace course
