// One look without waiting, and a wait only when nothing was ready; the descriptors are checked
// when select complains, and those that it might overlook before.
#include <fcntl.h>
#include <sys/select.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <system_error>

#include "08-three-lists/three_lists.hpp"

namespace course {
namespace {

using Sets = std::array<fd_set, 3>;
using Lists = std::array<std::span<const int>, 3>;

std::system_error failure(int error, int fd) {
  return {std::error_code(error, std::generic_category()), "descriptor " + std::to_string(fd)};
}

std::set<int> everybody(const Lists& lists) {
  std::set<int> all;
  for (const auto list : lists) all.insert(list.begin(), list.end());
  return all;
}

int select_copy(const Lists& lists, Sets& sets, int nfds, timeval* time) {
  for (std::size_t i = 0; i < sets.size(); ++i) {
    FD_ZERO(&sets[i]);
    std::for_each(lists[i].begin(), lists[i].end(), [&](int fd) { FD_SET(fd, &sets[i]); });
  }
  return ::select(nfds, &sets[0], &sets[1], &sets[2], time);
}

std::vector<int> subset(std::span<const int> list, const fd_set& set) {
  std::vector<int> found;
  for (const int fd : list)
    if (FD_ISSET(fd, &set) && std::find(found.begin(), found.end(), fd) == found.end())
      found.push_back(fd);
  return found;
}

}  // namespace

Ready select_on(std::span<const int> readers, std::span<const int> writers,
                std::span<const int> exceptional, std::optional<Duration> timeout) {
  const Lists lists{readers, writers, exceptional};
  const std::set<int> all = everybody(lists);
  for (const int fd : all) {
    if (fd < 0 || fd >= FD_SETSIZE) throw failure(EINVAL, fd);
    if (::fcntl(fd, F_GETFL) == -1 && errno == EBADF) throw failure(EBADF, fd);
  }
  const int nfds = all.empty() ? 0 : *all.rbegin() + 1;

  Sets sets;
  timeval time{};
  int count = select_copy(lists, sets, nfds, &time);
  if (count == 0 && (!timeout || *timeout > Duration::zero())) {
    if (timeout) {
      const auto ticks = timeout->count() / 1000 + (timeout->count() % 1000 != 0);
      time = {.tv_sec = ticks / 1'000'000, .tv_usec = ticks % 1'000'000};
    }
    count = select_copy(lists, sets, nfds, timeout ? &time : nullptr);
  }
  if (count == -1) throw std::system_error(errno, std::generic_category(), "select");
  return {subset(readers, sets[0]), subset(writers, sets[1]), subset(exceptional, sets[2])};
}

}  // namespace course
