// The graded checks of lesson 17: what a TimerQueue calls, and when. Those of repeated timers are
// in every_test.cpp, those of the chat in client_times_test.cpp and timed_chat_test.cpp.
#include "17-timers/timers.hpp"

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "timer_log.hpp"

using namespace grader;

LESSON("17-timers");

// Rule: a timer runs once, at the first look at which its time has come, and not a moment earlier.
TEST(TimerQueue, CallsWhatIsDueInTheOrderOfTheTimes) {
  explain({.rule = "run_due(now) calls each timer whose time has come, once, the earliest first.",
           .why = "What was to happen first happens first, also when you come late to both.",
           .read = "A queue of functions"});
  TimerLog log;
  log.add("c", 31ms);
  log.add("a", 17ms);
  log.add("d", 53ms);
  log.add("b", 23ms);

  if (!log.expect_calls(17ms - 1ns, "", "The first timer is due at 17 ms") ||
      !log.expect_calls(31ms, "a b c", "Due at 17, 23 and 31 ms") ||
      !log.expect_calls(31ms, "", "All that was due had been called"))
    return;
  log.add("e", 5ms);  // long past
  log.add("f", 41ms);
  if (!log.expect_calls(47ms, "e f",
                        "Added at 31 ms: one for 5 ms, which had passed, and one for 41"))
    return;
  log.expect_calls(10s, "d", "One was left, for 53 ms");
}

// Rule: of those of one time, the order is that in which they were added.
TEST(TimerQueue, CallsThoseOfOneTimeInTheOrderAdded) {
  explain(
      {.rule = "Timers of one time are called in the order in which they were added.",
       .why = "Whoever adds \"say goodbye\" and then \"close\" for the same moment means it so.",
       .read = "A queue of functions"});
  TimerLog log;
  std::string wanted;
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::to_string(i);
    log.add(name, 31ms);
    log.add("x" + name, 97ms);
    wanted += (i == 0 ? "" : " ") + name;
  }

  log.expect_calls(53ms, wanted, "20 timers for 31 ms, and 20 others for 97 ms");
}

// Rule: a cancelled timer does not run, and its number is nobody else's.
TEST(TimerQueue, CancelsForGood) {
  explain(
      {.rule =
           "cancel() says whether the timer was still to run, and then it does not; its function "
           "is destroyed. An id is never used again.",
       .why = "With a number that is used again, the cancel of a timer that has run stops a "
              "stranger's.",
       .read = "Cancelling"});
  TimerLog log;
  const auto a = log.add("a", 17ms);
  const auto b = log.add("b", 23ms);
  const auto c = log.add("c", 31ms);

  if (!log.expect_cancel(b, true, "b was still to run") ||
      !log.expect_cancel(b, false, "b had been cancelled already") ||
      !log.expect_calls(19ms, "a", "a is due at 17 ms, b was cancelled") ||
      !log.expect_cancel(a, false, "a had run") ||
      !log.expect_cancel(a + b + c + 4711, false, "There was never such a timer"))
    return;
  std::set<course::TimerQueue::Id> used = {a, b, c};
  for (int i = 0; i < 20; ++i) {
    const auto id = log.add("d" + std::to_string(i), i % 2 == 0 ? 20ms : 10s);
    if (!expect_that(used.insert(id).second,
                     format("Timer %llu had run or been cancelled, and a new one got the same "
                            "number. Whoever still holds it would stop the wrong one.",
                            static_cast<unsigned long long>(id))))
      return;
    if (i % 2 != 0) log.timers.cancel(id);
    if (i % 3 == 0) log.timers.run_due(log.at(21ms));
  }
  log.called.clear();
  if (!log.expect_calls(10s, "c", "c was left, for 31 ms")) return;
  const auto captured = std::make_shared<int>(0);
  log.timers.cancel(log.timers.add(log.at(24h), [captured] {}));
  log.timers.cancel(log.timers.every(log.at(24h), 1s, [captured] {}));
  expect_that(captured.use_count() == 1,
              "Two timers for tomorrow were cancelled, and what their functions had captured was "
              "still held. cancel() destroys the function: nobody will call it any more.");
}

