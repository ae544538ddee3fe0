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
/// Blocks for `timeout` at the most, be it weeks; zero or less only looks, nothing waits for ever.
/// Returns true as soon as it is ready, at once if it is already; false when `timeout` has passed,
/// never earlier, and later only by the granularity of the kernel's timers. A signal whose handler
/// returns neither ends the wait nor lengthens it: the time of its handler belongs to the wait. (If
/// a handler runs past the end, what became ready meanwhile may count or not.) Waits in the kernel,
/// without using the processor: a minute is one wait, not many short ones.
///
/// Throws std::system_error with errno: EINVAL when `fd` does not fit into an fd_set (FD_SETSIZE,
/// 1024, or more); EINVAL or EBADF when it is negative; EBADF when it is not open (a high number
/// that is not open may be overlooked, as by select(2), BUGS); whatever else the waiting call fails
/// with.
[[nodiscard]] bool wait_readable(int fd, std::optional<Duration> timeout);

/// The same for sending, writing and connecting, select(2)'s "ready for writing": a send would take
/// at least one byte, or fail at once; a connect that is in progress has ended, well or badly.
[[nodiscard]] bool wait_writable(int fd, std::optional<Duration> timeout);

}  // namespace course
