// pselect, whose timespec holds every Duration as it is; select(2) is told to look at all numbers.
#include <poll.h>
#include <sys/select.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "08-three-lists/three_lists.hpp"

namespace course {
namespace {

class Watch {
 public:
  explicit Watch(std::span<const int> asked) : asked_(asked) {
    FD_ZERO(&set_);
    for (const int fd : asked_) {
      if (fd < 0 || fd >= FD_SETSIZE) refuse(EINVAL, fd);
      pollfd entry{fd, 0, 0};
      if (::poll(&entry, 1, 0) == 1 && (entry.revents & POLLNVAL) != 0) refuse(EBADF, fd);
      FD_SET(fd, &set_);
    }
  }

  // Null when there is nothing to watch.
  fd_set* set() { return asked_.empty() ? nullptr : &set_; }

  std::vector<int> answer() const {
    std::vector<int> found;
    fd_set named;
    FD_ZERO(&named);
    for (const int fd : asked_) {
      if (FD_ISSET(fd, &set_) == 0 || FD_ISSET(fd, &named) != 0) continue;
      FD_SET(fd, &named);
      found.push_back(fd);
    }
    return found;
  }

 private:
  [[noreturn]] static void refuse(int error, int fd) {
    throw std::system_error(error, std::generic_category(), "fd " + std::to_string(fd));
  }

  std::span<const int> asked_;
  fd_set set_;
};

}  // namespace

Ready select_on(std::span<const int> readers, std::span<const int> writers,
                std::span<const int> exceptional, std::optional<Duration> timeout) {
  Watch reading(readers), writing(writers), excepting(exceptional);
  timespec time{};
  if (timeout && *timeout > Duration::zero()) {
    time.tv_sec = *timeout / std::chrono::seconds(1);
    time.tv_nsec = (*timeout % std::chrono::seconds(1)).count();
  }
  const int count = ::pselect(FD_SETSIZE, reading.set(), writing.set(), excepting.set(),
                              timeout ? &time : nullptr, nullptr);
  if (count < 0) throw std::system_error(errno, std::generic_category(), "pselect");
  if (count == 0) return {};
  return {reading.answer(), writing.answer(), excepting.answer()};
}

}  // namespace course
