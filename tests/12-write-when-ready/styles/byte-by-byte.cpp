// One byte per turn, one send per flush, sets copied from a master; wakes once an hour to no
// purpose.
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "12-write-when-ready/write_when_ready.hpp"

namespace course {

void OutQueue::push(cbytes data) {
  for (const std::byte byte : data) buffer_.push_back(static_cast<char>(byte));
}

IoResult OutQueue::flush(int fd) {
  if (!wants_write()) return {};
  ssize_t sent = -1;
  do sent = ::send(fd, buffer_.data() + sent_, size(), MSG_NOSIGNAL);
  while (sent == -1 && errno == EINTR);
  if (sent == -1 && errno != EAGAIN)
    return {IoStatus::error, 0, std::error_code(errno, std::system_category())};
  const auto count = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  sent_ += count;
  if (sent_ == buffer_.size() || sent_ > 100'000 + size()) {
    buffer_.erase(0, sent_);
    buffer_.shrink_to_fit();
    sent_ = 0;
  }
  return {wants_write() ? IoStatus::would_block : IoStatus::ok, count, {}};
}

bool OutQueue::wants_write() const noexcept { return sent_ < buffer_.size(); }

std::size_t OutQueue::size() const noexcept { return buffer_.size() - sent_; }

namespace {

enum class Got { byte, nothing, end, failure };

Got get(int fd, std::byte& byte) {
  const ssize_t got = ::recv(fd, &byte, 1, 0);
  if (got == 1) return Got::byte;
  if (got == 0) return Got::end;
  return errno == EINTR || errno == EAGAIN ? Got::nothing : Got::failure;
}

struct Line {
  Line(int source, int sink) : from(source), to(sink) {}
  int from, to;
  OutQueue queue{};
  bool is_paused = false, has_ended = false, is_closed = false;
};

class Switchboard {
 public:
  Switchboard(int a, int b, WaterMarks marks) : marks_(marks), there_(a, b), back_(b, a) {
    FD_ZERO(&reading_);
    FD_ZERO(&writing_);
    FD_SET(a, &reading_);
    FD_SET(b, &reading_);
  }

  void run() {
    while (!there_.is_closed || !back_.is_closed) {
      fd_set reading = reading_, writing = writing_;
      const bool only_looks = error_ && FD_ISSET(failed_, &reading_);
      timeval time{only_looks ? 0 : 3600, 0};
      const int count =
          ::select(std::max(there_.from, back_.from) + 1, &reading, &writing, nullptr, &time);
      if (count == -1 && errno == EINTR) continue;
      if (count == -1) throw std::system_error(errno, std::system_category(), "select");
      if (only_looks && count == 0) line_from(failed_).has_ended = true;
      for (Line* line : {&there_, &back_}) {
        if (FD_ISSET(line->from, &reading) && !line->has_ended) receive(*line);
        if (FD_ISSET(line->to, &writing)) send(*line);
        if (line->has_ended && !line->queue.wants_write() && !line->is_closed) {
          ::shutdown(line->to, SHUT_WR);
          line->is_closed = true;
        }
      }
      update(there_);
      update(back_);
    }
    if (error_) throw std::system_error(error_, "recv or send");
  }

 private:
  Line& line_from(int fd) { return fd == there_.from ? there_ : back_; }
  Line& line_to(int fd) { return fd == there_.to ? there_ : back_; }

  void receive(Line& line) {
    std::byte byte{};
    switch (get(line.from, byte)) {
      case Got::byte:
        line.queue.push({&byte, 1});
        send(line);
        break;
      case Got::nothing:
        break;
      case Got::end:
        line.has_ended = true;
        break;
      case Got::failure:
        line.has_ended = true;
        fail(line.from, {errno, std::system_category()});
        break;
    }
  }

  void send(Line& line) {
    const IoResult result = line.queue.flush(line.to);
    if (result.status == IoStatus::error) fail(line.to, result.error);
  }

  void fail(int fd, std::error_code error) {
    if (error_ && fd != failed_) throw std::system_error(error, "recv or send");
    if (error_) return;
    error_ = error;
    failed_ = fd;
    Line& line = line_to(fd);
    line.queue = OutQueue();
    line.has_ended = line.is_closed = true;
  }

  void update(Line& line) {
    if (line.queue.size() >= marks_.high) line.is_paused = true;
    if (line.queue.size() <= marks_.low) line.is_paused = false;
    const bool reads = !line.has_ended && !line.is_paused;
    reads ? FD_SET(line.from, &reading_) : FD_CLR(line.from, &reading_);
    line.queue.wants_write() ? FD_SET(line.to, &writing_) : FD_CLR(line.to, &writing_);
  }

  WaterMarks marks_;
  Line there_, back_;
  fd_set reading_, writing_;
  std::error_code error_;
  int failed_ = -1;
};

}  // namespace

void relay(int a, int b, WaterMarks marks) { Switchboard(a, b, marks).run(); }

}  // namespace course
