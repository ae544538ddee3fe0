// Different here: the kernel never sees the caller's memory. Bytes go out through a block on the
// stack, 1000 at a time, and come in through memory of the function's own.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {

void send_all(int fd, cbytes data) {
  std::array<std::byte, 1000> block;
  while (!data.empty()) {
    const std::size_t size = std::min(block.size(), data.size());
    std::copy_n(data.begin(), size, block.begin());
    const ssize_t sent = ::sendto(fd, block.data(), size, MSG_NOSIGNAL, nullptr, 0);
    if (sent == -1 && errno == EINTR) continue;
    if (sent == -1) throw std::system_error(errno, std::system_category(), "sendto");
    data = data.subspan(static_cast<std::size_t>(sent));
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  const auto own = std::make_unique_for_overwrite<std::byte[]>(buffer.size());
  ssize_t received = -1;
  do {
    received = ::recvfrom(fd, own.get(), buffer.size(), 0, nullptr, nullptr);
  } while (received == -1 && errno == EINTR);
  if (received == -1) return {IoStatus::error, 0, {errno, std::system_category()}};
  std::copy_n(own.get(), received, buffer.begin());
  return {received == 0 ? IoStatus::eof : IoStatus::ok, static_cast<std::size_t>(received), {}};
}

IoResult recv_exact(int fd, bytes buffer) {
  std::array<std::byte, 1000> block;
  auto next = buffer.begin();
  while (next != buffer.end()) {
    const auto missing = static_cast<std::size_t>(buffer.end() - next);
    const IoResult piece = recv_some(fd, bytes(block).first(std::min(block.size(), missing)));
    next = std::copy_n(block.begin(), piece.bytes, next);
    const auto received = static_cast<std::size_t>(next - buffer.begin());
    if (piece.status != IoStatus::ok) return {piece.status, received, piece.error};
  }
  return {IoStatus::ok, buffer.size(), {}};
}

}  // namespace course
