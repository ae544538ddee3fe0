// Different here: inside, every ending is an exception, and only the edge turns it into an
// IoResult.
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

struct PeerFinished {};

// The count that `call` returned; asked again after a signal.
template <typename Call>
std::size_t checked(const char* name, Call call) {
  while (true) {
    const ssize_t count = call();
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), name);
  }
}

std::size_t receive(int fd, bytes buffer) {
  const std::size_t count =
      checked("recv", [&] { return ::recv(fd, buffer.data(), buffer.size(), 0); });
  if (count == 0) throw PeerFinished{};
  return count;
}

// Fills `buffer` until `enough` bytes have come.
IoResult receive_at_least(int fd, bytes buffer, std::size_t enough) {
  std::size_t received = 0;
  try {
    while (received < enough) received += receive(fd, buffer.subspan(received));
    return {IoStatus::ok, received, {}};
  } catch (const PeerFinished&) {
    return {IoStatus::eof, received, {}};
  } catch (const std::system_error& failure) {
    return {IoStatus::error, received, failure.code()};
  }
}

}  // namespace

void send_all(int fd, cbytes data) {
  while (!data.empty()) {
    const std::size_t sent =
        checked("send", [&] { return ::send(fd, data.data(), data.size(), MSG_NOSIGNAL); });
    data = data.subspan(sent);
  }
}

IoResult recv_some(int fd, bytes buffer) {
  return receive_at_least(fd, buffer, buffer.empty() ? 0 : 1);
}

IoResult recv_exact(int fd, bytes buffer) { return receive_at_least(fd, buffer, buffer.size()); }

}  // namespace course
