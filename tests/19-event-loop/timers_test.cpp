// The graded checks of lesson 19: timers, and that nobody keeps the others waiting.
#include <csignal>
#include <string>
#include <vector>

#include "19-event-loop/event_loop.hpp"
#include "looping.hpp"
#include "scenario/check.hpp"

using namespace grader;

// Rule: the timeout of select is the time until the nearest timer, rounded up.
TEST(Loop, RunsTimersOnTime) {
  explain({.rule = "A timer runs once, at its time and never earlier; what is due runs in the "
                   "order of the times, and those of one time in the order in which they were set.",
           .why = "A limit that comes early breaks a promise; one that comes late is none.",
           .read = "In time"});
  Looping s;
  s.wall_clock_jumps_at(53ms, 2h);
  s.first([&] {
    Loop& loop = s.loop();
    for (const course::Duration time :
         {course::Duration::min(), course::Duration(-1h), course::Duration::zero()})
      loop.after(time, s.notes("zero"));
    loop.after(7min, s.notes("seven minutes"));
    loop.after(1219ms, [&] {
      s.note("a second");
      s.be_busy(100ms);
      loop.after(53ms, s.notes("set after work"));
    });
    loop.after(347ms, s.notes("first of two"));
    loop.after(347ms, s.notes("second of two"));
    loop.after(31ms + 700ns, s.notes("between microseconds"));
    loop.after(31ms, [&] {
      s.note("the first");
      loop.after(100ms, s.notes("set by a timer"));
    });
    loop.after(course::Duration::max(), s.notes("never"));
    loop.after(30 * 24h, [&] {
      s.note("a month");
      loop.stop();
    });
  });

  s.wants({{0s, "zero"},
           {0s, "zero"},
           {0s, "zero"},
           {31ms, "the first"},
           {31ms + 700ns, "between microseconds"},
           {131ms, "set by a timer"},
           {347ms, "first of two"},
           {347ms, "second of two"},
           {1219ms, "a second"},
           {1372ms, "set after work"},
           {7min, "seven minutes"},
           {30 * 24h, "a month"}});

  s.run_loop();

  s.expect_called(
      "Timers were set for times less than zero and for zero, for 0.031 s and 0.7 us more, twice "
      "for "
      "0.347 s, for 1.219 s, 7 min, 30 days and for ever. The one at 0.031 s set another, 0.1 s "
      "later; "
      "the one at 1.219 s was busy for 0.1 s and then set one 0.053 s later. The wall clock jumped "
      "at "
      "0.053 s.");
}

// Rule: a timer that is due and one that was cancelled meet in one turn.
TEST(Loop, RunsNoTimerThatWasCancelled) {
  explain({.rule = "From cancel() on a timer does not run any more, though it may be due in this "
                   "very turn; cancel() says whether it was still to run.",
           .why = "The time-out of a client that has just answered must not drop it.",
           .read = "The list changes while you walk along it"});
  Looping s;
  std::vector<Loop::Token> tokens;
  std::string answers;
  const auto cancel = [&](std::size_t which) {
    answers += s.loop().cancel(tokens.at(which)) ? "true " : "false ";
  };
  s.first([&] {
    tokens.push_back(s.loop().after(347ms, [&] {
      s.note("one");
      cancel(1);
      cancel(1);
    }));
    tokens.push_back(s.loop().after(347ms, s.notes("two")));
    tokens.push_back(s.loop().after(347ms, [&] {
      s.note("three");
      cancel(0);
    }));
    tokens.push_back(s.loop().after(31ms, s.notes("four")));
    tokens.push_back(s.loop().after(131ms, [&] {
      s.note("five");
      cancel(3);
    }));
    tokens.push_back(s.loop().after(1h, s.notes("six")));
    cancel(5);
    cancel(5);
  });

  s.wants({{31ms, "four"}, {131ms, "five"}, {347ms, "one"}, {347ms, "three"}});

  s.run_loop();

  s.expect_called(
      "One, two and three were set for 0.347 s; one, which ran first, cancelled two. "
      "Six was cancelled before it began.") &&
      expect_equal(answers, std::string("true false false true false false "),
                   "six was cancelled, twice; four when it had run; two when it was due, twice; "
                   "one when it had run. cancel() said:") &&
      expect_all_differ([&] { return s.loop().after(1h, {}); },
                        [&](Loop::Token token) { s.loop().cancel(token); },
                        "timers were set and cancelled");
}