// Rule: who is cancelled while it is due does not run.
TEST(TimerQueue, LetsAFunctionCancelWhatIsDue) {
  explain({.rule = "A function may cancel a timer that is due in the same run_due(): it is not "
                   "called any more.",
           .why = "The first timer of a client that is closed takes the others along; they would "
                  "find nobody.",
           .read = "Cancelling"});
  TimerLog log;
  std::vector<course::TimerQueue::Id> ids(6);
  std::string answers;
  ids[0] = log.add("a", 17ms);
  ids[1] = log.add("b", 17ms, [&] {
    for (const auto id : ids) answers += log.timers.cancel(id) ? "yes " : "no ";
  });
  ids[2] = log.add("c", 17ms);
  ids[3] = log.add("d", 23ms);
  ids[4] = log.add("e", 10s);
  ids[5] = log.every("g", 27ms, 1s);
  log.add("f", 29ms);

  if (!log.expect_calls(
          31ms, "a b f",
          "At 31 ms a, b, c, d, f and g, which repeats, were due; b cancelled all but f"))
    return;
  if (!expect_equal(answers, "no no yes yes yes yes ",
                    "b cancelled a, which had run, itself, which was running, and c, d, e and g, "
                    "which were still to run."))
    return;
  log.expect_calls(20s, "", "b had cancelled e and g as well");
}

// Rule: one run_due() calls what was there when it began, so that it ends.
TEST(TimerQueue, CallsWhatIsAddedMeanwhileNextTime) {
  explain({.rule = "A timer that is added while run_due() runs is not called before the next one, "
                   "though it may be due.",
           .why = "A function that re-arms itself for now would run for ever, and no client be "
                  "served.",
           .read = "One round at a time"});
  constexpr int many = 1000;
  TimerLog log;
  int runs = 0;
  std::function<void()> again = [&] {
    if (++runs < many) log.timers.add(log.at(17ms), again);
  };
  log.timers.add(log.at(17ms), again);
  for (int round = 1; round <= 3; ++round) {
    const std::size_t count = log.timers.run_due(log.at(31ms));
    if (!expect_that(runs == round && count == 1,
                     format("A timer re-armed for now ran %d times in one run_due(), which "
                            "returned %zu. Call only those that were due when it began.",
                            runs - round + 1, count)))
      return;
  }
  log.add("a", 41ms, [&] { log.add("c", 5ms); });
  log.add("b", 43ms);
  runs = many;
  log.timers.run_due(log.at(32ms));
  if (log.expect_calls(53ms, "a b", "a, for 41 ms, added c for 5 ms; b was due at 43 ms"))
    log.expect_calls(53ms, "c", "Now c is called");
}

// Rule: an exception says what its function says, and nothing about the others.
TEST(TimerQueue, GoesOnAfterAnException) {
  explain({.rule =
               "An exception passes through run_due(). Its timer counts as run; what else is due "
               "stays due, and an `every` goes on.",
           .why = "One bad function must not take the timers of all others with it.",
           .read = "A queue of functions"});
  const auto fails = [] { throw std::runtime_error("a function failed"); };
  TimerLog log;
  log.add("a", 17ms);
  log.add("b", 23ms, fails);
  log.add("c", 29ms);
  log.every("d", 31ms, 100ms, fails);
  log.add("e", 37ms);
  std::vector<std::string> rounds;
  for (int i = 0; i < 4; ++i) {
    log.called.clear();
    std::string passed = " end";
    try {
      log.timers.run_due(log.at(i < 3 ? 53ms : 131ms));
    } catch (const std::runtime_error&) {
      passed = " thrown";
    }
    rounds.push_back(log.called + passed);
  }

  expect_equal(rounds, std::vector<std::string>{"a b thrown", "c d thrown", "e end", "d thrown"},
               "b, and d, which repeats, threw exceptions. run_due() was called three times at "
               "53 ms and once at 131 ms; it called:");
}

