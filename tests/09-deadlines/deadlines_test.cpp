// The graded checks of lesson 09: select_until().
#include "09-deadlines/deadlines.hpp"

#include <signal.h>

#include <string>

#include "in_time.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace in_time;

LESSON("09-deadlines");

// Rule: whoever is ready first ends the wait, in whichever list.
TEST(SelectUntil, ReportsAllThreeListsAsSoonAsSomebodyIsReady) {
  explain({.rule = "select_until() asks about all three lists, and returns as soon as somebody is "
                   "ready.",
           .why = "It is select_on() with another way to say how long; everything else is kept.",
           .read = "Your task"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").at(1219ms).sends("hello").connected();
  Peer& to_bob = scenario.peer("bob").window(0);
  const int bob = to_bob.at(1219ms).opens_window(100).connected();
  const int carol = scenario.peer("carol").at(1219ms).sends_urgent('!').connected();
  const int dave = scenario.peer("dave").at(1760ms).sends("late").connected();

  const auto first = scenario.select_until(
      {.readers = {dave, alice}, .writers = {bob}, .exceptional = {dave, carol}}, 1min);

  expect_found(first, {{alice}, {bob}, {carol}}, 1219ms,
               "After 1.219 s alice was readable, bob writable, and carol had urgent data.") &&
      expect_found(scenario.select_until({.readers = {dave}}, 1min), {{dave}, {}, {}}, 541ms,
                   "541 ms later dave was readable.");
}

// Rule: select ends with EINTR after any handler (signal(7)), and time has passed by then.
TEST(SelectUntil, OutlastsAStormOfSignals) {
  explain({.rule = "Signals neither end nor lengthen the wait, however many come, and their "
                   "handlers run meanwhile.",
           .why =
               "With a signal more often than the timeout is long, a wait that starts again from "
               "the beginning never ends.",
           .read = "The promise outlives the call"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").at(9s).sends("hello").connected();
  const int bob = scenario.peer("bob").window(0).at(3760ms).opens_window(100).connected();
  const int carol = scenario.peer("carol").at(3760ms).sends_urgent('!').connected();
  fifteen_signals(scenario, 147ms);
  for (int i = 0; i < 300; ++i) scenario.signal_at(2500ms + i * 4ms, SIGUSR1);
  const Lists readers{.readers = {alice}};
  const std::string advice = "A signal is no answer: wait for what is left.";

  const auto silence = scenario.select_until(readers, 1219ms);
  if (!expect_found(
          silence, {}, 1219ms,
          "Fifteen signals came between 0.147 s and 1.127 s, and the deadline was at 1.219 s.",
          advice))
    return;
  const int runs = scenario.handler_runs();
  if (!expect_that(
          runs == 15,
          format("Fifteen signals came, and %d handlers had run when the deadline passed. Do "
                 "not hold signals back while you wait: the caller may want to hear of "
                 "them now.",
                 runs)))
    return;
  const auto arrival = scenario.select_until(
      {.readers = {alice}, .writers = {bob}, .exceptional = {carol}}, std::nullopt);
  expect_found(arrival, {{}, {bob}, {carol}}, 2541ms,
               "300 signals came while there was no deadline; then bob was writable, and "
               "carol had urgent data.",
               arrival.has_returned ? "A signal changes nothing about whom to wait for." : advice);
}

// Rule: what is left is asked of the clock, after the handler: select measured before it.
TEST(SelectUntil, CountsWhatHandlersTake) {
  explain({.rule = "The time that a handler takes is part of the time until the deadline, and who "
                   "becomes ready meanwhile is reported.",
           .why = "A promise about the clock is not one about the time spent in select.",
           .read = "The promise outlives the call"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").at(1800ms).sends("hello").connected();
  scenario.signal_at(200ms, SIGUSR1, Handler::plain, 300ms);
  scenario.signal_at(1519ms, SIGUSR2, Handler::restarting, 400ms);
  const Lists readers{.readers = {alice}};

  expect_found(scenario.select_until(readers, 1219ms), {}, 1219ms,
               "The deadline was at 1.219 s, and at 0.2 s a signal came whose handler took 0.3 s, "
               "which no timeval that select leaves can know of.",
               "What the handler took is over as well: ask the clock what is left.") &&
      expect_found(scenario.select_until(readers, 500ms), {{alice}, {}, {}}, 700ms,
                   "A signal came before the deadline, its handler took until after it, and "
                   "meanwhile alice sent.",
                   "Look once more after the signal, whatever the clock says.");
}

// Rule: never earlier than the deadline, by not even a nanosecond.
TEST(SelectUntil, NeverReturnsEarly) {
  explain({.rule =
               "With nobody ready it returns when the deadline has passed, and no earlier; what "
               "the waiting call cannot express is rounded up.",
           .why = "Rounded down to zero, the last moment before the deadline becomes a busy loop.",
           .read = "Round up"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").connected();

  for (const Time time : {Time(1500ms), Time(7ns), Time(999ns), Time(1001ns), Time(347us + 1ns),
                          Time(1219ms + 500us), Time(2s + 300ns), Time(61s + 7ms)}) {
    for (const Lists& lists : {Lists{.readers = {alice}}, Lists{}}) {
      const auto found = scenario.select_until(lists, time);

      const std::string who = lists.readers.empty() ? "All lists were empty" : "Nobody was ready";
      if (!expect_found(
              found, {}, time,
              format("%s, and the deadline was %s away.", who.c_str(), to_text(time).c_str())))
        return;
    }
  }
}

// Rule: {0, 0} looks (select(2)); a negative time is none.
TEST(SelectUntil, LooksOnceWhenTheDeadlineHasPassed) {
  explain({.rule = "When the deadline has passed already, it looks once: who is ready is reported, "
                   "and nobody is waited for.",
           .why = "Whoever comes late because of other work must not overlook what is there.",
           .read = "No time left is not nothing there"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int bob = scenario.peer("bob").window(100).connected();
  const int carol = scenario.peer("carol").at(12s).sends("late").connected();
  course::Deadline passed = course::Deadline::never();
  scenario.run([&] {
    passed = course::Deadline::after(1219ms);
    (void)course::select_until(Fds{carol}, {}, {}, passed);
  });
  course::Ready again;
  scenario.run([&] { again = course::select_until(Fds{carol, alice}, Fds{bob}, {}, passed); });
  const std::string situation = "The deadline had passed, and alice and bob were ready. ";

  if (!expect_equal(to_text(again), to_text(course::Ready{{alice}, {bob}, {}}),
                    situation + "Still look once."))
    return;
  for (const Time time : {Time(0), Time(-1), Time(-5s - 219ms), Time::min()}) {
    const auto ready = scenario.select_until({.readers = {carol, alice}, .writers = {bob}}, time);
    const auto nobody = scenario.select_until({.readers = {carol}}, time);

    if (!expect_found(ready, {{alice}, {bob}, {}}, 0s, situation + "Still look once.") ||
        !expect_that(nobody.has_returned && nobody.took == 0s,
                     "The deadline had passed, and carol was silent: select_until() " +
                         nobody.told() + ". Only look.") ||
        !expect_found(nobody, {}, 0s, "The deadline had passed, and carol was silent."))
      return;
  }
}

// Rule: nobody sets the steady clock; anybody may set the wall clock (clock_gettime(2)).
TEST(SelectUntil, KeepsToTheSteadyClock) {
  explain({.rule = "Setting the wall clock has no influence on a wait.",
           .why = "Clocks are set while programs run: by hand, by NTP, after a laptop has slept.",
           .read = "Two clocks"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").connected();
  scenario.signal_at(700ms, SIGUSR1);
  scenario.wall_clock_jumps_at(2347ms, 1h);
  scenario.signal_at(2700ms, SIGUSR1);
  scenario.wall_clock_jumps_at(4347ms, -1h);
  scenario.signal_at(4700ms, SIGUSR1);
  const Lists readers{.readers = {alice}};

  const auto undisturbed = scenario.select_until(readers, 2s);
  if (!expect_found(undisturbed, {}, 2s,
                    "A signal came after 0.7 s, and the deadline was 2 s away."))
    return;
  for (const char* direction : {"forward", "back"}) {
    const auto found = scenario.select_until(readers, 2s);

    if (!expect_that(found.has_returned && is_on_time(found, 2s, Until::deadline),
                     format("After 347 ms somebody set the wall clock %s by an hour, and "
                            "select_until(), with a deadline 2 s away, %s. Measure time by the "
                            "steady clock only.",
                            direction, found.told().c_str())) ||
        !expect_found(found, {}, 2s, "Nobody was ready."))
      return;
  }
}

// Rule: a null pointer waits for ever (select(2)).
TEST(SelectUntil, WaitsForEverWhenTheDeadlineNeverComes) {
  explain({.rule = "With Deadline::never() it waits as long as it takes.",
           .why = "Who says never means it; a month of silence is no answer.",
           .read = "Your task"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").at(24h * 31 + 700ms).sends("hello").connected();
  scenario.signal_at(41min + 300ms, SIGUSR1);

  const auto found = scenario.select_until({.readers = {alice}}, std::nullopt);

  expect_found(
      found, {{alice}, {}, {}}, 24h * 31 + 700ms,
      "There was no deadline, a signal came after 41 minutes, and alice's data after 31 days.");
}

// Rule: EINTR is the only error that waiting again can mend.
TEST(SelectUntil, ThrowsLikeSelectOn) {
  explain({.rule = "A wait that fails for another reason than a signal ends with its exception.",
           .why = "A closed descriptor is still closed the next time; asking again is a busy loop.",
           .read = "EINTR is the only one"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").at(7300ms).sends("hello").connected();
  const int bob = scenario.lend_at(scenario.peer("bob").sends("hello").connected(), 1024);

  const auto closed = scenario.select_until({.readers = {alice, 61}}, 2s);
  const auto too_large = scenario.select_until({.readers = {alice}, .writers = {bob}}, 2s);
  const auto negative = scenario.select_until({.readers = {alice, -1}}, 2s);
  scenario.faults().fail("select", ENOMEM);
  const auto no_memory = scenario.select_until({.readers = {alice}}, 2s);

  const auto judge = [](const Found& found, const std::string& situation, const char* error) {
    const bool says_more =
        found.error != ENOMEM && found.diagnosis.find("ENOMEM") != found.diagnosis.npos;
    return expect_equal(found.thrown(), error,
                        situation + " select_until() " + found.told() + "." +
                            (says_more ? " " + found.diagnosis : ""));
  };
  judge(closed, "Descriptor 61 is not open.", "EBADF") &&
      judge(too_large, "Descriptor 1024 does not fit an fd_set.", "EINVAL") &&
      (negative.error == EBADF || judge(negative, "Descriptor -1 is none.", "EINVAL")) &&
      judge(no_memory, "The waiting call said ENOMEM.", "ENOMEM");
}
