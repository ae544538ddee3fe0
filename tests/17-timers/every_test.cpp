// The graded checks of lesson 17: timers that repeat, and the functions of all.
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "17-timers/timers.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "timer_log.hpp"

using namespace grader;

// Rule: the next time is counted from the time that was meant, not from that of the call.
TEST(Every, DoesNotDrift) {
  explain({.rule =
               "An `every` is due at first, first + interval, first + 2 * interval, ..., however "
               "late each call was.",
           .why = "A clock that loses 13 ms in each second is eighteen minutes late after a day.",
           .read = "Again and again"});
  constexpr Time late = 13ms, interval = 1s + 700us;
  TimerLog log;
  log.every("tick", 170ms, interval);

  Time now = 0s;
  for (int i = 0; i < 20; ++i) {
    const auto wait = log.timers.until_next(log.at(now));
    if (!expect_that(wait.has_value(),
                     "A timer that repeats was left, and until_next() said "
                     "nothing."))
      return;
    now += *wait;
    const Time wanted = 170ms + i * interval;
    if (!expect_that(now == wanted,
                     format("A timer repeats every 1.0007 s, from 0.17 s on, and each call came 13 "
                            "ms late. Call %d was due at %s instead of %s. Its times are first + n "
                            "* interval, however late the calls are.",
                            i + 1, shown(now).c_str(), shown(wanted).c_str())))
      return;
    now += late;
    if (!log.expect_calls(now, "tick", "One timer repeats every 1.0007 s, from 0.17 s on")) return;
  }
}

// Rule: what was missed is over.
TEST(Every, SkipsWhatItHasMissed) {
  explain({.rule =
               "After a pause an `every` is called once, and then at the next of its times that "
               "is still to come.",
           .why = "A laptop that wakes up after a night would announce 28,800 seconds at once.",
           .read = "Again and again"});
  TimerLog log;
  log.every("tick", 170ms, 1s);
  const char* const story = "One timer repeats every second, from 0.17 s on";
  if (!log.expect_calls(170ms, "tick", story) ||
      !log.expect_calls(60s, "tick",
                        std::string(story) + ", and the next run_due() came at 60 s") ||
      !log.expect_calls(60s, "", "One call makes up for all that was missed"))
    return;
  if (!log.expect_calls(60170ms - 1ns, "", "Its next time is 60.17 s") ||
      !log.expect_calls(60170ms, "tick", "Its next time is 60.17 s"))
    return;
  if (log.expect_calls(90170ms, "tick", "The pause ended at 90.17 s, one of its times"))
    log.expect_calls(91170ms - 1ns, "", "It was called at 90.17 s, so its next time is 91.17 s");
}

// Rule: who repeats can be stopped, best of all by itself.
TEST(Every, EndsWhenItIsCancelled) {
  explain({.rule = "cancel() ends an `every` for good, also from its own function; it was still to "
                   "run again, so the answer is true.",
           .why = "\"Try again every second until it works\" ends from within.",
           .read = "Cancelling"});
  TimerLog log;
  int runs = 0;
  std::string answers;
  TimerLog::Id self = 0;
  self = log.every("a", 17ms, 100ms, [&] {
    if (++runs < 3) return;
    for (int i = 0; i < 2; ++i) answers += log.timers.cancel(self) ? "yes " : "no ";
  });
  const auto b = log.every("b", 31ms, 100ms);

  if (!log.expect_calls(53ms, "a b", "Both are due") ||
      !log.expect_calls(153ms, "a b", "Both are due again") ||
      !log.expect_cancel(b, true, "b repeats") ||
      !log.expect_cancel(b, false, "b had been cancelled") ||
      !log.expect_calls(253ms, "a", "b had been cancelled, between two of its times") ||
      !expect_equal(answers, "yes no ",
                    "a cancelled itself in its third call, twice, and was told:"))
    return;
  if (log.expect_calls(10s, "", "a had cancelled itself in its third call"))
    expect_that(log.timers.size() == 0 && !log.timers.until_next(log.at(10s)),
                "Both had been cancelled, and the queue said that something is still to run.");
}

