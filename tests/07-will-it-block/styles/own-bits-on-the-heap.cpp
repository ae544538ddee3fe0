// An fd_set is a row of bits: one of its own, as long as it has to be, and all of FD_SETSIZE
// watched.
#include <fcntl.h>
#include <sys/select.h>

#include <cerrno>
#include <limits>
#include <memory>
#include <system_error>
#include <vector>

#include "07-will-it-block/will_it_block.hpp"

namespace course {
namespace {

class Bits {
 public:
  explicit Bits(int fd) : words_(FD_SETSIZE / word_bits), word_(unsigned(fd) / word_bits) {
    words_.at(word_) = mask_ = fd_mask(1UL << (unsigned(fd) % word_bits));
  }
  fd_set* set() { return reinterpret_cast<fd_set*>(words_.data()); }
  [[nodiscard]] bool is_set() const { return (words_[word_] & mask_) != 0; }

 private:
  static constexpr unsigned word_bits = std::numeric_limits<unsigned long>::digits;
  std::vector<fd_mask> words_;
  std::size_t word_;
  fd_mask mask_;
};

using Point = std::chrono::steady_clock::time_point;

std::optional<Point> end_of(std::optional<Duration> timeout) {
  constexpr Duration as_good_as_ever = std::chrono::hours(24 * 365 * 10);
  if (!timeout || *timeout > as_good_as_ever) return std::nullopt;
  return std::chrono::steady_clock::now() + std::max(*timeout, Duration::zero());
}

int wait(int fd, bool to_read, std::optional<Point> end) {
  for (;;) {
    const auto bits = std::make_unique<Bits>(fd);
    timeval time{0, 0};
    if (end) {
      auto left =
          std::chrono::ceil<std::chrono::microseconds>(*end - std::chrono::steady_clock::now());
      for (; left >= std::chrono::seconds(1); ++time.tv_sec) left -= std::chrono::seconds(1);
      if (left.count() > 0) time.tv_usec = left.count();
    }
    const int result = ::select(FD_SETSIZE, to_read ? bits->set() : nullptr,
                                to_read ? nullptr : bits->set(), nullptr, end ? &time : nullptr);
    if (result == 0) return 0;
    if (result > 0 && bits->is_set()) return 1;
    if (result < 0 && errno != EINTR) return -errno;
  }
}

bool answer(int fd, bool to_read, std::optional<Duration> timeout) {
  int result = -EINVAL;
  if (fd >= 0 && fd < FD_SETSIZE) result = wait(fd, to_read, end_of(timeout));
  if (result < 0) throw std::system_error({-result, std::generic_category()}, "select");
  return result == 1;
}

}  // namespace

bool wait_readable(int fd, std::optional<Duration> timeout) { return answer(fd, true, timeout); }
bool wait_writable(int fd, std::optional<Duration> timeout) { return answer(fd, false, timeout); }

}  // namespace course
