#include "runner/lesson_console.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "report/timeline.hpp"
#include "report/wording.hpp"

namespace grader {
namespace {

bool has_failed(const CheckResult& result) {
  return result.state != State::passed && result.state != State::not_started;
}

const CheckResult* first_failed(const std::vector<CheckResult>& results) {
  const auto it = std::find_if(results.begin(), results.end(), has_failed);
  return it == results.end() ? nullptr : &*it;
}

}  // namespace

void Tally::add(State state) {
  if (state == State::passed)
    ++passed;
  else if (state == State::not_started)
    ++not_started;
  else if (state == State::infrastructure)
    ++broken_machine;
  else
    ++failed;
}

int Tally::exit_status() const {
  if (is_complete()) return 0;
  if (is_untouched()) return 77;
  return failed == 0 && broken_machine > 0 ? 99 : 1;
}

LessonConsole::LessonConsole(std::string lesson, std::size_t check_count, bool speaks_tap)
    : lesson_(std::move(lesson)),
      speaks_tap_(speaks_tap),
      style_(!speaks_tap && isatty(STDOUT_FILENO) == 1) {
  if (speaks_tap_)
    std::printf("TAP version 13\n1..%zu\n", check_count);
  else
    std::printf("Lesson %s\n", style_.strong(lesson_).c_str());
}

// Meson learns of checks that are not started as skipped while nothing is started, and as missing
// once something is.
void LessonConsole::show(const CheckResult& result) {
  has_started_ |= result.state != State::not_started;
  held_back_.push_back(result);
  if (speaks_tap_ && !has_started_) return;
  for (const CheckResult& held : std::exchange(held_back_, {})) tell(held, true);
  std::fflush(stdout);
}

void LessonConsole::tell(const CheckResult& result, bool has_started) {
  const std::string title = title_of(result.suite, result.name);
  ++number_;
  if (speaks_tap_) {
    const bool is_good = result.state == State::passed || !has_started;
    std::printf("%s %zu - %s%s\n", is_good ? "ok" : "not ok", number_, title.c_str(),
                has_started ? "" : " # SKIP not started");
    return;
  }
  std::string remark;
  if (result.state == State::not_started) remark = style_.faint("  not started");
  if (result.state == State::stuck) remark = std::string("  ") + verdict_name(result.verdict);
  std::printf("  %s %s%s\n", style_.mark(result.state).c_str(), title.c_str(), remark.c_str());
}

void LessonConsole::end(const std::vector<CheckResult>& results, const Tally& tally,
                        bool every_report) {
  for (const CheckResult& held : std::exchange(held_back_, {})) tell(held, has_started_);
  std::fflush(stdout);
  std::FILE* out = speaks_tap_ ? stderr : stdout;
  const CheckResult* first = first_failed(results);
  for (const CheckResult& result : results)
    if (has_failed(result) && (every_report || &result == first))
      std::fprintf(out, "\n%s", report_text(result, lesson_).c_str());
  if (!speaks_tap_) {
    std::printf("\n%zu/%zu checks passed", tally.passed, tally.total());
    if (tally.is_untouched())
      std::printf(". Not started yet. Nothing is wrong: read lessons/%s/README.md first",
                  lesson_.c_str());
    else if (!tally.is_complete() && first == nullptr)
      std::printf("; the others are not started");
    std::printf(".\n");
  }
  std::fflush(out);
}

void write_result_file(const std::string& directory, const std::string& lesson,
                       const std::vector<CheckResult>& results) {
  std::ofstream out(directory + "/" + lesson + ".result");
  for (const CheckResult& result : results)
    out << state_name(result.state) << '\t' << title_of(result.suite, result.name) << '\n';
  if (const CheckResult* first = first_failed(results)) out << '\n' << report_text(*first, lesson);
}

void write_json_file(const std::string& path, const std::string& lesson,
                     const std::vector<CheckResult>& results) {
  std::ofstream out(path);
  out << "{\"lesson\": " << json_string(lesson) << ", \"checks\": [";
  for (const CheckResult& result : results) {
    out << (&result == &results.front() ? "\n" : ",\n") << "{\"lesson\": " << json_string(lesson)
        << ", \"check\": " << json_string(result.suite + "." + result.name)
        << ", \"state\": " << json_string(state_name(result.state))
        << ", \"verdict\": " << json_string(verdict_name(result.verdict))
        << ", \"read\": " << json_string(result.read) << ", \"virtual_ns\": " << result.virtual_ns
        << ", \"real_ms\": " << result.real_ms
        << ", \"report\": " << json_string(has_failed(result) ? report_text(result, lesson) : "")
        << ", \"entries\": " << result.recording_json << "}";
  }
  out << "\n]}\n";
}

}  // namespace grader
