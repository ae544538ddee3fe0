// grade: builds and grades lessons. For people, and for Meson; see usage below.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "console/course_map.hpp"
#include "console/lesson_build.hpp"
#include "console/stubs.hpp"
#include "course_config.hpp"

namespace {

constexpr const char* usage =
    "usage: grade LESSON [WORDS]   build and grade one lesson: 3, 03 or 03-send-and-receive;\n"
    "                              with WORDS only the checks whose names contain them\n"
    "       grade --map            where you stand\n";
// For Meson: --build-begun (before a run of all lessons), and --for-meson LESSON (as the test of
// that name: TAP on standard output, the report on standard error).

std::string program_of(const std::string& lesson) { return "lesson-" + lesson; }

// The lesson that `name` means; empty when there is none.
std::string find_lesson(const std::string& name) {
  const std::string number = name.size() == 1 ? "0" + name : name;
  for (const char* lesson : console::lessons)
    if (name == lesson || number == std::string(lesson).substr(0, 2)) return lesson;
  return {};
}

int list_lessons(const char* complaint, const std::string& name) {
  std::fprintf(stderr, "%s%s\nThe lessons are:\n", complaint, name.c_str());
  for (const char* lesson : console::lessons) std::fprintf(stderr, "  %s\n", lesson);
  return 2;
}

int report_build_failure(const std::string& lesson, const console::Build& build, bool for_meson) {
  console::note_build_failure(lesson);
  if (for_meson) std::printf("1..1\nnot ok 1 - builds\n");
  std::fflush(stdout);
  std::fprintf(stderr, "%s", console::build_failure_text(lesson, build).c_str());
  return for_meson ? 0 : 1;
}

int grade_lesson(const std::string& lesson, const std::string& words, bool for_meson) {
  const console::Build build = console::build({program_of(lesson)});
  if (!build.ok) return report_build_failure(lesson, build, for_meson);
  const std::string program = std::string(console::build_directory) + "/" + program_of(lesson);
  std::string command = console::shell_quoted(program) + " --results " +
                        console::shell_quoted(console::results_directory);
  if (for_meson) command += " --tap";
  if (!words.empty())  // a part of the checks is no result of the lesson
    command = console::shell_quoted(program) + " --check " + console::shell_quoted(words);
  std::fflush(stdout);
  const int status = std::system(command.c_str());
  if (!for_meson) {
    std::printf("\n");
    console::print_next(console::course_state(), lesson);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

// As Meson's test: without building anything for a lesson that nobody has begun.
int grade_for_meson(const std::string& lesson) {
  if (console::untouched_lessons().count(lesson) == 0) return grade_lesson(lesson, {}, true);
  console::forget_result(lesson);
  std::printf("TAP version 13\n1..0 # SKIP not started\n");
  return 0;
}

// Whatever has been begun, and the lesson that comes next.
int build_begun() {
  const std::set<std::string> untouched = console::untouched_lessons();
  std::vector<std::string> programs;
  bool has_next = false;
  for (const std::string lesson : console::lessons) {
    const bool is_untouched = untouched.count(lesson) > 0;
    if (!is_untouched || !has_next) programs.push_back(program_of(lesson));
    has_next |= is_untouched;
  }
  (void)console::build(programs);  // what does not build is told when that lesson's turn comes
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  mkdir(console::results_directory, 0777);
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "--map" && argc == 2) {
    console::print_course_map(console::course_state(), true);
    return 0;
  }
  if (first == "--build-begun" && argc == 2) return build_begun();
  const bool for_meson = first == "--for-meson";
  const bool is_help = first == "--help" || first == "-h";
  const int lesson_at = for_meson ? 2 : 1;
  if (is_help || argc <= lesson_at || argc > lesson_at + (for_meson ? 1 : 2)) {
    std::fprintf(is_help ? stdout : stderr, "%s", usage);
    return is_help ? 0 : 2;
  }
  const std::string name = argv[lesson_at];
  const std::string lesson = find_lesson(name);
  if (lesson.empty()) return list_lessons("There is no lesson ", name);
  if (for_meson) return grade_for_meson(lesson);
  return grade_lesson(lesson, argc > 2 ? argv[2] : "", false);
}
