// The graded checks of lesson 14: Wakeup.
#include "14-wake-ups/wake_ups.hpp"

#include <fcntl.h>

#include <string>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "waking.hpp"

using namespace grader;
using namespace waking;

LESSON("14-wake-ups");

namespace {

// Lets each call of `family` that the constructor makes fail in turn.
bool undoes_all_when_a_call_fails(const char* family) {
  for (int skip = 0;; ++skip) {
    WakingScenario scenario;
    scenario.faults().fail(family, EMFILE, 1, skip);
    const Thrown thrown = thrown_by([&] { scenario.make_wakeup(); });
    const auto failed = scenario.failed_call(EMFILE);
    if (!failed) return true;
    const std::string start =
        failed->function + " said EMFILE, and the constructor " + thrown.told() + ". ";
    if (!expect_that(thrown.names(family_of(failed->function), EMFILE),
                     start + "Throw std::system_error with that errno, and name the call.") ||
        !expect_that(scenario.open_descriptors().empty(),
                     start + "A descriptor is still open. Let an Fd own what is opened, at once."))
      return false;
  }
}

// A handler calls notify() at such a moment of drain(). False: the check has failed, or there is no
// such moment.
bool loses_no_notice(Moment moment, int skip, bool has_one_already) {
  WakingScenario scenario;
  const int fd = scenario.make_wakeup();
  scenario.handle(SIGUSR1, [&] { scenario.wakeup().notify(); });
  if (has_one_already) scenario.notify();
  scenario.signal_at_moment(moment, skip, SIGUSR1);

  const bool answer = scenario.drain();

  if (!scenario.has_come()) return false;
  const bool is_readable_then = is_readable(fd);
  const std::string start = format(
      "A handler called notify() while drain() was at work, which said "
      "%s, and then fd() was %s. ",
      shown(answer).c_str(), is_readable_then ? "readable" : "quiet");
  if (!expect_that(answer || is_readable_then,
                   start + "Nobody will ever know of it. Say true whenever a byte has gone."))
    return false;
  if (is_readable_then) (void)scenario.drain();
  if (!expect_that(!is_readable(fd), start + "Even a second drain() did not quieten it."))
    return false;
  scenario.notify();
  return expect_that(is_readable(fd) && scenario.drain(),
                     start +
                         "Since then notify() does nothing any more. If you remember that there "
                         "is a byte, forget it when the byte has been taken, and not before.");
}

}  // namespace

// Rule: a pipe is readable while a byte is in it (pipe(7)). A wake-up says "look", not how often.
TEST(Wakeup, IsReadableFromNotifyToDrain) {
  explain({.rule = "notify() makes fd() readable, and one drain() makes it quiet, however often it "
                   "was called, and says whether there was anything.",
           .why = "What stays readable wakes select at once, again and again.",
           .read = "A byte to yourself"});
  WakingScenario scenario;
  const int fd = scenario.make_wakeup();

  const auto expect_quiet = [&](const std::string& start) {
    return expect_that(!is_readable(fd), start + ", and fd() is readable.") &&
           expect_that(!scenario.drain(), start + ", and drain() said true.") &&
           expect_that(!is_readable(fd), start + ", and after drain() fd() is readable.");
  };
  if (!expect_quiet("Nobody has called notify() yet")) return;
  scenario.notify();
  if (!expect_that(is_readable(fd), "notify() was called, and fd() is not readable.") ||
      !expect_that(is_readable(fd),
                   "fd() was looked at twice, and the second time it was quiet.") ||
      !expect_that(scenario.drain(), "notify() was called, and drain() said false."))
    return;
  if (!expect_quiet("drain() has taken the only notify()")) return;
  for (const int times : {1, 2, 3, 700}) {
    scenario.notify(times);
    const bool was_readable = is_readable(fd);
    const bool first = scenario.drain();
    const bool stays_readable = is_readable(fd);
    const bool second = scenario.drain();

    const std::string start = format(
        "Then notify() was called %s, and fd() was %s; drain() said %s, and fd() was %s; a "
        "second drain() said %s. ",
        times == 1 ? "again" : format("%d times", times).c_str(),
        was_readable ? "readable" : "quiet", shown(first).c_str(),
        stays_readable ? "readable" : "quiet", shown(second).c_str());
    if (!expect_that(was_readable, start + "After a drain() the next notify() counts.") ||
        !expect_that(first && !stays_readable && !second,
                     start + "One drain() takes all that is there."))
      return;
  }
}

