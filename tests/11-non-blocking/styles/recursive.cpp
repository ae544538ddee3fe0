// Right in another way: what has to be done again is a call of the function itself; pselect waits.
#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

IoResult refused(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return {IoStatus::would_block, 0, {}};
  return {IoStatus::error, 0, std::make_error_code(static_cast<std::errc>(error))};
}

IoResult in_system_category(IoResult result) {
  if (result.error) result.error.assign(result.error.value(), std::system_category());
  return result;
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  const auto flags = ::fcntl(fd, F_GETFL);
  const auto wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (flags == -1 || ::fcntl(fd, F_SETFL, wanted) == -1)
    throw std::system_error(errno, std::system_category(), "fcntl");
}

IoResult try_recv(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  iovec part{buffer.data(), buffer.size()};
  const ssize_t got = ::readv(fd, &part, 1);
  if (got > 0) return {IoStatus::ok, static_cast<std::size_t>(got), {}};
  if (got == 0) return {IoStatus::eof, 0, {}};
  if (errno == EINTR) return try_recv(fd, buffer);
  return in_system_category(refused(errno));
}

IoResult try_send(int fd, cbytes data) {
  if (data.empty()) return {};
  const ssize_t sent = ::sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, nullptr, 0);
  if (sent >= 0) return {IoStatus::ok, static_cast<std::size_t>(sent), {}};
  if (errno == EINTR) return try_send(fd, data);
  return in_system_category(refused(errno));
}

std::optional<Fd> try_accept(int listener) {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client != -1) return Fd{client};
  switch (errno) {
    case EWOULDBLOCK:
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
      return try_accept(listener);
    default:
      throw std::system_error(errno, std::system_category(), "accept");
  }
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  if (max_bytes == 0) return {};
  std::byte piece[2000];
  const IoResult first = try_recv(fd, bytes(piece).first(std::min(max_bytes, sizeof piece)));
  if (first.status != IoStatus::ok) return first;
  into += as_text(cbytes(piece).first(first.bytes));
  IoResult rest = drain(fd, into, max_bytes - first.bytes);
  rest.bytes += first.bytes;
  return rest;
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  const bool is_late = deadline.has_passed();
  IoResult now = try_recv(fd, buffer);
  if (now.status != IoStatus::would_block) return now;
  if (is_late) return {IoStatus::timed_out, 0, {}};
  if (fd >= FD_SETSIZE) return {IoStatus::error, 0, {EINVAL, std::system_category()}};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  const auto left = deadline.remaining();
  const timespec time =
      left ? timespec{*left / std::chrono::seconds(1), (*left % std::chrono::seconds(1)).count()}
           : timespec{};
  if (::pselect(fd + 1, &set, nullptr, nullptr, left ? &time : nullptr, nullptr) == -1 &&
      errno != EINTR)
    return {IoStatus::error, 0, {errno, std::system_category()}};
  return recv_some(fd, buffer, deadline);
}

}  // namespace course
