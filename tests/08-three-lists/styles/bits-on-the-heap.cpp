// Sets of its own, allocated as large as they need to be; the kernel takes any length. Recursive.
#include <sys/select.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <memory>
#include <string>
#include <system_error>

#include "08-three-lists/three_lists.hpp"

namespace course {
namespace {

constexpr int bits_per_word = sizeof(long) * CHAR_BIT;

class Bits {
 public:
  explicit Bits(int count)
      : words_(std::make_unique<unsigned long[]>(
            static_cast<std::size_t>(count / bits_per_word + 1))) {}
  void add(int fd) { word(fd) |= bit(fd); }
  bool take(int fd) {
    const bool was_set = (word(fd) & bit(fd)) != 0;
    word(fd) &= ~bit(fd);
    return was_set;
  }
  fd_set* get() { return reinterpret_cast<fd_set*>(words_.get()); }

 private:
  static unsigned long bit(int fd) { return 1UL << (fd % bits_per_word); }
  unsigned long& word(int fd) { return words_[static_cast<std::size_t>(fd / bits_per_word)]; }
  std::unique_ptr<unsigned long[]> words_;
};

void demand(bool holds, int error, int fd) {
  if (holds) return;
  throw std::system_error(error, std::system_category(), "fd=" + std::to_string(fd));
}

int count_needed(std::span<const int> fds, int least = 0) {
  if (fds.empty()) return least;
  demand(fds.front() >= 0 && fds.front() < FD_SETSIZE, EINVAL, fds.front());
  return count_needed(fds.subspan(1), fds.front() < least ? least : fds.front() + 1);
}

void add_all(std::span<const int> fds, Bits& bits) {
  if (fds.empty()) return;
  const int copy = ::dup(fds.front());  // a closed one cannot be copied
  demand(copy >= 0, errno, fds.front());
  ::close(copy);
  bits.add(fds.front());
  add_all(fds.subspan(1), bits);
}

void take_all(std::span<const int> fds, Bits& bits, std::vector<int>& into) {
  if (fds.empty()) return;
  if (bits.take(fds.front())) into.push_back(fds.front());
  take_all(fds.subspan(1), bits, into);
}

}  // namespace

Ready select_on(std::span<const int> readers, std::span<const int> writers,
                std::span<const int> exceptional, std::optional<Duration> timeout) {
  const int nfds = count_needed(exceptional, count_needed(writers, count_needed(readers)));
  Bits reads(nfds), writes(nfds), excepts(nfds);
  add_all(readers, reads);
  add_all(writers, writes);
  add_all(exceptional, excepts);
  timespec time{};
  if (timeout.value_or(Duration(-1)) > Duration(0))
    time = {timeout->count() / 1'000'000'000, timeout->count() % 1'000'000'000};
  if (::pselect(nfds, reads.get(), writes.get(), excepts.get(), timeout ? &time : nullptr,
                nullptr) < 0)
    throw std::system_error(errno, std::system_category(), "pselect");
  Ready ready;
  take_all(readers, reads, ready.readable);
  take_all(writers, writes, ready.writable);
  take_all(exceptional, excepts, ready.exceptional);
  return ready;
}

}  // namespace course
