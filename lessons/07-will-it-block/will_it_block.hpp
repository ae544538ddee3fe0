/// @file
/// Lesson 07: select tells whether one call would wait.
#pragma once

#include <optional>

#include "given/deadline.hpp"

namespace course {

/// Waits until a receive, a read or an accept on `fd` (borrowed) would not wait: select(2)'s "ready
/// for reading". There are bytes, the peer has finished, there is an error to report, or a
/// connection is waiting to be accepted. Takes nothing and changes nothing: whatever made it ready
/// is still there, and whether calls on `fd` block is as before.
///
/// Blocks for `timeout` at the most; zero or less only looks, nothing waits for ever. Returns true
/// as soon as it is ready, at once if it is already; false when `timeout` has passed, never
/// earlier, and later only by the granularity of the kernel's timers. A signal whose handler
/// returns neither ends the wait nor lengthens it. Waits in the kernel, without using the
/// processor: a minute is one wait, not many short ones.
///
/// Throws std::system_error with errno: EINVAL when `fd` is negative or does not fit into an fd_set
/// (FD_SETSIZE, 1024, or more); EBADF when it is not open (a negative one may be either); whatever
/// else the waiting call fails with.
[[nodiscard]] bool wait_readable(int fd, std::optional<Duration> timeout);

/// The same for sending, writing and connecting, select(2)'s "ready for writing": a send would take
/// at least one byte, or fail at once; a connect that is in progress has ended, well or badly.
[[nodiscard]] bool wait_writable(int fd, std::optional<Duration> timeout);

}  // namespace course
