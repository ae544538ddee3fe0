/// @file
/// Lesson 05: four ways a conversation ends: FIN, half-close, RST, silence.
#pragma once

#include <chrono>
#include <string>

#include "01-descriptors/descriptors.hpp"
#include "given/bytes.hpp"
#include "given/io_result.hpp"

namespace course {

/// Tells the peer that nothing more will be sent on the stream socket `fd` (borrowed) while it can
/// still be received from: a half-close (shutdown(2), SHUT_WR). Reaches the peer even while other
/// descriptors of the same socket are open. Does not block. Throws std::system_error with errno:
/// ENOTCONN when the connection is over already, because the peer has reset it or both sides have
/// finished.
void finish_sending(int fd);

/// Receives from the stream socket `fd` (borrowed) until the peer finishes, and appends everything
/// to `received`. Blocks as long as that takes; a signal does not end it. Returns eof with the
/// number of bytes appended; error with errno and what came before (ECONNRESET: the peer reset the
/// connection); timed_out and what came before when the socket has a receive timeout (SO_RCVTIMEO,
/// socket(7)) and it ran out.
[[nodiscard]] IoResult read_to_eof(int fd, std::string& received);

/// One request and its whole reply on the stream socket `fd` (borrowed): sends all of `request`,
/// finishes sending, and appends to `reply` all that the peer answers until it finishes too.
/// Whatever the peer answered before it ended the conversation is appended, even when the request
/// could not be sent whole. Blocks as long as that takes. Returns like read_to_eof(), but error
/// with the errno of sending when the request could not be sent whole; `bytes` always counts what
/// was appended. That sending could not be finished (ENOTCONN) is no error by itself: the reply
/// decides. Throws nothing for any of this, and never raises SIGPIPE.
[[nodiscard]] IoResult ask(int fd, cbytes request, std::string& reply);

/// Ends the conversation on the blocking stream socket `connection` so that all that was sent
/// arrives: finishes sending, reads and drops what the peer still sends until it finishes, fails or
/// `linger` (0 to 24 h) has passed in all, and closes. With a linger of 0 it still drops the input
/// that is there. A plain close with unread input would reset the connection and could destroy the
/// last reply on its way (RFC 1122 section 4.2.2.13). Blocks for `linger` at the most, give or take
/// the granularity of the kernel's timers. Throws nothing: whatever happens, the descriptor is
/// closed.
void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept;

}  // namespace course
