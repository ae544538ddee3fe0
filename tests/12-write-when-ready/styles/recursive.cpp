// Turn by turn, by recursion: each turn is given the state of the conversation and returns the
// next.
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "12-write-when-ready/write_when_ready.hpp"

namespace course {

void OutQueue::push(cbytes data) {
  if (sent_ >= buffer_.size() - sent_) buffer_.erase(0, std::exchange(sent_, 0));
  buffer_.insert(buffer_.size(), as_text(data));
}

IoResult OutQueue::flush(int fd) {
  if (size() == 0) return {};
  const ssize_t n = ::send(fd, buffer_.data() + sent_, size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) {
    sent_ += static_cast<std::size_t>(n);
    IoResult rest = flush(fd);
    rest.bytes += static_cast<std::size_t>(n);
    return rest;
  }
  if (errno == EINTR) return flush(fd);
  if (errno == EAGAIN) return {IoStatus::would_block, 0, {}};
  return {IoStatus::error, 0, std::make_error_code(static_cast<std::errc>(errno))};
}

bool OutQueue::wants_write() const noexcept { return size() != 0; }

std::size_t OutQueue::size() const noexcept { return buffer_.size() - sent_; }

namespace {

struct Stream {
  int from = -1, to = -1;
  OutQueue queue{};
  bool flows = true, stuck = false, told = false;
  [[nodiscard]] bool wants_to_read() const { return flows && !stuck; }
};

struct Failed {
  int side;
  int error;
};

using Step = std::variant<std::monostate, Failed>;

struct Conversation {
  Stream out, back;
  WaterMarks marks;
  std::optional<Failed> first{};

  Stream& from(int side) { return out.from == side ? out : back; }
  Stream& to(int side) { return out.to == side ? out : back; }
};

Step read_once(Stream& s) {
  std::byte buffer[6000];
  const ssize_t n = ::read(s.from, buffer, sizeof buffer);
  if (n > 0) s.queue.push({buffer, static_cast<std::size_t>(n)});
  if (n == 0) s.flows = false;
  if (n >= 0 || errno == EAGAIN) return {};
  if (errno == EINTR) return read_once(s);
  s.flows = false;
  return Failed{s.from, errno};
}

Step write_once(Stream& s, WaterMarks marks) {
  const IoResult result = s.queue.flush(s.to);
  if (result.status == IoStatus::error) return Failed{s.to, result.error.value()};
  s.stuck = s.stuck ? s.queue.size() > marks.low : s.queue.size() >= marks.high;
  if (s.flows || s.told || s.queue.wants_write()) return {};
  s.told = true;
  ::shutdown(s.to, SHUT_WR);
  return {};
}

void take_note(Conversation& c, const Step& step) {
  const auto* failed = std::get_if<Failed>(&step);
  if (failed == nullptr || (c.first && c.first->side == failed->side)) return;
  if (c.first) throw std::system_error(failed->error, std::generic_category(), "relay");
  c.first = *failed;
  Stream& lost = c.to(failed->side);
  lost.queue = {};
  lost.flows = false;
  lost.told = true;
}

// True: there is another turn to take.
bool turn(Conversation& c) {
  fd_set sets[2];
  FD_ZERO(&sets[0]);
  FD_ZERO(&sets[1]);
  for (const Stream* s : {&c.out, &c.back}) {
    if (s->wants_to_read()) FD_SET(s->from, &sets[0]);
    if (s->queue.wants_write()) FD_SET(s->to, &sets[1]);
  }
  timeval none{};
  const bool is_last_look = c.first && c.from(c.first->side).wants_to_read();
  if (::select(std::max(c.out.from, c.out.to) + 1, &sets[0], &sets[1], nullptr,
               is_last_look ? &none : nullptr) < 0) {
    if (errno == EINTR) return true;
    throw std::system_error(errno, std::generic_category(), "select");
  }
  if (is_last_look && !FD_ISSET(c.first->side, &sets[0])) c.from(c.first->side).flows = false;
  for (Stream* s : {&c.out, &c.back}) {
    if (s->wants_to_read() && FD_ISSET(s->from, &sets[0])) take_note(c, read_once(*s));
    take_note(c, write_once(*s, c.marks));
  }
  return !c.out.told || !c.back.told;
}

// A few turns for each level, so that the stack stays small.
void converse(Conversation& c, int level) {
  for (int i = 0; i < 1 << level; ++i)
    if (!turn(c)) return;
  converse(c, level < 20 ? level + 1 : level);
}

}  // namespace

void relay(int a, int b, WaterMarks marks) {
  const auto c = std::make_unique<Conversation>(
      Conversation{.out = {.from = a, .to = b}, .back = {.from = b, .to = a}, .marks = marks});
  converse(*c, 0);
  if (c->first) throw std::system_error(c->first->error, std::generic_category(), "read or send");
}

}  // namespace course
