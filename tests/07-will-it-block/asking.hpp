/// @file
/// A question to wait_readable() or wait_writable(), its answer, and what the learner reads when it
/// is wrong.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "07-will-it-block/will_it_block.hpp"
#include "scenario/check.hpp"
#include "scenario/waiting.hpp"
#include "simulation/text.hpp"

namespace asking {

/// One of the two functions.
struct Function {
  const char* name;
  const char* readiness;
  bool (*wait)(int fd, std::optional<course::Duration> timeout);
  std::vector<int> grader::Asked::*list;
};
inline constexpr Function readable{"wait_readable()", "readable", course::wait_readable,
                                   &grader::Asked::reading};
inline constexpr Function writable{"wait_writable()", "writable", course::wait_writable,
                                   &grader::Asked::writing};

/// What came of a question.
struct Answer {
  const char* function;  ///< "wait_readable()"
  bool has_returned = false;
  bool is_ready = false;  ///< what it returned
  int error = 0;          ///< the errno of a std::system_error; 0: it threw something else
  std::string what;       ///< of a std::exception
  grader::Time took{};    ///< virtual time
  grader::Time ended{};   ///< the same, since the scenario began
  grader::Waits waits{};  ///< how it waited
  std::size_t calls = 0;  ///< how many calls it made, of any function
  std::string diagnosis;  ///< the mistake that its waiting calls show; empty: none

  /// "wait_readable() returned true", "wait_readable() threw \"select: Bad file descriptor\"".
  [[nodiscard]] std::string told() const {
    const std::string subject = std::string(function) + " ";
    if (has_returned) return subject + (is_ready ? "returned true" : "returned false");
    if (what.empty()) return subject + "threw what is no std::exception";
    return subject + grader::format("threw \"%s\"", what.c_str());
  }

  /// The name of the errno thrown: "EBADF"; "nothing" when it returned.
  [[nodiscard]] std::string thrown() const {
    if (has_returned) return "nothing";
    return error == 0 ? "no std::system_error" : grader::error_name(error);
  }
};

/// A scenario that asks one question after the other.
class AskingScenario : public grader::Scenario {
 public:
  Answer ask(const Function& function, int fd, std::optional<course::Duration> timeout) {
    Answer answer{};
    answer.function = function.name;
    grader::Asked asked;
    asked.*function.list = {fd};
    if (timeout) asked.time.timeout = std::max(*timeout, course::Duration::zero());
    asked.time.since = now();
    asks(asked,
         "You have your answer: true when it found something, be it an end or an error (POLLHUP, "
         "POLLERR); an exception when it failed");
    const std::size_t calls_before = calls().size();
    try {
      answer.is_ready = run([&] { return function.wait(fd, timeout); });
      answer.has_returned = true;
    } catch (const std::system_error& error) {
      answer.error = error.code().value();
      answer.what = error.what();
    } catch (const std::exception& error) {
      answer.what = error.what();
    } catch (...) {
    }
    answer.took = took();
    answer.ended = now();
    answer.waits = waits_of_last_run();
    answer.calls = calls().size() - calls_before;
    answer.diagnosis = diagnose(answer.waits, asked);
    return answer;
  }
};

/// Not early, and late by no more than `slack`; the default is the largest step that a waiting call
/// counts in.
inline bool is_on_time(grader::Time got, grader::Time wanted,
                       grader::Time slack = std::chrono::milliseconds(1)) {
  return got >= wanted && got <= wanted + slack;
}

/// "at once" or "after 1.5 s".
inline std::string after(grader::Time time) {
  return time == grader::Time{} ? "at once" : "after " + grader::to_text(time);
}

/// What the learner reads of a wrong answer: `story`, what was the case; what was done; the mistake
/// that the calls show, or `advice` when they show none.
inline void tell(const Answer& answer, const std::string& story, const std::string& when,
                 const std::string& advice, grader::Where where) {
  const std::string& mistake = answer.diagnosis.empty() ? advice : answer.diagnosis;
  grader::fail(story + " " + answer.told() + " " + when + ". " + mistake, where);
}

/// The answer must be true at virtual time `time`, which is when it became ready, or at once when
/// that was before the question.
inline bool expect_ready_at(const Answer& answer, grader::Time time, const std::string& story,
                            const std::string& advice,
                            grader::Where where = grader::Where::here()) {
  const bool was_before = answer.ended - answer.took >= time;
  const bool is_right = was_before ? is_on_time(answer.took, {}) : is_on_time(answer.ended, time);
  if (answer.has_returned && answer.is_ready && is_right) return true;
  const bool was_at_once = was_before || answer.took == grader::Time{};
  tell(answer, story, was_at_once ? after(answer.took) : "at " + grader::to_text(answer.ended),
       advice, where);
  return false;
}

/// The answer must be false, after `timeout` and at most `slack` more.
inline bool expect_no(const Answer& answer, grader::Time timeout, const std::string& story,
                      const std::string& advice, grader::Time slack = std::chrono::milliseconds(1),
                      grader::Where where = grader::Where::here()) {
  if (answer.has_returned && !answer.is_ready && is_on_time(answer.took, timeout, slack))
    return true;
  tell(answer, story, after(answer.took), advice, where);
  return false;
}

}  // namespace asking
