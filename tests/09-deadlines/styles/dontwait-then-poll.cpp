// Right in another way: tries to receive first and waits, with ppoll, only when there was nothing.
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::system_category(), what);
}

// ppoll until the deadline; signals do not end it. Returns ppoll's count, or -1.
int poll_until(std::vector<pollfd>& entries, Deadline deadline) {
  for (;;) {
    timespec time{};
    const auto left = deadline.remaining();
    if (left) {
      const auto whole = std::chrono::floor<std::chrono::seconds>(*left);
      time = {whole.count(), (*left - whole).count()};
    }
    const int count = ::ppoll(entries.data(), entries.size(), left ? &time : nullptr, nullptr);
    if (count >= 0 || errno != EINTR) return count;
  }
}

void add(std::vector<pollfd>& entries, std::span<const int> fds, short events) {
  for (const int fd : fds) {
    if (fd < 0 || fd >= FD_SETSIZE) fail(EINVAL, "descriptor " + std::to_string(fd));
    entries.push_back({fd, events, 0});
  }
}

// The descriptors of the entries from `first` on for which one of `events` has come, each once.
std::vector<int> found(const pollfd* first, std::size_t count, short events) {
  std::vector<int> result;
  for (const pollfd& entry : std::span(first, count))
    if ((entry.revents & events) != 0 &&
        std::find(result.begin(), result.end(), entry.fd) == result.end())
      result.push_back(entry.fd);
  return result;
}

// One receive, tried at once, then whenever something has come.
IoResult take(int fd, bytes buffer, Deadline deadline) {
  for (;;) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) return {IoStatus::ok, static_cast<std::size_t>(got), {}};
    if (got == 0) return {IoStatus::eof, 0, {}};
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return {IoStatus::error, 0, {errno, std::system_category()}};
    if (deadline.has_passed()) return {IoStatus::timed_out, 0, {}};
    std::vector<pollfd> entries{{fd, POLLIN, 0}};
    const int count = poll_until(entries, deadline);
    if (count < 0) return {IoStatus::error, 0, {errno, std::system_category()}};
  }
}

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  std::vector<pollfd> entries;
  add(entries, readers, POLLIN);
  add(entries, writers, POLLOUT);
  add(entries, exceptional, POLLPRI);
  if (poll_until(entries, deadline) < 0) fail(errno, "ppoll");
  for (const pollfd& entry : entries)
    if ((entry.revents & POLLNVAL) != 0) fail(EBADF, "descriptor " + std::to_string(entry.fd));
  const pollfd* const first = entries.data();
  return {found(first, readers.size(), POLLIN | POLLHUP | POLLERR),
          found(first + readers.size(), writers.size(), POLLOUT | POLLERR),
          found(first + readers.size() + writers.size(), exceptional.size(), POLLPRI)};
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  IoResult sum;
  while (sum.bytes < buffer.size() && sum.status == IoStatus::ok) {
    const IoResult piece = take(fd, buffer.subspan(sum.bytes), deadline);
    sum = {piece.status, sum.bytes + piece.bytes, piece.error};
  }
  return sum;
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  const Deadline last = Deadline::after(total);
  IoResult sum;
  for (;;) {
    const auto left = last.remaining();
    const Deadline nearest = Deadline::after(left ? std::min(idle, *left) : idle);
    std::byte next{};
    const IoResult piece = take(fd, bytes(&next, 1), nearest);
    sum = {piece.status, sum.bytes + piece.bytes, piece.error};
    if (piece.status != IoStatus::ok || next == std::byte{'\n'}) return sum;
    line.push_back(static_cast<char>(next));
  }
}

}  // namespace course
