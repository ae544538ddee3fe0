// Different: a read position moves through the buffer, which is compacted only when more than half
// of it has been read; whole lines are cut off together, the first time that one is asked for.
#include <algorithm>
#include <string_view>
#include <utility>

#include "04-messages/messages.hpp"

namespace course {
namespace {

void compact(std::string& buffer, std::size_t& position) {
  if (position < 256 || position < buffer.size() / 2) return;
  std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(position), buffer.end(), buffer.begin());
  buffer.resize(buffer.size() - position);
  position = 0;
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  std::array<std::byte, 4> wire{};
  for (auto byte = wire.rbegin(); byte != wire.rend(); ++byte, value /= 256) {
    *byte = static_cast<std::byte>(value % 256);
  }
  return wire;
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  return std::to_integer<std::uint32_t>(wire[0]) * 16777216U +
         std::to_integer<std::uint32_t>(wire[1]) * 65536U +
         std::to_integer<std::uint32_t>(wire[2]) * 256U + std::to_integer<std::uint32_t>(wire[3]);
}

FixedFramer::FixedFramer(std::size_t size) : size_(size) {
  if (size_ == 0) throw std::invalid_argument("FixedFramer: size 0");
}

void FixedFramer::feed(cbytes data) { buffer_ += as_text(data); }

std::optional<std::string> FixedFramer::next() {
  if (unfinished() < size_) return std::nullopt;
  std::string message = buffer_.substr(position_, size_);
  position_ += size_;
  compact(buffer_, position_);
  return message;
}

std::size_t FixedFramer::unfinished() const { return buffer_.size() - position_; }

// For lines, position_ is where the unfinished line begins: before it there are only whole lines.
LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  const std::string_view fresh = as_text(data);
  if (const auto last = fresh.rfind('\n'); last != fresh.npos) {
    position_ = buffer_.size() + last + 1;
  }
  buffer_ += fresh;

  const std::size_t unended = buffer_.size() - position_;
  const bool perhaps_half_an_ending = unended > 0 && buffer_.back() == '\r';
  if (unended > max_line_ && !(perhaps_half_an_ending && unended - 1 == max_line_)) {
    throw MessageTooLong("LineFramer: too long without an end");
  }
}

std::optional<std::string> LineFramer::next() {
  if (ready_.empty() && position_ > 0) {
    std::size_t begin = 0;
    while (begin < position_) {
      const std::size_t end = buffer_.find('\n', begin);
      ready_.push_back(buffer_.substr(begin, end - begin));
      if (!ready_.back().empty() && ready_.back().back() == '\r') ready_.back().pop_back();
      begin = end + 1;
    }
    buffer_.erase(0, position_);
    position_ = 0;
  }
  if (ready_.empty()) return std::nullopt;
  if (ready_.front().size() > max_line_) throw MessageTooLong("LineFramer: too long");
  std::string line = std::move(ready_.front());
  ready_.pop_front();
  return line;
}

std::size_t LineFramer::unfinished() const { return buffer_.size() - position_; }

PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) { buffer_ += as_text(data); }

std::optional<std::string> PrefixFramer::next() {
  const std::size_t available = unfinished();
  if (available < 4) return std::nullopt;
  const cbytes rest = as_bytes(buffer_).subspan(position_);
  const std::uint64_t length = from_be32(rest.first<4>());
  if (length > max_message_) throw MessageTooLong("PrefixFramer: too long");
  if (available < length + 4) return std::nullopt;
  std::string message(as_text(rest.subspan(4, length)));
  position_ += 4 + length;
  compact(buffer_, position_);
  return message;
}

std::size_t PrefixFramer::unfinished() const { return buffer_.size() - position_; }

}  // namespace course
