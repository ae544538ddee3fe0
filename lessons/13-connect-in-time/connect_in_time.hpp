/// @file
/// Lesson 13: a connect in progress is a write you wait for, and SO_ERROR is the answer.
#pragma once

#include <chrono>
#include <span>

#include "01-descriptors/descriptors.hpp"
#include "given/deadline.hpp"
#include "given/endpoint.hpp"

namespace course {

/// A stream socket, in blocking mode, FD_CLOEXEC, connected to the first of `addresses` that
/// accepts; the caller owns it. Tries them in order, each on a socket of its own: the next one as
/// soon as one has failed. An address whose family is not available here (EAFNOSUPPORT) is passed
/// over. `deadline` is one for all of them: whoever does not answer has used it up. A signal
/// neither ends nor lengthens an attempt. A deadline that has passed already still makes one
/// attempt and looks once whether it has been answered. Waits in the kernel, without using the
/// processor, and no longer than until the deadline.
///
/// A connection of a socket with itself (both ends have the same address and port, which TCP
/// allows: RFC 9293 section 3.5, simultaneous open) is no connection: that address counts as
/// refused (ECONNREFUSED).
///
/// Throws std::system_error: ETIMEDOUT, with what() naming the address that had not answered, when
/// the deadline has passed; else, when every address has failed, the errno of the last failure and
/// what() naming its address (Endpoint::to_string()); a family that is not available is reported
/// only when nothing else failed. Throws std::invalid_argument when there are no addresses. Every
/// socket but the one returned is closed. Descriptors of FD_SETSIZE and above may count as failed
/// (EINVAL).
[[nodiscard]] Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline);

/// connect_until() for the impatient, after RFC 8305 section 5: when an address has not answered
/// within `stagger` (above 0; the RFC suggests 250 ms) of the start of its attempt, the next one is
/// tried beside it; when an attempt fails, the next one begins at once, and the time to the one
/// after that counts from there. The first to accept wins, whoever it is and whenever it began; all
/// other attempts are given up and their sockets closed before this returns. Attempts begin in the
/// order of `addresses`, never twice. In all else, in what it throws too, like connect_until(); of
/// several addresses that had not answered by the deadline, what() names any one.
[[nodiscard]] Fd connect_race(std::span<const Endpoint> addresses,
                              std::chrono::milliseconds stagger, Deadline deadline);

}  // namespace course
