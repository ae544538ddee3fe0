#include "04-messages/messages.hpp"

#include <string_view>
#include <utility>

namespace course {
namespace {

constexpr std::size_t prefix_bytes = 4;

/// The part of `buffer` that has not been handed out yet.
std::string_view waiting(const std::string& buffer, std::size_t position) {
  return std::string_view(buffer).substr(position);
}

/// Adds `data`, and gives back the memory of what has been handed out: a connection may live for
/// months, and what its buffer still holds at the end must not be everything it ever received.
void append(std::string& buffer, std::size_t& position, cbytes data) {
  buffer.erase(0, position);
  position = 0;
  buffer += as_text(data);
}

/// Hands out `count` bytes, which must be there. Not via c_str(): a message may contain NULs.
std::string take(const std::string& buffer, std::size_t& position, std::size_t count) {
  std::string taken = buffer.substr(position, count);
  position += count;
  return taken;
}

/// `line`, without the CR that belongs to its ending, or may belong to one that is still coming.
std::string_view without_cr(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  // Shifts count in values, not in memory, and so are the same on every machine.
  return {static_cast<std::byte>(value >> 24), static_cast<std::byte>(value >> 16),
          static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  std::uint32_t value = 0;
  for (const std::byte byte : wire) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

FixedFramer::FixedFramer(std::size_t size) : size_(size) {
  if (size == 0) throw std::invalid_argument("FixedFramer: a message has at least one byte");
}

void FixedFramer::feed(cbytes data) { append(buffer_, position_, data); }

std::optional<std::string> FixedFramer::next() {
  if (waiting(buffer_, position_).size() < size_) return std::nullopt;
  return take(buffer_, position_, size_);
}

std::size_t FixedFramer::unfinished() const { return waiting(buffer_, position_).size(); }

LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

// buffer_ is the unfinished line, ready_ the whole ones. Only what is new is searched for an LF, so
// that a long line in many small pieces is not read again from its start for each of them.
void LineFramer::feed(cbytes data) {
  std::string_view rest = as_text(data);
  for (auto end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    buffer_ += rest.substr(0, end);
    ready_.emplace_back(without_cr(buffer_));
    buffer_.clear();
    rest.remove_prefix(end + 1);
  }
  buffer_ += rest;
  if (without_cr(buffer_).size() > max_line_) {
    throw MessageTooLong("LineFramer: the unfinished line is over the limit");
  }
}

std::optional<std::string> LineFramer::next() {
  if (ready_.empty()) return std::nullopt;
  if (ready_.front().size() > max_line_) {
    throw MessageTooLong("LineFramer: the line is over the limit");
  }
  std::string line = std::move(ready_.front());
  ready_.pop_front();
  return line;
}

std::size_t LineFramer::unfinished() const { return buffer_.size(); }

PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) { append(buffer_, position_, data); }

std::optional<std::string> PrefixFramer::next() {
  const std::string_view rest = waiting(buffer_, position_);
  if (rest.size() < prefix_bytes) return std::nullopt;

  const std::size_t length = from_be32(as_bytes(rest).first<prefix_bytes>());
  if (length > max_message_) {
    throw MessageTooLong("PrefixFramer: the announced message is over the limit");
  }
  if (rest.size() - prefix_bytes < length) return std::nullopt;

  position_ += prefix_bytes;
  return take(buffer_, position_, length);
}

std::size_t PrefixFramer::unfinished() const { return waiting(buffer_, position_).size(); }

}  // namespace course
