// Different: nothing is joined when it comes; ready_ is a chain of the pieces as they were fed, and
// a message is gathered from it when it is whole. position_ counts the bytes in the chain.
#include <algorithm>
#include <bit>
#include <string_view>

#include "04-messages/messages.hpp"

namespace course {
namespace {

void link(std::deque<std::string>& chain, std::size_t& total, std::string_view piece) {
  if (piece.empty()) return;
  chain.emplace_back(piece);
  total += piece.size();
}

/// Takes `n` bytes, which are there, off the front of the chain.
std::string gather(std::deque<std::string>& chain, std::size_t& total, std::size_t n) {
  std::string gathered;
  gathered.reserve(n);
  total -= n;
  while (n > 0) {
    std::string& front = chain.front();
    const std::size_t part = std::min(n, front.size());
    gathered.append(front, 0, part);
    n -= part;
    if (part == front.size()) {
      chain.pop_front();
    } else {
      front.erase(0, part);
    }
  }
  return gathered;
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  auto wire = std::bit_cast<std::array<std::byte, 4>>(value);
  if (std::endian::native == std::endian::little) std::reverse(wire.begin(), wire.end());
  return wire;
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  std::array<std::byte, 4> copy{};
  if (std::endian::native == std::endian::little) {
    std::reverse_copy(wire.begin(), wire.end(), copy.begin());
  } else {
    std::copy(wire.begin(), wire.end(), copy.begin());
  }
  return std::bit_cast<std::uint32_t>(copy);
}

FixedFramer::FixedFramer(std::size_t size) : size_(size) {
  if (size == 0) throw std::invalid_argument("FixedFramer: 0 bytes is no message");
}

void FixedFramer::feed(cbytes data) { link(ready_, position_, as_text(data)); }

std::optional<std::string> FixedFramer::next() {
  if (position_ < size_) return std::nullopt;
  return gather(ready_, position_, size_);
}

std::size_t FixedFramer::unfinished() const { return position_; }

// For lines the links of the chain are whole lines, still with their endings; buffer_ is the one
// that is being made.
LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  std::string_view fresh = as_text(data);
  while (!fresh.empty()) {
    const std::size_t length = std::min(fresh.find('\n'), fresh.size() - 1) + 1;
    const std::string_view piece = fresh.substr(0, length);
    fresh.remove_prefix(length);
    buffer_.append(piece);
    if (piece.back() == '\n') {
      ready_.push_back(buffer_);
      buffer_.clear();
    }
  }
  const std::size_t cr = buffer_.ends_with('\r');
  if (buffer_.size() - cr > max_line_) throw MessageTooLong("LineFramer: no end within the limit");
}

std::optional<std::string> LineFramer::next() {
  if (ready_.empty()) return std::nullopt;
  std::string_view line = ready_.front();
  line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
  if (line.size() > max_line_) throw MessageTooLong("LineFramer: over the limit");
  std::string copy(line);
  ready_.pop_front();
  return copy;
}

std::size_t LineFramer::unfinished() const { return buffer_.size(); }

PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) { link(ready_, position_, as_text(data)); }

// buffer_ keeps the length once it has been gathered off the chain.
std::optional<std::string> PrefixFramer::next() {
  if (buffer_.empty()) {
    if (position_ < 4) return std::nullopt;
    buffer_ = gather(ready_, position_, 4);
  }
  const std::size_t length = from_be32(as_bytes(buffer_).first<4>());
  if (length > max_message_) throw MessageTooLong("PrefixFramer: over the limit");
  if (position_ < length) return std::nullopt;
  buffer_.clear();
  return gather(ready_, position_, length);
}

std::size_t PrefixFramer::unfinished() const { return buffer_.size() + position_; }

}  // namespace course
