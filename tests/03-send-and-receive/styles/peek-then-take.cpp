// Different here: every receive first waits with MSG_PEEK on one byte, which stays where it is, and
// takes what has come with a second call.
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// recv(2), asked again after a signal.
ssize_t receive(int fd, bytes buffer, int flags) {
  ssize_t count = -1;
  do {
    count = ::recv(fd, buffer.data(), buffer.size(), flags);
  } while (count == -1 && errno == EINTR);
  return count;
}

std::error_code last_error() { return {errno, std::system_category()}; }

}  // namespace

void send_all(int fd, cbytes data) {
  for (cbytes rest = data; !rest.empty();) {
    const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    const std::error_code failure = last_error();
    if (sent >= 0)
      rest = rest.subspan(static_cast<std::size_t>(sent));
    else if (failure != std::errc::interrupted)
      throw std::system_error(failure, "send");
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  std::byte first;
  ssize_t count = receive(fd, {&first, 1}, MSG_PEEK);
  if (count == 1) count = receive(fd, buffer, 0);  // a failure was reported to the first call
  if (count == -1) return {IoStatus::error, 0, last_error()};
  return {count == 0 ? IoStatus::eof : IoStatus::ok, static_cast<std::size_t>(count), {}};
}

IoResult recv_exact(int fd, bytes buffer) {
  IoResult total;
  while (total.bytes < buffer.size()) {
    const IoResult piece = recv_some(fd, buffer.subspan(total.bytes));
    total = {piece.status, total.bytes + piece.bytes, piece.error};
    if (total.status != IoStatus::ok) break;
  }
  return total;
}

}  // namespace course
