/// @file
/// Lesson 06: one server socket makes client sockets; one client at a time, and the second one
/// waits.
#pragma once

#include <cstdint>
#include <functional>

#include "01-descriptors/descriptors.hpp"
#include "given/endpoint.hpp"

namespace course {

/// A blocking stream socket that listens on `where`, FD_CLOEXEC; the caller owns it. Port 0 lets
/// the kernel choose one. The port can be used again at once after an earlier server's end, while
/// its old connections are still in TIME_WAIT (SO_REUSEADDR, socket(7)); a port that is being
/// listened on cannot. `backlog`, at least 1: how many connections may wait to be accepted
/// (listen(2)). Does not block. Throws std::system_error with errno and what() naming the call and
/// the address (EADDRINUSE …); then nothing stays open.
[[nodiscard]] Fd listen_on(const Endpoint& where, int backlog);

/// The port, in host order, to which the socket `fd` (borrowed) is bound. Throws std::system_error
/// with errno.
[[nodiscard]] std::uint16_t local_port(int fd);

/// Converses with one client. The descriptor is lent: the handler must not close it.
using Handler = std::function<void(int client)>;

/// Serves clients one after the other: accepts one from the blocking listening socket `listener`
/// (borrowed), calls `handle`, ends the conversation with close_gracefully() and a linger of 2 s,
/// and goes on until `stop`, asked before every accept, says true. Blocks. Client sockets block
/// too, and have FD_CLOEXEC. Neither a handler that throws nor a client that hung up before it was
/// accepted ends it: EINTR and the accept errors that concern one connection are passed over
/// (accept(2), "Error handling", for the network errors EPROTO, ENETDOWN, …; ERRORS for
/// ECONNABORTED). Any other error of accept is thrown as std::system_error, for the listener itself
/// cannot be used (EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP) or there is nothing to make a client of
/// (EMFILE, ENFILE, ENOBUFS, …). An exception of `stop` passes through.
void serve(int listener, const Handler& handle, const std::function<bool()>& stop);

}  // namespace course
