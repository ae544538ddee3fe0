// As a C programmer writes it: plain arrays, select, goto, one errno for everything.
#include <errno.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <system_error>

#include "12-write-when-ready/write_when_ready.hpp"

namespace course {

void OutQueue::push(cbytes data) {
  if (sent_ > 0 && sent_ >= size()) {  // cheap now: at least as much is sent as must be moved
    const size_t left = size();
    memmove(buffer_.data(), buffer_.data() + sent_, left);
    buffer_.resize(left);
    sent_ = 0;
  }
  const size_t old = buffer_.size();
  buffer_.resize(old + data.size());
  if (!data.empty()) memcpy(buffer_.data() + old, data.data(), data.size());
}

IoResult OutQueue::flush(int fd) {
  IoResult result;
  while (sent_ < buffer_.size()) {
    const ssize_t n = ::send(fd, buffer_.data() + sent_, buffer_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const bool is_full = errno == EAGAIN || errno == EWOULDBLOCK;
      if (!is_full) result.error = std::error_code(errno, std::generic_category());
      result.status = is_full ? IoStatus::would_block : IoStatus::error;
      return result;
    }
    sent_ += (size_t)n;
    result.bytes += (size_t)n;
  }
  buffer_.clear();
  sent_ = 0;
  return result;
}

bool OutQueue::wants_write() const noexcept { return sent_ != buffer_.size(); }

size_t OutQueue::size() const noexcept { return buffer_.size() - sent_; }

void relay(int a, int b, WaterMarks marks) {
  const int fd[2] = {a, b};
  OutQueue to[2];                                    // to[i] waits for fd[i]
  bool ended[2] = {}, paused[2] = {}, told[2] = {};  // of what fd[i] says; told: the other one
  int failed = -1, error = 0;
  const char *call = "", *failed_call = "";
  char buffer[4096];
  fd_set rd, wr;

again:
  for (int i = 0; i < 2; i++) {
    const int o = 1 - i;
    paused[i] = paused[i] ? to[o].size() > marks.low : to[o].size() >= marks.high;
    if (ended[i] && !told[i] && !to[o].wants_write()) {
      ::shutdown(fd[o], SHUT_WR);
      told[i] = true;
    }
  }
  if (told[0] && told[1]) goto done;
  {
    timeval now = {0, 0};
    int nfds = 0;
    bool reads = false;
    FD_ZERO(&rd);
    FD_ZERO(&wr);
    for (int i = 0; i < 2; i++) {
      const bool r = !ended[i] && !paused[i], w = to[i].wants_write();
      if (r) FD_SET(fd[i], &rd);
      if (w) FD_SET(fd[i], &wr);
      if ((r || w) && fd[i] >= nfds) nfds = fd[i] + 1;
      reads = reads || r;
    }
    const bool looks = failed >= 0 && reads;
    const int n = ::select(nfds, &rd, &wr, nullptr, looks ? &now : nullptr);
    if (n < 0 && errno == EINTR) goto again;
    if (n < 0) throw std::system_error(errno, std::generic_category(), "select");
    if (looks && !FD_ISSET(fd[failed], &rd)) ended[failed] = true;
  }
  for (int i = 0; i < 2; i++) {
    if (FD_ISSET(fd[i], &rd) && !ended[i]) {
      const ssize_t n = ::recv(fd[i], buffer, sizeof buffer, 0);
      if (n > 0) to[1 - i].push(cbytes((const std::byte*)buffer, (size_t)n));
      if (n == 0) ended[i] = true;
      if (n < 0 && errno != EINTR && errno != EAGAIN) {
        call = "recv";
        ended[i] = true;
        goto failure;
      }
    }
    if (to[1 - i].wants_write()) {
      const IoResult r = to[1 - i].flush(fd[1 - i]);
      if (r.status == IoStatus::error) {
        errno = r.error.value();
        call = "send";
        i = 1 - i;
        goto failure;
      }
    }
    continue;
  failure:
    if (failed >= 0 && failed != i) throw std::system_error(errno, std::generic_category(), call);
    if (failed < 0) {
      failed = i;
      error = errno;
      failed_call = call;
    }
    to[i] = OutQueue();
    ended[1 - i] = told[1 - i] = true;
    goto again;
  }
  goto again;

done:
  if (failed >= 0) throw std::system_error(error, std::generic_category(), failed_call);
}

}  // namespace course
