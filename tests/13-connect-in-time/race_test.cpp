// The graded checks of lesson 13: connect_race().
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "13-connect-in-time/connect_in_time.hpp"
#include "attempts.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

// Rule: RFC 8305 section 5: one attempt after the other, a fixed time apart.
TEST(ConnectRace, BeginsTheNextAfterTheStagger) {
  explain({.rule = "When an address has not answered within the stagger, begin with the next "
                   "beside it, in the order of the list.",
           .why = "All at once would be a burden for every server but one, and the order is the "
                  "caller's preference.",
           .read = "A race with a handicap"});
  ConnectScenario scenario;
  scenario.is_silent("192.0.2.10");
  scenario.is_silent("192.0.2.20");
  scenario.is_silent("192.0.2.30");
  Peer& fourth = scenario.accepts("192.0.2.40", 131ms);
  scenario.accepts("192.0.2.50");

  const auto outcome = scenario.connect_race(
      {"192.0.2.10", "192.0.2.20", "192.0.2.30", "192.0.2.40", "192.0.2.50"}, 1min, 2347ms);

  const std::string situation =
      "Three addresses were silent, the fourth accepts 131 ms after it is asked, and the stagger "
      "was 2.347 s.";
  expect_begun(scenario.begun(),
               {{"192.0.2.10:7967", 0s},
                {"192.0.2.20:7967", 2347ms},
                {"192.0.2.30:7967", 4694ms},
                {"192.0.2.40:7967", 7041ms}},
               outcome, situation + " Begin the next when the last one has had its stagger.") &&
      expect_connected(outcome, fourth, 7172ms, situation,
                       "Return the first that accepts, at once.");
}

// Rule: a failure is an answer: nothing is gained by waiting longer.
TEST(ConnectRace, BeginsTheNextAtOnceAfterAFailure) {
  explain({.rule = "When an attempt fails, any of them, begin the next at once; the stagger counts "
                   "from there.",
           .why = "On a machine without IPv6 every second address fails at once, and each would "
                  "cost a quarter of a second.",
           .read = "A race with a handicap"});
  ConnectScenario scenario;
  scenario.fails("192.0.2.10", EHOSTUNREACH, 600ms);
  scenario.refuses("192.0.2.20", 100ms);
  scenario.is_silent("192.0.2.30");
  scenario.fails("192.0.2.40", ENETUNREACH);
  scenario.faults().family_is_unavailable(AF_INET6);
  scenario.is_silent("192.0.2.50");
  Peer& sixth = scenario.accepts("192.0.2.60", 31ms);

  const auto outcome =
      scenario.connect_race({"192.0.2.10", "192.0.2.20", "192.0.2.30", "192.0.2.40", "2001:db8::7",
                             "192.0.2.50", "192.0.2.60"},
                            1min);

  const std::string situation =
      "The stagger was 217 ms. 192.0.2.20 refused at 317 ms, 192.0.2.40 failed at once, IPv6 is "
      "missing here (2001:db8::7), and 192.0.2.10, the first of all, failed at 600 ms.";
  expect_begun(scenario.begun(),
               {{"192.0.2.10:7967", 0s},
                {"192.0.2.20:7967", 217ms},
                {"192.0.2.30:7967", 317ms},
                {"192.0.2.40:7967", 534ms},
                {"192.0.2.50:7967", 534ms},
                {"192.0.2.60:7967", 600ms}},
               outcome,
               situation + " After each failure begin the next at once, and count from there.") &&
      expect_connected(outcome, sixth, 631ms, situation, "Return the first that accepts, at once.");
}

// Rule: the stagger is when the next one begins, not when this one ends.
TEST(ConnectRace, TakesTheFirstToAcceptHoweverEarlyItBegan) {
  explain({.rule = "Wait for all attempts at once: an early one may still be the first to accept.",
           .why = "Far away or over a slow line, every answer takes longer than the stagger.",
           .read = "A race with a handicap"});
  ConnectScenario scenario;
  Peer& first = scenario.accepts("192.0.2.10", 900ms);
  scenario.refuses("192.0.2.20", 400ms);
  Peer& third = scenario.accepts("192.0.2.30", 583ms);

  const auto outcome = scenario.connect_race({"192.0.2.10", "192.0.2.20", "192.0.2.30"}, 2s);

  const std::string advice =
      outcome.is_unconnected()
          ? "Return the socket that was writable, and of which SO_ERROR said 0."
      : outcome.error ? "One attempt had failed, and two were going on: wait for them."
                      : "An attempt goes on when the next begins: watch them all.";
  expect_connected(outcome, first, 900ms,
                   "192.0.2.10 accepted after 900 ms; of the two that began later, 217 ms apart, "
                   "one refused at 617 ms, and the other was slower.",
                   advice) &&
      expect_that(!third.is_connected(), "The race was over, and 192.0.2.30 was connected to.");
}

