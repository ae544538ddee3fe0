#include "scenario/check.hpp"

#include <gtest/gtest.h>

#include "libc/caller_filter.hpp"
#include "runner/check_process.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

class Check : public testing::Test {
 public:
  explicit Check(void (*check)()) : check_(check) {}
  void TestBody() override { check_(); }

 private:
  void (*check_)();
};

}  // namespace

Registration::Registration(const char* suite, const char* name, void (*check)(), Where where) {
  testing::RegisterTest(suite, name, nullptr, nullptr, where.file, where.line,
                        [check] { return new Check(check); });
}

void explain(const Explanation& explanation) {
  Recording& recording = current_recording();
  put(recording.rule, explanation.rule);
  put(recording.why, explanation.why);
  put(recording.read, explanation.read);
}

std::string shown(const std::string& text) {
  const std::string size = text.size() > 64 ? " (" + byte_count(text.size()) + ")" : "";
  return quoted(text, 64) + size;
}
std::string shown(const char* text) { return shown(std::string(text)); }
std::string shown(Time time) { return to_text(time); }
std::string shown(bool value) { return value ? "true" : "false"; }

void fail(const std::string& sentence, Where where) {
  ADD_FAILURE_AT(where.file, where.line) << sentence;
}

bool has_failed() { return testing::Test::HasFailure(); }

bool expect_that(bool holds, const std::string& sentence, Where where) {
  if (!holds) fail(sentence, where);
  return holds;
}

}  // namespace grader
