#include "11-non-blocking/non_blocking.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

constexpr std::size_t piece_bytes = 16384;

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::system_category(), call);
}

/// What a failed call on a non-blocking socket means; errno says why it failed.
IoResult failure() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::would_block, 0, {}};
  return {IoStatus::error, 0, {errno, std::system_category()}};
}

/// True when accept(2) failed for the connection that it was about to return, not for the listener
/// (accept(2), "Error handling", and ECONNABORTED), or for a signal.
bool concerns_one_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags == -1) fail("fcntl");
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) == -1) fail("fcntl");
}

IoResult try_recv(int fd, bytes buffer) {
  if (buffer.empty()) return {IoStatus::ok, 0, {}};
  while (true) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got > 0) return {IoStatus::ok, static_cast<std::size_t>(got), {}};
    if (got == 0) return {IoStatus::eof, 0, {}};
    if (errno != EINTR) return failure();
  }
}

IoResult try_send(int fd, cbytes data) {
  if (data.empty()) return {IoStatus::ok, 0, {}};
  while (true) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::ok, static_cast<std::size_t>(sent), {}};
    if (errno != EINTR) return failure();
  }
}

std::optional<Fd> try_accept(int listener) {
  while (true) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) return Fd(client);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    if (!concerns_one_connection(errno)) fail("accept4");
  }
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  std::array<std::byte, piece_bytes> buffer;
  std::size_t received = 0;
  while (received < max_bytes) {
    const std::size_t wanted = std::min(buffer.size(), max_bytes - received);
    const IoResult piece = try_recv(fd, bytes(buffer).first(wanted));
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
    into += as_text(cbytes(buffer).first(piece.bytes));
    received += piece.bytes;
  }
  return {IoStatus::ok, received, {}};
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  const std::array readers = {fd};
  while (true) {
    const IoResult result = try_recv(fd, buffer);
    if (result.status != IoStatus::would_block) return result;
    try {
      if (select_until(readers, {}, {}, deadline).readable.empty())
        return {IoStatus::timed_out, 0, {}};
    } catch (const std::system_error& error) {
      return {IoStatus::error, 0, error.code()};
    }
  }
}

}  // namespace course
