/// @file
/// What the checks of lesson 05 do and say.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

inline constexpr Time tolerance = 1ms;

/// "error ECONNRESET after 10 bytes"
inline std::string outcome(const course::IoResult& result) {
  static constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  return names[static_cast<int>(result.status)] +
         (result.error ? " " + error_name(result.error.value()) : "") + " after " +
         byte_count(result.bytes);
}

/// What comes on `fd` until its end, at most 64 bytes.
inline std::string receive_text(int fd) {
  std::string text(64, '\0');
  const ssize_t got = ::recv(fd, text.data(), text.size(), MSG_WAITALL);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

inline void send_text(int fd, const std::string& text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

/// What ask() returned; nothing when it threw.
inline std::optional<course::IoResult> ask_whatever_happens(int fd, const std::string& request,
                                                            std::string& reply) {
  try {
    return course::ask(fd, course::as_bytes(request), reply);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

inline constexpr timeval receive_timeout{0, 83'000};

/// The receive timeout of `fd`, as the kernel keeps it.
inline long receive_timeout_us(int fd) {
  timeval timeout{};
  socklen_t length = sizeof timeout;
  ::getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &length);
  return timeout.tv_sec * 1'000'000L + timeout.tv_usec;
}

/// Sets `receive_timeout`; returns what the kernel made of it.
inline long set_receive_timeout(int fd) {
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive_timeout, sizeof receive_timeout);
  return receive_timeout_us(fd);
}

inline bool has_called(const Scenario& scenario, const std::string& function,
                       const std::string& text) {
  for (const Call& call : scenario.calls(function))
    if (call.error == 0 && call.text.find(text) != std::string::npos) return true;
  return false;
}

/// How many bytes the program has taken from `fd`.
inline std::size_t bytes_taken(const Scenario& scenario, int fd) {
  std::size_t sum = 0;
  for (const std::string name : {"recv", "recvfrom", "recvmsg", "read", "readv"})
    for (const Call& call : scenario.calls(name))
      if (call.fd == fd && call.value > 0 && call.text.find("MSG_PEEK") == std::string::npos)
        sum += static_cast<std::size_t>(call.value);
  return sum;
}

/// Why a close was a reset, where that was not for unread input; else empty.
inline std::string other_reason_of_a_reset(const Scenario& scenario) {
  if (has_called(scenario, "setsockopt", "SO_LINGER, 0 s"))
    return "Your close was a reset, whatever had been read: with SO_LINGER at 0 s every close is "
           "one. Leave that option alone.";
  if (has_called(scenario, "shutdown", "SHUT_RD"))
    return "You shut down receiving as well, and the kernel answers what comes then with a reset. "
           "End only the direction that you send in, and drop what comes.";
  return {};
}

inline bool sigpipe_is_at_its_default() {
  struct sigaction action {};
  sigaction(SIGPIPE, nullptr, &action);
  return action.sa_handler == SIG_DFL;
}

inline bool sigpipe_is_blocked() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, SIGPIPE) == 1;
}

}  // namespace grader
