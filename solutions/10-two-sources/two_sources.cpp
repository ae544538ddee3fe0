#include "10-two-sources/two_sources.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <vector>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

/// Ignores SIGPIPE while it lives: write(2), which a pipe needs, has no MSG_NOSIGNAL.
class SigpipeIgnored {
 public:
  SigpipeIgnored() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before_);
  }
  ~SigpipeIgnored() { ::sigaction(SIGPIPE, &before_, nullptr); }
  SigpipeIgnored(const SigpipeIgnored&) = delete;
  SigpipeIgnored& operator=(const SigpipeIgnored&) = delete;

 private:
  struct sigaction before_ {};
};

bool contains(const std::vector<int>& fds, int fd) {
  return std::find(fds.begin(), fds.end(), fd) != fds.end();
}

/// read(2), which every kind of descriptor understands, past any signals.
ssize_t read_some(int fd, bytes buffer) {
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got != -1 || errno != EINTR) return got;
  }
}

/// Writes all of `data`; false, with errno, when a write(2) fails.
bool write_all(int fd, cbytes data) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written == -1 && errno == EINTR) continue;
    if (written == -1) return false;
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

/// What came of one turn of one direction.
enum class Carried { some, end, read_failed, write_failed };

/// One read from `from`, which should not wait, and all that it gave to `to`. errno when it failed.
Carried carry(int from, int to) {
  std::array<std::byte, 16384> buffer;
  const ssize_t got = read_some(from, buffer);
  if (got == -1) return Carried::read_failed;
  if (got == 0) return Carried::end;
  const cbytes data = cbytes(buffer).first(static_cast<std::size_t>(got));
  return write_all(to, data) ? Carried::some : Carried::write_failed;
}

/// Carries what is there now, and nothing that is still to come. Leaves errno as it is.
void carry_the_rest(int from, int to) {
  const int error = errno;
  const int source[] = {from};
  const auto is_ready = [&] {
    return !select_until(source, {}, {}, Deadline::after(Duration::zero())).readable.empty();
  };
  while (is_ready() && carry(from, to) == Carried::some) {
  }
  errno = error;
}

int carry_both_ways(int in, int out, int sock) {
  std::vector<int> sources = {sock, in};
  while (true) {
    const Ready ready = select_until(sources, {}, {}, Deadline::never());
    if (contains(ready.readable, sock)) {
      const Carried carried = carry(sock, out);
      if (carried != Carried::some) return carried == Carried::end ? 0 : 1;
    }
    if (contains(ready.readable, in)) {
      const Carried carried = carry(in, sock);
      if (carried == Carried::end) {
        sources.pop_back();               // it would be ready for ever
        (void)::shutdown(sock, SHUT_WR);  // ENOTCONN: what is received will tell
      }
      if (carried == Carried::write_failed) carry_the_rest(sock, out);  // perhaps it says why
      if (carried == Carried::read_failed || carried == Carried::write_failed) return 1;
    }
  }
}

}  // namespace

int netcat(int in, int out, int sock) {
  const SigpipeIgnored sigpipe_ignored;
  try {
    return carry_both_ways(in, out, sock);
  } catch (const std::system_error& error) {
    errno = error.code().value();
    return 1;
  }
}

}  // namespace course
