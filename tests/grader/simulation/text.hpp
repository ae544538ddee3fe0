/// @file
/// Small texts for the recording: formatted, quoted, and named the way a man page names them.
#pragma once

#include <signal.h>
#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string>

namespace grader {

/// printf into a std::string.
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/// `size` bytes at `data` in double quotes with `\n`, `\r` and `\xNN` escapes; cut with "..." after
/// `max`.
std::string quoted(const void* data, std::size_t size, std::size_t max = 24);
inline std::string quoted(const std::string& text, std::size_t max = 24) {
  return quoted(text.data(), text.size(), max);
}

/// "ECONNRESET"; "errno 4711" for a number without a name.
std::string error_name(int error);

/// "SIGPIPE".
std::string signal_name(int signal);

/// "{SIGINT SIGTERM}"; "{64 signals}" for more than eight.
std::string signals_text(const sigset_t& set);

/// "192.0.2.1:80" or "[2001:db8::1]:80"; "an address of family 1" for others.
std::string address_text(const sockaddr* address, socklen_t length);

/// "1 byte", "2 bytes".
std::string byte_count(std::size_t count);

}  // namespace grader
