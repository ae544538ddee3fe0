// The main() of every lesson's grading program; see usage() below.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "given/not_started.hpp"
#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "real_time/real_time.hpp"
#include "report/timeline.hpp"
#include "report/wording.hpp"
#include "runner/check_runner.hpp"
#include "runner/lesson_console.hpp"
#include "scenario/check.hpp"

// In the grader, reaching a stub ends the check, wherever it is called from.
void course::not_started(const char* function) noexcept {
  grader::inside_program = 0;
  grader::put(grader::current_recording().not_started, function);
  std::fflush(nullptr);
  grader::real().exit_now(0);
  __builtin_unreachable();
}

namespace {

struct Options {
  bool tap = false, every_report = false, recordings = false;
  std::string words, results_directory, json_file;
};

int usage(const char* program) {
  std::printf(
      "usage: %s [--check WORDS] [--reports] [--tap] [--results DIR] [--json FILE]\n"
      "       [--recordings]\n\n"
      "Grades the lesson that it was built with.\n\n"
      "  --check WORDS   only the checks in whose name these words stand\n"
      "  --reports       every check that failed, whole, not only the first\n"
      "  --tap           the Test Anything Protocol on standard output; status 0\n"
      "  --results DIR   also write DIR/LESSON.result, for the course map\n"
      "  --json FILE     also write the results as data\n"
      "  --recordings    and with them every call that was recorded\n"
      "  --gtest_list_tests, --gtest_filter=SUITE.NAME   as in GoogleTest\n\n"
      "Status: 0 all passed or nothing is started, 1 not all passed, 2 wrong usage,\n"
      "99 the machine failed.\n",
      program);
  return 0;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--tap") {
      options.tap = true;
    } else if (argument == "--reports") {
      options.every_report = true;
    } else if (argument == "--recordings") {
      options.recordings = true;
    } else if (argument == "--check" && i + 1 < argc) {
      options.words = argv[++i];
    } else if (argument == "--results" && i + 1 < argc) {
      options.results_directory = argv[++i];
    } else if (argument == "--json" && i + 1 < argc) {
      options.json_file = argv[++i];
    } else {
      std::fprintf(stderr, "%s: unknown argument: %s\n", argv[0], argv[i]);
      std::exit(2);
    }
  }
  return options;
}

bool contains(const std::string& text, const std::string& words) {
  const auto same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return std::search(text.begin(), text.end(), words.begin(), words.end(), same) != text.end();
}

// The checks in the order in which they stand in the lesson's file; only those that are asked for.
std::vector<const testing::TestInfo*> selected_checks(const std::string& filter,
                                                      const std::string& words) {
  std::vector<const testing::TestInfo*> checks;
  const auto& unit_test = *testing::UnitTest::GetInstance();
  for (int i = 0; i < unit_test.total_test_suite_count(); ++i) {
    const testing::TestSuite* suite = unit_test.GetTestSuite(i);
    for (int k = 0; k < suite->total_test_count(); ++k) {
      const testing::TestInfo* check = suite->GetTestInfo(k);
      const std::string name = std::string(check->test_suite_name()) + "." + check->name();
      const std::string title = grader::title_of(check->test_suite_name(), check->name());
      if (filter != "*" && filter != name) continue;
      if (contains(name, words) || contains(title, words)) checks.push_back(check);
    }
  }
  return checks;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--real-time") return grader::real_time_main(argc, argv);
  if (argc == 2 && std::string(argv[1]) == "--help") return usage(argv[0]);
  testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  const Options options = parse(argc, argv);
  const auto checks = selected_checks(GTEST_FLAG_GET(filter), options.words);
  if (checks.empty()) {
    std::fprintf(stderr, "No check has that name. The checks are:\n");
    for (const testing::TestInfo* check : selected_checks("*", ""))
      std::fprintf(stderr, "  %s\n",
                   grader::title_of(check->test_suite_name(), check->name()).c_str());
    return 2;
  }
  grader::CheckRunner runner;
  grader::LessonConsole console(grader::lesson_name, options.tap);
  grader::Tally tally;
  std::vector<grader::CheckResult> results;
  for (const testing::TestInfo* check : checks) {
    results.push_back(runner.run(*check));
    if (options.recordings)
      results.back().recording_json = grader::recording_as_json(runner.recording());
    tally.add(results.back().state);
    console.show(results.back());
  }
  console.end(results, tally, options.every_report);
  if (!options.results_directory.empty())
    grader::write_result_file(options.results_directory, grader::lesson_name, results);
  if (!options.json_file.empty())
    grader::write_json_file(options.json_file, grader::lesson_name, results);
  return options.tap ? 0 : tally.exit_status();
}
