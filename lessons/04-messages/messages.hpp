/// @file
/// Lesson 04: there is no end-of-message on a stream; the protocol has to say where one ends.
///
/// The three framers know nothing of sockets (sans-I/O): bytes go in as they come, whole messages
/// come out. What next() has handed out takes no memory any more, at the latest from the next
/// feed() on. Framers are plain values: copying one needs nothing special. No function here blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "given/bytes.hpp"

namespace course {

/// A message is longer than the receiver is willing to keep. After it, next() hands out what came
/// whole before and nothing more: it returns nothing or throws this again. Feed nothing more.
struct MessageTooLong : std::length_error {
  using std::length_error::length_error;
};

/// `value` in network byte order: the most significant byte first (RFC 1700, "Data Notations").
[[nodiscard]] std::array<std::byte, 4> to_be32(std::uint32_t value);

/// The value of four bytes in network byte order.
[[nodiscard]] std::uint32_t from_be32(std::span<const std::byte, 4> wire);

/// Cuts a stream into messages of one fixed size.
class FixedFramer {
 public:
  /// Every message is `size` bytes long, at least 1; 0 throws std::invalid_argument.
  explicit FixedFramer(std::size_t size);

  /// Adds bytes in the order in which they came: part of a message, one, or many. Keeps a copy.
  void feed(cbytes data);

  /// The next whole message, oldest first, or nothing while none is complete.
  [[nodiscard]] std::optional<std::string> next();

  /// Bytes of a message that has begun and is not complete, once next() returns nothing. More than
  /// 0 at the end of the stream means that the last message was cut off.
  [[nodiscard]] std::size_t unfinished() const;

 private:
  std::size_t size_;
  [[maybe_unused]] std::string buffer_;  // these three are yours to use as you like
  [[maybe_unused]] std::size_t position_ = 0;
  [[maybe_unused]] std::deque<std::string> ready_;
};

/// Cuts a stream into lines. A line ends with LF; a CR straight before the LF belongs to the
/// ending. Neither is part of the message. A CR anywhere else is an ordinary byte.
class LineFramer {
 public:
  /// Lines may be up to `max_line` bytes long, the ending not counted; 0 allows only empty lines.
  explicit LineFramer(std::size_t max_line);

  /// Adds bytes in the order in which they came and keeps a copy. Throws MessageTooLong as soon as
  /// the unfinished line cannot be within the limit any more (one byte over it may still be the CR
  /// of an ending). A line over the limit that has its ending is refused here or by next(), as you
  /// like. The work for an unfinished line grows with its length, not with the number of its
  /// pieces.
  void feed(cbytes data);

  /// The next whole line without its ending, oldest first, or nothing while none is complete.
  /// Throws MessageTooLong when that line is over the limit and feed() has not said so.
  [[nodiscard]] std::optional<std::string> next();

  /// Bytes of a line that has begun and has no ending yet, once next() returns nothing; a CR that
  /// waits for its LF is one of them.
  [[nodiscard]] std::size_t unfinished() const;

 private:
  std::size_t max_line_;
  [[maybe_unused]] std::string buffer_;  // these three are yours to use as you like
  [[maybe_unused]] std::size_t position_ = 0;
  [[maybe_unused]] std::deque<std::string> ready_;
};

/// Cuts a stream into messages that each follow their own length: four bytes in network byte order
/// that count the bytes of the message, not themselves. A length of 0 is an empty message.
class PrefixFramer {
 public:
  /// Messages may be up to `max_message` bytes long; 0 allows only empty messages.
  explicit PrefixFramer(std::size_t max_message);

  /// Adds bytes in the order in which they came: part of a length, part of a message, or many
  /// messages. Keeps a copy.
  void feed(cbytes data);

  /// The next whole message, oldest first, or nothing while none is complete. Throws MessageTooLong
  /// as soon as the length of the message is known and over the limit, before any memory is
  /// reserved for it.
  [[nodiscard]] std::optional<std::string> next();

  /// Bytes of a length or message that has begun and is not complete, once next() returns nothing;
  /// the four bytes of the length count too.
  [[nodiscard]] std::size_t unfinished() const;

 private:
  std::size_t max_message_;
  [[maybe_unused]] std::string buffer_;  // these three are yours to use as you like
  [[maybe_unused]] std::size_t position_ = 0;
  [[maybe_unused]] std::deque<std::string> ready_;
};

}  // namespace course
