#include "03-send-and-receive/send_and_receive.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace course {

void send_all(int fd, cbytes data) {
  while (!data.empty()) {
    // MSG_NOSIGNAL: EPIPE without the SIGPIPE, for this one call (send(2)).
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent == -1 && errno == EINTR) continue;  // nothing was taken: offer the same again
    if (sent == -1) throw std::system_error(errno, std::system_category(), "send");
    data = data.subspan(static_cast<std::size_t>(sent));
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};  // recv(2) would answer 0, which reads as the end
  while (true) {
    const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (received > 0) return {IoStatus::ok, static_cast<std::size_t>(received), {}};
    if (received == 0) return {IoStatus::eof, 0, {}};
    if (errno != EINTR) return {IoStatus::error, 0, {errno, std::system_category()}};
  }
}

IoResult recv_exact(int fd, bytes buffer) {
  std::size_t received = 0;
  while (received < buffer.size()) {
    const IoResult piece = recv_some(fd, buffer.subspan(received));
    received += piece.bytes;
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
  }
  return {IoStatus::ok, received, {}};
}

}  // namespace course
