// Trusts nobody: asks poll before each receive and each send, peeks before it takes, and lets a
// list of chunks of fixed size be the queue.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <system_error>

#include "09-deadlines/deadlines.hpp"
#include "12-write-when-ready/write_when_ready.hpp"

namespace course {
namespace {

bool is_ready(int fd, short events) {
  pollfd entry{fd, events, 0};
  while (true) {
    const int count = ::poll(&entry, 1, 0);
    if (count >= 0 || errno != EINTR) return count > 0;
  }
}

constexpr std::size_t chunk_bytes = 4096;

}  // namespace

void OutQueue::push(cbytes data) {
  for (; !data.empty(); data = data.subspan(std::min(data.size(), chunk_bytes))) {
    pieces_.emplace_back(as_text(data.first(std::min(data.size(), chunk_bytes))));
    size_ += pieces_.back().size();
  }
}

IoResult OutQueue::flush(int fd) {
  IoResult result{};
  while (size_ > 0) {
    if (!is_ready(fd, POLLOUT)) {
      result.status = IoStatus::would_block;
      break;
    }
    std::string& front = pieces_.front();
    const ssize_t sent =
        ::sendto(fd, &front[sent_], front.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        result.status = IoStatus::would_block;
        break;
      }
      result.status = IoStatus::error;
      result.error = {errno, std::generic_category()};
      break;
    }
    result.bytes += static_cast<std::size_t>(sent);
    size_ -= static_cast<std::size_t>(sent);
    sent_ += static_cast<std::size_t>(sent);
    if (sent_ == front.size()) {
      pieces_.pop_front();
      sent_ = 0;
    }
  }
  return result;
}

bool OutQueue::wants_write() const noexcept { return !pieces_.empty(); }

std::size_t OutQueue::size() const noexcept { return size_; }

namespace {

// How far a direction has come; it never goes back.
enum class State { open, draining, told };

struct Direction {
  int from, to;
  OutQueue queue;
  State state;
  bool paused;
};

enum class Heard { something, nothing, the_end };

Heard hear(Direction& d, WaterMarks marks) {
  std::array<std::byte, 2000> buffer;
  if (!is_ready(d.from, POLLIN)) return Heard::nothing;
  ssize_t got = ::recv(d.from, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) got = ::recv(d.from, buffer.data(), static_cast<std::size_t>(got), MSG_DONTWAIT);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return Heard::nothing;
  if (got < 0) throw std::system_error(errno, std::system_category(), "recv");
  if (got == 0) return Heard::the_end;
  d.queue.push(cbytes(buffer).first(static_cast<std::size_t>(got)));
  d.paused = d.queue.size() >= marks.high;
  return Heard::something;
}

void speak(Direction& d, WaterMarks marks) {
  const IoResult result = d.queue.flush(d.to);
  if (d.queue.size() <= marks.low) d.paused = false;
  if (result.status == IoStatus::error) throw std::system_error(result.error, "sendto");
  if (d.state != State::draining || d.queue.wants_write()) return;
  ::shutdown(d.to, SHUT_WR);
  d.state = State::told;
}

void wait(const Direction& x, const Direction& y) {
  std::array<int, 2> readers{}, writers{};
  std::size_t r = 0, w = 0;
  for (const Direction* d : {&x, &y}) {
    if (d->state == State::open && !d->paused) readers[r++] = d->from;
    if (d->queue.wants_write()) writers[w++] = d->to;
  }
  (void)select_until(std::span(readers).first(r), std::span(writers).first(w), {},
                     Deadline::never());
}

// `words` is the direction from the side that has failed.
void pass_on_the_last(Direction& words, Direction& other, WaterMarks marks) {
  other = {other.from, other.to, {}, State::told, false};
  while (words.state != State::told) {
    while (words.state == State::open && !words.paused) {
      Heard heard = Heard::the_end;
      try {
        heard = hear(words, marks);
      } catch (const std::system_error&) {  // that is why we are here
      }
      if (heard != Heard::something) words.state = State::draining;
    }
    speak(words, marks);
    if (words.queue.wants_write()) wait(words, other);
  }
}

}  // namespace

void relay(int a, int b, WaterMarks marks) {
  Direction there{a, b, {}, State::open, false}, back{b, a, {}, State::open, false};
  const auto guarded = [&](Direction& words, Direction& other, const std::function<void()>& deed) {
    try {
      deed();
    } catch (const std::system_error&) {
      pass_on_the_last(words, other, marks);
      throw;
    }
  };
  while (there.state != State::told || back.state != State::told) {
    wait(there, back);
    for (Direction* d : {&there, &back}) {
      Direction& other = d == &there ? back : there;
      guarded(*d, other, [&] {
        if (d->state == State::open && !d->paused && hear(*d, marks) == Heard::the_end)
          d->state = State::draining;
      });
      guarded(other, *d, [&] { speak(*d, marks); });
    }
  }
}

}  // namespace course
