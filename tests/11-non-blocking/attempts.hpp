/// @file
/// Calls of this lesson's functions, what came of them and when, and what the learner reads when
/// that is wrong.
#pragma once

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <system_error>

#include "11-non-blocking/non_blocking.hpp"
#include "scenario/check.hpp"
#include "scenario/waiting.hpp"
#include "simulation/text.hpp"

namespace attempts {

using namespace std::chrono_literals;
using grader::Time;
using Limit = std::optional<course::Duration>;  ///< nothing: never

/// How late a wait may end: poll counts in milliseconds.
constexpr Time granularity = 2ms;

/// How a call ended that throws when it fails.
struct Ending {
  bool has_returned = false;
  int error = 0;     ///< the errno of a std::system_error
  std::string what;  ///< of a std::exception

  /// "returned", "threw \"accept: Bad file descriptor\"": how a sentence about it goes on.
  [[nodiscard]] std::string told() const {
    if (has_returned) return "returned";
    return what.empty() ? "threw what is no std::exception"
                        : grader::format("threw \"%s\"", what.c_str());
  }

  /// The name of the errno thrown; "nothing" when it returned.
  [[nodiscard]] std::string thrown() const {
    if (has_returned) return "nothing";
    return error == 0 ? "no std::system_error" : grader::error_name(error);
  }
};

/// Runs `program` in `scenario`.
template <class Program>
Ending ending_of(grader::Scenario& scenario, Program&& program) {
  try {
    scenario.run(program);
    return {true, 0, {}};
  } catch (const std::system_error& error) {
    return {false, error.code().value(), error.what()};
  } catch (const std::exception& error) {
    return {false, 0, error.what()};
  } catch (...) {
    return {};
  }
}

/// What came of a function that returns an IoResult and throws nothing.
struct Attempt {
  Ending ending;
  course::IoResult result = {};
  Time took{};                 ///< virtual time
  std::string diagnosis = {};  ///< the mistake that its waiting calls show; empty: none
};

/// The name of an errno, in whichever of the two categories that hold errno values.
inline std::string errno_of(const std::error_code& code) {
  const bool is_errno = code == std::error_condition(code.value(), std::generic_category());
  if (!is_errno || !code) return "without errno";
  const bool is_right = code.category() == std::system_category();
  return grader::error_name(code.value()) + (is_right ? "" : " of another category");
}

/// "ok, 5 bytes", "error ECONNRESET, 0 bytes".
inline std::string told(const Attempt& attempt) {
  static constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  if (!attempt.ending.has_returned) return attempt.ending.told();
  const course::IoResult& result = attempt.result;
  const bool has_reason = result.status == course::IoStatus::error || result.error;
  return names[static_cast<int>(result.status)] + (has_reason ? " " + errno_of(result.error) : "") +
         ", " + grader::byte_count(result.bytes);
}

/// Whether calls for `fd` do not wait. Not while the program runs.
inline bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

/// The memory of `text`, to receive into.
inline course::bytes room(std::string& text) { return std::as_writable_bytes(std::span(text)); }

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A scenario that calls the functions of this lesson.
class AttemptScenario : public grader::Scenario {
 public:
  /// The program's end of a connection to `peer`, lent, in non-blocking mode.
  static int connected(grader::Peer& peer) {
    const int fd = peer.connected();
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
  }

  Attempt try_recv(int fd, course::bytes buffer) {
    return attempt([&] { return course::try_recv(fd, buffer); });
  }
  Attempt try_send(int fd, const std::string& data) {
    return attempt([&] { return course::try_send(fd, course::as_bytes(data)); });
  }
  Attempt drain(int fd, std::string& into, std::size_t max_bytes) {
    return attempt([&] { return course::drain(fd, into, max_bytes); });
  }
  Attempt recv_some(int fd, course::bytes buffer, Limit limit) {
    const std::optional<Time> time =
        limit ? std::optional(std::max(Time{}, Time(*limit))) : std::nullopt;
    const grader::Asked asked{.reading = {fd}, .time = {.timeout = time, .since = now()}};
    const std::size_t calls_before = calls_so_far();
    asks(asked, "When nothing is there all the same, wait again");
    Attempt made = attempt([&] {
      const auto deadline = limit ? course::Deadline::after(*limit) : course::Deadline::never();
      return course::recv_some(fd, buffer, deadline);
    });
    made.diagnosis = told_wait_of_a_receive(calls_before);
    if (made.diagnosis.empty()) made.diagnosis = grader::diagnose(waits_of_last_run(), asked);
    return made;
  }

  /// The check's own turn: nothing happens, and `time` passes.
  void pause(Time time) {
    run([&] { ::poll(nullptr, 0, static_cast<int>(time / 1ms)); });
  }

 private:
  [[nodiscard]] std::size_t calls_so_far() const {
    return grader::is_real_time() ? 0 : calls().size();
  }

  // A receive that waited did so in blocking mode, or would have failed.
  [[nodiscard]] std::string told_wait_of_a_receive(std::size_t calls_before) const {
    if (grader::is_real_time()) return {};
    const auto made = calls();
    for (std::size_t i = std::min(calls_before, made.size()); i < made.size(); ++i)
      if (made[i].function.starts_with("re") && made[i].returned > made[i].began)
        return grader::format(
            "Your %s waited from %s to %s: in blocking mode it knows no deadline. Leave the mode "
            "as it is.",
            made[i].function.c_str(), grader::to_text(made[i].began).c_str(),
            grader::to_text(made[i].returned).c_str());
    return {};
  }

  template <class Program>
  Attempt attempt(Program program) {
    Attempt made;
    made.ending = ending_of(*this, [&] { made.result = program(); });
    made.took = took();
    return made;
  }
};

/// Whether the call took no time. (In real time every call takes some.)
inline bool was_at_once(Time took) { return took == Time{} || grader::is_real_time(); }

/// `situation`, then the mistake that the waits show or else `advice`, then both answers.
inline void fail_with(const Attempt& made, const std::string& situation, const std::string& advice,
                      const std::string& wanted, const std::string& got, grader::Where where) {
  const std::string mistake = made.diagnosis.empty() ? advice : made.diagnosis;
  grader::fail(situation + " " + mistake + "\n  wanted: " + wanted + "\n  got:    " + got, where);
}

/// The attempt must have come to `wanted` ("ok, 5 bytes"), without waiting; `situation` says what
/// was the case and `advice` what to do.
inline bool expect_told(const Attempt& made, const std::string& wanted,
                        const std::string& situation, const std::string& advice,
                        grader::Where where = grader::Where::here()) {
  const std::string got = told(made);
  if (got != wanted) {
    fail_with(made, situation, advice, wanted, got, where);
    return false;
  }
  return grader::expect_that(was_at_once(made.took),
                             situation + " That was the answer, but only after " +
                                 grader::to_text(made.took) +
                                 ": an attempt never waits, not even a little.",
                             where);
}

/// recv_some() must have returned `wanted` after `time`.
inline bool expect_told_at(const Attempt& made, const std::string& wanted, Time time,
                           const std::string& situation, const std::string& advice,
                           grader::Where where = grader::Where::here()) {
  const std::string got = told(made);
  const Time tolerance = wanted.starts_with("timed_out") ? granularity : Time{};
  const bool is_timely = made.took >= time && made.took <= time + tolerance;
  if (got == wanted && is_timely) return true;
  Attempt judged = made;
  if (is_timely) judged.diagnosis.clear();  // it is not about the time
  fail_with(judged, situation, advice, wanted + ", after " + grader::to_text(time),
            got + ", after " + grader::to_text(made.took), where);
  return false;
}

}  // namespace attempts
