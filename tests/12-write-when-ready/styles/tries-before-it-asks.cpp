// Tries all that may be done, again and again, and asks select only when nothing has moved.
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"

namespace course {

void OutQueue::push(cbytes data) {
  if (!data.empty()) pieces_.emplace_back(as_text(data));
  size_ += data.size();
}

IoResult OutQueue::flush(int fd) {
  IoResult all;
  while (wants_write() && all.status == IoStatus::ok) {
    const IoResult one = try_send(fd, as_bytes(pieces_.front()).subspan(sent_));
    all = {one.status, all.bytes + one.bytes, one.error};
    size_ -= one.bytes;
    sent_ += one.bytes;
    if (sent_ == pieces_.front().size()) {
      pieces_.pop_front();
      sent_ = 0;
    }
  }
  return all;
}

bool OutQueue::wants_write() const noexcept { return !pieces_.empty(); }

std::size_t OutQueue::size() const noexcept { return size_; }

namespace {

struct Half {
  int from, to;
  OutQueue queue{};
  bool is_paused = false, is_over = false, is_told = false;
  [[nodiscard]] bool listens() const { return !is_over && !is_paused; }
};

class Eager {
 public:
  Eager(int a, int b, WaterMarks marks) : marks_(marks), halves_{Half{a, b}, Half{b, a}} {}

  void run() {
    while (!halves_[0].is_told || !halves_[1].is_told) {
      has_moved_ = false;
      for (Half& half : halves_) {
        if (half.listens()) listen(half);
        if (half.queue.wants_write()) talk(half);
        pause_or_go_on(half);
        if (half.is_over && !half.is_told && !half.queue.wants_write()) tell(half);
      }
      if (!has_moved_) wait();
    }
    if (error_) throw std::system_error(error_, call_);
  }

 private:
  void listen(Half& half) {
    const IoResult result = try_recv(half.from, buffer_);
    half.queue.push(cbytes(buffer_).first(result.bytes));
    const bool is_last = result.status == IoStatus::would_block && half.from == failed_;
    half.is_over = is_last || result.status == IoStatus::eof || result.status == IoStatus::error;
    has_moved_ |= result.bytes > 0 || half.is_over;
    if (result.status == IoStatus::error) fail(half.from, result.error, "recv");
  }

  void talk(Half& half) {
    const IoResult result = half.queue.flush(half.to);
    has_moved_ |= result.bytes > 0 || result.status == IoStatus::error;
    if (result.status == IoStatus::error) fail(half.to, result.error, "send");
  }

  void pause_or_go_on(Half& half) {
    const bool was_paused = half.is_paused;
    if (half.queue.size() >= marks_.high) half.is_paused = true;
    if (half.queue.size() <= marks_.low) half.is_paused = false;
    has_moved_ |= was_paused && !half.is_paused;
  }

  void tell(Half& half) {
    (void)::shutdown(half.to, SHUT_WR);  // ENOTCONN: whoever is not there need not be told
    half.is_told = has_moved_ = true;
  }

  void wait() {
    fd_set reading, writing;
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    for (const Half& half : halves_) {
      if (half.listens()) FD_SET(half.from, &reading);
      if (half.queue.wants_write()) FD_SET(half.to, &writing);
    }
    const int nfds = std::max(halves_[0].from, halves_[1].from) + 1;
    if (::select(nfds, &reading, &writing, nullptr, nullptr) == -1 && errno != EINTR)
      throw std::system_error(errno, std::system_category(), "select");
  }

  void fail(int fd, std::error_code error, const char* call) {
    if (error_ && fd != failed_) throw std::system_error(error, call);
    if (error_) return;
    error_ = error;
    call_ = call;
    failed_ = fd;
    for (Half& half : halves_) {
      if (half.to != fd) continue;
      half.queue = {};
      half.is_over = half.is_told = true;
    }
  }

  WaterMarks marks_;
  std::array<Half, 2> halves_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(65'536);
  bool has_moved_ = false;
  std::error_code error_{};
  std::string call_{};
  int failed_ = -1;
};

}  // namespace

void relay(int a, int b, WaterMarks marks) { Eager(a, b, marks).run(); }

}  // namespace course
