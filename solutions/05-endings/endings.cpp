#include "05-endings/endings.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::size_t chunk_bytes = 16 * 1024;

// How often to read when the time is up. 64 MiB: more than a receive buffer holds (tcp(7),
// tcp_rmem), but an end to a peer that floods.
constexpr int late_reads_max = 4096;

std::error_code half_close(int fd) noexcept {
  if (::shutdown(fd, SHUT_WR) == -1) return {errno, std::system_category()};
  return {};
}

bool connection_is_gone(const std::error_code& error) {
  return error == std::errc::broken_pipe || error == std::errc::connection_reset;
}

// What `last`, the first result that was not ok, means after `total` bytes. A receive timeout that
// ran out shows as EAGAIN (socket(7), SO_RCVTIMEO).
IoResult ending(const IoResult& last, std::size_t total) {
  if (last.error == std::errc::resource_unavailable_try_again) {
    return {IoStatus::timed_out, total, {}};
  }
  return {last.status, total, last.error};
}

bool set_receive_timeout(int fd, microseconds timeout) noexcept {
  timeval value{};
  value.tv_sec = std::chrono::floor<seconds>(timeout).count();
  value.tv_usec = (timeout % seconds(1)).count();
  return ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value) == 0;
}

// Like recv(2), but waits for `left` at the most, and not at all when nothing is left. A timeout of
// zero would mean for ever (socket(7)), so it is rounded up.
ssize_t recv_within(int fd, bytes buffer, steady_clock::duration left) noexcept {
  if (left <= steady_clock::duration::zero()) {
    return ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  }
  if (!set_receive_timeout(fd, std::chrono::ceil<microseconds>(left))) return -1;
  return ::recv(fd, buffer.data(), buffer.size(), 0);
}

// Drops what the peer sends until it finishes, fails or falls silent for what is left of the time.
// What has arrived by the deadline is dropped too: it must not be unread when the socket is closed.
void drop_until(int fd, steady_clock::time_point deadline) noexcept {
  std::array<std::byte, chunk_bytes> dropped;
  int late_reads = 0;
  while (late_reads < late_reads_max) {
    const auto left = deadline - steady_clock::now();
    if (left <= steady_clock::duration::zero()) ++late_reads;
    const ssize_t count = recv_within(fd, dropped, left);
    if (count == -1 && errno == EINTR) continue;
    if (count <= 0) return;
  }
}

}  // namespace

void finish_sending(int fd) {
  if (const std::error_code error = half_close(fd)) throw std::system_error(error, "shutdown");
}

IoResult read_to_eof(int fd, std::string& received) {
  std::array<std::byte, chunk_bytes> buffer;
  std::size_t total = 0;
  while (true) {
    const IoResult got = recv_some(fd, buffer);
    if (got.status != IoStatus::ok) return ending(got, total);
    received += as_text(std::span(buffer).first(got.bytes));
    total += got.bytes;
  }
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  try {
    send_all(fd, request);
  } catch (const std::system_error& failed) {
    // A peer that left early may have said why; on a dead connection recv does not wait.
    const bool gone = connection_is_gone(failed.code());
    const std::size_t early_bytes = gone ? read_to_eof(fd, reply).bytes : 0;
    return {IoStatus::error, early_bytes, failed.code()};
  }
  (void)half_close(fd);  // ENOTCONN: the peer has left; what it said before is still to be read
  return read_to_eof(fd, reply);
}

void close_gracefully(Fd connection, milliseconds linger) noexcept {
  const auto deadline = steady_clock::now() + linger;
  (void)half_close(connection.get());  // ENOTCONN: the peer has left; closing is all there is to do
  drop_until(connection.get(), deadline);
  connection.reset();
}

}  // namespace course
