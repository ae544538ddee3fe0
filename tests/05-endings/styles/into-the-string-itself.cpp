// Different: no buffer of its own. The string grows by doubling and recv fills its tail, with
// MSG_WAITALL for as much as fits; the dropped bytes go into the size that FIONREAD tells.
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "05-endings/endings.hpp"

namespace course {
namespace {

using std::chrono::steady_clock;

IoResult failed(int error_number, std::size_t count) {
  if (error_number == EAGAIN) return {IoStatus::timed_out, count, {}};
  return {IoStatus::error, count, {error_number, std::system_category()}};
}

// Drops what has arrived: as much as there was on entry, whatever else comes meanwhile.
void drop_what_is_there(int fd) noexcept {
  char rubbish[4096];
  int unread = 0;
  if (::ioctl(fd, FIONREAD, &unread) == -1) return;
  while (unread > 0) {
    const auto most = std::min<std::size_t>(static_cast<std::size_t>(unread), sizeof rubbish);
    const ssize_t count = ::recv(fd, rubbish, most, MSG_DONTWAIT);
    if (count <= 0) return;
    unread -= static_cast<int>(count);
  }
}

// Whether something (a byte, the end, an error) came before `deadline`. Takes nothing.
bool something_came(int fd, steady_clock::time_point deadline) noexcept {
  char one;
  while (true) {
    const auto left = deadline - steady_clock::now();
    if (left <= left.zero()) return false;
    const auto micros = std::chrono::ceil<std::chrono::microseconds>(left).count();
    const timeval timeout{.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == -1) return false;
    if (::recv(fd, &one, 1, MSG_PEEK) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

// The peer has sent its FIN and nothing is left in front of it.
bool finished(int fd) noexcept {
  char one;
  return ::recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace

void finish_sending(int fd) {
  if (::shutdown(fd, SHUT_WR) == -1) {
    throw std::system_error(errno, std::system_category(), "finish_sending");
  }
}

IoResult read_to_eof(int fd, std::string& received) {
  const std::size_t start = received.size();
  std::size_t used = start;
  while (true) {
    if (used == received.size()) received.resize(received.size() * 2 + 512);
    const ssize_t n = ::recv(fd, received.data() + used, received.size() - used, MSG_WAITALL);
    const int why = errno;
    if (n > 0) {
      used += static_cast<std::size_t>(n);
      continue;
    }
    if (n == -1 && why == EINTR) continue;
    received.resize(used);
    return n == 0 ? IoResult{IoStatus::eof, used - start, {}} : failed(why, used - start);
  }
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  std::error_code why;
  try {
    send_all(fd, request);
  } catch (const std::system_error& error) {
    why = error.code();
  }
  const bool over = why.value() == EPIPE || why.value() == ECONNRESET;
  if (!why) ::shutdown(fd, SHUT_WR);
  IoResult result;
  if (!why || over) result = read_to_eof(fd, reply);
  if (why) result = {IoStatus::error, result.bytes, why};
  return result;
}

void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept {
  const int fd = connection.get();
  const auto deadline = steady_clock::now() + linger;
  if (::shutdown(fd, SHUT_WR) == 0) {
    while (something_came(fd, deadline) && !finished(fd)) drop_what_is_there(fd);
    drop_what_is_there(fd);
  }
  connection.reset();
}

}  // namespace course