// Rule: a turn has an end. What comes up meanwhile waits for the next one.
TEST(Loop, KeepsNobodyWaiting) {
  explain({.rule = "A watcher, a timer or a post that always has more to do keeps none of the "
                   "others waiting: each has its part of every turn.",
           .why = "One busy client, or one timer that is set for now again and again, would stop "
                  "everybody else.",
           .read = "A turn has an end"});
  constexpr int times = 20;
  Looping s;
  const std::array<std::string, 4> all = {"alice", "bob", "the timer", "the post"};
  for (const std::string& who : {all[0], all[1]}) {
    const int fd = s.peer(who).sends(std::string(times, 'x')).connected();
    const auto token = std::make_shared<Loop::Token>();
    *token = s.loop().watch(fd, reading, [&s, who, fd, token](Interest) {
      s.note(who);
      char byte;
      if (::recv(fd, &byte, 1, MSG_DONTWAIT) == 1 && s.times_called(who) == times)
        (void)s.loop().unwatch(*token);
    });
  }
  const std::function<void()> tick = [&] {
    s.note(all[2]);
    if (s.times_called(all[2]) < times) s.loop().after(0s, tick);
  };
  const std::function<void()> again = [&] {
    s.note(all[3]);
    if (s.times_called(all[3]) < times) s.loop().post(again);
  };
  s.first([&] {
    s.loop().after(0s, tick);
    s.loop().post(again);
  });

  s.run_loop();

  for (const std::string& who : all)
    if (!expect_equal(s.times_called(who), times, who + " had something to do so many times:"))
      return;
  std::array<int, all.size()> done{};
  for (const Called& called : s.diary()) {
    for (std::size_t i = 0; i < all.size(); ++i) done.at(i) += called.who == all.at(i) ? 1 : 0;
    for (std::size_t busy = 0; busy < all.size(); ++busy)
      for (std::size_t other = 0; other < all.size(); ++other)
        if (!expect_that(
                done.at(busy) <= done.at(other) + 2 || done.at(other) == times,
                format("%s had been called %d times, and %s %d times. Both always had "
                       "more to do: each is called once in a turn.",
                       all.at(busy).c_str(), done.at(busy), all.at(other).c_str(), done.at(other))))
          return;
  }
}

// Rule: signal(7): select is never restarted; it fails with EINTR, and the time goes on.
TEST(Loop, IsNotDisturbedBySignals) {
  explain({.rule = "A signal neither ends run(), nor lengthens a wait, nor makes anybody ready.",
           .why = "A child that ends or a window that is resized is no reason to leave.",
           .read = "Your task"});
  Looping s;
  const int alice = s.peer("alice").at(583ms).sends("a").connected();
  s.watch_reader(alice, "alice", [&] { s.loop().stop(); });
  for (int i = 1; i <= 40; ++i)
    s.signal_at(i * 11ms, SIGUSR1, i % 2 ? Handler::plain : Handler::restarting);
  s.faults().interrupt_every_other("select");
  s.first([&] {
    s.loop().after(347ms, s.notes("timer"));
    s.loop().after(53ms, [&] { s.loop().post(s.notes("post")); });
  });

  s.wants({{53ms, "post"}, {347ms, "timer"}, {583ms, "alice"}});

  s.run_loop();

  s.expect_called(
      "A signal came every 0.011 s, and every other wait was interrupted at once. A "
      "function was posted at 0.053 s, a timer set for 0.347 s, and alice sent at "
      "0.583 s.");
}

// Rule: within one turn the order is fixed, so that programs can count on it.
TEST(Loop, TakesThemInOrder) {
  explain({.rule = "In a turn those who are ready are called first, then the timers that are due, "
                   "then what was posted.",
           .why = "What has come in time is not late because its limit is over in the same turn.",
           .read = "A turn has an end"});
  Looping s;
  const int alice = s.peer("alice").at(347ms).sends("a").connected();
  Loop::Token watch{};
  watch = s.watch_reader(alice, "alice", [&] { (void)s.loop().unwatch(watch); });
  s.thread_at(347ms, [&] { s.loop().post(s.notes("post")); });
  s.first([&] {
    s.loop().after(347ms, s.notes("timer"));
    s.loop().after(31ms, [&] {
      s.note("slow timer");
      s.loop().after(150ms, s.notes("second"));
      s.loop().after(60ms, s.notes("first"));
      s.be_busy(200ms);
    });
  });

  s.wants({{31ms, "slow timer"},
           {231ms, "first"},
           {231ms, "second"},
           {347ms, "alice"},
           {347ms, "timer"},
           {347ms, "post"}});

  s.run_loop();

  s.expect_called(
      "A timer at 0.031 s set one for 0.181 s and one for 0.091 s, and was busy until "
      "0.231 s. At 0.347 s alice sent, another timer was due, and another thread "
      "posted a function.");
}
