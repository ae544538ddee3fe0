// The graded checks of lesson 19.
#include "19-event-loop/event_loop.hpp"

#include "scenario/check.hpp"

using namespace grader;

LESSON("19-event-loop");

TEST(Loop, ReturnsWhenThereIsNothingToWaitFor) {
  explain({.rule = "run() ends with the last timer.",
           .why = "Nothing can wake it.",
           .read = "Your task"});
  Scenario s;
  std::optional<course::Loop> loop;
  Time ran{};
  s.run([&] {
    loop.emplace();
    loop->after(31ms, [&] { ran = s.now(); });
    loop->run();
    loop.reset();
  });
  expect_equal(ran, Time(31ms), "The timer ran at this time.");
}
