// Different: functional: small pure functions decide and cut, recursion (four deep) makes the
// number, and what remains of a buffer is always a new string.
#include <string_view>
#include <utility>

#include "04-messages/messages.hpp"

namespace course {
namespace {

struct Cut {
  std::string message;
  std::size_t used;
};

std::optional<Cut> cut_fixed(std::string_view text, std::size_t size) {
  return text.size() < size ? std::nullopt : std::optional(Cut{std::string(text, 0, size), size});
}

std::string_view strip_cr(std::string_view text) {
  return text.ends_with('\r') ? text.substr(0, text.size() - 1) : text;
}

bool fits(std::string_view line, std::size_t limit) { return strip_cr(line).size() <= limit; }

std::string_view after_last_lf(std::string_view text) { return text.substr(text.rfind('\n') + 1); }

std::uint32_t fold(std::uint32_t left, cbytes rest) {
  return rest.empty() ? left
                      : fold(left << 8 | std::to_integer<std::uint32_t>(rest[0]), rest.subspan(1));
}

std::optional<std::string> settle(std::string& buffer, std::optional<Cut> cut) {
  if (!cut) return std::nullopt;
  buffer = buffer.substr(cut->used);
  return std::move(cut->message);
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  return {std::byte(value >> 24), std::byte((value << 8) >> 24), std::byte((value << 16) >> 24),
          std::byte((value << 24) >> 24)};
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) { return fold(0, wire); }

FixedFramer::FixedFramer(std::size_t size)
    : size_(size != 0 ? size : throw std::invalid_argument("FixedFramer: no bytes")) {}

void FixedFramer::feed(cbytes data) { buffer_ = std::move(buffer_) + std::string(as_text(data)); }

std::optional<std::string> FixedFramer::next() {
  return settle(buffer_, cut_fixed(buffer_, size_));
}

std::size_t FixedFramer::unfinished() const { return buffer_.size(); }

// The whole lines that wait are in ready_, one string for each feed() that completed any; buffer_
// is the unfinished line and position_ where in ready_.front() the next line begins.
LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  const std::string_view fresh = as_text(data);
  const std::string_view tail = after_last_lf(fresh);
  if (tail.size() == fresh.size()) {
    buffer_.append(fresh);
  } else {
    buffer_.append(fresh.substr(0, fresh.size() - tail.size()));
    ready_.push_back(std::exchange(buffer_, std::string(tail)));
  }
  if (!fits(buffer_, max_line_)) throw MessageTooLong("LineFramer: unfinished and too long");
}

std::optional<std::string> LineFramer::next() {
  if (ready_.empty()) return std::nullopt;
  const std::string_view block = std::string_view(ready_.front()).substr(position_);
  const std::string_view line = block.substr(0, block.find('\n'));
  if (!fits(line, max_line_)) throw MessageTooLong("LineFramer: too long");
  std::string copy(strip_cr(line));
  position_ += line.size() + 1;
  if (position_ == ready_.front().size()) {
    ready_.pop_front();
    position_ = 0;
  }
  return copy;
}

std::size_t LineFramer::unfinished() const { return buffer_.size(); }

PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) { buffer_ = std::move(buffer_) + std::string(as_text(data)); }

std::optional<std::string> PrefixFramer::next() {
  if (buffer_.size() < 4) return std::nullopt;
  const std::size_t length = fold(0, as_bytes(buffer_).first(4));
  if (length > max_message_) throw MessageTooLong("PrefixFramer: too long");
  const auto cut = cut_fixed(std::string_view(buffer_).substr(4), length);
  if (!cut) return std::nullopt;
  return settle(buffer_, Cut{cut->message, cut->used + 4});
}

std::size_t PrefixFramer::unfinished() const { return buffer_.size(); }

}  // namespace course
