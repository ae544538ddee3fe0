// The graded checks of lesson 13: connect_until().
#include "13-connect-in-time/connect_in_time.hpp"

#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "attempts.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("13-connect-in-time");

namespace {

// How a socket came to be returned whose attempt had failed.
std::string unconnected_or(const Outcome& outcome, const std::string& advice) {
  if (!outcome.is_unconnected()) return advice;
  return "Writable only means that the attempt is over. How it ended, SO_ERROR says.";
}

// Why connect refused the socket that it was given for this address; else `advice`.
std::string wrong_socket_or(const ConnectScenario& scenario, const std::string& advice) {
  for (const Call& call : scenario.calls("connect")) {
    if (call.error == EINVAL && call.result.find("failed") != std::string::npos)
      return "connect said EINVAL: that socket had failed before and is used up. Make a new one "
             "for "
             "each address.";
    if (call.error == EINVAL)
      return "connect said EINVAL: it did not get the whole address. Endpoint::length() knows.";
    if (call.error == EAFNOSUPPORT)
      return "connect said EAFNOSUPPORT: its socket was of another family. Make a new one for each "
             "address, of that address's family.";
  }
  return advice;
}

}  // namespace

// Rule: a connect that has ended makes its socket writable (connect(2), EINPROGRESS).
TEST(ConnectUntil, WaitsUntilTheSocketIsWritable) {
  explain({.rule = "Begin without waiting, then wait until the socket is writable, for as long as "
                   "the deadline allows; take the first address that accepts.",
           .why = "The likely address stands first, a slow answer is an answer, and many servers "
                  "say nothing until they are asked.",
           .read = "A connect in progress"});
  ConnectScenario scenario;
  Peer& first = scenario.accepts("192.0.2.10", 75300ms);
  Peer& second = scenario.accepts("192.0.2.20");

  const auto outcome = scenario.connect_until({"192.0.2.10", "192.0.2.20"}, 90s);

  const std::string situation = "192.0.2.10 accepted after 75.3 s and said nothing.";
  const std::string advice =
      scenario.only_watched_reading()
          ? "A connect that has ended shows as writable, and you watched whether there is "
            "something to read."
          : "Wait until its socket is writable; an address has its turn until it fails.";
  expect_connected(outcome, first, 75300ms, situation, advice) &&
      expect_that(!second.is_connected() && scenario.begun().size() == 1,
                  situation + " You tried the second address as well. Stop at the first.");
}

// Rule: an attempt that failed makes its socket writable, too; SO_ERROR tells them apart.
TEST(ConnectUntil, TellsARefusalFromAConnection) {
  explain({.rule = "When the socket is writable, ask SO_ERROR: 0 means connected, anything else is "
                   "the reason why not.",
           .why = "A refused socket would be handed out as a connection, and fail far from here.",
           .read = "Writable is not connected"});
  ConnectScenario scenario;
  scenario.refuses("192.0.2.10", 1300ms);
  Peer& second = scenario.accepts("2001:db8::7", 2700ms);

  const auto outcome = scenario.connect_until({"192.0.2.10", "2001:db8::7"}, 1min);

  expect_connected(outcome, second, 4s,
                   "192.0.2.10 refused after 1.3 s; 2001:db8::7 accepts 2.7 s after it is asked.",
                   unconnected_or(outcome, wrong_socket_or(scenario, "Try the next.")));
}

