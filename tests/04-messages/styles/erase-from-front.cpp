// Different: one string holds all that waits; every message taken is erased from its front.
// For lines, position_ counts the unfinished bytes at its end, so that next() knows without
// searching whether there is a whole line.
#include <arpa/inet.h>

#include <cstring>
#include <string_view>

#include "04-messages/messages.hpp"

namespace course {

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  const std::uint32_t swapped = htonl(value);
  std::array<std::byte, 4> wire;
  std::memcpy(wire.data(), &swapped, sizeof swapped);
  return wire;
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  std::uint32_t swapped = 0;
  std::memcpy(&swapped, wire.data(), sizeof swapped);
  return ntohl(swapped);
}

FixedFramer::FixedFramer(std::size_t size) : size_(size) {
  if (size < 1) throw std::invalid_argument("size is 0");
}

void FixedFramer::feed(cbytes data) { buffer_.append(as_text(data)); }

std::optional<std::string> FixedFramer::next() {
  if (buffer_.size() < size_) return {};
  std::string message(buffer_, 0, size_);
  buffer_.erase(0, size_);
  return message;
}

std::size_t FixedFramer::unfinished() const { return buffer_.size(); }

LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  buffer_.append(as_text(data));
  const std::size_t lf = as_text(data).rfind('\n');
  position_ = lf == std::string_view::npos ? position_ + data.size() : data.size() - lf - 1;
  const std::size_t cr = position_ > 0 && buffer_.back() == '\r' ? 1 : 0;
  if (position_ - cr > max_line_) throw MessageTooLong("line");
}

std::optional<std::string> LineFramer::next() {
  if (position_ == buffer_.size()) return {};
  const std::size_t end = buffer_.find('\n');
  const std::size_t length = end > 0 && buffer_[end - 1] == '\r' ? end - 1 : end;
  if (length > max_line_) throw MessageTooLong("line");
  std::string line(buffer_, 0, length);
  buffer_.erase(0, end + 1);
  return line;
}

std::size_t LineFramer::unfinished() const { return position_; }

PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) { buffer_.append(as_text(data)); }

std::optional<std::string> PrefixFramer::next() {
  if (buffer_.size() < 4) return {};
  const std::uint32_t length =
      from_be32(std::span<const std::byte, 4>(as_bytes(buffer_).data(), 4));
  if (length > max_message_) throw MessageTooLong("message");
  if (buffer_.size() - 4 < length) return {};
  std::string message(buffer_, 4, length);
  buffer_.erase(0, 4 + std::size_t{length});
  return message;
}

std::size_t PrefixFramer::unfinished() const { return buffer_.size(); }

}  // namespace course
