/// @file
/// The error codes of getaddrinfo(3), which are not errno values.
#pragma once

#include <system_error>

namespace course {

/// The category of EAI_NONAME, EAI_AGAIN and their kin; messages come from gai_strerror(3).
/// Use: `std::error_code(rc, resolver_category())` with the value that getaddrinfo returned.
[[nodiscard]] const std::error_category& resolver_category() noexcept;

}  // namespace course