// Rule: no failure of one address says anything about the next.
TEST(ConnectUntil, GoesOnAfterAnyFailure) {
  explain({.rule = "Whatever fails, and whenever, it is one address that failed: try the next.",
           .why = "A machine without a way to one address often has a way to another.",
           .read = "It may be over at once"});
  ConnectScenario scenario;
  scenario.fails("192.0.2.10", ENETUNREACH);
  scenario.accepts("192.0.2.20");
  scenario.fails("192.0.2.30", EHOSTUNREACH, 700ms);
  scenario.fails("192.0.2.40", ETIMEDOUT, 21s);
  Peer& last = scenario.accepts("192.0.2.50", 1300ms);
  scenario.faults().fail("socket", EMFILE, 1, 1);

  const auto outcome = scenario.connect_until(
      {"192.0.2.10", "192.0.2.20", "192.0.2.30", "192.0.2.40", "192.0.2.50"}, std::nullopt);

  const std::string how =
      outcome.error == ENETUNREACH ? "It came from connect itself, at once: a failure like others."
      : outcome.error == EMFILE    ? "socket failed for 192.0.2.20: that is its failure."
      : outcome.error == ETIMEDOUT
          ? "No deadline had passed: this ETIMEDOUT is the kernel's, a failure like others."
          : "Try one after the other, until one accepts.";
  expect_connected(outcome, last, 23s,
                   "Four addresses failed (ENETUNREACH at once, EMFILE from socket, EHOSTUNREACH "
                   "after 700 ms, ETIMEDOUT from the kernel after 21 s), the fifth accepts after "
                   "1.3 s, and there was no deadline.",
                   unconnected_or(outcome, how));
}

// Rule: that a family is missing here says nothing about the host (socket(2), EAFNOSUPPORT).
TEST(ConnectUntil, PassesOverAnUnavailableFamily) {
  explain({.rule = "Pass over an address whose family is not available here, and report "
                   "EAFNOSUPPORT only when nothing else failed.",
           .why = "A refusal leads to the server; a missing family leads away from it.",
           .read = "Your task"});
  ConnectScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  Peer& host = scenario.accepts("192.0.2.20", 1300ms);
  scenario.refuses("192.0.2.10", 700ms);

  const auto six_and_four = scenario.connect_until({"2001:db8::7", "192.0.2.20"}, 1min);
  const auto four_and_six = scenario.connect_until({"192.0.2.10", "2001:db8::7"}, 1min);
  const auto sixes = scenario.connect_until({"2001:db8::7", "2001:db8::8"}, 1min);

  const std::string missing = "socket says EAFNOSUPPORT for IPv6 here. ";
  expect_connected(six_and_four, host, 1300ms, missing + "The second address is 192.0.2.20.",
                   "Pass over the first.") &&
      expect_failure(four_and_six, ECONNREFUSED, {"192.0.2.10:7967"}, 700ms,
                     missing + "192.0.2.10 had refused before.", "Report the refusal.") &&
      expect_failure(sixes, EAFNOSUPPORT, {"[2001:db8::8]:7967"}, 0s,
                     missing + "Both addresses are IPv6.",
                     "With nothing else to report, report that, of the last address.");
}

// Rule: the reason of a late failure is the value of SO_ERROR, and nobody keeps it but you.
TEST(ConnectUntil, SaysWhyTheLastOneFailed) {
  explain({.rule = "Throw the errno of the last failure, as SO_ERROR or the call told it, and name "
                   "its address.",
           .why = "\"Operation now in progress\" and \"Success\" send the reader nowhere.",
           .read = "Writable is not connected"});
  ConnectScenario scenario;
  scenario.faults().clean_up_overwrites_errno_with(EIO);
  scenario.fails("192.0.2.10", EHOSTUNREACH, 700ms);
  scenario.refuses("192.0.2.20", 1300ms);
  scenario.fails("192.0.2.30", ENETUNREACH);

  const auto late = scenario.connect_until({"192.0.2.10", "192.0.2.20"}, 1min);
  const auto at_once = scenario.connect_until({"192.0.2.10", "192.0.2.30"}, 1min);

  const auto advice = [](const Outcome& outcome) {
    const bool is_first = outcome.error == EHOSTUNREACH;
    return outcome.error == EIO ? "Closing the socket changed errno. Keep the reason before that."
           : is_first           ? "That was the first. Report the last."
                      : "Report the value of SO_ERROR, or the errno of the call, with the address.";
  };
  expect_failure(late, ECONNREFUSED, {"192.0.2.20:7967"}, 2s,
                 "SO_ERROR said EHOSTUNREACH of 192.0.2.10 and ECONNREFUSED of 192.0.2.20.",
                 unconnected_or(late, advice(late))) &&
      expect_failure(at_once, ENETUNREACH, {"192.0.2.30:7967"}, 700ms,
                     "SO_ERROR said EHOSTUNREACH of 192.0.2.10, and connect said ENETUNREACH of "
                     "192.0.2.30.",
                     advice(at_once));
}

