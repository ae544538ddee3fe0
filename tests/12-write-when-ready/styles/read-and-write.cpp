// Plain read and write, with SIGPIPE blocked meanwhile and taken afterwards.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "12-write-when-ready/write_when_ready.hpp"

namespace course {
namespace {

// write(2) to a socket whose peer may be gone.
ssize_t write_quietly(int fd, const char* data, std::size_t size) {
  sigset_t pipe_only, before, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  ssize_t n;
  do n = ::write(fd, data, size);
  while (n == -1 && errno == EINTR);
  const int error = errno;
  if (n == -1 && error == EPIPE && !was_pending) {
    const timespec at_once{};
    while (sigtimedwait(&pipe_only, nullptr, &at_once) == -1 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

}  // namespace

void OutQueue::push(cbytes data) {
  if (sent_ > 0 && buffer_.size() + data.size() > buffer_.capacity()) {  // instead of growing
    if (2 * sent_ >= buffer_.size()) buffer_.erase(0, sent_), sent_ = 0;
  }
  buffer_.append(as_text(data));
}

IoResult OutQueue::flush(int fd) {
  const std::size_t before = size();
  std::error_code error;
  while (size() > 0) {
    const ssize_t n = write_quietly(fd, &buffer_[sent_], std::min<std::size_t>(size(), 8192));
    if (n == -1) {
      if (errno != EAGAIN) error.assign(errno, std::system_category());
      break;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  const std::size_t left = size();
  if (left == 0) {
    buffer_.clear();
    sent_ = 0;
  }
  const IoStatus status = error ? IoStatus::error : left > 0 ? IoStatus::would_block : IoStatus::ok;
  return {status, before - left, error};
}

bool OutQueue::wants_write() const noexcept { return buffer_.size() > sent_; }

std::size_t OutQueue::size() const noexcept { return buffer_.size() - sent_; }

namespace {

struct Talk {
  Talk(int a, int b, WaterMarks water_marks) : fd{a, b}, marks(water_marks) {}
  int fd[2];
  WaterMarks marks;
  OutQueue to[2];
  bool says_more[2] = {true, true}, is_told[2] = {false, false}, waits[2] = {false, false};
  int dead = -1, why = 0;
  char buffer[10'000];

  void die(int side, int error) {
    if (dead == side) return;
    if (dead >= 0) throw std::system_error(error, std::generic_category(), "read or write");
    dead = side;
    why = error;
    to[side] = OutQueue{};
    says_more[1 - side] = false;
    is_told[side] = true;
  }

  void hear(int side) {
    const ssize_t n = ::read(fd[side], buffer, sizeof buffer);
    const int error = errno;
    if (n > 0) to[1 - side].push(as_bytes(std::string_view(buffer, static_cast<std::size_t>(n))));
    if (n < 0 && error == EINTR) return;
    const bool is_over = n == 0 || (n < 0 && (error != EAGAIN || dead == side));
    if (is_over) says_more[side] = false;
    if (n < 0 && error != EAGAIN) die(side, error);
  }

  void tell(int side) {
    const IoResult result = to[side].flush(fd[side]);
    if (result.status == IoStatus::error) die(side, result.error.value());
    waits[1 - side] = to[side].size() > (waits[1 - side] ? marks.low : marks.high - 1);
    if (says_more[1 - side] || is_told[side] || to[side].wants_write()) return;
    is_told[side] = true;
    ::shutdown(fd[side], SHUT_WR);
  }

  void turn() {
    pollfd entries[2];
    for (int i = 0; i < 2; ++i) {
      const bool hears = says_more[i] && !waits[i], tells = to[i].wants_write();
      entries[i].fd = hears || tells ? fd[i] : -1;
      entries[i].events = static_cast<short>((hears ? POLLIN : 0) | (tells ? POLLOUT : 0));
    }
    const bool looks = dead >= 0 && says_more[dead] && !waits[dead];
    if (::ppoll(entries, 2, looks ? &no_time : nullptr, nullptr) < 0) {
      if (errno == EINTR) return;
      throw std::system_error(errno, std::generic_category(), "ppoll");
    }
    for (int i = 0; i < 2; ++i) {
      const bool is_ready = (entries[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
      if (says_more[i] && !waits[i] && (is_ready || dead == i)) hear(i);
      tell(1 - i);
      if (entries[i].revents & POLLOUT) tell(i);
    }
  }

  static constexpr timespec no_time{};
};

}  // namespace

void relay(int a, int b, WaterMarks marks) {
  Talk talk(a, b, marks);
  while (!talk.is_told[0] || !talk.is_told[1]) talk.turn();
  if (talk.dead >= 0) throw std::system_error(talk.why, std::generic_category(), "read or write");
}

}  // namespace course
