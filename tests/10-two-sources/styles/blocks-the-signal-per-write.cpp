// SIGPIPE is held back around each write only; both directions are members of one table.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>

#include "09-deadlines/deadlines.hpp"
#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

ssize_t write_quietly(int fd, const std::byte* data, std::size_t size) {
  sigset_t sigpipe, before, pending;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
  sigpending(&pending);
  const ssize_t written = ::write(fd, data, size);
  const int error = errno;
  if (written == -1 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    const timespec no_time{};
    sigtimedwait(&sigpipe, nullptr, &no_time);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

struct Way {
  int from, to;
  bool is_open = true;
  int read_error = 0, write_error = 0;

  void carry() {
    std::array<std::byte, 1000> buffer;
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got == -1 && errno == EINTR) return;
    if (got == -1) read_error = errno;
    is_open = got > 0;
    for (std::size_t done = 0; is_open && done < static_cast<std::size_t>(got);) {
      const ssize_t n =
          write_quietly(to, buffer.data() + done, static_cast<std::size_t>(got) - done);
      if (n == -1 && errno == EINTR) continue;
      if (n == -1) {
        write_error = errno;
        is_open = false;
      } else {
        done += static_cast<std::size_t>(n);
      }
    }
  }
};

int error_after(std::array<Way, 2>& ways) {
  Way &there = ways[0], &back = ways[1];
  while (back.is_open) {
    std::vector<int> sources;
    for (const Way& way : ways)
      if (way.is_open) sources.push_back(way.from);
    const Ready ready = select_until(sources, {}, {}, Deadline::never());
    for (const int fd : ready.readable) {
      Way& way = fd == back.from ? back : there;
      way.carry();
      if (&way == &back || way.is_open) continue;
      if (way.read_error != 0) return way.read_error;
      if (way.write_error == 0) (void)::shutdown(way.to, SHUT_WR);
      const int source[] = {back.from};
      while (way.write_error != 0 && back.is_open &&
             !select_until(source, {}, {}, Deadline::after(Duration::zero())).readable.empty())
        back.carry();
      if (way.write_error != 0) return way.write_error;
      break;
    }
  }
  return back.read_error != 0 ? back.read_error : back.write_error;
}

}  // namespace

int netcat(int in, int out, int sock) {
  std::array<Way, 2> ways{{{in, sock}, {sock, out}}};
  int error = 0;
  try {
    error = error_after(ways);
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  errno = error;
  return error == 0 ? 0 : 1;
}

}  // namespace course
