#include "08-three-lists/three_lists.hpp"

#include <fcntl.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

namespace course {
namespace {

/// Refuses what an fd_set has no room for, and what is not open. select would say EBADF too, but
/// not of which descriptor; and of a closed one above the kernel's table it says nothing at all
/// (select(2), BUGS).
void demand_usable(int fd) {
  const auto fail = [fd](int error) {
    throw std::system_error(error, std::system_category(), "descriptor " + std::to_string(fd));
  };
  if (fd < 0 || fd >= FD_SETSIZE) fail(EINVAL);
  if (::fcntl(fd, F_GETFD) == -1) fail(errno);
}

/// The set of `fds`. Raises `nfds` above the highest of them.
fd_set set_of(std::span<const int> fds, int& nfds) {
  fd_set set;
  FD_ZERO(&set);
  for (const int fd : fds) {
    demand_usable(fd);
    FD_SET(fd, &set);
    nfds = std::max(nfds, fd + 1);
  }
  return set;
}

/// Those of `asked` that are in `set`, each once.
std::vector<int> found_in(fd_set set, std::span<const int> asked) {
  std::vector<int> found;
  for (const int fd : asked) {
    if (!FD_ISSET(fd, &set)) continue;
    found.push_back(fd);
    FD_CLR(fd, &set);
  }
  return found;
}

/// Never shorter than `timeout`: a part of a microsecond counts as a whole one.
timeval to_timeval(Duration timeout) {
  const auto time =
      std::chrono::ceil<std::chrono::microseconds>(std::max(timeout, Duration::zero()));
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return {.tv_sec = whole.count(), .tv_usec = (time - whole).count()};
}

}  // namespace

Ready select_on(std::span<const int> readers, std::span<const int> writers,
                std::span<const int> exceptional, std::optional<Duration> timeout) {
  int nfds = 0;
  fd_set readable = set_of(readers, nfds);
  fd_set writable = set_of(writers, nfds);
  fd_set urgent = set_of(exceptional, nfds);
  timeval time = to_timeval(timeout.value_or(Duration::zero()));
  if (::select(nfds, &readable, &writable, &urgent, timeout ? &time : nullptr) == -1)
    throw std::system_error(errno, std::system_category(), "select");
  return {found_in(readable, readers), found_in(writable, writers), found_in(urgent, exceptional)};
}

}  // namespace course
