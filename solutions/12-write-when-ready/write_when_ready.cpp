#include "12-write-when-ready/write_when_ready.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"

namespace course {

void OutQueue::push(cbytes data) { buffer_ += as_text(data); }

IoResult OutQueue::flush(int fd) {
  IoResult result;
  std::size_t sent = 0;
  while (wants_write() && result.status == IoStatus::ok) {
    result = try_send(fd, as_bytes(buffer_).subspan(sent_));
    sent_ += result.bytes;
    sent += result.bytes;
  }
  // Not before most is sent: so fewer bytes are moved than have been sent since the last time.
  if (sent_ > buffer_.size() / 2) {
    buffer_.erase(0, sent_);
    sent_ = 0;
  }
  return {result.status, sent, result.error};
}

bool OutQueue::wants_write() const noexcept { return size() > 0; }

std::size_t OutQueue::size() const noexcept { return buffer_.size() - sent_; }

namespace {

constexpr std::size_t piece_bytes = 16384;

bool contains(const std::vector<int>& fds, int fd) {
  return std::find(fds.begin(), fds.end(), fd) != fds.end();
}

/// One direction, and what is under way in it.
struct Way {
  int from, to;
  OutQueue waiting{};
  bool is_paused = false;  ///< so much waits that nothing is received
  bool has_ended = false;  ///< nothing more will be received
  bool is_done = false;    ///< all has been passed on, and the end too
  [[nodiscard]] bool may_receive() const { return !is_paused && !has_ended; }
};

class Relay {
 public:
  Relay(int a, int b, WaterMarks marks) : marks_(marks), ways_{Way{a, b}, Way{b, a}} {}

  void run() {
    while (!ways_[0].is_done || !ways_[1].is_done) take_a_turn();
    if (failure_) throw *failure_;
  }

 private:
  void take_a_turn() {
    std::vector<int> readers, writers;
    for (const Way& way : ways_) {
      if (way.may_receive()) readers.push_back(way.from);
      if (way.waiting.wants_write()) writers.push_back(way.to);
    }
    // After a failure what is there still counts, but nobody waits for more of it.
    const bool only_looks = failure_ && !readers.empty();
    const Ready ready = select_until(
        readers, writers, {}, only_looks ? Deadline::after(Duration::zero()) : Deadline::never());
    for (Way& way : ways_) {
      if (way.may_receive() && contains(ready.readable, way.from))
        receive(way);
      else if (way.may_receive() && only_looks)
        way.has_ended = true;
      if (contains(ready.writable, way.to)) send(way);
      if (way.has_ended && !way.waiting.wants_write() && !way.is_done) tell_the_end(way);
    }
  }

  void receive(Way& way) {
    std::array<std::byte, piece_bytes> buffer;
    const IoResult result = try_recv(way.from, buffer);
    way.has_ended = result.status == IoStatus::eof || result.status == IoStatus::error;
    if (result.status == IoStatus::error) fail(way.from, "recv", result.error);
    way.waiting.push(cbytes(buffer).first(result.bytes));
    send(way);  // most often it fits, and nobody need wait
  }

  void send(Way& way) {
    const IoResult result = way.waiting.flush(way.to);
    if (result.status == IoStatus::error) fail(way.to, "send", result.error);
    if (way.waiting.size() >= marks_.high) way.is_paused = true;
    if (way.waiting.size() <= marks_.low) way.is_paused = false;  // in between: as it was
  }

  static void tell_the_end(Way& way) {
    (void)::shutdown(way.to, SHUT_WR);  // ENOTCONN: the next receive or send will tell
    way.is_done = true;
  }

  void fail(int side, const char* call, std::error_code error) {
    if (failure_ && side != failed_) throw std::system_error(error, call);
    if (failure_) return;
    failure_.emplace(error, call);
    failed_ = side;
    for (Way& way : ways_)
      if (way.to == side) way = {.from = way.from, .to = side, .has_ended = true, .is_done = true};
  }

  WaterMarks marks_;
  std::array<Way, 2> ways_;
  std::optional<std::system_error> failure_;
  int failed_ = -1;
};

}  // namespace

void relay(int a, int b, WaterMarks marks) { Relay(a, b, marks).run(); }

}  // namespace course
