/// @file
/// Lesson 10: keyboard and network at once.
#pragma once

namespace course {

/// Carries bytes both ways until the conversation is over: from `in` to the stream socket `sock`,
/// and from `sock` to `out`. Each source is served as soon as something is there, and both when
/// both have something; neither waits for the other. Every byte is carried as it is, in order, and
/// at once: not when a line or a buffer is full.
///
/// All three descriptors are borrowed and in blocking mode, and their flags and options are left
/// alone, at every moment: O_NONBLOCK on standard input would be shared with the shell (fcntl(2)).
/// At most, sock is shut down for sending. `in` and `out` may be terminals, pipes, files, devices
/// or sockets. All numbers below FD_SETSIZE are possible, 0 among them.
///
/// When `in` ends, the peer is told (a half-close), `in` is asked no more, and what the peer still
/// sends goes on to `out`. That the peer cannot be told any more (ENOTCONN) is no failure by
/// itself: what is received decides.
///
/// Returns 0 when the peer has finished and all that it sent has been written to `out`, at once,
/// though `in` may go on. Returns 1, also at once, with errno saying why, when a call fails that
/// the conversation needs: reading `in`, sending, receiving, writing `out` (EPIPE), or waiting.
/// When it is sending or receiving, what the peer sent before that, and no more, is written to
/// `out` first. (A peer that closes while `in` has data may be noticed either way: as finished, 0,
/// or by a send that fails with EPIPE or ECONNRESET, 1. When writing those last words fails too,
/// errno is that of either call.) EINTR is no failure. Throws nothing for any of this.
///
/// SIGPIPE does not end the process, now or after the return. How it is handled (SIG_DFL, SIG_IGN
/// or which function) and the signal mask may differ meanwhile, and are as before on return. A
/// SIGPIPE that a write caused is not pending then, unless the caller had blocked it.
///
/// Blocks as long as the conversation takes, without using the processor. A known limit: a send or
/// a write that has to wait stops both directions.
[[nodiscard]] int netcat(int in, int out, int sock);

}  // namespace course
