// Different: poll(2) watches the clock, so close_gracefully never sets a socket option; a flag per
// call (MSG_DONTWAIT) keeps the read after it from waiting.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "05-endings/endings.hpp"

namespace course {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_late_bytes = 64UL * 1024 * 1024;

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds wait) : end_(Clock::now() + wait) {}

  // For poll(2): rounded up, so that it never wakes early; -1 would be for ever.
  [[nodiscard]] int milliseconds_left() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now());
    return static_cast<int>(std::clamp<long long>(left.count(), 0, INT_MAX));
  }

 private:
  Clock::time_point end_;
};

}  // namespace

void finish_sending(int fd) {
  if (::shutdown(fd, SHUT_WR) != 0) {
    throw std::system_error(errno, std::system_category(), "shutdown(SHUT_WR)");
  }
}

IoResult read_to_eof(int fd, std::string& received) {
  const std::size_t before = received.size();
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t n = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (n > 0) {
      received.append(chunk.data(), static_cast<std::size_t>(n));
      continue;
    }
    const std::size_t appended = received.size() - before;
    if (n == 0) return {IoStatus::eof, appended, {}};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return {IoStatus::timed_out, appended, {}};
    return {IoStatus::error, appended, std::error_code(errno, std::system_category())};
  }
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  std::error_code trouble;
  try {
    send_all(fd, request);
    finish_sending(fd);
  } catch (const std::system_error& error) {
    trouble = error.code();
  }
  if (!trouble || trouble.value() == ENOTCONN) return read_to_eof(fd, reply);
  IoResult result{IoStatus::error, 0, trouble};
  if (trouble.value() == EPIPE || trouble.value() == ECONNRESET) {
    result.bytes = read_to_eof(fd, reply).bytes;
  }
  return result;
}

void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept {
  const Deadline deadline(linger);
  const int fd = connection.get();
  if (::shutdown(fd, SHUT_WR) != 0) return;  // already over; `connection` closes itself

  std::array<char, 4096> chunk;
  for (std::size_t late_bytes = 0; late_bytes < most_late_bytes;) {
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const int wait_ms = deadline.milliseconds_left();
    const int ready = ::poll(&readable, 1, wait_ms);
    if (ready == -1 && errno == EINTR) continue;
    if (ready <= 0) return;
    const ssize_t n = ::recv(fd, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) return;
    if (n > 0 && wait_ms == 0) late_bytes += static_cast<std::size_t>(n);
  }
}

}  // namespace course
