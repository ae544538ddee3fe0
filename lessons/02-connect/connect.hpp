/// @file
/// Lesson 02: a name is a list of addresses; try each until one accepts.
#pragma once

#include <string>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "given/endpoint.hpp"

namespace course {

/// The addresses of `host` for a stream connection to `service`, in the order in which
/// getaddrinfo(3) gave them, each once. `host` is a name or a numeric address, `service` a name or
/// a decimal port. Blocks while the name is looked up. Throws std::system_error naming the host:
/// (what getaddrinfo returned, resolver_category()), or for EAI_SYSTEM (errno, system_category()).
/// Never returns an empty list.
[[nodiscard]] std::vector<Endpoint> resolve(const std::string& host, const std::string& service);

/// A blocking stream socket, FD_CLOEXEC, connected to the first address of `host` that accepts; the
/// caller owns it. Tries the addresses in order, each on a socket of its own. One whose family is
/// not available here (EAFNOSUPPORT) is passed over; any other failure of socket(2) counts as that
/// address's failure. Blocks for as long as the kernel tries. A signal does not end an attempt:
/// connect(2) goes on by itself after EINTR, and POSIX answers a second call with EALREADY. One way
/// to go on is to wait until the socket is writable and then to ask for SO_ERROR.
/// Throws like resolve(), or, when no address accepts, std::system_error with the errno of the last
/// failure and what() naming the address it came from (Endpoint::to_string()). A family that is not
/// available is reported only when nothing else failed; then too the address is the last.
[[nodiscard]] Fd connect_to(const std::string& host, const std::string& service);

}  // namespace course
