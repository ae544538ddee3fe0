/// @file
/// What the checks of sending and of receiving have in common.
#pragma once

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>

#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace conversation {

/// A check of this lesson judges one thing only. So the program owns its end of a connection, and
/// may close it or leave it open; where just that is the subject, has_closed() tells.
class TolerantScenario : public grader::Scenario {
 public:
  TolerantScenario() {
    allow_open_descriptors();
    allow_bad_closes();
  }
};

inline bool has_closed(const grader::Scenario& scenario, int fd) {
  const auto calls = scenario.calls("close");
  return std::any_of(calls.begin(), calls.end(),
                     [fd](const grader::Call& call) { return call.fd == fd; });
}

/// Twenty signals while the program waits; the peer acts at 2.6 s.
inline void twenty_signals(grader::Scenario& scenario) {
  using namespace std::chrono_literals;
  scenario.signal_at(700ms, SIGUSR1);
  for (int i = 0; i < 18; ++i) scenario.signal_at(1100ms + i * 70ms, SIGUSR1);
  scenario.signal_at(2390ms, SIGUSR2, grader::Handler::restarting);
}

/// A program that moves one byte with each call needs no count of bytes, and is right; it is spared
/// the largest payload, for which it would make more calls than a check may.
inline bool goes_byte_by_byte(const grader::Scenario& scenario) {
  return scenario.calls().size() > 300;
}

/// Whether calls for `fd` wait, as they did before the program ran. Not while it runs.
inline bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

/// `size` bytes, none of them `without`; what a count in 8 or 16 bits cannot hold.
inline std::string many_bytes(std::size_t size, char without) {
  std::string bytes(size, without);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(without + 1 + static_cast<int>(i % 251));
  return bytes;
}

/// The name of an errno, in whichever of the two categories that hold errno values.
inline std::string errno_of(const std::error_code& code) {
  const bool is_errno = code == std::error_condition(code.value(), std::generic_category());
  return is_errno && code ? grader::error_name(code.value()) : "without errno";
}

}  // namespace conversation
