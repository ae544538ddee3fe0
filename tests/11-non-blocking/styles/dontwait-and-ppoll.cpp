// Right in another way: every call says by itself that it does not want to wait; ppoll waits, and
// only when a first attempt has found nothing.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

// Makes `call` until it is not interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

IoResult why_not() {
  const int error = errno;
  if (error == EAGAIN) return {IoStatus::would_block, 0, {}};
  return {IoStatus::error, 0, std::error_code(error, std::system_category())};
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  int mode = on ? 1 : 0;
  if (::ioctl(fd, FIONBIO, &mode) != 0)
    throw std::system_error(errno, std::system_category(), "ioctl(FIONBIO)");
}

IoResult try_recv(int fd, bytes buffer) {
  if (buffer.empty()) return {IoStatus::ok, 0, {}};
  const auto got =
      uninterrupted([&] { return ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT); });
  if (got < 0) return why_not();
  return {got == 0 ? IoStatus::eof : IoStatus::ok, static_cast<std::size_t>(got), {}};
}

IoResult try_send(int fd, cbytes data) {
  if (data.empty()) return {IoStatus::ok, 0, {}};
  const auto sent = uninterrupted(
      [&] { return ::send(fd, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent < 0) return why_not();
  return {IoStatus::ok, static_cast<std::size_t>(sent), {}};
}

std::optional<Fd> try_accept(int listener) {
  static constexpr int of_one_connection[] = {ECONNABORTED, EPROTO,    ENOPROTOOPT,  ENETDOWN,
                                              ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH, ENONET};
  for (;;) {
    const int fd = uninterrupted(
        [&] { return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    if (fd >= 0) return std::make_optional<Fd>(fd);
    const int error = errno;
    if (error == EAGAIN) return std::nullopt;
    if (std::find(std::begin(of_one_connection), std::end(of_one_connection), error) ==
        std::end(of_one_connection))
      throw std::system_error(error, std::system_category(), "accept4");
  }
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  std::vector<std::byte> piece(std::min<std::size_t>(max_bytes, 65'536));
  IoResult sum;
  while (sum.status == IoStatus::ok && sum.bytes < max_bytes) {
    const std::size_t room = std::min(piece.size(), max_bytes - sum.bytes);
    const IoResult one = try_recv(fd, bytes(piece).first(room));
    into += as_text(cbytes(piece).first(one.bytes));
    sum = {one.status, sum.bytes + one.bytes, one.error};
  }
  return sum;
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  for (;;) {
    const IoResult result = try_recv(fd, buffer);
    if (result.status != IoStatus::would_block) return result;
    const auto left = deadline.remaining();
    if (left == Duration::zero()) return {IoStatus::timed_out, 0, {}};
    timespec time{};
    if (left) {
      const auto seconds = std::chrono::floor<std::chrono::seconds>(*left);
      time = {seconds.count(), (*left - seconds).count()};
    }
    pollfd entry{fd, POLLIN, 0};
    if (::ppoll(&entry, 1, left ? &time : nullptr, nullptr) == -1 && errno != EINTR)
      return why_not();
  }
}

}  // namespace course
