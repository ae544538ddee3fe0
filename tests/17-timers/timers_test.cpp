// The graded checks of lesson 17.
#include "17-timers/timers.hpp"

#include "scenario/check.hpp"

using namespace grader;

LESSON("17-timers");

TEST(TimerQueue, RunsWhatIsDueInOrder) {
  explain({.rule = "The earliest first.", .why = "Time has one direction.", .read = "Your task"});
  using Point = course::TimerQueue::Point;
  course::TimerQueue timers;
  std::string order;
  timers.add(Point(31ms), [&] { order += "b"; });
  timers.add(Point(17ms), [&] { order += "a"; });
  timers.add(Point(31ms), [&] { order += "c"; });
  timers.run_due(Point(31ms));
  expect_equal(order, "abc", "The timers ran in this order.");
}
