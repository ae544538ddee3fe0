// Different: C in C++ clothes: memchr, memcpy and memmove on a raw area, exact counts, no
// iterators. position_ is how much of the area is in use; for lines, ready_ takes those that are
// whole.
#include <arpa/inet.h>

#include <cstring>

#include "04-messages/messages.hpp"

namespace course {
namespace {

void put(std::string& area, std::size_t& used, const void* data, std::size_t n) {
  if (n == 0) return;  // memcpy must not be given a null pointer, not even for nothing
  if (area.size() - used < n) area.resize((used + n) * 2);
  std::memcpy(area.data() + used, data, n);
  used += n;
}

void drop(std::string& area, std::size_t& used, std::size_t n) {
  used -= n;
  std::memmove(area.data(), area.data() + n, used);
}

}  // namespace

std::array<std::byte, 4> to_be32(std::uint32_t value) {
  unsigned char raw[4];
  raw[0] = static_cast<unsigned char>((value & 0xff000000U) >> 24);
  raw[1] = static_cast<unsigned char>((value & 0x00ff0000U) >> 16);
  raw[2] = static_cast<unsigned char>((value & 0x0000ff00U) >> 8);
  raw[3] = static_cast<unsigned char>(value & 0x000000ffU);
  std::array<std::byte, 4> wire;
  std::memcpy(wire.data(), raw, 4);
  return wire;
}

std::uint32_t from_be32(std::span<const std::byte, 4> wire) {
  std::uint32_t value;
  std::memcpy(&value, wire.data(), 4);
  return ntohl(value);
}

FixedFramer::FixedFramer(std::size_t size) : size_(size) {
  if (size == 0) throw std::invalid_argument("FixedFramer: size must not be 0");
}

void FixedFramer::feed(cbytes data) { put(buffer_, position_, data.data(), data.size()); }

std::optional<std::string> FixedFramer::next() {
  if (position_ < size_) return std::nullopt;
  std::string message(buffer_.data(), size_);
  drop(buffer_, position_, size_);
  return message;
}

std::size_t FixedFramer::unfinished() const { return position_; }

LineFramer::LineFramer(std::size_t max_line) : max_line_(max_line) {}

void LineFramer::feed(cbytes data) {
  const char* at = reinterpret_cast<const char*>(data.data());
  std::size_t left = data.size();
  while (left > 0) {
    const char* lf = static_cast<const char*>(std::memchr(at, '\n', left));
    const std::size_t n = lf ? static_cast<std::size_t>(lf - at) : left;
    put(buffer_, position_, at, n);
    std::size_t length = position_;
    if (length > 0 && buffer_[length - 1] == '\r') length--;
    if (length > max_line_) throw MessageTooLong("LineFramer: line too long");
    if (!lf) return;
    ready_.push_back(std::string(buffer_.data(), length));
    position_ = 0;
    at += n + 1;
    left -= n + 1;
  }
}

std::optional<std::string> LineFramer::next() {
  if (ready_.empty()) return std::nullopt;
  std::string line;
  line.swap(ready_.front());
  ready_.pop_front();
  return line;
}

std::size_t LineFramer::unfinished() const { return position_; }

PrefixFramer::PrefixFramer(std::size_t max_message) : max_message_(max_message) {}

void PrefixFramer::feed(cbytes data) { put(buffer_, position_, data.data(), data.size()); }

std::optional<std::string> PrefixFramer::next() {
  std::uint32_t length;
  if (position_ < sizeof length) return std::nullopt;
  std::memcpy(&length, buffer_.data(), sizeof length);
  length = ntohl(length);
  if (length > max_message_) throw MessageTooLong("PrefixFramer: message too long");
  if (position_ - sizeof length < length) return std::nullopt;
  std::string message(buffer_.data() + sizeof length, length);
  drop(buffer_, position_, sizeof length + length);
  return message;
}

std::size_t PrefixFramer::unfinished() const { return position_; }

}  // namespace course
