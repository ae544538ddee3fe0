// Right in another way: the socket's own receive timeout (SO_RCVTIMEO) does the waiting, set anew
// to what is left before each receive and put back at the end.
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

class ReceiveTimeout {
 public:
  explicit ReceiveTimeout(int fd) : fd_(fd) {
    socklen_t size = sizeof before_;
    if (::getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &before_, &size) != 0) fd_ = -1;
  }
  ~ReceiveTimeout() {
    const int error = errno;
    if (fd_ >= 0 && is_changed_)
      (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &before_, sizeof before_);
    errno = error;
  }
  ReceiveTimeout(const ReceiveTimeout&) = delete;
  ReceiveTimeout& operator=(const ReceiveTimeout&) = delete;

  // A receive that waits for `left` at the most; nothing: for ever.
  IoResult receive(int fd, bytes buffer, std::optional<Duration> left) {
    int flags = 0;
    if (left && *left <= Duration::zero())
      flags = MSG_DONTWAIT;  // a timeout of 0 would mean for ever
    else if (!set(fd, left))
      return failed();
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), flags);
    if (got < 0) return failed();
    return {got == 0 ? IoStatus::eof : IoStatus::ok, static_cast<std::size_t>(got), {}};
  }

 private:
  static IoResult failed() { return {IoStatus::error, 0, {errno, std::system_category()}}; }

  bool set(int fd, std::optional<Duration> left) {
    using namespace std::chrono;
    timeval time{};
    if (left) {
      const auto rounded = ceil<microseconds>(std::min<Duration>(*left, hours(24)));
      time = {rounded / seconds(1), (rounded % seconds(1)).count()};
    }
    is_changed_ = true;
    return ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0;
  }

  int fd_;
  bool is_changed_ = false;
  timeval before_{};
};

// Goes on after signals, and after EAGAIN while time is left.
template <class Left>
IoResult receive_in_time(int fd, bytes buffer, const Left& left) {
  ReceiveTimeout timeout(fd);
  for (;;) {
    const auto time = left();
    const IoResult result = timeout.receive(fd, buffer, time);
    const int error = result.error.value();
    if (error == EINTR) continue;
    if (error != EAGAIN) return result;
    if (time && left() <= Duration::zero()) {
      if (time == Duration::zero()) return {IoStatus::timed_out, 0, {}};
      continue;  // the last look does not wait
    }
  }
}

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  bool again = true;
  Ready ready;
  while (again) {
    again = false;
    try {
      ready = select_on(readers, writers, exceptional, deadline.remaining());
    } catch (const std::system_error& error) {
      again = error.code() == std::error_code(EINTR, std::system_category());
      if (!again) throw;
    }
  }
  return ready;
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  std::size_t received = 0;
  while (!buffer.empty()) {
    const auto piece = receive_in_time(fd, buffer, [&] { return deadline.remaining(); });
    received += piece.bytes;
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
    buffer = buffer.subspan(piece.bytes);
  }
  return {IoStatus::ok, received, {}};
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  const Deadline end = Deadline::after(total);
  for (std::size_t received = 0;;) {
    const Deadline silence = Deadline::after(idle);
    std::byte next{};
    const auto piece = receive_in_time(fd, {&next, 1}, [&]() -> std::optional<Duration> {
      const auto a = silence.remaining(), b = end.remaining();
      return a && b ? std::min(*a, *b) : (a ? a : b);
    });
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
    ++received;
    if (next == std::byte{'\n'}) return {IoStatus::ok, received, {}};
    line += static_cast<char>(next);
  }
}

}  // namespace course
