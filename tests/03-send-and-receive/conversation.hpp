/// @file
/// What the checks of sending and of receiving have in common.
#pragma once

#include <algorithm>
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

/// The name of an errno, in whichever of the two categories that hold errno values.
inline std::string errno_of(const std::error_code& code) {
  const bool is_errno = code == std::error_condition(code.value(), std::generic_category());
  return is_errno && code ? grader::error_name(code.value()) : "without errno";
}

}  // namespace conversation
