/// @file
/// What came of a call of resolve() or connect_to(), and how the checks tell of it.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include "02-connect/connect.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// What came of a run: a value, or what was thrown.
template <class Value>
struct Outcome {
  std::optional<Value> value;
  std::optional<std::error_code> code;  ///< of a std::system_error
  std::string what;
};

/// Runs `program` in `scenario`.
template <class Program>
auto outcome_of(Scenario& scenario, Program program) {
  Outcome<std::invoke_result_t<Program>> outcome;
  try {
    outcome.value = scenario.run(program);
  } catch (const std::system_error& error) {
    outcome.code = error.code();
    outcome.what = error.what();
  } catch (const std::exception& error) {
    outcome.what = error.what();
  }
  return outcome;
}

/// "resolve threw ...", "connect_to returned descriptor 3": how a sentence goes on after "but".
inline std::string told(const Outcome<std::vector<course::Endpoint>>& outcome) {
  if (!outcome.value) return format("resolve threw \"%s\"", outcome.what.c_str());
  const std::size_t count = outcome.value->size();
  return format("resolve returned %zu address%s", count, count == 1 ? "" : "es");
}

inline std::string told(const Outcome<course::Fd>& outcome) {
  if (!outcome.value) return format("connect_to threw \"%s\"", outcome.what.c_str());
  if (outcome.value->get() < 0) return "connect_to returned an Fd that owns nothing";
  return format("connect_to returned descriptor %d", outcome.value->get());
}

/// Whether `part` stands in `text`.
inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// connect_to returned an open descriptor, and `host` was connected; `sentence` if not.
inline bool expect_connected(const Scenario& scenario, const Outcome<course::Fd>& outcome,
                             const Peer& host, const std::string& sentence,
                             Where where = Where::here()) {
  const auto open = scenario.open_descriptors();
  const bool is_there = outcome.value && host.is_connected();
  const bool is_open = is_there && std::count(open.begin(), open.end(), outcome.value->get()) == 1;
  const std::string closed =
      told(outcome) + ", but its owner has closed that. Move the owner out instead.";
  return expect_that(is_open, is_there ? closed : sentence, where);
}

/// Whether a call of `function` has failed with `error`.
inline bool has_failed_with(const Scenario& scenario, const char* function, int error) {
  const auto calls = scenario.calls(function);
  return std::any_of(calls.begin(), calls.end(),
                     [error](const Call& call) { return call.error == error; });
}

/// Whether a socket was given to connect again after its connect had failed, and what to say then.
inline bool has_reused_a_socket(const Scenario& scenario) {
  return has_failed_with(scenario, "connect", EINVAL) &&
         scenario.calls("socket").size() < scenario.calls("connect").size();
}
constexpr const char* used_up_sentence =
    "connect said EINVAL: this socket has failed and is used up. After a failed connect, make a "
    "new socket for the next address.";

/// Whether connect was given what its socket cannot take, and what to say then.
inline bool has_mixed_families(const Scenario& scenario) {
  return has_failed_with(scenario, "connect", EINVAL) && !has_reused_a_socket(scenario);
}
constexpr const char* mixed_families_sentence =
    "connect said EINVAL: the socket is of another family than its address, or did not get all of "
    "it. Endpoint::family() and Endpoint::length() know.";

}  // namespace grader
