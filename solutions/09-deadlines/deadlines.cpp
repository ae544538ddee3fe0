#include "09-deadlines/deadlines.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

/// Receives what is there, at once or when it comes; timed_out when nothing has come by `deadline`.
IoResult recv_some_until(int fd, bytes buffer, Deadline deadline) {
  try {
    const Ready ready = select_until(std::array{fd}, {}, {}, deadline);
    if (ready.readable.empty()) return {IoStatus::timed_out, 0, {}};
  } catch (const std::system_error& failure) {
    return {IoStatus::error, 0, failure.code()};
  }
  return recv_some(fd, buffer);  // there is something: this does not wait
}

Deadline earlier(Deadline a, Deadline b) {
  const auto left_a = a.remaining(), left_b = b.remaining();
  if (!left_a) return b;
  if (!left_b) return a;
  return *left_a < *left_b ? a : b;
}

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  while (true) {
    try {
      return select_on(readers, writers, exceptional, deadline.remaining());
    } catch (const std::system_error& failure) {
      if (failure.code().value() != EINTR) throw;  // a signal: wait for what is left by now
    }
  }
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  std::size_t received = 0;
  while (received < buffer.size()) {
    const IoResult piece = recv_some_until(fd, buffer.subspan(received), deadline);
    received += piece.bytes;
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
  }
  return {IoStatus::ok, received, {}};
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  const Deadline last = Deadline::after(total);
  std::size_t received = 0;
  while (true) {
    // One byte at a time: whoever takes more may take what belongs to the next line.
    std::byte next{};
    const Deadline deadline = earlier(Deadline::after(idle), last);
    const IoResult piece = recv_some_until(fd, {&next, 1}, deadline);
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
    ++received;
    if (next == std::byte{'\n'}) return {IoStatus::ok, received, {}};
    line += static_cast<char>(next);
  }
}

}  // namespace course
