// Everything from lesson 11: drain for receiving, try_send for sending, errors as exceptions.
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <exception>
#include <system_error>
#include <vector>

#include "08-three-lists/three_lists.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"

namespace course {

// Each piece is what one push brought, as long as it is large.
void OutQueue::push(cbytes data) {
  constexpr std::size_t small = 1024;
  if (data.empty()) return;
  if (!pieces_.empty() && pieces_.back().size() < small)
    pieces_.back() += as_text(data);
  else
    pieces_.emplace_back(as_text(data));
}

IoResult OutQueue::flush(int fd) {
  std::size_t total = 0;
  while (!pieces_.empty()) {
    const std::string& front = pieces_.front();
    const IoResult sent = try_send(fd, as_bytes(front).subspan(sent_));
    if (sent.status != IoStatus::ok) return {sent.status, total, sent.error};
    total += sent.bytes;
    sent_ += sent.bytes;
    if (sent_ < front.size()) continue;
    pieces_.pop_front();
    sent_ = 0;
  }
  return {IoStatus::ok, total, {}};
}

bool OutQueue::wants_write() const noexcept { return !pieces_.empty(); }

std::size_t OutQueue::size() const noexcept {
  std::size_t total = 0;
  for (const std::string& piece : pieces_) total += piece.size();
  return total - sent_;
}

namespace {

struct Broken {
  int side;
  std::system_error reason;
};

class Half {
 public:
  Half(int from, int to, WaterMarks marks) : from_(from), to_(to), marks_(marks) {}
  [[nodiscard]] int from() const { return from_; }
  [[nodiscard]] int to() const { return to_; }
  [[nodiscard]] bool is_over() const { return is_over_; }
  [[nodiscard]] bool listens() const { return !has_heard_all_ && !is_full_; }
  [[nodiscard]] bool talks() const { return queue_.wants_write(); }

  // True: there may be more now.
  bool listen() {
    std::string heard;
    const IoResult result = drain(from_, heard, 65'536);
    queue_.push(as_bytes(heard));
    judge();
    if (result.status == IoStatus::eof) has_heard_all_ = true;
    if (result.status == IoStatus::error) {
      has_heard_all_ = true;
      throw Broken{from_, std::system_error(result.error, "recv")};
    }
    return result.status == IoStatus::ok;
  }

  void talk() {
    if (!is_over_ && talks()) {
      const IoResult result = queue_.flush(to_);
      if (result.status == IoStatus::error)
        throw Broken{to_, std::system_error(result.error, "send")};
      judge();
    }
    if (is_over_ || talks() || !has_heard_all_) return;
    is_over_ = true;
    (void)::shutdown(to_, SHUT_WR);
  }

  void has_heard_all() { has_heard_all_ = true; }
  void give_up() {
    queue_ = {};
    is_over_ = has_heard_all_ = true;
  }

 private:
  void judge() {
    if (queue_.size() >= marks_.high) is_full_ = true;
    if (queue_.size() <= marks_.low) is_full_ = false;
  }
  int from_, to_;
  WaterMarks marks_;
  OutQueue queue_;
  bool has_heard_all_ = false, is_full_ = false, is_over_ = false;
};

Ready wait_for(std::array<Half, 2>& halves, std::optional<Duration> time) {
  std::vector<int> readers, writers;
  for (const Half& half : halves) {
    if (half.listens()) readers.push_back(half.from());
    if (half.talks()) writers.push_back(half.to());
  }
  while (true) try {
      return select_on(readers, writers, {}, time);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::interrupted) throw;
    }
}

// What it had said, and no more; then its reason.
void end_after(const Broken& broken, std::array<Half, 2>& halves) {
  Half& last_words = halves[halves[0].from() == broken.side ? 0 : 1];
  halves[halves[0].to() == broken.side ? 0 : 1].give_up();
  while (!last_words.is_over()) {
    try {
      while (last_words.listens())
        if (!last_words.listen()) last_words.has_heard_all();
    } catch (const Broken&) {
      last_words.has_heard_all();
    }
    last_words.talk();
    if (last_words.talks()) wait_for(halves, std::nullopt);
  }
}

}  // namespace

void relay(int a, int b, WaterMarks marks) {
  std::array<Half, 2> halves = {Half(a, b, marks), Half(b, a, marks)};
  try {
    while (!halves[0].is_over() || !halves[1].is_over()) {
      const Ready ready = wait_for(halves, std::nullopt);
      for (Half& half : halves) {
        for (const int fd : ready.readable)
          if (fd == half.from() && half.listens()) half.listen();
        half.talk();
      }
    }
  } catch (const Broken& broken) {
    try {
      end_after(broken, halves);
    } catch (const Broken& other) {
      throw other.reason;
    }
    throw broken.reason;
  }
}

}  // namespace course
