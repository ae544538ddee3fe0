/// @file
/// Lesson 02: a name is a list of addresses; try each until one answers.
#pragma once

#include <string>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "given/endpoint.hpp"

namespace course {

/// The addresses of `host` for a stream connection to `service`, in the order in which
/// getaddrinfo(3) gave them, each once. `host` is a name or a numeric address, `service` a name or
/// a decimal port. Blocks while the name is looked up. Throws std::system_error: with
/// resolver_category() and the value that getaddrinfo returned when that is an EAI code
/// (EAI_SYSTEM: errno, system_category()); what() names the host. Never returns an empty list.
[[nodiscard]] std::vector<Endpoint> resolve(const std::string& host, const std::string& service);

/// A blocking stream socket, FD_CLOEXEC, connected to the first address of `host` that answers; the
/// caller owns it. Tries the addresses in order, each on a socket of its own; one whose family is
/// not available here is passed over. Blocks for as long as the kernel tries. A signal does not end
/// an attempt: connect(2) goes on by itself after EINTR, and POSIX answers a second call with
/// EALREADY, so the way to go on is to wait until the socket is writable and ask for SO_ERROR.
/// Throws like resolve(), or, when no address answers, std::system_error with the errno of the last
/// failure (that of a family not available only when nothing else failed) and what() naming the
/// address it came from (Endpoint::to_string()).
[[nodiscard]] Fd connect_to(const std::string& host, const std::string& service);

}  // namespace course
