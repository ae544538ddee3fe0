// What stands in the timeline of a check with several scenarios and several runs.
#include "report/timeline.hpp"

#include <memory>

#include "calls.hpp"
#include "runner/check_process.hpp"

using namespace grader_test;
using grader::Recording;
using grader::Side;
using grader::timeline_text;

namespace {

// A recording into which the tests write what a check would.
struct Written {
  Recording& recording = *Recording::create();

  void call(const char* text, Time time = 0s) {
    grader::Entry& entry = recording.open(Side::program, time.count());
    entry.end_ns = entry.start_ns;
    entry.end_sequence = recording.count;
    grader::put(entry.call, text);
    grader::put(entry.result, "0");
  }
  void scenario(const char* text, Time time = 0s) {
    recording.begin_scenario();
    ++recording.run_count;
    call(text, time);
  }
  void fails() { recording.add_failure("a_test.cpp", 1, "It failed."); }

  // The lines below the heading.
  [[nodiscard]] std::string timeline() const {
    const std::string text = timeline_text(recording);
    const auto heading_end = text.find('\n', text.find('\n') + 1) + 1;
    return text.substr(heading_end);
  }
};

}  // namespace

TEST(Timeline, OfOneRunHasNoMarks) {
  Written written;
  written.scenario("close(3)");
  written.recording.end_scenario();
  written.fails();
  EXPECT_EQ(written.timeline(), "  0.000 s  close(3) = 0                           |\n");
}

TEST(Timeline, TellsOneRunFromTheNext) {
  Written written;
  written.recording.begin_scenario();
  written.call("the check's own, before");
  for (int i = 0; i < 2; ++i) {
    ++written.recording.run_count;
    written.call("close(3)");
  }
  EXPECT_EQ(written.timeline(),
            "  0.000 s  the check's own, before = 0            |\n"
            "           close(3) = 0                           |\n"
            "           (the check calls again)                |\n"
            "           close(3) = 0                           |\n");
}

TEST(Timeline, TellsOneScenarioFromTheNext) {
  Written written;
  written.scenario("close(3)", 2s);
  written.scenario("close(4)");
  written.recording.finished = true;
  EXPECT_EQ(written.timeline(),
            "  2.000 s  close(3) = 0                           |\n"
            "  ---- scenario 2 --------------------------------+-----------------------------\n"
            "  0.000 s  close(4) = 0                           |\n");
}

TEST(Timeline, ShowsTheScenarioThatFailed) {
  Written written;
  for (const char* text : {"close(3)", "close(4)", "close(5)"}) {
    written.scenario(text);
    if (text == std::string("close(5)")) written.fails();
    written.recording.end_scenario();
  }
  EXPECT_EQ(written.timeline(),
            "           (2 earlier scenarios are left out)     |\n"
            "  0.000 s  close(5) = 0                           |\n");
}

TEST(Timeline, ShowsAllScenariosThatFailed) {
  Written written;
  for (const char* text : {"close(3)", "close(4)", "close(5)"}) {
    written.scenario(text);
    if (text != std::string("close(3)")) written.fails();
    written.recording.end_scenario();
  }
  written.scenario("close(6)");
  EXPECT_EQ(written.timeline(),
            "           (1 earlier scenario is left out)       |\n"
            "  0.000 s  close(4) = 0                           |\n"
            "  ---- scenario 3 --------------------------------+-----------------------------\n"
            "  0.000 s  close(5) = 0                           |\n");
}

TEST(Timeline, ShowsAllWhenTheFailureIsBetweenThem) {
  Written written;
  for (const char* text : {"close(3)", "close(4)"}) {
    written.scenario(text);
    written.recording.end_scenario();
  }
  written.fails();
  EXPECT_EQ(written.timeline(),
            "  0.000 s  close(3) = 0                           |\n"
            "  ---- scenario 2 --------------------------------+-----------------------------\n"
            "  0.000 s  close(4) = 0                           |\n");
}

TEST(Timeline, ShowsTheScenarioThatDidNotEnd) {
  Written written;
  written.scenario("close(3)");
  written.recording.end_scenario();
  written.scenario("recv(3, 16)");
  EXPECT_EQ(written.timeline(),
            "           (1 earlier scenario is left out)       |\n"
            "  0.000 s  recv(3, 16) = 0                        |\n");
}

TEST(Timeline, FoldsRunsThatAreAlike) {
  Written written;
  written.recording.begin_scenario();
  for (int i = 0; i < 200; ++i) {
    ++written.recording.run_count;
    written.call("socket()");
    written.call("close(3)");
  }
  EXPECT_EQ(written.timeline(),
            "  0.000 s  socket() = 0                           |\n"
            "           close(3) = 0                           |\n"
            "           (the check calls again)                |\n"
            "             (the same 198 times more)            |\n"
            "           socket() = 0                           |\n"
            "           close(3) = 0                           |\n");
}

TEST(Calls, AreThoseOfTheirScenario) {
  {
    Scenario earlier;
    const int fd = earlier.peer("alice").connected();
    earlier.run([&] { (void)sent(fd, "x"); });
    EXPECT_EQ(earlier.calls().size(), 1U);
  }
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  EXPECT_TRUE(scenario.calls().empty());
  for (int i = 0; i < 2; ++i) scenario.run([&] { (void)sent(fd, "x"); });
  EXPECT_EQ(scenario.calls().size(), 2U);

  const Recording& recording = grader::current_recording();
  EXPECT_EQ(recording.at(recording.count - 1).scenario, 2U);
  EXPECT_EQ(recording.at(recording.count - 1).run, 2U);
}
