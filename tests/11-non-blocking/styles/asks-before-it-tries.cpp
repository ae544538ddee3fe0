// Right in another way: looks before it leaps. poll without waiting before each attempt; FIONREAD
// tells drain how much there is; accept after a look at the queue.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

std::system_error failure(const char* call) { return {errno, std::system_category(), call}; }

// What poll says of `fd` just now; errors and the end count as readiness.
bool is_ready_now(int fd, short events) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, 0) != 0;
}

std::size_t bytes_there(int fd) {
  int count = 0;
  return ::ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL, 0);
  if (flags == -1) throw failure("fcntl");
  if (::fcntl(fd, F_SETFL, (flags & ~O_NONBLOCK) | (on ? O_NONBLOCK : 0)) == -1)
    throw failure("fcntl");
}

IoResult try_recv(int fd, bytes buffer) {
  if (buffer.empty()) return {IoStatus::ok, 0, {}};
  if (!is_ready_now(fd, POLLIN)) return {IoStatus::would_block, 0, {}};
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0) return {IoStatus::ok, static_cast<std::size_t>(got), {}};
    if (got == 0) return {IoStatus::eof, 0, {}};
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN || error == EWOULDBLOCK) return {IoStatus::would_block, 0, {}};
    return {IoStatus::error, 0, {error, std::system_category()}};
  }
}

IoResult try_send(int fd, cbytes data) {
  if (data.empty()) return {IoStatus::ok, 0, {}};
  if (!is_ready_now(fd, POLLOUT)) return {IoStatus::would_block, 0, {}};
  while (true) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::ok, static_cast<std::size_t>(sent), {}};
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN || error == EWOULDBLOCK) return {IoStatus::would_block, 0, {}};
    return {IoStatus::error, 0, {error, std::system_category()}};
  }
}

std::optional<Fd> try_accept(int listener) {
  while (is_ready_now(listener, POLLIN)) {
    Fd client(::accept(listener, nullptr, nullptr));
    if (client.get() >= 0) {
      if (::fcntl(client.get(), F_SETFD, FD_CLOEXEC) == -1) throw failure("accept: fcntl");
      set_nonblocking(client.get(), true);
      return std::optional<Fd>(std::move(client));
    }
    switch (errno) {
      case EAGAIN:
        return std::nullopt;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENOPROTOOPT:
      case ENETDOWN:
      case ENETUNREACH:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ENONET:
        continue;
      default:
        throw failure("accept");
    }
  }
  return std::nullopt;
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  std::size_t received = 0;
  while (received < max_bytes) {
    // One at least: an end or a failure shows only to those who ask.
    const std::size_t there = std::clamp<std::size_t>(bytes_there(fd), 1, max_bytes - received);
    std::string piece(there, '\0');
    const IoResult one = try_recv(fd, std::as_writable_bytes(std::span(piece)));
    into.append(piece, 0, one.bytes);
    received += one.bytes;
    if (one.status != IoStatus::ok) return {one.status, received, one.error};
  }
  return {IoStatus::ok, received, {}};
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  if (buffer.empty()) return {IoStatus::ok, 0, {}};
  for (bool is_last = false;; is_last = deadline.has_passed()) {
    const auto left = deadline.remaining();
    timespec time{};
    if (left) time = {left->count() / 1'000'000'000, left->count() % 1'000'000'000};
    pollfd entry{fd, POLLIN, 0};
    const int count = ::ppoll(&entry, 1, left ? &time : nullptr, nullptr);
    if (count == -1 && errno == EINTR) continue;
    if (count == -1) return {IoStatus::error, 0, {errno, std::system_category()}};
    const IoResult result = try_recv(fd, buffer);
    if (result.status != IoStatus::would_block) return result;
    if (is_last || deadline.has_passed()) return {IoStatus::timed_out, 0, {}};
  }
}

}  // namespace course
