// Different: read(2) and write(2), as for a file. write has no MSG_NOSIGNAL, so SIGPIPE is blocked
// in this thread while it writes, and one that the write raised is taken back before unblocking.
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>

#include "05-endings/endings.hpp"

namespace course {
namespace {

using Clock = std::chrono::steady_clock;

class SigpipeHeldBack {
 public:
  SigpipeHeldBack() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &old_mask_);
  }

  ~SigpipeHeldBack() {
    const timespec no_wait{};
    if (raised_ && !was_pending_) {
      while (sigtimedwait(&sigpipe_, nullptr, &no_wait) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }

  SigpipeHeldBack(const SigpipeHeldBack&) = delete;
  SigpipeHeldBack& operator=(const SigpipeHeldBack&) = delete;

  void was_raised() { raised_ = true; }

 private:
  sigset_t sigpipe_{};
  sigset_t old_mask_{};
  bool was_pending_ = false;
  bool raised_ = false;
};

// errno of the write that failed, or 0.
int write_all(int fd, cbytes data) {
  SigpipeHeldBack guard;
  while (!data.empty()) {
    const ssize_t taken = ::write(fd, data.data(), data.size());
    if (taken >= 0) {
      data = data.subspan(static_cast<std::size_t>(taken));
      continue;
    }
    const int why = errno;
    if (why == EINTR) continue;
    if (why == EPIPE) guard.was_raised();
    return why;
  }
  return 0;
}

}  // namespace

void finish_sending(int fd) {
  if (::shutdown(fd, SHUT_WR) < 0) throw std::system_error(errno, std::system_category());
}

IoResult read_to_eof(int fd, std::string& received) {
  std::byte piece[2048];
  std::size_t sum = 0;
  ssize_t count = 0;
  do {
    count = ::read(fd, piece, sizeof piece);
    if (count > 0) {
      received += as_text({piece, static_cast<std::size_t>(count)});
      sum += static_cast<std::size_t>(count);
    }
  } while (count > 0 || (count < 0 && errno == EINTR));
  if (count == 0) return {IoStatus::eof, sum, {}};
  if (errno == EAGAIN) return {IoStatus::timed_out, sum, {}};
  return {IoStatus::error, sum, {errno, std::system_category()}};
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  const int failure = write_all(fd, request);
  if (failure == 0) {
    (void)::shutdown(fd, SHUT_WR);  // the reads below say more than its errno
    return read_to_eof(fd, reply);
  }
  const bool broken = failure == EPIPE || failure == ECONNRESET;
  const std::size_t early = broken ? read_to_eof(fd, reply).bytes : 0;
  return {IoStatus::error, early, {failure, std::system_category()}};
}

void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept {
  const auto end = Clock::now() + linger;
  const int fd = connection.get();
  (void)::shutdown(fd, SHUT_WR);

  std::byte piece[2048];
  for (auto left = end - Clock::now(); left.count() > 0; left = end - Clock::now()) {
    const auto left_us = std::chrono::ceil<std::chrono::microseconds>(left).count();
    const timeval timeout{left_us / 1'000'000, left_us % 1'000'000};
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == -1) return;
    const ssize_t count = ::read(fd, piece, sizeof piece);
    if (count == 0 || (count == -1 && errno != EINTR)) return;
  }
  for (int more = 0; more < 32 * 1024; ++more) {
    if (::recv(fd, piece, sizeof piece, MSG_DONTWAIT) <= 0) return;
  }
}

}  // namespace course
