// Right in another way: read and write, with SIGPIPE held back and taken out of the queue; errors
// travel as plain numbers; the mode is a small object.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <string>
#include <system_error>

#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

// A count, or the errno negated.
using Outcome = long;

template <class Call>
Outcome outcome_of(Call call) {
  for (;;) {
    const long result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

IoResult result_of(Outcome outcome) {
  if (outcome >= 0) return {IoStatus::ok, static_cast<std::size_t>(outcome), {}};
  if (outcome == -EAGAIN) return {IoStatus::would_block, 0, {}};
  return {IoStatus::error, 0, {static_cast<int>(-outcome), std::system_category()}};
}

// While it lives, SIGPIPE does nothing to this thread; one that came meanwhile is taken away.
class SigpipeHeldBack {
 public:
  SigpipeHeldBack() {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeHeldBack() {
    const timespec now{};
    if (!was_pending_)
      while (sigtimedwait(&sigpipe_, nullptr, &now) == -1 && errno == EINTR) {
      }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeHeldBack(const SigpipeHeldBack&) = delete;
  SigpipeHeldBack& operator=(const SigpipeHeldBack&) = delete;

 private:
  sigset_t sigpipe_{}, before_{};
  bool was_pending_ = false;
};

int status_flags(int fd, int command, int value = 0) {
  const Outcome outcome = outcome_of([&] { return ::fcntl(fd, command, value); });
  if (outcome < 0)
    throw std::system_error(static_cast<int>(-outcome), std::system_category(), "fcntl");
  return static_cast<int>(outcome);
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  const int flags = status_flags(fd, F_GETFL);
  status_flags(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

IoResult try_recv(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  const Outcome got = outcome_of([&] { return ::read(fd, buffer.data(), buffer.size()); });
  if (got == 0) return {IoStatus::eof, 0, {}};
  return result_of(got);
}

IoResult try_send(int fd, cbytes data) {
  if (data.empty()) return {};
  const SigpipeHeldBack held_back;
  return result_of(outcome_of([&] { return ::write(fd, data.data(), data.size()); }));
}

std::optional<Fd> try_accept(int listener) {
  constexpr int again[] = {ECONNABORTED, EPROTO,    ENOPROTOOPT,  ENETDOWN,
                           ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH, ENONET};
  Outcome outcome = 0;
  do {
    outcome = outcome_of(
        [&] { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); });
  } while (outcome < 0 && std::count(std::begin(again), std::end(again), -outcome) > 0);
  if (outcome == -EAGAIN) return std::nullopt;
  if (outcome < 0)
    throw std::system_error(static_cast<int>(-outcome), std::system_category(), "accept4");
  return Fd(static_cast<int>(outcome));
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  char piece[512];
  for (std::size_t left = max_bytes; left > 0;) {
    const std::size_t size = std::min(left, sizeof piece);
    const IoResult one = try_recv(fd, std::as_writable_bytes(std::span(piece, size)));
    into.insert(into.end(), piece, piece + one.bytes);
    left -= one.bytes;
    if (one.status == IoStatus::ok) continue;
    return {one.status, max_bytes - left, one.error};
  }
  return {IoStatus::ok, max_bytes, {}};
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  while (true) {
    const bool has_passed = deadline.has_passed();
    const IoResult result = try_recv(fd, buffer);
    if (result.status != IoStatus::would_block) return result;
    if (has_passed) return {IoStatus::timed_out, 0, {}};
    int timeout_ms = -1;
    if (const auto left = deadline.remaining()) {
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
      timeout_ms = static_cast<int>(std::min<long>(ms, INT_MAX));
    }
    pollfd entry{};
    entry.fd = fd;
    entry.events = POLLIN | POLLRDHUP;
    const Outcome waited = outcome_of([&] {
      const int count = ::poll(&entry, 1, timeout_ms);
      return count == -1 && errno == EINTR ? 0 : count;
    });
    if (waited < 0) return result_of(waited);
  }
}

}  // namespace course
