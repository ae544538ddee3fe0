// Different: every byte is looked at once, alone, in feed(); a line over the limit is refused at
// the very byte that makes it too long, so that next() never has to.
#include <utility>

#include "04-messages/messages.hpp"

namespace course {
namespace {

std::optional<std::string> pop(std::deque<std::string>& ready) {
  if (ready.empty()) return std::nullopt;
  std::optional<std::string> message(std::move(ready.front()));
  ready.pop_front();
  return message;
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  const auto byte = [value](int shift) { return std::byte(value >> shift & 0xffU); };
  return {byte(24), byte(16), byte(8), byte(0)};
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  const auto part = [wire](std::size_t i, int shift) {
    return static_cast<std::uint32_t>(wire[i]) << shift;
  };
  return part(0, 24) | part(1, 16) | part(2, 8) | part(3, 0);
}

FixedFramer::FixedFramer(std::size_t size)
    : size_(size ? size : throw std::invalid_argument("FixedFramer: size is 0")) {}

void FixedFramer::feed(cbytes data) {
  for (const std::byte byte : data) {
    buffer_.push_back(static_cast<char>(byte));
    if (buffer_.size() == size_) ready_.push_back(std::exchange(buffer_, {}));
  }
}

std::optional<std::string> FixedFramer::next() { return pop(ready_); }

std::size_t FixedFramer::unfinished() const { return buffer_.size(); }

// position_ is 1 after a CR of which it is not yet known what it is, else 0; buffer_ is the line
// without that CR.
LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  const auto add = [this](char c) {
    if (buffer_.size() == max_line_) throw MessageTooLong("LineFramer: over the limit");
    buffer_.push_back(c);
  };
  for (const char c : as_text(data)) {
    if (c == '\n') {
      ready_.push_back(std::exchange(buffer_, {}));
      position_ = 0;
      continue;
    }
    if (position_ == 1) {
      position_ = 0;
      add('\r');
    }
    if (c == '\r') {
      // One more CR than fits may be half an ending; two cannot.
      position_ = 1;
    } else {
      add(c);
    }
  }
}

std::optional<std::string> LineFramer::next() { return pop(ready_); }

std::size_t LineFramer::unfinished() const { return buffer_.size() + position_; }

// position_ counts the bytes of the length that have come (0 to 4); buffer_ is the length while it
// is incomplete, then the length and what has come of the message.
PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) {
  for (const std::byte byte : data) {
    buffer_.push_back(static_cast<char>(byte));
    if (position_ < 4) ++position_;
    if (position_ < 4) continue;
    const std::size_t length = from_be32(as_bytes(buffer_).first<4>());
    if (buffer_.size() - 4 == length && length <= max_message_) {
      ready_.push_back(buffer_.substr(4));
      buffer_.clear();
      position_ = 0;
    }
    // A length over the limit can never be left again: nothing more needs to be kept.
    if (position_ == 4 && length > max_message_) return;
  }
}

std::optional<std::string> PrefixFramer::next() {
  if (ready_.empty() && position_ == 4 && from_be32(as_bytes(buffer_).first<4>()) > max_message_) {
    throw MessageTooLong("PrefixFramer: over the limit");
  }
  return pop(ready_);
}

std::size_t PrefixFramer::unfinished() const { return buffer_.size(); }

}  // namespace course