// Rule: the queue tells how long select may wait.
TEST(TimerQueue, TellsHowLongToWait) {
  explain({.rule =
               "until_next(now) is the time until the first timer is due: never less than zero, "
               "and nothing when there is none.",
           .why = "It goes to select as it is: too long is late, too short is a turn for nothing, "
                  "and less than zero is EINVAL.",
           .read = "The nearest of all"});
  using Wait = std::optional<course::Duration>;
  TimerLog log;
  const auto expect = [&](Time now, Wait wanted, const char* story) {
    const Wait wait = log.timers.until_next(log.at(now));
    const auto text = [](Wait time) { return time ? shown(Time(*time)) : "nothing"; };
    return expect_that(wait == wanted,
                       format("%s. At %s until_next() was %s, and not %s.", story,
                              shown(now).c_str(), text(wait).c_str(), text(wanted).c_str()));
  };
  if (!expect(5ms, std::nullopt, "There was no timer: nothing would ever be due")) return;
  log.add("b", 31ms);
  const auto a = log.add("a", 17ms + 1ns);
  if (!expect(5ms, 12ms + 1ns, "The first of two timers is due at 17.000001 ms") ||
      !expect(17ms + 1ns, 0s, "The first timer is due just now") ||
      !expect(53ms, 0s, "Both timers were overdue"))
    return;
  log.timers.cancel(a);
  if (!expect(5ms, 26ms, "The first timer was cancelled, and the second is due at 31 ms")) return;
  log.timers.run_due(log.at(31ms));
  if (!expect(31ms, std::nullopt, "The last timer had run")) return;
  log.every("c", 41ms, 100ms);
  log.timers.run_due(log.at(53ms));
  if (!expect(53ms, 88ms, "One timer repeats, at 41 ms, 141 ms, ...") ||
      !expect_equal(log.timers.size(), 1U, "A timer that repeats is still to run. size():"))
    return;
  log.timers.cancel(log.timers.add(log.at(97ms), [] {}));
  expect(53ms, 88ms, "A timer for 97 ms had come and been cancelled, and the next is at 141 ms");
}

// Rule: never is a time too.
TEST(TimerQueue, BearsTimesFarAway) {
  explain(
      {.rule = "Any point in time will do: Point::min() is long past, Point::max() never comes.",
       .why = "A difference that overflows turns \"never\" into \"at once\", and spins.",
       .read = "The nearest of all"});
  using Point = course::TimerQueue::Point;
  using Duration = course::Duration;
  TimerLog log;
  const Point now = log.at(31ms);
  const auto is_far = [&] {
    const auto wait = log.timers.until_next(now);
    return !wait || *wait > 24h * 365 * 100;
  };
  log.timers.add(Point::max(), log.function("never"));
  if (!expect_that(is_far(),
                   "The only timer was for Point::max(), and until_next() said less than a "
                   "century."))
    return;
  log.timers.add(Point::min(), log.function("a"));
  if (!expect_equal(log.timers.until_next(now).value_or(1h), Duration::zero(),
                    "A timer was for Point::min(), long past, and until_next() said:"))
    return;
  log.timers.every(log.at(17ms), Duration::max(), log.function("b"));
  if (!log.expect_calls(31ms, "a b", "One timer for Point::min(), one for 17 ms")) return;
  if (!expect_that(is_far(),
                   "What was left was for a time centuries away, and until_next() said "
                   "less."))
    return;
  log.expect_calls(24h * 365, "", "What was left was for a time centuries away");
}

// Rule: a server has a timer or two for each client, and moves them all the time.
TEST(TimerQueue, CostsLittleWithManyTimers) {
  explain({.rule = "Adding, cancelling and calling a timer costs about the same with 60,000 timers "
                   "as with ten.",
           .why = "Every line of every client cancels a timer and adds another.",
           .read = "What it costs"});
  constexpr std::size_t many = 60'000;
  TimerLog log;
  Scenario s;
  s.when_computing_too_long(
      "60000 timers were added, 20000 called, one in each run_due(), and all others cancelled one "
      "after the other. Whoever looks at all of them each time looks thousands of millions of "
      "times. Keep them in order, with a way to find each.");
  std::vector<course::TimerQueue::Id> ids(many);
  std::size_t runs = 0;
  const auto time = [&](std::size_t i) { return log.at(1s) + (many - i) * 1us; };

  s.run([&] {
    for (std::size_t i = 0; i < many; ++i) ids[i] = log.timers.add(time(i), [&runs] { ++runs; });
    for (std::size_t i = many; i > many - many / 3; --i) log.timers.run_due(time(i - 1));
    for (std::size_t i = 0; i < many; ++i) {
      log.timers.cancel(ids[i]);
      if (i % 10 == 0) log.timers.add(time(i) + 1s, [&runs] { ++runs; });
    }
    for (int i = 1; i <= 100; ++i) log.timers.run_due(log.at(2s + i * 1ms));
  });

  expect_equal(runs, many / 3 + many / 10,
               "One in three came due, one in ten was added again, and so many ran:");
}
