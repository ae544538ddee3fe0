/// @file
/// A question to select_on(), its answer, and what the learner reads when it is wrong.
#pragma once

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "08-three-lists/three_lists.hpp"
#include "scenario/check.hpp"
#include "scenario/waiting.hpp"
#include "simulation/text.hpp"

namespace asking {

using Fds = std::vector<int>;

/// The three lists.
struct Lists {
  Fds readers = {}, writers = {}, exceptional = {};
};

/// What came of a question.
struct Answer {
  course::Ready ready;
  bool has_returned = false;
  int error = 0;          ///< the errno of a std::system_error; 0: it threw something else
  std::string what;       ///< of a std::exception
  grader::Time took{};    ///< virtual time
  grader::Waits waits{};  ///< how it waited
  std::string diagnosis;  ///< the mistake that its waiting calls show; empty: none

  /// "returned", "threw \"select: Bad file descriptor\"": how a sentence goes on.
  [[nodiscard]] std::string told() const {
    if (has_returned) return "returned";
    return what.empty() ? "threw what is no std::exception"
                        : grader::format("threw \"%s\"", what.c_str());
  }

  /// The name of the errno thrown: "EBADF"; "nothing" when it returned.
  [[nodiscard]] std::string thrown() const {
    if (has_returned) return "nothing";
    return error == 0 ? "no std::system_error" : grader::error_name(error);
  }

  /// Whether what() contains `number`, and not only as a part of a longer one.
  [[nodiscard]] bool names(int number) const {
    const std::string wanted = std::to_string(number);
    const auto is_digit = [this](std::size_t at) {
      return at < what.size() && std::isdigit(static_cast<unsigned char>(what[at])) != 0;
    };
    for (auto at = what.find(wanted); at != std::string::npos; at = what.find(wanted, at + 1))
      if ((at == 0 || !is_digit(at - 1)) && !is_digit(at + wanted.size())) return true;
    return false;
  }
};

/// A scenario that asks select_on().
class AskingScenario : public grader::Scenario {
 public:
  Answer ask(const Lists& lists, std::optional<course::Duration> timeout) {
    const grader::Asked asked{.reading = lists.readers,
                              .writing = lists.writers,
                              .exceptional = lists.exceptional,
                              .time = {.timeout = at_least_zero(timeout)}};
    asks(asked);
    Answer answer;
    try {
      answer.ready = run([&] {
        return course::select_on(lists.readers, lists.writers, lists.exceptional, timeout);
      });
      answer.has_returned = true;
    } catch (const std::system_error& error) {
      answer.error = error.code().value();
      answer.what = error.what();
    } catch (const std::exception& error) {
      answer.what = error.what();
    } catch (...) {
    }
    answer.took = took();
    answer.waits = waits_of_last_run();
    answer.diagnosis = diagnose(answer.waits, asked);
    const auto says = [&](const char* text) {
      return answer.diagnosis.find(text) != std::string::npos;
    };
    if (says("nobody asked you about") && !says("FD_ZERO") && !answer.waits.back().is_poll())
      answer.diagnosis += " Does every set begin with FD_ZERO?";
    return answer;
  }

 private:
  static std::optional<grader::Time> at_least_zero(std::optional<grader::Time> time) {
    if (time) time = std::max(*time, grader::Time(0));
    return time;
  }
};

/// "{3 4}".
inline std::string shown(const Fds& fds) {
  std::string text = "{";
  for (const int fd : fds) text += (text.size() > 1 ? " " : "") + std::to_string(fd);
  return text + "}";
}

/// "readable {3 4}, writable {}, exceptional {}".
inline std::string shown(const course::Ready& ready) {
  return "readable " + shown(ready.readable) + ", writable " + shown(ready.writable) +
         ", exceptional " + shown(ready.exceptional);
}

inline bool contains(const Fds& fds, int fd) {
  return std::find(fds.begin(), fds.end(), fd) != fds.end();
}

/// How the list `name` differs from what it should be; empty: not at all.
inline std::string difference(const char* name, const Fds& got, const Fds& wanted) {
  if (got == wanted) return {};
  for (const int fd : got)
    if (!contains(wanted, fd))
      return grader::format("Descriptor %d was not ready, and your %s list names it.", fd, name);
  for (const int fd : wanted)
    if (!contains(got, fd))
      return grader::format("Descriptor %d was ready, and it is missing from your %s list.", fd,
                            name);
  if (got.size() != wanted.size())
    return grader::format(
        "Your %s list names a descriptor twice. Each belongs there once, even if "
        "it was asked about twice.",
        name);
  return grader::format(
      "Your %s list has another order than the list that was asked about. Keep "
      "the caller's order.",
      name);
}

/// The answer must be `wanted`; else `sentence` says what was the case, and the mistake follows.
inline bool expect_ready(const Answer& answer, const course::Ready& wanted,
                         const std::string& sentence, grader::Where where = grader::Where::here()) {
  if (answer.has_returned && answer.ready == wanted) return true;
  std::string mistake = answer.diagnosis;
  if (mistake.empty() && !answer.has_returned) mistake = "select_on() " + answer.told() + ".";
  if (mistake.empty()) mistake = difference("readable", answer.ready.readable, wanted.readable);
  if (mistake.empty()) mistake = difference("writable", answer.ready.writable, wanted.writable);
  if (mistake.empty())
    mistake = difference("exceptional", answer.ready.exceptional, wanted.exceptional);
  grader::fail(sentence + (sentence.empty() ? "" : " ") + mistake + "\n  wanted: " + shown(wanted) +
                   "\n  got:    " + (answer.has_returned ? shown(answer.ready) : answer.told()),
               where);
  return false;
}

/// The answer must have taken `wanted`, or a kernel's granularity more.
inline bool expect_took(const Answer& answer, grader::Time wanted, const std::string& sentence,
                        grader::Where where = grader::Where::here()) {
  using namespace std::chrono_literals;
  if (answer.took >= wanted && answer.took <= wanted + 1ms) return true;
  const std::string mistake = answer.diagnosis.empty() ? sentence : answer.diagnosis;
  return grader::expect_equal(answer.took, wanted, mistake, where);
}

}  // namespace asking
