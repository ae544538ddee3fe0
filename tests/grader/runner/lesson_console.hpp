/// @file
/// What a lesson's grading program prints and writes down.
#pragma once

#include <string>
#include <vector>

#include "report/style.hpp"
#include "runner/check_runner.hpp"

namespace grader {

/// How many checks are in which state.
struct Tally {
  std::size_t passed = 0, failed = 0, not_started = 0, broken_machine = 0;

  void add(State state);
  [[nodiscard]] std::size_t total() const { return passed + failed + not_started + broken_machine; }
  [[nodiscard]] bool is_untouched() const { return not_started == total(); }
  [[nodiscard]] bool is_complete() const { return passed == total(); }
  /// 0 all passed, or none is started, which is no failure; 1 some did not; 99 the machine failed.
  [[nodiscard]] int exit_status() const;
};

/// Shows checks as they end. Two ways of speaking: to a person, and the Test Anything Protocol that
/// Meson reads.
class LessonConsole {
 public:
  LessonConsole(std::string lesson, bool speaks_tap);

  /// One line for the check.
  void show(const CheckResult& result);

  /// The first check that failed, whole, and what is left to do. With `every_report`, all that
  /// failed.
  void end(const std::vector<CheckResult>& results, const Tally& tally, bool every_report);

 private:
  void summarize(const std::vector<CheckResult>& results, const Tally& tally) const;
  std::string lesson_;
  bool speaks_tap_;
  Style style_;
  std::size_t number_ = 0;
  bool has_started_ = false;
  std::string held_back_;  ///< lines for Meson that are told once the lesson has started
};

/// Writes `directory`/LESSON.result: one line for each check, "state<TAB>title", and after an empty
/// line the report of the first that failed. The course map reads it. Silent when it cannot.
void write_result_file(const std::string& directory, const std::string& lesson,
                       const std::vector<CheckResult>& results);

/// Writes all that is known of the checks as JSON to `path`: for pictures, machines and the
/// course's own tests.
void write_json_file(const std::string& path, const std::string& lesson,
                     const std::vector<CheckResult>& results);

}  // namespace grader
