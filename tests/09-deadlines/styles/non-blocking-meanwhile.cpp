// Right in another way: the socket does not block while the function runs, and does again when it
// returns; what is there is read with readv; poll counts whole milliseconds, rounded up.
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

using std::chrono::steady_clock;

class NonBlocking {
 public:
  explicit NonBlocking(int fd) : fd_(fd), flags_(::fcntl(fd, F_GETFL)) {
    if (flags_ != -1) ::fcntl(fd_, F_SETFL, flags_ | O_NONBLOCK);
  }
  ~NonBlocking() {
    const int error = errno;
    if (flags_ != -1) ::fcntl(fd_, F_SETFL, flags_);
    errno = error;
  }
  NonBlocking(const NonBlocking&) = delete;
  NonBlocking& operator=(const NonBlocking&) = delete;

 private:
  int fd_, flags_;
};

// A reader with one or two deadlines, the state of one call.
class TimedReader {
 public:
  TimedReader(int fd, Deadline deadline, std::optional<Duration> idle = {})
      : fd_(fd), deadline_(deadline), idle_(idle), silence_(idle_from_now()), mode_(fd) {}

  // Reads at most `size` bytes; true: at least one came.
  bool read(std::byte* data, std::size_t size) {
    while (true) {
      iovec part{data, size};
      const ssize_t got = ::readv(fd_, &part, 1);
      if (got > 0) {
        result_.bytes += static_cast<std::size_t>(got);
        silence_ = idle_from_now();
        last_count_ = static_cast<std::size_t>(got);
        return true;
      }
      if (got == 0) return end(IoStatus::eof);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return end(IoStatus::error, errno);
      if (!wait()) return false;
    }
  }

  [[nodiscard]] const IoResult& result() const { return result_; }
  [[nodiscard]] std::size_t last_count() const { return last_count_; }

 private:
  [[nodiscard]] Deadline idle_from_now() const {
    return idle_ ? Deadline::after(*idle_) : Deadline::never();
  }

  bool end(IoStatus status, int error = 0) {
    result_.status = status;
    if (error != 0) result_.error = {error, std::system_category()};
    return false;
  }

  [[nodiscard]] std::optional<Duration> left() const {
    const auto a = deadline_.remaining(), b = silence_.remaining();
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
  }

  bool wait() {
    const auto time = left();
    if (time && *time == Duration::zero()) return end(IoStatus::timed_out);
    int timeout_ms = -1;
    if (time) {
      const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*time).count();
      timeout_ms = static_cast<int>(std::min<long long>(rounded, INT_MAX));
    }
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, timeout_ms) == -1 && errno != EINTR) return end(IoStatus::error, errno);
    return true;
  }

  int fd_;
  Deadline deadline_;
  std::optional<Duration> idle_;
  Deadline silence_;
  NonBlocking mode_;
  IoResult result_;
  std::size_t last_count_ = 0;
};

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  for (bool is_last = false;; is_last = deadline.has_passed()) {
    try {
      Ready ready = select_on(readers, writers, exceptional, deadline.remaining());
      const bool is_empty =
          ready.readable.empty() && ready.writable.empty() && ready.exceptional.empty();
      if (!is_empty || is_last || deadline.has_passed()) return ready;
    } catch (const std::system_error& error) {
      if (error.code().value() != EINTR) throw;
    }
  }
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  if (buffer.empty()) return {};
  TimedReader reader(fd, deadline);
  while (!buffer.empty() && reader.read(buffer.data(), buffer.size()))
    buffer = buffer.subspan(reader.last_count());
  return reader.result();
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  TimedReader reader(fd, Deadline::after(total), idle);
  for (std::byte next{}; reader.read(&next, 1);) {
    if (next == std::byte{'\n'}) break;
    line.push_back(static_cast<char>(next));
  }
  return reader.result();
}

}  // namespace course
