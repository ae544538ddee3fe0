/// @file
/// Where the learner stands, from the result files that the lessons' grading programs leave.
#pragma once

#include <string>
#include <vector>

namespace console {

/// One lesson as its last grading left it.
struct LessonState {
  std::string lesson;                 ///< "03-send-and-receive"
  std::size_t passed = 0, total = 0;  ///< checks; total 0: never graded
  std::size_t not_started = 0;
  bool does_not_build = false;
  std::string report;  ///< of the first check that failed; empty: none

  [[nodiscard]] bool is_passed() const { return total > 0 && passed == total; }
  [[nodiscard]] bool is_untouched() const { return !does_not_build && not_started == total; }
};

/// Reads the result files of all lessons, in course order.
std::vector<LessonState> course_state();

/// Notes for the map that `lesson` does not build.
void note_build_failure(const std::string& lesson);

/// `lesson` counts as never graded.
void forget_result(const std::string& lesson);

/// The map of the course, the first failure whole, and what to do next.
void print_course_map(const std::vector<LessonState>& state, bool with_report);

/// "Next: ..." alone: `lesson` while it is not passed, then the first after it that is not; with no
/// `lesson` the first of all.
void print_next(const std::vector<LessonState>& state, const std::string& lesson = {});

}  // namespace console
