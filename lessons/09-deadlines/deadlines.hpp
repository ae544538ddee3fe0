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
/// many signals come in between. A deadline that has passed already still looks once: what is ready
/// is reported. Blocks until then; three empty lists mean that the deadline has passed. Throws like
/// select_on(), except that EINTR is never thrown.
[[nodiscard]] Ready select_until(std::span<const int> readers, std::span<const int> writers,
                                 std::span<const int> exceptional, Deadline deadline);

/// recv_exact() of lesson 03 with one deadline for all of it: fills the whole buffer from the
/// stream socket `fd` (borrowed, in blocking mode), however many pieces it comes in and however
/// slowly. Blocks until it is full or `deadline` has passed, whichever is first; bytes that are
/// there already are taken even when it has passed. Takes not one byte more than fit. Returns ok
/// with buffer.size(); timed_out, eof or error (with errno, any but EINTR) with the number of bytes
/// that came before. An empty buffer: ok with 0 bytes, without asking the kernel. Writes nothing
/// past the bytes that came. Throws nothing for any of this.
[[nodiscard]] IoResult recv_exact(int fd, bytes buffer, Deadline deadline);

/// Reads one line from the stream socket `fd` (borrowed, in blocking mode) and appends it to `line`
/// without its ending LF; a CR before it is left in place. Takes not one byte that comes after the
/// LF. Waits no longer than `idle` for any one byte, and no longer than `total` for all of it, both
/// measured by the clock and both from the call on; bytes that are there already are taken even
/// when no time is left. Returns ok when the LF came; timed_out when a limit was reached; eof when
/// the peer finished before the LF; error with errno (any but EINTR) when a receive failed. In all
/// cases `line` holds what came, and `bytes` counts the bytes taken, the LF among them. Throws
/// nothing for any of this.
[[nodiscard]] IoResult read_line(int fd, std::string& line, Duration idle, Duration total);

}  // namespace course
