// Different here: one byte at a time where the number of bytes is known before. Slow, and right.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

void send_byte(int fd, std::byte byte) {
  while (::send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), "send");
}

}  // namespace

void send_all(int fd, cbytes data) {
  std::for_each(data.begin(), data.end(), [fd](std::byte byte) { send_byte(fd, byte); });
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  ssize_t count = 0;
  do {
    count = ::recv(fd, buffer.data(), buffer.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return {IoStatus::error, 0, std::error_code(errno, std::system_category())};
  if (count == 0) return {IoStatus::eof, 0, {}};
  return {IoStatus::ok, static_cast<std::size_t>(count), {}};
}

IoResult recv_exact(int fd, bytes buffer) {
  std::size_t received = 0;
  for (std::byte& place : buffer) {
    const IoResult result = recv_some(fd, bytes(&place, 1));
    if (result.status != IoStatus::ok) return {result.status, received, result.error};
    ++received;
  }
  return {IoStatus::ok, received, {}};
}

}  // namespace course