// Rule: silence has no errno; the promise to the caller ends it.
TEST(ConnectUntil, GivesUpAtTheDeadline) {
  explain({.rule = "When the deadline passes, throw ETIMEDOUT with the address that had not "
                   "answered.",
           .why = "The kernel tries for two minutes and more; few callers have that time.",
           .read = "One deadline for all"});
  ConnectScenario scenario;
  scenario.is_silent("192.0.2.10");
  Peer& second = scenario.accepts("192.0.2.20");

  const auto outcome = scenario.connect_until({"192.0.2.10", "192.0.2.20"}, 1219ms + 300us);

  const std::string advice =
      outcome.is_unconnected()
          ? "Its attempt was not over: SO_ERROR is 0 until then. When the wait ends with the time "
            "and not with the socket, that is ETIMEDOUT."
      : second.is_connected() ? "It has used up the time of all: try no other after it."
                              : "Throw ETIMEDOUT then, not before, and name it.";
  expect_failure(outcome, ETIMEDOUT, {"192.0.2.10:7967"}, 1219ms + 300us,
                 "192.0.2.10 did not answer, and the deadline was in 1.2193 s.", advice);
}

// Rule: one promise for all addresses: what is left is less each time.
TEST(ConnectUntil, SharesOneDeadlineAmongAll) {
  explain({.rule = "The deadline holds for all addresses together.",
           .why = "A name may have ten addresses, and the caller promised an answer in two "
                  "seconds.",
           .read = "One deadline for all"});
  ConnectScenario scenario;
  scenario.refuses("192.0.2.10", 700ms);
  scenario.refuses("192.0.2.20", 900ms);
  scenario.is_silent("192.0.2.30");

  const auto outcome = scenario.connect_until({"192.0.2.10", "192.0.2.20", "192.0.2.30"}, 2s);

  expect_failure(outcome, ETIMEDOUT, {"192.0.2.30:7967"}, 2s,
                 "The deadline was in 2 s; 192.0.2.10 refused after 700 ms, 192.0.2.20 at 1.6 s, "
                 "and 192.0.2.30 did not answer.",
                 "Share one deadline among all, and name the one that was silent.");
}

// Rule: EINTR ends a wait, not an attempt; and after it the sets say nothing (select(2)).
TEST(ConnectUntil, OutlastsSignals) {
  explain({.rule = "A signal neither ends nor lengthens an attempt.",
           .why = "Programs with a timer or with child processes get signals all the time.",
           .read = "What you know already"});
  ConnectScenario scenario;
  for (int i = 0; i < 80; ++i)
    scenario.signal_at(31ms + i * 70ms, i % 2 == 0 ? SIGUSR1 : SIGUSR2,
                       i % 2 == 0 ? Handler::plain : Handler::restarting);
  scenario.refuses("192.0.2.10", 1300ms);
  Peer& second = scenario.accepts("192.0.2.20", 900ms);
  scenario.is_silent("192.0.2.30");

  const auto answered = scenario.connect_until({"192.0.2.10", "192.0.2.20"}, 1min);
  const auto silent = scenario.connect_until({"192.0.2.30"}, 2900ms);

  const auto advice = [](const Outcome& outcome) {
    return outcome.error == EINTR ? "EINTR only means: wait again, for what is left."
           : outcome.is_unconnected()
               ? "Its attempt was not over. After EINTR the sets still hold all that you asked "
                 "about: do not look at them."
               : "Wait again after EINTR, for what is left.";
  };
  const std::string start = "A signal came every 70 ms; ";
  expect_connected(answered, second, 2200ms,
                   start + "192.0.2.10 refused after 1.3 s, and 192.0.2.20 accepted 900 ms later.",
                   advice(answered)) &&
      expect_failure(silent, ETIMEDOUT, {"192.0.2.30:7967"}, 2900ms,
                     start + "192.0.2.30 did not answer, and the deadline was in 2.9 s.",
                     advice(silent));
}
