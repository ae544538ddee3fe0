// Right in another way: looks at what is there without taking it (MSG_PEEK), finds the line feed,
// and takes exactly as much with one call.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

IoResult failure(std::size_t bytes, int error) {
  return {IoStatus::error, bytes, {error, std::system_category()}};
}

// Returns what recv returned, -1 with ETIME when the deadline passed first.
ssize_t recv_until(int fd, void* data, std::size_t size, int flags, Deadline deadline) {
  while (true) {
    try {
      if (select_until(std::array{fd}, {}, {}, deadline).readable.empty()) {
        errno = ETIME;
        return -1;
      }
    } catch (const std::system_error& error) {
      errno = error.code().value();
      return -1;
    }
    const ssize_t got = ::recv(fd, data, size, flags | MSG_DONTWAIT);
    if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
  }
}

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  for (;;) try {
      return select_on(readers, writers, exceptional, deadline.remaining());
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::interrupted) throw;
    }
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  std::size_t received = 0;
  while (received < buffer.size()) {
    const ssize_t got =
        recv_until(fd, buffer.data() + received, buffer.size() - received, 0, deadline);
    if (got == 0) return {IoStatus::eof, received, {}};
    if (got < 0 && errno == ETIME) return {IoStatus::timed_out, received, {}};
    if (got < 0) return failure(received, errno);
    received += static_cast<std::size_t>(got);
  }
  return {IoStatus::ok, received, {}};
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  const auto began = std::chrono::steady_clock::now();
  std::size_t received = 0;
  std::array<char, 512> window;
  for (;;) {
    const Duration passed = std::chrono::steady_clock::now() - began;
    const bool total_is_nearer = total < Duration::zero() || total - passed < idle;
    const Deadline deadline = Deadline::after(
        total_is_nearer ? total - std::min(passed, std::max(total, Duration::zero())) : idle);
    const ssize_t seen = recv_until(fd, window.data(), window.size(), MSG_PEEK, deadline);
    if (seen == 0) return {IoStatus::eof, received, {}};
    if (seen < 0 && errno == ETIME) return {IoStatus::timed_out, received, {}};
    if (seen < 0) return failure(received, errno);

    const auto end = window.begin() + seen;
    const auto feed = std::find(window.begin(), end, '\n');
    const bool is_complete = feed != end;
    const auto wanted = static_cast<std::size_t>(feed - window.begin()) + (is_complete ? 1 : 0);
    const ssize_t got = recv_until(fd, window.data(), wanted, 0, deadline);
    if (got < 0) return failure(received, errno);
    received += static_cast<std::size_t>(got);
    const bool got_all = static_cast<std::size_t>(got) == wanted;
    line.append(window.data(), static_cast<std::size_t>(got) - (is_complete && got_all ? 1 : 0));
    if (is_complete && got_all) return {IoStatus::ok, received, {}};
  }
}

}  // namespace course
