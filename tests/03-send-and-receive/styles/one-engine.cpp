// Different here: functional. One template moves bytes in either direction until a predicate is
// satisfied; the three functions only say what one step is and when to stop.
#include <sys/socket.h>

#include <cerrno>
#include <concepts>
#include <span>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// Calls `step` on what is left of `memory` until `enough` bytes have moved, or it ends or fails.
template <typename Byte, std::invocable<Byte*, std::size_t> Step>
IoResult move_bytes(std::span<Byte> memory, std::size_t enough, Step step) {
  IoResult so_far;
  while (so_far.bytes < enough && so_far.status == IoStatus::ok) {
    const auto rest = memory.subspan(so_far.bytes);
    const ssize_t count = step(rest.data(), rest.size());
    if (count > 0)
      so_far.bytes += static_cast<std::size_t>(count);
    else if (count == 0)
      so_far.status = IoStatus::eof;
    else if (errno != EINTR)
      so_far = {IoStatus::error, so_far.bytes, {errno, std::system_category()}};
  }
  return so_far;
}

auto receiver(int fd) {
  return [fd](std::byte* to, std::size_t size) { return ::recv(fd, to, size, 0); };
}

}  // namespace

void send_all(int fd, cbytes data) {
  const auto send_step = [fd](const std::byte* from, std::size_t size) {
    return ::send(fd, from, size, MSG_NOSIGNAL);
  };
  if (const IoResult result = move_bytes(data, data.size(), send_step); result.error)
    throw std::system_error(result.error, "send");
}

IoResult recv_some(int fd, bytes buffer) {
  return move_bytes(buffer, buffer.empty() ? 0 : 1, receiver(fd));
}

IoResult recv_exact(int fd, bytes buffer) {
  return move_bytes(buffer, buffer.size(), receiver(fd));
}

}  // namespace course
