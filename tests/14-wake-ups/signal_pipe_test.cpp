// The graded checks of lesson 14: SignalPipe and the signals that arrive. Those about what it
// changes in the process, and gives back, are in dispositions_test.cpp.
#include <signal.h>

#include <algorithm>
#include <array>
#include <string>

#include "14-wake-ups/wake_ups.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "waking.hpp"

using namespace grader;
using namespace waking;

namespace {

bool contains(const Signals& signals, int signal) {
  return std::find(signals.begin(), signals.end(), signal) != signals.end();
}

// take() must be `wanted`, and leave fd() quiet.
bool expect_taken(WakingScenario& scenario, int fd, const Signals& wanted,
                  const std::string& start) {
  const bool was_readable = is_readable(fd);
  const Signals taken = scenario.take();
  return expect_that(was_readable || wanted.empty(), start + "fd() is not readable.") &&
         expect_that(taken == wanted, start + "take() returned " + to_text(taken) + " instead of " +
                                          to_text(wanted) + ".") &&
         expect_that(!is_readable(fd),
                     start + "take() returned " + to_text(taken) + ", and fd() is still readable.");
}

// SIGUSR1 comes at such a moment of take(). False: the check has failed, or there is no such
// moment.
bool loses_no_signal(Moment moment, int skip, bool has_one_already) {
  WakingScenario scenario;
  const int fd = scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  if (has_one_already) {
    scenario.signal_at(31ms, SIGTERM, Handler::own);
    scenario.wait_for(fd);
  }
  scenario.signal_at_moment(moment, skip, SIGUSR1);

  const Signals first = scenario.take();

  if (!scenario.has_come()) return false;
  const bool is_readable_then = is_readable(fd);
  std::string start = "SIGUSR1 came while take() was at work, which returned " + to_text(first) +
                      ", and then fd() was " + (is_readable_then ? "readable" : "quiet") + ". ";
  if (!expect_that(contains(first, SIGUSR1) || is_readable_then,
                   start + "Nothing wakes you for it. Which comes first: emptying the pipe, or "
                           "looking who has come?"))
    return false;
  if (is_readable_then) {
    const Signals second = scenario.take();
    start += "The next take() returned " + to_text(second) + ". ";
    if (!expect_that(contains(first, SIGUSR1) != contains(second, SIGUSR1),
                     start + "It belongs into one of the two answers.") ||
        !expect_that(!is_readable(fd), start + "Even then fd() is not quiet."))
      return false;
  }
  scenario.signal_at(scenario.now() + 31ms, SIGUSR1, Handler::own);
  scenario.let_pass(100ms);
  return expect_taken(scenario, fd, {SIGUSR1}, start + "SIGUSR1 came again, and ");
}

}  // namespace

// Rule: standard signals do not queue (signal(7)): that one has come is all that can be known.
TEST(SignalPipe, TellsEachSignalOnceInAscendingOrder) {
  explain({.rule =
               "fd() is readable from the arrival of a signal to the next take(), which returns "
               "each signal once, in ascending order.",
           .why = "Signals merge anyway: two that come close together are one to the kernel.",
           .read = "From a signal to a byte"});
  WakingScenario scenario;
  const int fd = scenario.make_signal_pipe({SIGRTMAX, SIGUSR2, SIGHUP, SIGRTMIN + 1, SIGINT});
  scenario.signal_at(31ms, SIGRTMAX, Handler::own);
  scenario.signal_at(53ms, SIGUSR2, Handler::own);
  scenario.signal_at(97ms, SIGINT, Handler::own);
  scenario.signal_at(131ms, SIGRTMIN + 1, Handler::own);
  for (int i = 0; i < 40; ++i) scenario.signal_at(200ms + i * 7ms, SIGUSR2, Handler::own);
  scenario.signal_at(1219ms, SIGUSR2, Handler::own);

  if (!expect_taken(scenario, fd, {}, "No signal has come yet, and ")) return;
  const Time woken = scenario.wait_for(fd);
  if (!expect_that(
          woken == 31ms,
          "The first signal came at 0.031 s, and select, which waited for fd(), returned at " +
              shown(woken) + ". A byte in fd() wakes it, whatever becomes of EINTR."))
    return;
  scenario.let_pass(719ms);
  expect_taken(scenario, fd, {SIGINT, SIGUSR2, SIGRTMIN + 1, SIGRTMAX},
               "Four signals came, one of them 41 times; ") &&
      expect_taken(scenario, fd, {}, "All that came was taken, and ") &&
      expect_equal(scenario.wait_for(fd), Time(1219ms),
                   "SIGUSR2 came again at 1.219 s, and select waited for fd().") &&
      expect_taken(scenario, fd, {SIGUSR2}, "SIGUSR2 came again, and ");
}

