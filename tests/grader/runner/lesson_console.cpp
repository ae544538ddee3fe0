#include "runner/lesson_console.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "report/timeline.hpp"
#include "report/wording.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

bool has_failed(const CheckResult& result) {
  return result.state != State::passed && result.state != State::not_started;
}

const CheckResult* first_failed(const std::vector<CheckResult>& results) {
  const auto it = std::find_if(results.begin(), results.end(), has_failed);
  return it == results.end() ? nullptr : &*it;
}

std::string title_of_last_failed(const std::vector<CheckResult>& results) {
  const auto it = std::find_if(results.rbegin(), results.rend(), has_failed);
  return it == results.rend() ? "" : title_of(it->suite, it->name);
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
  if (is_complete() || is_untouched()) return 0;
  return failed == 0 && broken_machine > 0 ? 99 : 1;
}

LessonConsole::LessonConsole(std::string lesson, bool speaks_tap)
    : lesson_(std::move(lesson)),
      speaks_tap_(speaks_tap),
      style_(!speaks_tap && isatty(STDOUT_FILENO) == 1) {
  if (speaks_tap_)
    std::printf("TAP version 13\n");
  else
    std::printf("Lesson %s\n", style_.strong(lesson_).c_str());
}

void LessonConsole::show(const CheckResult& result) {
  const std::string title = title_of(result.suite, result.name);
  const bool is_skipped = result.state == State::not_started;
  ++number_;
  if (speaks_tap_) {
    held_back_ += format("%s %zu - %s%s\n", has_failed(result) ? "not ok" : "ok", number_,
                         title.c_str(), is_skipped ? " # SKIP not started" : "");
    if (!is_skipped) has_started_ = true;
    if (has_started_) std::printf("%s", std::exchange(held_back_, {}).c_str());
  } else {
    std::string remark;
    if (is_skipped) remark = style_.faint("  not started");
    if (result.state == State::stuck) remark = std::string("  ") + verdict_name(result.verdict);
    std::printf("  %s %s%s\n", style_.mark(result.state).c_str(), title.c_str(), remark.c_str());
  }
  std::fflush(stdout);
}

void LessonConsole::end(const std::vector<CheckResult>& results, const Tally& tally,
                        bool every_report) {
  if (speaks_tap_) {
    // Skipped checks are no failure for Meson, but a lesson that has begun is not passed before its
    // end; and of one that has not begun the checks need no line each.
    if (tally.failed == 0 && has_started_ && !tally.is_complete())
      std::printf("not ok %zu - all checks are started and passed\n", ++number_);
    if (has_started_)
      std::printf("1..%zu\n", number_);
    else
      std::printf("1..0 # SKIP not started\n");
  }
  std::fflush(stdout);
  std::FILE* out = speaks_tap_ ? stderr : stdout;
  const CheckResult* first = first_failed(results);
  for (const CheckResult& result : results)
    if (has_failed(result) && (every_report || &result == first))
      std::fprintf(out, "\n%s", report_text(result, lesson_).c_str());
  summarize(results, tally);
}

void LessonConsole::summarize(const std::vector<CheckResult>& results, const Tally& tally) const {
  if (speaks_tap_ && (tally.is_untouched() || tally.is_complete())) return;  // Meson says it
  std::string text = format("%zu/%zu checks passed", tally.passed, tally.total());
  if (tally.failed > 0) text += format(", %zu failed", tally.failed);
  if (tally.broken_machine > 0) text += format(", %zu not judged", tally.broken_machine);
  if (tally.not_started > 0) text += format(", %zu not started", tally.not_started);
  text += ".";
  const auto not_started =
      std::find_if(results.begin(), results.end(),
                   [](const CheckResult& result) { return result.state == State::not_started; });
  if (tally.is_untouched())
    text += " Nothing is wrong: begin with lessons/" + lesson_ + "/README.md.";
  else if (tally.failed == 0 && not_started != results.end())
    text += " The next function to write: " + not_started->not_started + ".";
  else if (tally.failed > 1)
    text += " To read another one:";
  std::string summary = paragraph(text, 0);
  if (tally.failed > 1)  // in a line of its own, however long: it is there to be copied
    summary +=
        "  build/grade " + lesson_.substr(0, 2) + " \"" + title_of_last_failed(results) + "\"\n";
  std::fprintf(speaks_tap_ ? stderr : stdout, "\n%s", summary.c_str());
  std::fflush(nullptr);
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
        << ", \"report\": " << json_string(has_failed(result) ? report_text(result, lesson) : "");
    if (!result.recording_json.empty()) out << ", \"entries\": " << result.recording_json;
    out << "}";
  }
  out << "\n]}\n";
}

}  // namespace grader
