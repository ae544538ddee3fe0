// ppoll, with one entry for each descriptor. What poll(2) reports unasked and select would not is
// not waited for any longer.
#include <poll.h>
#include <sys/select.h>

#include <cerrno>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "08-three-lists/three_lists.hpp"

namespace course {
namespace {

constexpr short reads_as = POLLIN | POLLHUP | POLLERR;
constexpr short writes_as = POLLOUT | POLLERR;
constexpr short excepts_as = POLLPRI;

using Events = std::map<int, pollfd>;

void ask(Events& events, std::span<const int> fds, short what) {
  for (const int fd : fds) {
    if (fd < 0 || fd >= FD_SETSIZE)
      throw std::system_error(EINVAL, std::system_category(),
                              "no room for descriptor " + std::to_string(fd));
    pollfd& entry = events[fd];
    entry.fd = fd;
    entry.events = static_cast<short>(entry.events | what);
  }
}

std::vector<int> answered(const Events& events, std::span<const int> fds, short what) {
  std::vector<int> found;
  std::map<int, bool> seen;
  for (const int fd : fds)
    if ((events.at(fd).revents & what) != 0 && !std::exchange(seen[fd], true)) found.push_back(fd);
  return found;
}

std::optional<timespec> to_timespec(std::optional<Duration> time) {
  if (!time) return std::nullopt;
  return timespec{.tv_sec = time->count() / 1'000'000'000,
                  .tv_nsec = time->count() % 1'000'000'000};
}

}  // namespace

Ready select_on(std::span<const int> readers, std::span<const int> writers,
                std::span<const int> exceptional, std::optional<Duration> timeout) {
  Events events;
  ask(events, readers, POLLIN);
  ask(events, writers, POLLOUT);
  ask(events, exceptional, POLLPRI);
  std::vector<pollfd> entries;
  for (const auto& [fd, entry] : events) entries.push_back(entry);

  const Deadline deadline = timeout ? Deadline::after(*timeout) : Deadline::never();
  for (;;) {
    const auto left = to_timespec(deadline.remaining());
    const int count = ::ppoll(entries.data(), entries.size(), left ? &*left : nullptr, nullptr);
    if (count == -1) throw std::system_error(errno, std::system_category(), "ppoll");
    for (pollfd& entry : entries) {
      if (entry.fd < 0) continue;
      if ((entry.revents & POLLNVAL) != 0)
        throw std::system_error(EBADF, std::system_category(),
                                "descriptor " + std::to_string(entry.fd));
      events[entry.fd].revents = entry.revents;
    }
    const Ready ready{answered(events, readers, reads_as), answered(events, writers, writes_as),
                      answered(events, exceptional, excepts_as)};
    if (count == 0 || ready != Ready{}) return ready;
    for (pollfd& entry : entries)
      if (entry.revents != 0) entry.fd = -1;
  }
}

}  // namespace course