// Rule: between any two instructions there is room for a signal.
TEST(SignalPipe, LosesNoSignalBetweenTakeAndWait) {
  explain({.rule = "A signal that comes while take() is at work, or after it and before select has "
                   "begun, is in the answer or makes fd() readable.",
           .why =
               "Who asks to stop asks once. A program that sleeps on is killed at last, and loses "
               "its clients.",
           .read = "Which first?"});
  for (const Moment moment : all_moments)
    for (const bool has_one_already : {true, false})
      for (int i = 0; !has_failed() && loses_no_signal(moment, i, has_one_already); ++i) {
      }
  if (has_failed()) return;
  WakingScenario scenario;
  const int fd = scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  (void)scenario.take();
  scenario.signal_before("select", SIGTERM);
  const Time woken = scenario.wait_for(fd);
  const std::string start = "SIGTERM came after take() and before select, which waited for fd()";
  expect_that(woken == 0s, start + " and returned at " + shown(woken) +
                               ". It knows nothing of a handler that has run before it began: only "
                               "a byte in fd() tells.") &&
      expect_taken(scenario, fd, {SIGTERM}, start + "; ");
}

// Rule: a handler can run as soon as it is installed.
TEST(SignalPipe, LosesNoSignalWhileItIsMade) {
  explain({.rule = "A signal that comes when its handler is installed, while the constructor is "
                   "still at work, is not lost.",
           .why = "Programs are asked to stop while they start, too: by a user who sees a mistake.",
           .read = "What is lent"});
  for (const Moment moment : all_moments)
    for (int skip = 0;; ++skip) {
      WakingScenario scenario;
      for (const int signal : {SIGUSR1, SIGUSR2, SIGTERM}) ignore(signal);
      scenario.signal_at_moment(moment, skip, SIGUSR2);

      const int fd = scenario.make_signal_pipe({SIGUSR2, SIGUSR1, SIGTERM});

      if (!scenario.has_come()) break;
      const bool was_handled = scenario.own_handler_runs() > 0;
      if (was_handled &&
          !expect_taken(
              scenario, fd, {SIGUSR2},
              "SIGUSR2 came while the constructor was installing the other handlers. What "
              "a handler needs must be there before it: its own ran, and "))
        return;
    }
}

// Rule: signal-safety(7): a handler interrupts anything, and errno is among what it finds.
TEST(SignalPipe, HasAHandlerThatLeavesNoTrace) {
  explain({.rule = "The handler leaves errno as it is, and calls nothing that is not "
                   "async-signal-safe.",
           .why = "The code that was interrupted may just be going to look at errno.",
           .read = "What a handler may do"});
  WakingScenario scenario;
  scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  scenario.shrink_buffers();
  scenario.signal_after("select", SIGTERM);
  scenario.let_pass(31ms);
  const auto first = scenario.errno_changed_by_handler();
  scenario.run([] {
    for (int i = 0; i < 6'000; ++i) ::raise(SIGUSR1);
  });
  const auto second = scenario.errno_changed_by_handler();

  const auto told = [](const std::optional<ErrnoChange>& change) {
    return format(
        "and errno was %s after the handler of %s. Whoever was interrupted between a call "
        "and its errno reads that. Keep errno, and put it back.",
        error_name(change ? change->left : 0).c_str(),
        signal_name(change ? change->signal : 0).c_str());
  };
  expect_that(!first, "SIGTERM came, " + told(first)) &&
      expect_that(!second, "6,000 SIGUSR1 came and nobody took them, " + told(second));
}

// Rule: a pipe holds so much and no more (pipe(7)); what must not be lost has no place in it.
TEST(SignalPipe, OutlastsAFlood) {
  explain(
      {.rule = "However often one signal comes, another that comes then is not lost, and one "
               "take() tells both.",
       .why = "A window that is being resized sends hundreds (SIGWINCH), and then comes Ctrl-C.",
       .read = "A wake-up is no count"});
  WakingScenario scenario;
  const int fd = scenario.make_signal_pipe({SIGTERM, SIGWINCH});
  scenario.shrink_buffers();
  scenario.run([] {
    for (int i = 0; i < 6'000; ++i) ::raise(SIGWINCH);
    ::raise(SIGTERM);
  });

  const std::string start = "SIGWINCH came 6,000 times, then SIGTERM; ";
  if (!expect_that(is_readable(fd), start + "fd() is not readable.") ||
      !expect_equal(to_text(scenario.take()), "{SIGTERM SIGWINCH}",
                    start + "they were taken. What is full takes no more: who has come must be "
                            "kept where there is room for each."))
    return;
  scenario.signal_at(347ms, SIGTERM, Handler::own);
  scenario.let_pass(1s);
  expect_equal(to_text(scenario.take()), "{SIGTERM}",
               start + "they were taken, and it came again.");
}
