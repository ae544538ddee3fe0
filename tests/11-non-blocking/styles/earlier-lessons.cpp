// Right in another way: as much as possible with the functions of earlier lessons, and select
// before every attempt.
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "07-will-it-block/will_it_block.hpp"
#include "08-three-lists/three_lists.hpp"
#include "11-non-blocking/non_blocking.hpp"

namespace course {

void set_nonblocking(int fd, bool on) {
  const auto checked = [](int result) {
    if (result == -1) throw std::system_error(errno, std::system_category(), "fcntl");
    return result;
  };
  const int others = checked(::fcntl(fd, F_GETFL)) & ~O_NONBLOCK;
  checked(::fcntl(fd, F_SETFL, on ? others | O_NONBLOCK : others));
}

// recv_some() of lesson 03 tells EAGAIN as an error like any other.
IoResult try_recv(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  IoResult result = recv_some(fd, buffer);
  if (result.error.value() == EAGAIN) result = {IoStatus::would_block, 0, {}};
  return result;
}

IoResult try_send(int fd, cbytes data) {
  while (!data.empty()) {
    const auto sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::ok, static_cast<std::size_t>(sent), {}};
    if (errno == EAGAIN) return {IoStatus::would_block, 0, {}};
    if (errno != EINTR) return {IoStatus::error, 0, {errno, std::system_category()}};
  }
  return {};
}

std::optional<Fd> try_accept(int listener) {
  for (;;) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    Fd client(::accept4(listener, reinterpret_cast<sockaddr*>(&address), &length,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.get() >= 0) return client;
    const int why = errno;
    if (why == EAGAIN) return std::nullopt;
    const bool goes_on = why == EINTR || why == ECONNABORTED || why == EPROTO ||
                         why == ENOPROTOOPT || why == ENETDOWN || why == ENETUNREACH ||
                         why == EHOSTDOWN || why == EHOSTUNREACH || why == ENONET;
    if (!goes_on) throw std::system_error(why, std::generic_category(), "accept4");
  }
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  std::size_t left = max_bytes;
  while (left > 0) {
    std::array<char, 2048> piece;
    const auto room = std::as_writable_bytes(std::span(piece));
    const IoResult one = try_recv(fd, room.first(std::min(left, room.size())));
    into.append(piece.data(), one.bytes);
    left -= one.bytes;
    if (one.status != IoStatus::ok) return {one.status, max_bytes - left, one.error};
  }
  return {IoStatus::ok, max_bytes, {}};
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  if (buffer.empty()) return {};
  bool is_time_up = false;
  try {
    for (;;) {
      is_time_up = deadline.has_passed();
      const IoResult result = try_recv(fd, buffer);
      if (result.status != IoStatus::would_block) return result;
      if (is_time_up) return {IoStatus::timed_out, 0, {}};
      (void)wait_readable(fd, deadline.remaining());
    }
  } catch (const std::system_error& error) {
    return {IoStatus::error, 0, error.code()};
  }
}

}  // namespace course
