// A ring that grows, and receives of no more than fits below the high-water mark; everything is
// flushed only when select has said so.
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "12-write-when-ready/write_when_ready.hpp"

namespace course {
namespace {

// The memory of the ring from its `from`-th byte on, in at most two parts.
std::vector<iovec> parts_of(std::string& ring, std::size_t from, std::size_t count) {
  const std::size_t before_the_end = std::min(count, ring.size() - from);
  std::vector<iovec> parts = {{ring.data() + from, before_the_end}};
  if (count > before_the_end) parts.push_back({ring.data(), count - before_the_end});
  return parts;
}

}  // namespace

// buffer_ is the ring, sent_ where it begins, size_ how much is in it.
void OutQueue::push(cbytes data) {
  if (size_ + data.size() > buffer_.size()) {
    std::string larger(std::max<std::size_t>(256, 2 * (size_ + data.size())), '\0');
    std::size_t end = 0;
    if (size_ > 0)
      for (const iovec& part : parts_of(buffer_, sent_, size_))
        end += std::string_view(static_cast<char*>(part.iov_base), part.iov_len)
                   .copy(larger.data() + end, part.iov_len);
    buffer_.swap(larger);
    sent_ = 0;
  }
  for (const char byte : as_text(data)) buffer_[(sent_ + size_++) % buffer_.size()] = byte;
}

IoResult OutQueue::flush(int fd) {
  std::size_t total = 0;
  while (size_ > 0) {
    auto parts = parts_of(buffer_, sent_, size_);
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return {IoStatus::would_block, total};
    if (sent < 0) return {IoStatus::error, total, {errno, std::system_category()}};
    sent_ = (sent_ + static_cast<std::size_t>(sent)) % buffer_.size();
    size_ -= static_cast<std::size_t>(sent);
    total += static_cast<std::size_t>(sent);
  }
  return {IoStatus::ok, total};
}

bool OutQueue::wants_write() const noexcept { return size_ != 0; }

std::size_t OutQueue::size() const noexcept { return size_; }

namespace {

class Pipe {
 public:
  Pipe(int from, int to, WaterMarks marks) : from_(from), to_(to), marks_(marks) {}
  [[nodiscard]] int from() const { return from_; }
  [[nodiscard]] int to() const { return to_; }
  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] bool reads() const { return is_reading_ && !pauses_; }
  [[nodiscard]] bool writes() const { return queue_.wants_write(); }

  // errno, or 0.
  int read() {
    buffer_.resize(std::min<std::size_t>(30'000, marks_.high - queue_.size()));
    const ssize_t got = ::recv(from_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (got <= 0) is_reading_ = false;
    if (got < 0) return errno;
    queue_.push(as_bytes(std::string_view(buffer_.data(), static_cast<std::size_t>(got))));
    pauses_ = queue_.size() >= marks_.high;
    return 0;
  }

  int write() {
    const IoResult result = queue_.flush(to_);
    if (queue_.size() <= marks_.low) pauses_ = false;
    return result.error.value();
  }

  void end_when_empty() {
    if (is_reading_ || writes() || !is_open_) return;
    ::shutdown(to_, SHUT_WR);
    is_open_ = false;
  }

  void stop_reading() { is_reading_ = false; }
  void abandon() {
    queue_ = {};
    is_reading_ = is_open_ = false;
  }

 private:
  int from_, to_;
  WaterMarks marks_;
  OutQueue queue_;
  std::vector<char> buffer_;
  bool is_reading_ = true, pauses_ = false, is_open_ = true;
};

class Operator {
 public:
  Operator(int a, int b, WaterMarks marks) : there_(a, b, marks), back_(b, a, marks) {}

  void work() {
    while (there_.is_open() || back_.is_open()) {
      fd_set reading, writing;
      FD_ZERO(&reading);
      FD_ZERO(&writing);
      for (Pipe* pipe : {&there_, &back_}) {
        if (pipe->reads()) FD_SET(pipe->from(), &reading);
        if (pipe->writes()) FD_SET(pipe->to(), &writing);
      }
      timespec no_time{};
      const bool only_looks = error_ != 0 && from_dead().reads();
      const int count = ::pselect(std::max(there_.from(), there_.to()) + 1, &reading, &writing,
                                  nullptr, only_looks ? &no_time : nullptr, nullptr);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw std::system_error(errno, std::generic_category(), "pselect");
      if (only_looks && FD_ISSET(dead_, &reading) == 0) from_dead().stop_reading();
      for (Pipe* pipe : {&there_, &back_}) {
        if (pipe->writes() && FD_ISSET(pipe->to(), &writing)) note(pipe->write(), pipe->to());
        if (pipe->reads() && FD_ISSET(pipe->from(), &reading)) note(pipe->read(), pipe->from());
      }
      there_.end_when_empty();
      back_.end_when_empty();
    }
    if (error_ != 0) throw std::system_error(error_, std::generic_category(), "recv or send");
  }

 private:
  Pipe& from_dead() { return dead_ == there_.from() ? there_ : back_; }
  Pipe& to_dead() { return dead_ == there_.from() ? back_ : there_; }

  void note(int error, int side) {
    if (error == 0 || side == dead_) return;
    if (error_ != 0) throw std::system_error(error, std::generic_category(), "recv or send");
    error_ = error;
    dead_ = side;
    to_dead().abandon();
  }

  Pipe there_, back_;
  int error_ = 0, dead_ = -1;
};

}  // namespace

void relay(int a, int b, WaterMarks marks) { Operator(a, b, marks).work(); }

}  // namespace course
