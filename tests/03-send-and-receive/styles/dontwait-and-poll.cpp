// Different here: no call on the socket ever waits. Each one is made with MSG_DONTWAIT, and poll
// does the waiting when the answer is EAGAIN.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// Waits until `fd` is ready for `events` or has failed. False, with errno, when poll(2) itself
// fails; a signal is no failure.
bool wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  while (::poll(&entry, 1, -1) == -1)
    if (errno != EINTR) return false;
  return true;
}

// True when the attempt that set errno is worth another one, after a wait where it takes one.
bool worth_another(int fd, short events) {
  if (errno == EINTR) return true;
  return (errno == EAGAIN || errno == EWOULDBLOCK) && wait_for(fd, events);
}

}  // namespace

void send_all(int fd, cbytes data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
      data = data.subspan(static_cast<std::size_t>(sent));
    else if (!worth_another(fd, POLLOUT))
      throw std::system_error(errno, std::system_category(), "send");
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  while (true) {
    const ssize_t received = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (received > 0) return {IoStatus::ok, static_cast<std::size_t>(received), {}};
    if (received == 0) return {IoStatus::eof, 0, {}};
    if (!worth_another(fd, POLLIN))
      return {IoStatus::error, 0, std::error_code(errno, std::system_category())};
  }
}

IoResult recv_exact(int fd, bytes buffer) {
  std::size_t received = 0;
  while (received != buffer.size()) {
    const IoResult piece = recv_some(fd, buffer.subspan(received));
    received += piece.bytes;
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
  }
  return {IoStatus::ok, received, {}};
}

}  // namespace course
