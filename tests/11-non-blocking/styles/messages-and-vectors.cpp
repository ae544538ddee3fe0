// Right in another way: recvmsg and sendmsg; drain reads straight into the string; select with a
// set of its own and a timeval.
#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

template <class Call>
IoResult attempt(Call call, std::size_t size, IoStatus when_zero) {
  if (size == 0) return {};
  for (;;) {
    const ssize_t moved = call();
    if (moved > 0) return {IoStatus::ok, static_cast<std::size_t>(moved), {}};
    if (moved == 0) return {when_zero, 0, {}};
    switch (errno) {
      case EINTR:
        break;
      case EAGAIN:
        return {IoStatus::would_block, 0, {}};
      default:
        return {IoStatus::error, 0, last_error()};
    }
  }
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  const int before = ::fcntl(fd, F_GETFL);
  if (before == -1) throw std::system_error(last_error(), "fcntl(F_GETFL)");
  const bool is_on = (before & O_NONBLOCK) != 0;
  if (is_on == on) return;
  if (::fcntl(fd, F_SETFL, before ^ O_NONBLOCK) == -1)
    throw std::system_error(last_error(), "fcntl(F_SETFL)");
}

IoResult try_recv(int fd, bytes buffer) {
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return attempt([&] { return ::recvmsg(fd, &message, 0); }, buffer.size(), IoStatus::eof);
}

IoResult try_send(int fd, cbytes data) {
  iovec part{const_cast<std::byte*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return attempt([&] { return ::sendmsg(fd, &message, MSG_NOSIGNAL); }, data.size(), IoStatus::ok);
}

std::optional<Fd> try_accept(int listener) {
  while (true) {
    Fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() >= 0) {
      set_nonblocking(client.get(), true);
      return client;
    }
    const std::error_code why = last_error();
    if (why == std::errc::resource_unavailable_try_again) return {};
    const bool is_passing =
        why == std::errc::interrupted || why == std::errc::connection_aborted ||
        why == std::errc::protocol_error || why == std::errc::no_protocol_option ||
        why == std::errc::network_down || why == std::errc::network_unreachable ||
        why == std::errc::host_unreachable || why.value() == EHOSTDOWN || why.value() == ENONET;
    if (!is_passing) throw std::system_error(why, "accept4()");
  }
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  constexpr std::size_t at_once = 8192;
  IoResult all;
  while (all.bytes < max_bytes) {
    const std::size_t before = into.size();
    into.resize(before + std::min(at_once, max_bytes - all.bytes));
    const IoResult one = try_recv(fd, std::as_writable_bytes(std::span(into)).subspan(before));
    into.resize(before + one.bytes);
    all.bytes += one.bytes;
    if (one.status != IoStatus::ok) return {one.status, all.bytes, one.error};
  }
  return all;
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  if (fd >= FD_SETSIZE) return {IoStatus::error, 0, {EINVAL, std::system_category()}};
  while (true) {
    const bool is_last = deadline.has_passed();
    const IoResult result = try_recv(fd, buffer);
    if (result.status != IoStatus::would_block) return result;
    if (is_last) return {IoStatus::timed_out, 0, {}};
    fd_set readers;
    FD_ZERO(&readers);
    FD_SET(fd, &readers);
    timeval time{};
    const auto left = deadline.remaining();
    if (left) {
      const auto us = std::chrono::ceil<std::chrono::microseconds>(*left).count();
      time = {us / 1'000'000, us % 1'000'000};
    }
    if (::select(fd + 1, &readers, nullptr, nullptr, left ? &time : nullptr) == -1 &&
        errno != EINTR)
      return {IoStatus::error, 0, last_error()};
  }
}

}  // namespace course
