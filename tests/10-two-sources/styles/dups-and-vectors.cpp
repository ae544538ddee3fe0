// Works on duplicates of its own, which are closed as they end, and moves bytes by readv and
// writev.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

template <class Call>
auto past_signals(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

struct Buffer {
  std::array<char, 3000> front;
  std::array<char, 5000> back;

  ssize_t fill(int fd) {
    const iovec parts[] = {{front.data(), front.size()}, {back.data(), back.size()}};
    return past_signals([&] { return readv(fd, parts, 2); });
  }

  bool empty_into(int fd, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      std::vector<iovec> parts;
      if (done < front.size())
        parts.push_back({front.data() + done, std::min(size, front.size()) - done});
      if (size > front.size()) {
        const std::size_t start = std::max(done, front.size()) - front.size();
        parts.push_back({back.data() + start, size - front.size() - start});
      }
      const ssize_t n =
          past_signals([&] { return writev(fd, parts.data(), static_cast<int>(parts.size())); });
      if (n < 0) return false;
      done += static_cast<std::size_t>(n);
    }
    return true;
  }
};

Fd duplicate(int fd) { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

int converse(Fd in, const Fd& out, const Fd& sock) {
  Buffer buffer;
  for (;;) {
    pollfd entries[] = {{sock.get(), POLLIN, 0}, {in.get(), POLLIN, 0}};
    if (past_signals([&] { return ppoll(entries, 2, nullptr, nullptr); }) < 0) return errno;
    if (entries[0].revents != 0) {
      const ssize_t got = buffer.fill(sock.get());
      if (got == 0) return 0;
      if (got < 0 || !buffer.empty_into(out.get(), static_cast<std::size_t>(got))) return errno;
    }
    if (entries[1].revents == 0) continue;
    const ssize_t got = buffer.fill(in.get());
    if (got < 0) return errno;
    if (got == 0) {
      in.reset();
      shutdown(sock.get(), SHUT_WR);
    } else if (!buffer.empty_into(sock.get(), static_cast<std::size_t>(got))) {
      const int error = errno;
      // A connection that has failed gives what it has, and then 0 or an error.
      while (poll(entries, 1, 0) == 1) {
        const ssize_t left = buffer.fill(sock.get());
        if (left <= 0 || !buffer.empty_into(out.get(), static_cast<std::size_t>(left))) break;
      }
      return error;
    }
  }
}

}  // namespace

int netcat(int in, int out, int sock) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  const int error = converse(duplicate(in), duplicate(out), duplicate(sock));
  sigaction(SIGPIPE, &before, nullptr);
  errno = error;
  return error == 0 ? 0 : 1;
}

}  // namespace course
