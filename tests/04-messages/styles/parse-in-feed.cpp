// Different: feed() does all the cutting and ready_ holds the finished messages; the room for a
// message is reserved once, when its length is known and allowed.
#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "04-messages/messages.hpp"

namespace course {
namespace {

/// Moves bytes from `fresh` until `buffer` has `wanted`; says whether it has.
bool fill(std::string& buffer, std::size_t wanted, std::string_view& fresh) {
  const std::size_t n = std::min(wanted - buffer.size(), fresh.size());
  buffer.append(fresh.substr(0, n));
  fresh.remove_prefix(n);
  return buffer.size() == wanted;
}

std::optional<std::string> oldest(std::deque<std::string>& ready) {
  if (ready.empty()) return std::nullopt;
  std::string message(std::move(ready.front()));
  ready.pop_front();
  return message;
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  std::array<std::byte, 4> wire{};
  int shift = 32;
  std::generate(wire.begin(), wire.end(), [&] { return std::byte(value >> (shift -= 8) & 255U); });
  return wire;
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  return std::accumulate(wire.begin(), wire.end(), std::uint32_t{0},
                         [](std::uint32_t value, std::byte byte) {
                           return (value << 8) + std::to_integer<std::uint32_t>(byte);
                         });
}

FixedFramer::FixedFramer(std::size_t size) : size_(size) {
  if (size == 0) throw std::invalid_argument("FixedFramer(0)");
}

void FixedFramer::feed(cbytes data) {
  std::string_view fresh = as_text(data);
  while (fill(buffer_, size_, fresh)) ready_.push_back(std::exchange(buffer_, std::string()));
}

std::optional<std::string> FixedFramer::next() { return oldest(ready_); }

std::size_t FixedFramer::unfinished() const { return buffer_.size(); }

LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  auto begin = as_text(data).begin();
  const auto end = as_text(data).end();
  for (auto lf = std::find(begin, end, '\n'); lf != end; lf = std::find(begin, end, '\n')) {
    buffer_.append(begin, lf);
    if (buffer_.ends_with('\r')) buffer_.pop_back();
    ready_.push_back(std::move(buffer_));
    buffer_ = std::string();
    begin = lf + 1;
  }
  // What cannot become a line any more need not be copied at all.
  const auto fresh = static_cast<std::size_t>(end - begin);
  const bool cr_last = fresh > 0 ? *(end - 1) == '\r' : buffer_.ends_with('\r');
  if (buffer_.size() + fresh - (cr_last ? 1 : 0) > max_line_) {
    throw MessageTooLong("LineFramer: the line does not end in time");
  }
  buffer_.append(begin, end);
}

std::optional<std::string> LineFramer::next() {
  if (!ready_.empty() && ready_.front().size() > max_line_) {
    throw MessageTooLong("LineFramer: the line is too long");
  }
  return oldest(ready_);
}

std::size_t LineFramer::unfinished() const { return buffer_.size(); }

// buffer_ is the length and what has come of the message.
PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) {
  std::string_view fresh = as_text(data);
  while (true) {
    if (!fill(buffer_, std::max<std::size_t>(buffer_.size(), 4), fresh)) return;
    const std::size_t length = from_be32(as_bytes(buffer_).first<4>());
    if (length > max_message_) return;  // next() says so when it is this message's turn
    if (buffer_.size() == 4) buffer_.reserve(4 + length);
    if (!fill(buffer_, 4 + length, fresh)) return;
    buffer_.erase(0, 4);
    ready_.push_back(std::exchange(buffer_, std::string()));
  }
}

std::optional<std::string> PrefixFramer::next() {
  if (ready_.empty() && buffer_.size() >= 4 &&
      from_be32(as_bytes(buffer_).first<4>()) > max_message_) {
    throw MessageTooLong("PrefixFramer: the message is too long");
  }
  return oldest(ready_);
}

std::size_t PrefixFramer::unfinished() const { return buffer_.size(); }

}  // namespace course
