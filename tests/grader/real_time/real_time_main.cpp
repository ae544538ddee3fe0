// One check in both worlds; see real_time_main() in real_time.hpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "real_time/real_time.hpp"
#include "report/timeline.hpp"
#include "report/wording.hpp"
#include "runner/check_runner.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr double late_seconds_max = 4;

const testing::TestInfo* find_check(const std::string& name) {
  const auto& unit_test = *testing::UnitTest::GetInstance();
  for (int i = 0; i < unit_test.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *unit_test.GetTestSuite(i);
    for (int k = 0; k < suite.total_test_count(); ++k) {
      const testing::TestInfo* check = suite.GetTestInfo(k);
      if (name == std::string(check->test_suite_name()) + "." + check->name()) return check;
    }
  }
  return nullptr;
}

struct Outcome {
  const char* name;
  std::string detail;
  std::string lacked = {};
};

// A program that waits in real time looks blocked, and the thread that drives it is no thread of
// the program's.
Limits real_time_limits(Time needed) {
  Limits limits;
  limits.real_seconds = std::chrono::duration<double>(needed).count() + late_seconds_max;
  limits.blocked_seconds = limits.real_seconds;
  limits.filter_system_calls = false;
  return limits;
}

Outcome run_both(const testing::TestInfo& check, std::string& rule) {
  const CheckResult simulated = CheckRunner().run(check);
  rule = simulated.rule;
  if (simulated.state != State::passed) return {"broken", report_text(simulated, lesson_name)};
  const Instants predicted = instants_of(current_recording());
  const Time needed(current_recording().program_ns);
  // Scripts go on after the program's turns; those of several scenarios, one after the other.
  const Time to_the_end = std::min(Time(current_recording().virtual_ns), needed + 2 * patience);
  if (needed > patience) return {"too long", to_text(needed)};
  if (!enter_own_network()) return {"broken", "the loopback of a new network does not start"};
  run_in_real_time(predicted);
  const CheckResult real = CheckRunner(real_time_limits(to_the_end)).run(check);
  if (const std::string what = get(current_recording().only_simulated); !what.empty())
    return {"simulation only", what};
  if (real.state == State::infrastructure) return {"broken", report_text(real, lesson_name)};
  const std::string lacked = get(current_recording().lacked);
  if (real.state != State::passed && !lacked.empty()) return {"simulation only", lacked};
  if (real.state != State::passed) return {"disagrees", report_text(real, lesson_name)};
  return {"agrees", to_text(needed), lacked};
}

}  // namespace

int real_time_main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const testing::TestInfo* check = argc == 3 ? find_check(argv[2]) : nullptr;
  if (check == nullptr) {
    std::fprintf(stderr, "usage: %s --real-time SUITE.NAME\n", argv[0]);
    return 2;
  }
  std::string rule;
  const Outcome outcome = run_both(*check, rule);
  std::printf("{\"outcome\": %s, \"detail\": %s, \"lacks\": %s, \"rule\": %s}\n",
              json_string(outcome.name).c_str(), json_string(outcome.detail).c_str(),
              json_string(outcome.lacked).c_str(), json_string(rule).c_str());
  return 0;
}

}  // namespace grader
