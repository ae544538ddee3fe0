// poll(2) finds what is not open, all at once; select waits.
#include <poll.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <string>
#include <system_error>
#include <unordered_set>

#include "08-three-lists/three_lists.hpp"

namespace course {
namespace {

class Selection {
 public:
  Selection(std::span<const int> r, std::span<const int> w, std::span<const int> e)
      : lists_{r, w, e} {
    for (auto& set : sets_) FD_ZERO(&set);
    for (int i = 0; i < 3; ++i) std::ranges::for_each(lists_[i], [&](int fd) { add(i, fd); });
    refuse_what_is_closed();
  }

  Ready wait(timeval* time) {
    if (::select(highest_ + 1, sets_, sets_ + 1, sets_ + 2, time) < 0)
      throw std::system_error(errno, std::generic_category(), "select_on: select");
    return {remaining(0), remaining(1), remaining(2)};
  }

 private:
  void add(int list, int fd) {
    if (fd < 0 || fd >= FD_SETSIZE)
      throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                              "select_on: " + std::to_string(fd));
    FD_SET(fd, &sets_[list]);
    highest_ = std::max(highest_, fd);
    entries_.push_back({fd, 0, 0});
  }

  void refuse_what_is_closed() {
    while (::poll(entries_.data(), entries_.size(), 0) == -1 && errno == EINTR) continue;
    for (const pollfd& entry : entries_)
      if ((entry.revents & POLLNVAL) != 0)
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "select_on: " + std::to_string(entry.fd));
  }

  std::vector<int> remaining(int list) const {
    std::unordered_set<int> seen;
    std::vector<int> result;
    std::ranges::copy_if(lists_[list], std::back_inserter(result), [&](int fd) {
      return FD_ISSET(fd, &sets_[list]) != 0 && seen.insert(fd).second;
    });
    return result;
  }

  std::span<const int> lists_[3];
  fd_set sets_[3];
  std::vector<pollfd> entries_;
  int highest_ = -1;
};

}  // namespace

Ready select_on(std::span<const int> readers, std::span<const int> writers,
                std::span<const int> exceptional, std::optional<Duration> timeout) {
  Selection selection(readers, writers, exceptional);
  if (!timeout) return selection.wait(nullptr);
  using namespace std::chrono;
  const auto time = ceil<microseconds>(std::max(*timeout, Duration::zero()));
  timeval value{time / 1s, (time % 1s).count()};
  return selection.wait(&value);
}

}  // namespace course