// Rule: the interval moves time on.
TEST(Every, RefusesAnIntervalOfNothing) {
  explain(
      {.rule = "An interval must be more than zero, else std::invalid_argument; nothing is added.",
       .why = "Every zero seconds is a busy loop with a queue around it.",
       .read = "Your task"});
  TimerLog log;
  for (const Time interval : {Time(0), Time(-1)}) {
    bool is_refused = false;
    try {
      log.every("a", 17ms, interval);
    } catch (const std::invalid_argument&) {
      is_refused = true;
    }
    if (!expect_that(
            is_refused && log.timers.size() == 0,
            format("every() with an interval of %s threw no std::invalid_argument, or kept "
                   "the timer.",
                   shown(interval).c_str())))
      return;
  }
}

// Rule: a function is an object, with a state and a lifetime.
TEST(Every, CallsTheSameObjectWhichOutlivesItsCall) {
  explain({.rule = "It is the same function object each time, and it lives until its call has "
                   "returned, though it cancels its own timer.",
           .why =
               "A lambda keeps what it captured inside itself: destroyed in its own call, it goes "
               "on with freed memory.",
           .read = "Again and again"});
  TimerLog log;
  std::vector<int> counts;
  log.timers.every(log.at(17ms), 100ms,
                   [&counts, count = 0]() mutable { counts.push_back(++count); });
  for (int i = 0; i < 3; ++i) log.timers.run_due(log.at(17ms + i * 100ms));
  if (!expect_equal(counts, std::vector<int>{1, 2, 3},
                    "A function counts its calls in a variable of its own. It counted:"))
    return;
  for (const bool repeats : {true, false}) {
    auto captured = std::make_shared<int>(0);
    const std::weak_ptr<int> watch = captured;
    bool is_alive = false;
    TimerLog::Id self = 0;
    std::function<void()> function = [&log, &watch, &is_alive, &self, held = std::move(captured)] {
      // What it captured is not to be trusted after the cancel, if the program is wrong.
      TimerLog& other = log;
      const std::weak_ptr<int>& still = watch;
      bool& answer = is_alive;
      (void)log.timers.cancel(self);
      for (int i = 0; i < 100; ++i) other.add("x", 9s);
      answer = !still.expired();
    };
    const auto when = log.at(300ms);
    self = repeats ? log.timers.every(when, 1s, std::move(function))
                   : log.timers.add(when, std::move(function));
    log.timers.run_due(log.at(310ms));
    if (!expect_that(is_alive,
                     "A function cancelled its own timer, and what it had captured was "
                     "destroyed while it was running. Keep it until it has returned."))
      return;
  }
}

// Rule: a queue can be moved with all that is in it.
TEST(Every, GoesOnInAQueueThatWasMoved) {
  explain({.rule = "A queue that was moved goes on with all its timers; the one it is moved into "
                   "gives up its own.",
           .why = "A server that owns a queue is itself moved into its place.",
           .read = "Your task"});
  TimerLog log;
  const auto a = log.add("a", 17ms);
  log.every("b", 23ms, 100ms);
  log.add("c", 231ms);
  const auto d = log.add("d", 232ms);
  if (!log.expect_calls(29ms, "a b", "Both are due")) return;

  course::TimerQueue moved = std::move(log.timers);
  log.called.clear();

  const bool a_was_there = moved.cancel(a), d_was_there = moved.cancel(d);
  if (!expect_that(!a_was_there && d_was_there,
                   format("The queue was moved at 29 ms, when a had run and d had not. Afterwards "
                          "cancel() said %s for a, and %s for d.",
                          shown(a_was_there).c_str(), shown(d_was_there).c_str())))
    return;
  course::TimerQueue other;
  const auto captured = std::make_shared<int>(0);
  other.add(log.at(127ms), [captured] {});
  other = std::move(moved);
  if (!expect_that(captured.use_count() == 1,
                   "A queue with one timer was assigned another, and what the function of its "
                   "timer had captured was still held. It gives up its own."))
    return;
  for (const Time now : {127ms, 233ms}) other.run_due(log.at(now));
  expect_equal(log.called, "b b c",
               "b repeats, at 123 and 223 ms, and c was for 231 ms. The queue was moved at 29 ms, "
               "twice, and at 127 and 233 ms it called:");
}
