#include "console/course_map.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "course_config.hpp"
#include "report/style.hpp"

namespace console {
namespace {

constexpr int bar_width = 24;
constexpr const char* build_failure_mark = "does not build";

std::string result_path(const std::string& lesson) {
  return std::string(results_directory) + "/" + lesson + ".result";
}

LessonState read_state(const std::string& lesson) {
  LessonState state;
  state.lesson = lesson;
  std::ifstream in(result_path(lesson));
  std::string line;
  while (std::getline(in, line) && !line.empty()) {
    if (line == build_failure_mark) {
      state.does_not_build = true;
      return state;
    }
    ++state.total;
    const std::string check = line.substr(0, line.find('\t'));
    if (check == "passed") ++state.passed;
    if (check == "not started") ++state.not_started;
  }
  std::ostringstream rest;
  rest << in.rdbuf();
  state.report = rest.str();
  return state;
}

std::string remark(const LessonState& state) {
  if (state.does_not_build) return "does not build";
  if (state.is_untouched()) return "not started";
  return std::to_string(state.passed) + "/" + std::to_string(state.total);
}

}  // namespace

std::vector<LessonState> course_state() {
  std::vector<LessonState> result;
  for (const char* lesson : lessons) result.push_back(read_state(lesson));
  return result;
}

void note_build_failure(const std::string& lesson) {
  std::ofstream(result_path(lesson)) << build_failure_mark << '\n';
}

void forget_result(const std::string& lesson) { (void)std::remove(result_path(lesson).c_str()); }

void print_next(const std::vector<LessonState>& state, const std::string& lesson) {
  const auto is_open = [](const LessonState& s) { return !s.is_passed(); };
  const auto here = std::find_if(state.begin(), state.end(),
                                 [&](const LessonState& s) { return s.lesson == lesson; });
  auto next = std::find_if(here == state.end() ? state.begin() : here, state.end(), is_open);
  if (next == state.end()) next = std::find_if(state.begin(), state.end(), is_open);
  if (next == state.end())
    std::printf("All lessons are passed. What you have written, servers are made of.\n");
  else if (next->is_untouched())
    std::printf("Next: lessons/%s/README.md\n", next->lesson.c_str());
  else
    std::printf("Next: lessons/%s, %s. Failing is the expected start.\n", next->lesson.c_str(),
                remark(*next).c_str());
}

void print_course_map(const std::vector<LessonState>& state, bool with_report) {
  const grader::Style style(isatty(STDOUT_FILENO) == 1);
  const auto passed = static_cast<std::size_t>(
      std::count_if(state.begin(), state.end(), [](const auto& s) { return s.is_passed(); }));
  const auto filled = static_cast<int>(passed * bar_width / state.size());
  std::printf("Ready, Set, select()  [%s%s] %zu/%zu lessons\n\n",
              std::string(static_cast<std::size_t>(filled), '#').c_str(),
              std::string(static_cast<std::size_t>(bar_width - filled), '-').c_str(), passed,
              state.size());
  for (const LessonState& lesson : state) {
    const auto mark = lesson.is_passed()      ? grader::State::passed
                      : lesson.is_untouched() ? grader::State::not_started
                                              : grader::State::failing;
    std::printf("  %s %-24s %s\n", style.mark(mark).c_str(), lesson.lesson.c_str(),
                remark(lesson).c_str());
  }
  const auto failed =
      std::find_if(state.begin(), state.end(), [](const auto& s) { return !s.report.empty(); });
  if (with_report && failed != state.end())
    std::printf("\n%s %s\n", style.strong(failed->lesson + ":").c_str(), failed->report.c_str());
  std::printf("\n");
  print_next(state);
}

}  // namespace console