// Rule: a pipe that is full is readable; there is nothing to wait for (pipe(7)).
TEST(Wakeup, NeverBlocksHoweverOftenItIsNotified) {
  explain({.rule =
               "notify() returns at once, though nobody has drained for a long time; one drain() "
               "takes it all.",
           .why = "A handler that waits for its own program to read waits for ever.",
           .read = "A byte to yourself"});
  WakingScenario scenario;
  const int fd = scenario.make_wakeup();
  scenario.shrink_buffers();

  scenario.notify(6'000);
  for (int i = 0; i < 94'000; ++i)
    scenario.wakeup().notify();  // beside the simulation, which counts calls
  const bool was_readable = is_readable(fd);
  const bool drained = scenario.drain();

  const std::string start = "notify() was called 100,000 times; ";
  expect_that(was_readable, start + "then fd() was not readable.") &&
      expect_that(drained, start + "drain() said false.") &&
      expect_that(!is_readable(fd),
                  start + "after one drain() fd() is still readable. Read until nothing is left.");
}

// Rule: a descriptor is everybody's in the process; a thread that writes wakes one that waits.
TEST(Wakeup, WakesFromAnotherThread) {
  explain({.rule = "Any thread may call notify(), and a select that waits for fd() ends at once.",
           .why = "Nothing else that another thread does wakes a select: it waits for descriptors.",
           .read = "A byte to yourself"});
  WakingScenario scenario;
  const int fd = scenario.make_wakeup();
  const auto notify = [&] { scenario.wakeup().notify(); };
  scenario.thread_at(347ms, notify);
  scenario.thread_at(1219ms, notify, "a thread");
  scenario.thread_at(1219ms, notify, "a third");
  scenario.thread_at(7min, notify);

  for (const Time wanted : {Time(347ms), Time(1219ms), Time(7min)}) {
    const Time woken = scenario.wait_for(fd);
    const std::string start = "Another thread called notify() at " + shown(wanted);

    if (!expect_that(woken == wanted,
                     start + ", and select, which waited for fd(), returned at " + shown(woken) +
                         (woken < wanted ? ": fd() was readable though drain() had been "
                                           "called. One drain() takes all that is there."
                                         : ". Whoever calls notify(), fd() becomes "
                                           "readable.")) ||
        !expect_that(scenario.drain(), start + ", and drain() said false."))
      return;
  }
}

// Rule: between any two instructions somebody else may do something.
TEST(Wakeup, LosesNoNotifyThatComesMeanwhile) {
  explain({.rule = "A notify() that comes while drain() is at work is in its answer or makes fd() "
                   "readable, and the next notify() counts.",
           .why = "Whoever notified has done its part, and will not do it again.",
           .read = "Which first?"});
  for (const Moment moment : all_moments)
    for (const bool has_one_already : {true, false})
      for (int i = 0; !has_failed() && loses_no_notice(moment, i, has_one_already); ++i) {
      }
}

// Rule: signal-safety(7): a handler interrupts anything, and errno is among what it finds.
TEST(Wakeup, MayBeNotifiedByAHandler) {
  explain({.rule = "notify() is safe in a signal handler: it calls nothing that is not "
                   "async-signal-safe, waits for nothing, and leaves errno as it is.",
           .why = "The code that was interrupted may just be going to look at errno.",
           .read = "What a handler may do"});
  WakingScenario scenario;
  const int fd = scenario.make_wakeup();
  scenario.shrink_buffers();
  scenario.handle(SIGUSR1, [&] { scenario.wakeup().notify(); });

  scenario.signal_before("select", SIGUSR1);
  const Time woken = scenario.wait_for(fd);
  if (!expect_that(woken == 0s, "A handler called notify() just before select, which returned at " +
                                    shown(woken) + ".") ||
      !expect_that(scenario.drain(), "A handler called notify(), and drain() said false."))
    return;
  scenario.notify(6'000);
  scenario.signal_at(347ms, SIGUSR1, Handler::own);
  scenario.let_pass(1s);

  const auto change = scenario.errno_changed_by_handler();
  expect_that(!change, format("fd() had not been drained for long when a handler called notify(), "
                              "and errno was %s afterwards. Whoever was interrupted between a call "
                              "and its errno reads that. Keep errno, and put it back.",
                              error_name(change ? change->left : 0).c_str())) &&
      expect_that(scenario.handler_runs() == 2, "A handler that called notify() did not run.");
}

// Rule: what cannot be made leaves nothing behind; what is made survives no exec and never waits.
TEST(Wakeup, OpensWhatNeverWaitsAndIsNotInherited) {
  explain({.rule = "Its descriptors are in non-blocking mode and FD_CLOEXEC, and are closed at the "
                   "end, also when the constructor throws.",
           .why = "A blocking end waits in the one moment in which it must not, and a program that "
                  "is started would hold both ends.",
           .read = "A byte to yourself"});
  {
    WakingScenario scenario;
    scenario.make_wakeup();
    for (const int fd : scenario.open_descriptors())
      if (!expect_that((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0,
                       format("Descriptor %d is in blocking mode.", fd)) ||
          !expect_that(
              (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
              format("Descriptor %d lacks FD_CLOEXEC: a program that is started inherits it.", fd)))
        return;
  }
  for (const char* family : {"pipe", "eventfd", "socketpair", "socket", "dup", "fcntl"})
    if (!undoes_all_when_a_call_fails(family)) return;
}
