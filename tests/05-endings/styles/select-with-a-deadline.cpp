// Different: select(2) says whether there is something to drop; a descriptor that does not fit an
// fd_set is asked about with a receive timeout instead.
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "03-send-and-receive/send_and_receive.hpp"
#include "05-endings/endings.hpp"

namespace course {

namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

timeval as_timeval(microseconds time) {
  timeval value{};
  value.tv_sec = time.count() / 1'000'000;
  value.tv_usec = time.count() % 1'000'000;
  return value;
}

/// 1: there is something to read (or an end, or an error); 0: not within `time`; -1: errno.
int wait_readable_for(int fd, microseconds time) {
  timeval timeout = as_timeval(time);
  if (fd < FD_SETSIZE) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    return ::select(fd + 1, &readable, nullptr, nullptr, &timeout);
  }
  char one;
  if (time == microseconds::zero()) return 1;  // the recv that follows does not wait
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == -1) return -1;
  const ssize_t seen = ::recv(fd, &one, 1, MSG_PEEK);
  if (seen >= 0) return 1;
  return errno == EAGAIN ? 0 : -1;
}

}  // namespace

void finish_sending(int fd) {
  const int result = ::shutdown(fd, SHUT_WR);
  if (result == 0) return;
  throw std::system_error(std::error_code(errno, std::system_category()));
}

IoResult read_to_eof(int fd, std::string& received) {
  std::vector<std::byte> room(32 * 1024);
  IoResult all{IoStatus::eof, 0, {}};
  for (IoResult some = recv_some(fd, room); some.status != IoStatus::eof;
       some = recv_some(fd, room)) {
    if (some.status == IoStatus::ok) {
      all.bytes += some.bytes;
      received.append(reinterpret_cast<const char*>(room.data()), some.bytes);
      continue;
    }
    const bool silent = some.error == std::error_code(EAGAIN, std::system_category());
    all.status = silent ? IoStatus::timed_out : IoStatus::error;
    if (!silent) all.error = some.error;
    break;
  }
  return all;
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  std::error_code failure;
  try {
    send_all(fd, request);
  } catch (const std::system_error& error) {
    failure = error.code();
    if (failure != std::errc::broken_pipe && failure != std::errc::connection_reset) {
      return {IoStatus::error, 0, failure};
    }
  }
  ::shutdown(fd, SHUT_WR);
  IoResult answer = read_to_eof(fd, reply);
  if (failure) answer.status = IoStatus::error, answer.error = failure;
  return answer;
}

void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept {
  const int fd = connection.get();
  if (fd == -1) return;
  const auto start = steady_clock::now();
  ::shutdown(fd, SHUT_WR);

  char rubbish[16 * 1024];
  for (int late = 0; late < 4096;) {
    const auto spent = steady_clock::now() - start;
    const auto left = std::chrono::ceil<microseconds>(linger - spent);
    if (left <= microseconds::zero()) ++late;
    const int ready = wait_readable_for(fd, std::max(left, microseconds::zero()));
    if (ready == 0) break;
    if (ready == -1 && errno == EINTR) continue;
    if (ready == -1) break;
    const ssize_t got = ::recv(fd, rubbish, sizeof rubbish, MSG_DONTWAIT);
    if (got == 0) break;
    if (got == -1 && errno != EINTR && errno != EAGAIN) break;
  }
}

}  // namespace course
