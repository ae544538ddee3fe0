/// @file
/// Lesson 11: readiness is a hint; EAGAIN is an answer.
///
/// No function here but recv_some() ever waits. What is borrowed keeps its mode, at every moment:
/// whoever shares it counts on that. (set_nonblocking() is there to change it.)
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "01-descriptors/descriptors.hpp"
#include "given/bytes.hpp"
#include "given/deadline.hpp"
#include "given/io_result.hpp"

namespace course {

/// Turns non-blocking mode of the descriptor `fd` (borrowed) on or off (O_NONBLOCK, fcntl(2),
/// F_SETFL), whichever it was before, and leaves everything else as it is: the other file status
/// flags (O_APPEND, O_ASYNC, …) and the descriptor's own (FD_CLOEXEC). The mode belongs to the open
/// file description, which all duplicates share. Throws std::system_error with errno and what()
/// naming the call that failed (EBADF); then nothing has changed.
void set_nonblocking(int fd, bool on);

/// One attempt to receive on the stream socket `fd` (borrowed, in non-blocking mode), for the whole
/// buffer. EINTR is passed over: the attempt is made again. Returns ok with the number of bytes
/// that came, one or more; would_block with 0 when nothing is there now; eof with 0 when the peer
/// has finished; error with 0 and the errno (any but EINTR, EAGAIN and EWOULDBLOCK). Bytes that
/// came before an end or an error are returned first; the next attempt tells of it. An empty
/// buffer: ok with 0 bytes, without asking the kernel. Writes nothing past the bytes that came.
/// Throws nothing for any of this.
[[nodiscard]] IoResult try_recv(int fd, bytes buffer);

/// One attempt to send `data` on the stream socket `fd` (borrowed, in non-blocking mode). EINTR is
/// passed over. Returns ok with the number of bytes that the kernel took, one or more and perhaps
/// fewer than offered: the rest is the caller's; would_block with 0 when it takes none now; error
/// with 0 and the errno (any but EINTR, EAGAIN and EWOULDBLOCK). EPIPE comes as such an error and
/// not as a SIGPIPE, whose disposition and mask are left alone. Empty data: ok with 0 bytes,
/// without asking the kernel. Throws nothing for any of this.
[[nodiscard]] IoResult try_send(int fd, cbytes data);

/// The next client of the listening socket `listener` (borrowed, in non-blocking mode): a stream
/// socket in non-blocking mode, FD_CLOEXEC, which the caller owns. Nothing, when nobody waits to be
/// accepted, even if select said otherwise a moment ago. EINTR and the accept errors that concern
/// one connection (accept(2), "Error handling", for the network errors EPROTO, ENETDOWN, …, but not
/// EOPNOTSUPP; ERRORS for ECONNABORTED) are passed over: the next in the queue is tried. Throws
/// std::system_error with errno and what() naming the call for any other, which concerns the
/// listener (EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP) or the process (EMFILE, ENFILE, ENOBUFS, …), and
/// when the client cannot be made what it should be; then no descriptor of a client stays open.
[[nodiscard]] std::optional<Fd> try_accept(int listener);

/// Receives what is there on the stream socket `fd` (borrowed, in non-blocking mode), but no more
/// than `max_bytes`, and appends it to `into`. EINTR is passed over. Returns, with the number of
/// bytes that came: ok when that is max_bytes, and there may be more; would_block when there is no
/// more now; eof when the peer has finished; error with the errno, as try_recv() does. What came is
/// in `into`, behind what was there before, in all four cases. Not one byte more than max_bytes is
/// taken from the socket, whose next user gets the rest. max_bytes of 0: ok with 0 bytes, without
/// asking the kernel. Throws nothing for any of this but std::bad_alloc. Takes memory for what
/// comes (a string may grow by doubling) and at most 64 KiB besides, whatever max_bytes is.
[[nodiscard]] IoResult drain(int fd, std::string& into, std::size_t max_bytes);

/// recv_some() of lesson 03 with a deadline, for the stream socket `fd` (borrowed, in non-blocking
/// mode): waits until something has come, the peer has finished or failed, or `deadline` has
/// passed. That select said "readable" and nothing was there is no reason to return: it waits on,
/// for what is left of the time, in the kernel and without using the processor. Signals neither end
/// nor lengthen the wait. What is there already counts even when the deadline has passed. Returns
/// like try_recv(), with timed_out instead of would_block, never before the deadline; error also
/// with the errno of a wait that fails (EINVAL: `fd` does not fit into an fd_set). An empty buffer:
/// ok with 0 bytes, without asking the kernel and without waiting. Throws nothing for any of this.
[[nodiscard]] IoResult recv_some(int fd, bytes buffer, Deadline deadline);

}  // namespace course
