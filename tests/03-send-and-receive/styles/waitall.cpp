// Different here: recv_exact asks for everything with MSG_WAITALL, and asks again for what a signal
// kept back.
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// One recv(2) with `flags`, asked again after a signal. `buffer` is not empty.
IoResult receive(int fd, bytes buffer, int flags) {
  std::optional<IoResult> result;
  while (!result) {
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), flags);
    if (count > 0)
      result = IoResult{IoStatus::ok, static_cast<std::size_t>(count), {}};
    else if (count == 0)
      result = IoResult{IoStatus::eof, 0, {}};
    else if (errno != EINTR)
      result = IoResult{IoStatus::error, 0, {errno, std::system_category()}};
  }
  return *result;
}

}  // namespace

void send_all(int fd, cbytes data) {
  for (std::size_t sent = 0; sent < data.size();) {
    const ssize_t count = ::send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (count >= 0)
      sent += static_cast<std::size_t>(count);
    else if (errno != EINTR)
      throw std::system_error(errno, std::system_category(), "send_all");
  }
}

IoResult recv_some(int fd, bytes buffer) {
  return buffer.empty() ? IoResult{} : receive(fd, buffer, 0);
}

IoResult recv_exact(int fd, bytes buffer) {
  IoResult total;
  // MSG_WAITALL comes back early after a signal, an error or the end (recv(2)).
  while (total.status == IoStatus::ok && total.bytes < buffer.size()) {
    const IoResult part = receive(fd, buffer.subspan(total.bytes), MSG_WAITALL);
    total = {part.status, total.bytes + part.bytes, part.error};
  }
  return total;
}

}  // namespace course
