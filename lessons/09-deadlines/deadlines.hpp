/// @file
/// Lesson 09: a timeout is a promise about the clock, not about one call.
#pragma once

#include <span>
#include <string>

#include "08-three-lists/three_lists.hpp"
#include "given/bytes.hpp"
#include "given/deadline.hpp"
#include "given/io_result.hpp"

namespace course {

/// select_on() with a promise: waits until a descriptor is ready or `deadline` has passed, however
/// many signals come in between; their handlers run meanwhile. Returns who is ready, as soon as
/// somebody is. Returns three empty lists when the deadline has passed, never earlier, and later
/// only by the granularity of the kernel's timers; the wall clock has no part in it. A deadline
/// that has passed already still looks once: who is ready is reported. With three empty lists it
/// waits for the deadline alone. Waits in the kernel, without using the processor. Throws like
/// select_on(), except that EINTR is never thrown.
[[nodiscard]] Ready select_until(std::span<const int> readers, std::span<const int> writers,
                                 std::span<const int> exceptional, Deadline deadline);

/// recv_exact() of lesson 03 with one deadline for all of it: fills the whole buffer from the
/// stream socket `fd` (borrowed, in blocking mode), however many pieces it comes in. Blocks until
/// it is full, or the peer has finished, or `deadline` has passed, whichever is first; signals
/// neither end nor lengthen that. What is there already, bytes or the end, counts even when the
/// deadline has passed. Takes not one byte more than fit. Returns ok with buffer.size(); timed_out,
/// eof or error (with the errno of the receive or the wait that failed, any but EINTR) with the
/// number of bytes that came before, which are in the buffer. An empty buffer: ok with 0 bytes,
/// without asking the kernel. Writes nothing past the bytes that came. Throws nothing for any of
/// this. When it returns, the socket has the mode and the options that it had before.
[[nodiscard]] IoResult recv_exact(int fd, bytes buffer, Deadline deadline);

/// Reads one line from the stream socket `fd` (borrowed, in blocking mode) and appends it to `line`
/// without its ending LF; a CR before it is left in place, and a zero byte is a byte like any
/// other. Takes not one byte that comes after the LF. Waits no longer than `idle` for any one byte,
/// from the call or from the byte before it on, and no longer than `total` for all of it, from the
/// call on; whichever is over first. Duration::max() is no limit; zero or less is no time at all.
/// Both are measured by the clock: signals neither end nor lengthen them. What is there already,
/// bytes or the end, counts even when no time is left. Returns ok when the LF came; timed_out when
/// a limit was reached; eof when the peer finished before the LF; error with the errno of the
/// receive or the wait that failed (any but EINTR). In all cases `line` holds what came, behind
/// what it held before, and `bytes` counts the bytes taken, the LF among them. Throws nothing for
/// any of this. When it returns, the socket has the mode and the options that it had before.
[[nodiscard]] IoResult read_line(int fd, std::string& line, Duration idle, Duration total);

}  // namespace course
