// Different here: sendmsg and recvmsg with the memory cut into two iovecs.
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// A message header over `data`, cut in the middle. The iovecs point into it.
class TwoParts {
 public:
  TwoParts(std::byte* data, std::size_t size)
      : parts_{{{data, size / 2}, {data + size / 2, size - size / 2}}} {
    header_.msg_iov = parts_.data();
    header_.msg_iovlen = parts_.size();
  }
  TwoParts(const TwoParts&) = delete;
  TwoParts& operator=(const TwoParts&) = delete;

  msghdr* header() { return &header_; }

 private:
  std::array<iovec, 2> parts_;
  msghdr header_{};
};

}  // namespace

void send_all(int fd, cbytes data) {
  while (!data.empty()) {
    TwoParts message(const_cast<std::byte*>(data.data()), data.size());  // iovec knows no const
    const ssize_t sent = ::sendmsg(fd, message.header(), MSG_NOSIGNAL);
    if (sent >= 0)
      data = data.last(data.size() - static_cast<std::size_t>(sent));
    else if (errno != EINTR)
      throw std::system_error(errno, std::system_category(), "sendmsg");
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  for (;;) {
    TwoParts message(buffer.data(), buffer.size());
    const ssize_t received = ::recvmsg(fd, message.header(), 0);
    if (received == -1 && errno == EINTR) continue;
    if (received == -1) return {IoStatus::error, 0, {errno, std::system_category()}};
    return {received > 0 ? IoStatus::ok : IoStatus::eof, static_cast<std::size_t>(received), {}};
  }
}

IoResult recv_exact(int fd, bytes buffer) {
  const std::size_t wanted = buffer.size();
  while (!buffer.empty()) {
    const IoResult part = recv_some(fd, buffer);
    buffer = buffer.subspan(part.bytes);
    if (part.status != IoStatus::ok) return {part.status, wanted - buffer.size(), part.error};
  }
  return {IoStatus::ok, wanted, {}};
}

}  // namespace course