// Rule: RFC 8305 section 5: when one has succeeded, the others are given up.
TEST(ConnectRace, ClosesTheLosers) {
  explain({.rule = "Close every other attempt before you return, also one that was accepted in the "
                   "same instant, and before you throw.",
           .why = "A server holds a process or a slot for each connection that nobody uses.",
           .read = "A race with a handicap"});
  ConnectScenario scenario;
  scenario.is_silent("192.0.2.10");
  scenario.is_silent("192.0.2.40");
  Peer& second = scenario.accepts("192.0.2.20", 383ms);
  Peer& third = scenario.accepts("192.0.2.30", 166ms);

  auto won = scenario.connect_race({"192.0.2.10", "192.0.2.20", "192.0.2.30"}, 1219ms);
  const bool is_second = won.connected_to == second.name();
  const Peer& loser = is_second ? third : second;
  const bool is_told = loser.saw_the_end() || loser.saw_a_reset();
  const auto begun = scenario.begun();
  won.socket.reset();
  const auto lost = scenario.connect_race({"192.0.2.10", "192.0.2.40"}, 700ms);

  const auto left = [](const Outcome& outcome) {
    return format(" %zu %s left open. Close them all first.", outcome.left_open,
                  outcome.left_open == 1 ? "socket was" : "sockets were");
  };
  const std::string situation =
      "192.0.2.10 was silent; 192.0.2.20 and 192.0.2.30 accepted in the same instant, at 600 ms.";
  expect_connected(won, is_second ? second : third, 600ms, situation,
                   "Return either of the two.") &&
      expect_begun(
          begun, {{"192.0.2.10:7967", 0s}, {"192.0.2.20:7967", 217ms}, {"192.0.2.30:7967", 434ms}},
          won, "192.0.2.10 was silent, and the stagger was 217 ms. Try all three.") &&
      expect_that(won.left_open == 0 && is_told,
                  situation + (won.left_open == 0 ? " The one that was not returned is still "
                                                    "connected."
                                                  : " Besides the one returned," + left(won))) &&
      expect_that(lost.left_open == 0, "Nobody answered by the deadline, and" + left(lost));
}

// Rule: one promise for all attempts, whenever they begin.
TEST(ConnectRace, GivesUpAtTheDeadline) {
  explain({.rule = "When the deadline passes, throw ETIMEDOUT with an address that had been tried "
                   "and had not answered.",
           .why = "The caller promised an answer, however many addresses there are.",
           .read = "One deadline for all"});
  ConnectScenario scenario;
  scenario.is_silent("192.0.2.10");
  scenario.refuses("192.0.2.20", 100ms);
  scenario.is_silent("192.0.2.30");
  scenario.is_silent("192.0.2.40");

  const auto outcome = scenario.connect_race(
      {"192.0.2.10", "192.0.2.20", "192.0.2.30", "192.0.2.40"}, 500ms + 300us);
  const auto both_begun = scenario.connect_race({"192.0.2.10", "192.0.2.30"}, 1219ms);

  const bool is_late = outcome.took > 500ms + 300us + granularity;
  expect_failure(
      outcome, ETIMEDOUT, {"192.0.2.10:7967", "192.0.2.30:7967"}, 500ms + 300us,
      "The deadline was in 0.5003 s and the stagger 217 ms. 192.0.2.20 had refused, 192.0.2.10 and "
      "192.0.2.30 were silent, and 192.0.2.40 was not due.",
      is_late ? "Wait for the nearer of the two, the deadline and the next beginning."
              : "Name one that had been tried and was silent, not one that had failed or was not "
                "tried.") &&
      expect_failure(both_begun, ETIMEDOUT, {"192.0.2.10:7967", "192.0.2.30:7967"}, 1219ms,
                     "Both addresses were silent, and the deadline was in 1.219 s.",
                     "One deadline for both: wait until then.");
}

// Rule: when everybody has failed there is nothing to wait for.
TEST(ConnectRace, SaysWhatFailedLast) {
  explain({.rule =
               "When every attempt has failed, throw at once what failed last, as connect_until "
               "does.",
           .why = "To wait for the deadline then is to wait for nobody.",
           .read = "A race with a handicap"});
  ConnectScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  scenario.refuses("192.0.2.10", 900ms);
  scenario.fails("192.0.2.20", EHOSTUNREACH, 100ms);
  scenario.fails("192.0.2.30", ENETUNREACH);

  const auto outcome =
      scenario.connect_race({"192.0.2.10", "192.0.2.20", "192.0.2.30", "2001:db8::7"}, 5s);

  const std::string advice =
      outcome.error == EAFNOSUPPORT
          ? "A missing family is reported only when nothing else failed."
          : "The last failure is the one that came last, not that of the last address.";
  expect_failure(
      outcome, ECONNREFUSED, {"192.0.2.10:7967"}, 900ms,
      "192.0.2.20 and 192.0.2.30 failed at 317 ms, IPv6 is missing here, and 192.0.2.10, "
      "which had begun first, refused at 900 ms.",
      outcome.took > 900ms ? "Nobody was left then: throw at once." : advice);
}

