// A queue of pieces that go out together (sendmsg), and poll instead of select.
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

#include "12-write-when-ready/write_when_ready.hpp"

namespace course {

void OutQueue::push(cbytes data) {
  constexpr std::size_t piece_max = 8192;
  size_ += data.size();
  while (!data.empty()) {
    if (pieces_.empty() || pieces_.back().size() == piece_max) pieces_.emplace_back();
    const auto part = data.first(std::min(data.size(), piece_max - pieces_.back().size()));
    pieces_.back() += as_text(part);
    data = data.subspan(part.size());
  }
}

IoResult OutQueue::flush(int fd) {
  std::size_t total = 0;
  while (size_ > 0) {
    std::array<iovec, 16> parts;
    std::size_t count = 0, skip = sent_;
    for (auto it = pieces_.begin(); it != pieces_.end() && count < parts.size(); ++it, skip = 0)
      parts[count++] = {it->data() + skip, it->size() - skip};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == -1 && errno == EINTR) continue;
    if (sent == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return {IoStatus::would_block, total, {}};
    if (sent == -1) return {IoStatus::error, total, {errno, std::system_category()}};
    total += static_cast<std::size_t>(sent);
    size_ -= static_cast<std::size_t>(sent);
    sent_ += static_cast<std::size_t>(sent);
    while (!pieces_.empty() && sent_ >= pieces_.front().size()) {
      sent_ -= pieces_.front().size();
      pieces_.pop_front();
    }
  }
  return {IoStatus::ok, total, {}};
}

bool OutQueue::wants_write() const noexcept { return size_ > 0; }

std::size_t OutQueue::size() const noexcept { return size_; }

namespace {

struct Failure {
  int errno_value;
  const char* call;
};

struct Side {
  explicit Side(int descriptor) : fd(descriptor) {}
  int fd;
  OutQueue in{};           // what waits for this side
  bool is_paused = false;  // nothing is taken from it, for so much waits for the other
  bool says_more = true;
  bool takes_more = true;

  [[nodiscard]] bool may_read() const { return says_more && !is_paused; }

  // An entry without events would still be told POLLHUP and POLLERR.
  [[nodiscard]] pollfd entry() const {
    const auto events =
        static_cast<short>((may_read() ? POLLIN : 0) | (in.wants_write() ? POLLOUT : 0));
    return {events == 0 ? -1 : fd, events, 0};
  }

  std::optional<Failure> read_for(Side& other) {
    constexpr std::size_t most = 65'536;
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(most);
    iovec part{buffer.get(), most};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT);
    if (got > 0) other.in.push({buffer.get(), static_cast<std::size_t>(got)});
    if (got == 0) says_more = false;
    if (got >= 0 || errno == EAGAIN || errno == EINTR) return std::nullopt;
    says_more = false;
    return Failure{errno, "recvmsg"};
  }
};

}  // namespace

void relay(int a, int b, WaterMarks marks) {
  std::array<Side, 2> sides = {Side(a), Side(b)};
  std::optional<Failure> failure;
  Side* dead = nullptr;
  const auto other = [&](Side& side) -> Side& { return sides[&side == sides.data() ? 1 : 0]; };
  const auto give_up = [&](Side& side, Failure reason) {
    if (dead != nullptr && dead != &side)
      throw std::system_error(reason.errno_value, std::system_category(), reason.call);
    if (dead == nullptr) failure = reason;
    dead = &side;
    side.in = OutQueue();
    side.takes_more = false;
    other(side).says_more = false;
  };
  while (sides[0].takes_more || sides[1].takes_more) {
    std::array<pollfd, 2> entries = {sides[0].entry(), sides[1].entry()};
    const bool looks = dead != nullptr && dead->may_read();
    if (::poll(entries.data(), entries.size(), looks ? 0 : -1) == -1) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::system_category(), "poll");
    }
    if (looks && entries[dead == sides.data() ? 0 : 1].revents == 0) dead->says_more = false;
    for (std::size_t i = 0; i < sides.size(); ++i) {
      Side &side = sides[i], &to = other(side);
      if (side.may_read() && (entries[i].revents & ~POLLOUT) != 0)
        if (const auto reason = side.read_for(to)) give_up(side, *reason);
      if (to.in.wants_write()) {
        const IoResult result = to.in.flush(to.fd);
        if (result.status == IoStatus::error) give_up(to, {result.error.value(), "sendmsg"});
      }
      side.is_paused = side.is_paused ? to.in.size() > marks.low : to.in.size() >= marks.high;
      if (!side.says_more && to.takes_more && !to.in.wants_write()) {
        ::shutdown(to.fd, SHUT_WR);
        to.takes_more = false;
      }
    }
  }
  if (failure) throw std::system_error(failure->errno_value, std::system_category(), failure->call);
}

}  // namespace course
