/// @file
/// What every check includes: TEST(), the scenario, and assertions that speak to the learner.
///
/// A check is a GoogleTest test. The runner gives each a process of its own.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <vector>

#include "scenario/scenario.hpp"
#include "simulation/where.hpp"

namespace grader {

/// What a check is about; the first statement of every check. Shown with a failure.
struct Explanation {
  const char* rule;  ///< what the program must do: one sentence
  const char* why;   ///< why it matters: one sentence
  const char* read;  ///< a heading of the lesson's README.md where it is taught
};

/// Tells the report what this check is about.
void explain(const Explanation& explanation);

/// "text": how a value is shown to the learner. Strings are quoted and cut, times are in seconds.
std::string shown(const std::string& text);
std::string shown(const char* text);
std::string shown(Time time);
std::string shown(bool value);
template <class Rep, class Period>
std::string shown(std::chrono::duration<Rep, Period> time) {
  return shown(std::chrono::duration_cast<Time>(time));
}
template <std::integral Value>
std::string shown(Value value) {
  return std::to_string(value);
}
template <class Value>
std::string shown(const std::optional<Value>& value) {
  return value ? shown(*value) : "nothing";
}
template <class Value>
std::string shown(const std::vector<Value>& values) {
  std::string text;
  for (const Value& value : values) text += (text.empty() ? "{ " : ", ") + shown(value);
  return text.empty() ? "{}" : text + " }";
}

/// Fails the check with `sentence`, which tells the learner what happened, without ending it.
void fail(const std::string& sentence, Where where = Where::here());

/// Whether the check has failed by now.
bool has_failed();

/// `holds` must be true; `sentence` tells the learner what it means that it is not. Returns
/// `holds`.
bool expect_that(bool holds, const std::string& sentence, Where where = Where::here());

/// `got` must equal `wanted`; `sentence` tells the learner what it means that it does not. Both are
/// shown. Returns whether they are equal.
template <class Got, class Wanted>
bool expect_equal(const Got& got, const Wanted& wanted, const std::string& sentence,
                  Where where = Where::here()) {
  if (got == wanted) return true;
  fail(sentence + "\n  wanted: " + shown(wanted) + "\n  got:    " + shown(got), where);
  return false;
}

/// Makes a check known to GoogleTest. The names must live as long as the process.
struct Registration {
  Registration(const char* suite, const char* name, void (*check)(), Where where = Where::here());
};

/// The lesson that this program grades, "03-send-and-receive"; defined by LESSON().
extern const char* const lesson_name;
}  // namespace grader

/// GoogleTest's TEST(), without its headers: they take longer to compile than most checks. A file
/// that includes both must define GTEST_DONT_DEFINE_TEST, as the build does.
#define TEST(suite, name)                                                                         \
  static void suite##_##name();                                                                   \
  static const grader::Registration suite##_##name##_registration(#suite, #name, suite##_##name); \
  static void suite##_##name()

/// Says which lesson a file of checks belongs to; once in each, at namespace scope.
#define LESSON(name) const char* const grader::lesson_name = name
