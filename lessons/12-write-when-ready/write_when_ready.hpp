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
/// descriptor. Movable; a moved-from queue is empty. No function waits.
class OutQueue {
 public:
  /// Appends a copy of `data` (may be empty). Throws std::bad_alloc.
  void push(cbytes data);

  /// Sends from the front what the stream socket `fd` (borrowed, in non-blocking mode) takes, until
  /// the queue is empty or no more fits. Returns, with the number of bytes sent: ok when the queue
  /// is empty; would_block when something is left; error with errno when a send failed (EPIPE
  /// without SIGPIPE, ECONNRESET, …): what was not sent stays in the queue. Never waits; EINTR is
  /// passed over. The cost is linear in the bytes sent: what stays in the queue is not copied about
  /// at every flush. Memory that held sent bytes is reused or given back: a queue that always holds
  /// something, and through which much passes, does not grow beyond what it holds at a time (up to
  /// a constant factor and 64 KiB). An empty queue: ok with 0 bytes, without asking the kernel.
  IoResult flush(int fd);

  /// Whether something waits to be sent: then, and only then, is `fd` to be watched for writing.
  [[nodiscard]] bool wants_write() const noexcept;

  /// How many bytes wait to be sent.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  [[maybe_unused]] std::string buffer_;  // these three are yours to use as you like
  [[maybe_unused]] std::size_t sent_ = 0;
  [[maybe_unused]] std::deque<std::string> pieces_;
};

/// How much may wait for one side of a relay, in bytes; 0 < low <= high.
struct WaterMarks {
  std::size_t high = 65'536;  ///< so much waits: no more is received from the other side
  std::size_t low = 16'384;   ///< no more than this is left: receiving goes on
};

/// Passes on to each of the two connected stream sockets `a` and `b` (borrowed, in non-blocking
/// mode) what the other says, in order, until both have finished and all has been passed on; then
/// returns. Waits in the kernel, without using the processor, for as long as that takes, and only
/// when there is nothing that it could do. Neither direction waits for the other: a side that does
/// not read may still be heard.
///
/// Backpressure: when `marks.high` bytes or more wait for one side, nothing is received from the
/// other until no more than `marks.low` are left. So never more than marks.high + 65,536 bytes wait
/// for one side. A side is watched for writing only while something waits for it, and for reading
/// only while it may be received from: an idle relay makes no calls.
///
/// When one side finishes sending, the other is told by a half-close, but not before all that was
/// received has been sent to it; the other direction goes on.
///
/// When a receive from or a send to one side fails (ECONNRESET, EPIPE, …), the conversation is
/// over: what had been received from that side is still passed on to the other, which is then told
/// by a half-close; what waits for the failed side is dropped, and nothing more is received. Then
/// throws std::system_error with that errno and what() naming the call. Should the other side fail
/// as well meanwhile, it throws at once, with either errno. Signals do not end it, and SIGPIPE is
/// not raised. Neither descriptor is closed, nor its mode changed.
void relay(int a, int b, WaterMarks marks = {});

}  // namespace course
