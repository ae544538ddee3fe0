// Different here: no loop over the pieces. What one call left over is halved and each half handled
// by recursion, so that the depth is at most the logarithm of the size, however small the pieces.
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// Sends at least one byte of `data`, which is not empty, and says how many.
std::size_t send_part(int fd, cbytes data) {
  ssize_t sent = -1;
  do {
    sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
  } while (sent == -1 && errno == EINTR);
  if (sent == -1) throw std::system_error(errno, std::system_category(), "send");
  return static_cast<std::size_t>(sent);
}

}  // namespace

void send_all(int fd, cbytes data) {
  if (data.empty()) return;
  const cbytes rest = data.subspan(send_part(fd, data));
  send_all(fd, rest.first(rest.size() / 2));
  send_all(fd, rest.subspan(rest.size() / 2));
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return IoResult{};
  ssize_t received = -1;
  do {
    received = ::recv(fd, buffer.data(), buffer.size(), 0);
  } while (received == -1 && errno == EINTR);
  if (received == -1) return {IoStatus::error, 0, std::error_code(errno, std::system_category())};
  return {received == 0 ? IoStatus::eof : IoStatus::ok, static_cast<std::size_t>(received), {}};
}

IoResult recv_exact(int fd, bytes buffer) {
  const IoResult head = recv_some(fd, buffer);
  if (head.status != IoStatus::ok || head.bytes == buffer.size()) return head;

  const bytes rest = buffer.subspan(head.bytes);
  const std::size_t half = rest.size() / 2;
  IoResult middle = recv_exact(fd, rest.first(half));
  middle.bytes += head.bytes;
  if (middle.status != IoStatus::ok) return middle;

  IoResult tail = recv_exact(fd, rest.subspan(half));
  tail.bytes += middle.bytes;
  return tail;
}

}  // namespace course
