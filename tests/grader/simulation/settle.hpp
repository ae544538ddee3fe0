/// @file
/// Waits, really and briefly, until what was done at one end of a loopback socket is visible at the
/// other.
///
/// On most kernels the first look suffices; with receive packet steering most looks come too early.
/// Every wait is bounded by 10 s of real time; after that the verdict is Verdict::infrastructure,
/// never the program's fault.
#pragma once

#include <cstdint>

#include "simulation/connection.hpp"

namespace grader {

/// Until data, FIN and RST in both directions have arrived; at once for a pipe. False: they did not
/// within the bound.
bool settle(const Connection& connection);

/// Until the urgent byte that the peer has just sent has arrived (POLLPRI). False: as above.
bool settle_urgent(const Connection& connection);

/// The next byte to be read of the TCP socket is the urgent one, or the one behind it.
bool is_at_urgent_mark(int fd);

/// Until `listener` holds at least `pending` connections to accept.
bool settle_accept_queue(int listener, unsigned pending);

/// How many connections wait to be accepted on `listener`.
unsigned accept_queue_length(int listener);

/// How many of them `listener` lets wait, as the kernel keeps it.
unsigned accept_queue_max(int listener);

/// Whether the TCP socket is in the state CLOSE, that is reset, refused or never connected.
bool is_tcp_closed(int fd);

/// Whether the TCP socket is connected and its own direction open; the other may have ended.
bool can_still_send(int fd);

/// poll(2) without waiting: which of `events` hold now, with POLLERR and POLLHUP; POLLNVAL for a
/// bad descriptor.
short poll_now(int fd, short events);

/// The port to which an IPv4 socket is bound on the loopback; 0: none.
std::uint16_t local_port(int fd);

/// Bytes that can be read at once from a socket or a pipe (FIONREAD).
int bytes_to_read(int fd);

}  // namespace grader
