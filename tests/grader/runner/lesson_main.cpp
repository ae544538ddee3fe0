// The main() of every lesson's grading program.
//
//   lesson-NN-name [--tap] [--reports] [--results DIR] [--json FILE] [--gtest_filter=SUITE.NAME]
//   [--gtest_list_tests]
//
// Exit status: Tally::exit_status(); with --tap always 0, for Meson reads the protocol instead.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "given/not_started.hpp"
#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
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
  bool tap = false, every_report = false;
  std::string results_directory, json_file;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--tap") {
      options.tap = true;
    } else if (argument == "--reports") {
      options.every_report = true;
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

// The checks in the order in which they stand in the lesson's file; one only, when the filter names
// it.
std::vector<const testing::TestInfo*> selected_checks(const std::string& filter) {
  std::vector<const testing::TestInfo*> checks;
  const auto& unit_test = *testing::UnitTest::GetInstance();
  for (int i = 0; i < unit_test.total_test_suite_count(); ++i) {
    const testing::TestSuite* suite = unit_test.GetTestSuite(i);
    for (int k = 0; k < suite->total_test_count(); ++k) {
      const testing::TestInfo* check = suite->GetTestInfo(k);
      const std::string name = std::string(check->test_suite_name()) + "." + check->name();
      if (filter == "*" || filter == name) checks.push_back(check);
    }
  }
  return checks;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  const Options options = parse(argc, argv);
  const auto checks = selected_checks(GTEST_FLAG_GET(filter));
  if (checks.empty()) {
    std::fprintf(stderr, "%s: no check is named %s; --gtest_list_tests lists them\n", argv[0],
                 GTEST_FLAG_GET(filter).c_str());
    return 2;
  }
  grader::CheckRunner runner;
  grader::LessonConsole console(grader::lesson_name, checks.size(), options.tap);
  grader::Tally tally;
  std::vector<grader::CheckResult> results;
  for (const testing::TestInfo* check : checks) {
    results.push_back(runner.run(*check));
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
