/// @file
/// Lesson 12: keep what did not fit; ask for writability only while something waits.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "given/bytes.hpp"
#include "given/io_result.hpp"

namespace course {

/// What is still to be sent on one stream socket, in order. Owns copies of the bytes, no
/// descriptor. No function waits. Can be copied and moved; a moved-from queue is only good for
/// being assigned to or destroyed.
class OutQueue {
 public:
  /// Appends a copy of `data` (may be empty). Throws std::bad_alloc.
  void push(cbytes data);

  /// Sends from the front what the stream socket `fd` (borrowed, in non-blocking mode) takes now,
  /// until the queue is empty or no more fits (of which a send that took only a part may be the
  /// sign). Never waits; EINTR is passed over. Returns, with the number of bytes that this call has
  /// sent: ok when the queue is empty; would_block when something is left; error with errno when a
  /// send failed (any errno but EINTR, EAGAIN and EWOULDBLOCK). What was not sent stays in the
  /// queue in all three cases. EPIPE comes as such an error and not as a SIGPIPE, whose disposition
  /// and mask are left alone. An empty queue: ok with 0 bytes, without asking the kernel.
  ///
  /// The cost is linear in the bytes sent: what stays is not moved about at every flush. The memory
  /// of sent bytes is used again or given back: however much has passed through a queue, it takes
  /// no more than a few times what it held at the most, and 64 KiB.
  IoResult flush(int fd);

  /// Whether something waits to be sent: then, and only then, is `fd` to be watched for writing.
  [[nodiscard]] bool wants_write() const noexcept;

  /// How many bytes wait to be sent.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  // To use as you like; nobody needs all of them.
  [[maybe_unused]] std::string buffer_;
  [[maybe_unused]] std::deque<std::string> pieces_;
  [[maybe_unused]] std::size_t sent_ = 0;
  [[maybe_unused]] std::size_t size_ = 0;
};

/// How much may wait for one side of a relay, in bytes; 0 < low < high.
struct WaterMarks {
  std::size_t high = 65'536;  ///< when so much waits, no more is received from the other side
  std::size_t low = 16'384;   ///< when no more than this is left, receiving goes on
};

/// Passes on to each of the two connected stream sockets `a` and `b` (borrowed, in non-blocking
/// mode) what the other says, every byte as it is, in order, as soon as the receiver takes it,
/// until both have finished and all has been passed on; then returns. Waits in the kernel, without
/// using the processor, for as long as that takes. Neither direction waits for the other: a side
/// that does not read is still heard, and of a side that always has something no more than 65,536
/// bytes are received before the other gets its turn.
///
/// Backpressure: when `marks.high` bytes or more of one side's wait for the other, nothing is
/// received from it until no more than `marks.low` are left; then receiving goes on at once. One
/// receive takes no more than 65,536 bytes, so never more than marks.high + 65,536 wait. A side is
/// watched for writing only while something waits for it, and for reading only while it may be
/// received from: an idle relay makes no calls.
///
/// When one side finishes sending, the other is told by a half-close, as soon as all that was
/// received has been sent to it; the other direction goes on. That it cannot be told any more
/// (ENOTCONN) is no failure by itself.
///
/// When a receive from or a send to one side fails (ECONNRESET, EPIPE, …), the conversation is
/// over. What waits for that side is dropped, and nothing more is received from the other. What the
/// failed side had said before is still passed on, though it may lie unreceived in the kernel,
/// without waiting for more (with the same marks). When the other has been sent all of it, it is
/// told by a half-close, and relay() throws std::system_error with the errno of what failed and
/// what() naming the call. When the other side fails as well meanwhile, it throws at once, with
/// either errno; so it does when the wait fails. Of a side that has been reset, the errno is that
/// of whichever call noticed first.
///
/// Signals do not end it. SIGPIPE does not end the process; its disposition and the signal mask are
/// as before when relay() returns or throws. Neither descriptor is closed, nor its mode changed, at
/// any moment.
void relay(int a, int b, WaterMarks marks = {});

}  // namespace course
