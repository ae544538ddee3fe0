/// @file
/// Lesson 10: keyboard and network at once.
#pragma once

namespace course {

/// Carries bytes both ways until the conversation is over: from `in` to the stream socket `sock`,
/// and from `sock` to `out`. Each side is served as soon as something is there; neither waits for
/// the other to say something. All three are borrowed and in blocking mode, and their flags are
/// left alone, at every moment: O_NONBLOCK on standard input would be shared with the shell
/// (fcntl(2)). `in` and `out` may be terminals, pipes, files or sockets. Every byte is carried as
/// it is, in order, without waiting for a line or a full buffer.
///
/// When `in` ends, the peer is told (a half-close), `in` is asked no more, and what the peer still
/// sends goes on to `out`. When the peer finishes, all that it sent has been written to `out`, and
/// it returns 0, though `in` may go on. Returns 1, with errno saying why, when a call fails in a
/// way that ends the conversation: reading `in`, sending, receiving, writing `out` (EPIPE). EINTR
/// is no failure. SIGPIPE does not end the process; its disposition and the signal mask are as
/// before on return.
///
/// Blocks as long as that takes, without using the processor. A known limit: a write that waits
/// stops both directions.
[[nodiscard]] int netcat(int in, int out, int sock);

}  // namespace course
