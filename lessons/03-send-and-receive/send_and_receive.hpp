/// @file
/// Lesson 03: the kernel takes what fits and gives what it has; the rest is your job.
#pragma once

#include "given/bytes.hpp"
#include "given/io_result.hpp"

namespace course {

/// Sends all of `data` on the stream socket `fd` (borrowed), in order. Blocks until the kernel has
/// taken the last byte; a signal neither ends it nor loses or repeats a byte. Empty data: nothing
/// is sent, and the kernel is not asked. Throws std::system_error with errno when a send fails;
/// EPIPE, when the peer is gone, comes as such an error and not as a SIGPIPE. What the process does
/// with SIGPIPE is at no time different from before, nor is SIGPIPE blocked meanwhile, not even in
/// this thread.
void send_all(int fd, cbytes data);

/// Asks one recv on the stream socket `fd` (borrowed) for the whole buffer and returns what it
/// gave: one byte or more. Blocks until there is something; a signal does not end the wait. Returns
/// ok with the number of bytes; eof with 0 when the peer has finished; error with errno, which is
/// any but EINTR (ECONNRESET, ETIMEDOUT …). An empty buffer: ok with 0 bytes, without asking the
/// kernel. Writes nothing past the bytes received; on eof and error, nothing at all.
[[nodiscard]] IoResult recv_some(int fd, bytes buffer);

/// Fills the whole buffer from the stream socket `fd` (borrowed), however many pieces it comes in.
/// Blocks until it is full, and takes not one byte more. Returns ok with buffer.size(); when the
/// peer finishes first, eof with the number of bytes that came (0: between messages; more: in the
/// middle of one); when a recv fails, error with errno (any but EINTR) and the number of bytes that
/// came before. An empty buffer: ok with 0 bytes, without asking the kernel. Writes nothing past
/// the bytes that came.
[[nodiscard]] IoResult recv_exact(int fd, bytes buffer);

}  // namespace course
