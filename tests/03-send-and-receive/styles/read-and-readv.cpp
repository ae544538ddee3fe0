// Different here: receives with read and readv, which take no flags. Sending stays with send: write
// takes none either, so it could not keep SIGPIPE from being raised.
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// What `count`, returned by a call that moved bytes, means; errno is still that call's.
IoResult meaning_of(ssize_t count) {
  if (count == -1) return {IoStatus::error, 0, {errno, std::system_category()}};
  return {count > 0 ? IoStatus::ok : IoStatus::eof, static_cast<std::size_t>(count), {}};
}

// One piece into `buffer`, which is not empty: its front half first, then its back half.
IoResult read_piece(int fd, bytes buffer) {
  const std::size_t half = buffer.size() / 2;
  const std::array<iovec, 2> parts{
      {{buffer.data(), half}, {buffer.data() + half, buffer.size() - half}}};
  ssize_t count = -1;
  do {
    count = ::readv(fd, parts.data(), static_cast<int>(parts.size()));
  } while (count == -1 && errno == EINTR);
  return meaning_of(count);
}

}  // namespace

void send_all(int fd, cbytes data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent != -1)
      data = data.subspan(static_cast<std::size_t>(sent));
    else if (errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "send");
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  ssize_t count = 0;
  while ((count = ::read(fd, buffer.data(), buffer.size())) == -1 && errno == EINTR) {
  }
  return meaning_of(count);
}

IoResult recv_exact(int fd, bytes buffer) {
  IoResult result;
  for (bytes rest = buffer; !rest.empty() && result.status == IoStatus::ok;) {
    const IoResult piece = read_piece(fd, rest);
    rest = rest.subspan(piece.bytes);
    result = {piece.status, result.bytes + piece.bytes, piece.error};
  }
  return result;
}

}  // namespace course
