/// @file
/// Runs one check in a process of its own and finds out how it ended.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "report/recording.hpp"
#include "report/state.hpp"
#include "runner/check_process.hpp"

namespace grader {

/// One complaint about the program, with the line of the check that makes it (0: none).
struct Complaint {
  std::string text, file;
  int line = 0;
};

/// How a check ended. The recording it left is in the runner until the next check runs.
struct CheckResult {
  std::string suite, name;  ///< "SendAll", "OffersTheRestAfterAShortSend"
  State state = State::infrastructure;
  Verdict verdict = Verdict::none;
  std::vector<Complaint> complaints;
  std::string hint;             ///< a diagnosis; may be empty
  std::string rule, why, read;  ///< its Explanation
  std::string not_started;      ///< the function whose stub was reached
  std::string output;           ///< what the program printed
  std::string timeline;         ///< both sides, as text
  std::string recording_json;   ///< the same as data; empty unless somebody asked for it
  std::int64_t virtual_ns = 0;  ///< virtual time that had passed, in all scenarios
  double real_ms = 0;           ///< for statistics only: no grade depends on it
};

/// Runs checks one after the other, each in a forked child with limits. The child's failures arrive
/// through shared memory; a check passes only if the child reported that it finished.
class CheckRunner {
 public:
  explicit CheckRunner(Limits limits = {});

  /// Runs `check` and waits for its end: at most Limits::real_seconds, usually a millisecond. When
  /// the machine failed, it runs once more.
  CheckResult run(const testing::TestInfo& check);

  /// Of the check that ran last, until the next one runs.
  [[nodiscard]] const Recording& recording() const { return *recording_; }

 private:
  CheckResult run_once(const testing::TestInfo& check);

  Limits limits_;
  Recording* recording_;
};

}  // namespace grader
