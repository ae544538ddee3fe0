/// @file
/// Lesson 13: a connect in progress is a write you wait for, and SO_ERROR is the answer.
#pragma once

#include <chrono>
#include <span>

#include "01-descriptors/descriptors.hpp"
#include "given/deadline.hpp"
#include "given/endpoint.hpp"

namespace course {

/// A stream socket connected to the first of `addresses` that accepts; the caller owns it. It is in
/// blocking mode and FD_CLOEXEC and has no time limits (SO_SNDTIMEO, SO_RCVTIMEO); nothing has been
/// received from it or sent.
///
/// Tries the addresses in order, each on a socket of its own: the next one when one has failed, at
/// once, and not before. Any failure of socket(2) or connect(2) is that address's failure, whether
/// it is told at once or late; connect(2) may also succeed at once. An address whose family is not
/// available here (EAFNOSUPPORT) is passed over. A connection of a socket with itself (both ends
/// have the same address and port, which TCP allows: RFC 9293 section 3.5, simultaneous open) is no
/// connection: that address has refused (ECONNREFUSED). A descriptor of FD_SETSIZE or above may
/// count as a failure (EINVAL).
///
/// `deadline` is one for all of them: an address that does not answer uses it up for those behind
/// it. Waits in the kernel, without using the processor, and no longer than until then (later only
/// by the granularity of the kernel's timers). A signal neither ends nor lengthens an attempt. When
/// the deadline has passed before the call, the first address is tried all the same, and looked at
/// once; whether others are, should it fail at once, is left open.
///
/// Throws std::system_error: ETIMEDOUT and what() naming the address that had not answered when the
/// deadline passed (Endpoint::to_string()); or, when every address has failed, the errno of the
/// last failure and what() naming its address (a family that is not available counts only when
/// nothing else has failed; then it is the last of them); or the errno of a wait that failed, any
/// but EINTR.
/// Throws std::invalid_argument when there are no addresses. Every socket but the one returned is
/// closed by then.
[[nodiscard]] Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline);

/// connect_until() for the impatient, after RFC 8305 section 5: when an address has not answered
/// within `stagger` (above 0; the RFC suggests 250 ms) of the start of its attempt, the next one is
/// tried beside it, and its own attempt goes on. When an attempt fails, any of them, the next one
/// begins at once, and the time to the one after that counts from there. Attempts begin in the
/// order of `addresses`, one for each. The first to accept wins, whoever it is and whenever it
/// began; of several that accept in one instant, any. All other attempts are given up and their
/// sockets closed before this returns or throws. A failure of one address never ends the attempts
/// at others.
///
/// In all else like connect_until(), in what it throws too: the last failure is the one that came
/// last; of several addresses that had been tried and had not answered by the deadline, what()
/// names any one.
[[nodiscard]] Fd connect_race(std::span<const Endpoint> addresses,
                              std::chrono::milliseconds stagger, Deadline deadline);

}  // namespace course