// Rule: what keeps one attempt from beginning is no business of the others.
TEST(ConnectRace, GoesOnWhenAnAttemptCannotBegin) {
  explain({.rule = "When no socket can be had for an address, or none that fits into an fd_set, it "
                   "is that address that has failed.",
           .why = "The attempts under way need no more descriptors, and one of them may win.",
           .read = "It may be over at once"});
  const std::string advice = "Let that address have failed, and go on with the others.";
  {
    ConnectScenario scenario;
    Peer& first = scenario.accepts("192.0.2.10", 900ms);
    scenario.is_silent("192.0.2.20");
    scenario.faults().fail("socket", EMFILE, 1, 1);

    const auto outcome = scenario.connect_race({"192.0.2.10", "192.0.2.20"}, 2s);

    if (!expect_connected(outcome, first, 900ms,
                          "socket said EMFILE for the second address, and the first accepted at "
                          "900 ms.",
                          advice))
      return;
  }
  ConnectScenario scenario;  // in which all that are asked accept in one instant
  scenario.next_descriptor_is(1016);
  Hosts hosts;
  for (int i = 0; i < 11; ++i) {
    hosts.push_back(format("192.0.2.%d", 10 + i));
    scenario.accepts(hosts.back(), 900ms - i * 67ms);
  }

  const auto outcome = scenario.connect_race(hosts, 2s, 67ms);

  if (outcome.connected_to.empty() || outcome.took != 900ms)
    fail_with(outcome,
              "The first socket was 1016, ten addresses followed, and 1024 does not fit into an "
              "fd_set. All that had been asked accepted at 900 ms.",
              advice, "a connection to any of them, after 0.9 s", Where::here());
}

// Rule: EINTR is neither an answer nor the end of the stagger; the wall clock may be set.
TEST(ConnectRace, KeepsItsTimes) {
  explain({.rule = "A signal begins no attempt and delays none; nor does somebody who sets the "
                   "wall clock.",
           .why = "Programs with a timer or with child processes get signals all the time.",
           .read = "What you know already"});
  for (const bool are_signals : {false, true}) {
    ConnectScenario scenario;
    for (int i = 0; are_signals && i < 20; ++i)
      scenario.signal_at(31ms + i * 70ms, i % 2 == 0 ? SIGUSR1 : SIGUSR2,
                         i % 2 == 0 ? Handler::plain : Handler::restarting);
    if (!are_signals) scenario.wall_clock_jumps_at(131ms, -1h);
    scenario.is_silent("192.0.2.10");
    scenario.is_silent("192.0.2.20");
    Peer& third = scenario.accepts("192.0.2.30", 700ms);

    const auto outcome = scenario.connect_race({"192.0.2.10", "192.0.2.20", "192.0.2.30"}, 2s);

    const std::string situation =
        std::string(are_signals ? "A signal came every 70 ms."
                                : "The wall clock was set back by an hour at 0.131 s.") +
        " The stagger was 217 ms, and 192.0.2.30 accepts 700 ms after it is asked.";
    const std::string advice =
        outcome.is_unconnected()
            ? "After EINTR the sets still hold all that you asked about: do not "
              "look at them."
        : are_signals ? "EINTR only means: wait again, for what is left."
                      : "Measure the stagger by the steady clock.";
    if (!expect_begun(
            scenario.begun(),
            {{"192.0.2.10:7967", 0s}, {"192.0.2.20:7967", 217ms}, {"192.0.2.30:7967", 434ms}},
            outcome, situation + " " + outcome.mistake_or(advice)) ||
        !expect_connected(outcome, third, 1134ms, situation, advice))
      return;
  }
}

// Rule: what a list may hold is the caller's affair.
TEST(ConnectRace, TriesAHundredAddresses) {
  explain({.rule = "There is no limit on the number of attempts but that of the descriptors.",
           .why = "Large services have dozens of addresses.",
           .read = "One wait for all"});
  ConnectScenario scenario;
  Hosts hosts;
  for (int i = 1; i < 100; ++i) {
    hosts.push_back(format("192.0.2.%d", i));
    scenario.is_silent(hosts.back());
  }
  hosts.emplace_back("198.51.100.7");
  Peer& last = scenario.accepts(hosts.back(), 131ms);

  const auto outcome = scenario.connect_race(hosts, 1min, 37ms);

  const std::string situation =
      "There were 100 addresses, 37 ms apart; 99 were silent, and the last accepts 131 ms after it "
      "is asked.";
  expect_connected(outcome, last, 3794ms, situation, "Try them all, beside each other.") &&
      expect_that(outcome.left_open == 0,
                  situation + format(" %zu sockets were left open.", outcome.left_open));
}
