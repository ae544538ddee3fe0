// The graded checks of lesson 14: what SignalPipe changes in the process, and gives back.
#include <signal.h>
#include <sys/socket.h>

#include <string>

#include "14-wake-ups/wake_ups.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "waking.hpp"

using namespace grader;
using namespace waking;

namespace {

volatile sig_atomic_t earlier_handler_runs = 0;

void earlier_handler(int) { earlier_handler_runs = earlier_handler_runs + 1; }
void earlier_handler_with_siginfo(int, siginfo_t*, void*) { earlier_handler(0); }

// All that sigaction(2) tells of a signal.
struct Disposition {
  explicit Disposition(int of) : signal(of) { ::sigaction(signal, nullptr, &action); }

  int signal;
  struct sigaction action {};

  [[nodiscard]] bool has_siginfo() const { return (action.sa_flags & SA_SIGINFO) != 0; }

  // "a handler with SA_RESTART that blocks {SIGALRM}".
  [[nodiscard]] std::string told() const {
    if (action.sa_handler == SIG_DFL) return "SIG_DFL";
    if (action.sa_handler == SIG_IGN) return "SIG_IGN";
    const bool is_earlier = has_siginfo() ? action.sa_sigaction == earlier_handler_with_siginfo
                                          : action.sa_handler == earlier_handler;
    return (is_earlier ? "the earlier handler" : "another handler") + flags();
  }

  [[nodiscard]] std::string flags() const {
    std::string text;
    const auto add = [&](int flag, const char* name) {
      if ((action.sa_flags & flag) != 0) text += std::string(text.empty() ? " with " : "|") + name;
    };
    add(SA_RESTART, "SA_RESTART");
    add(SA_SIGINFO, "SA_SIGINFO");
    add(SA_NODEFER, "SA_NODEFER");
    add(SA_ONSTACK, "SA_ONSTACK");
    Signals blocked;
    for (int other = 1; other < NSIG; ++other)
      if (sigismember(&action.sa_mask, other) == 1) blocked.push_back(other);
    if (!blocked.empty()) text += " that blocks " + to_text(blocked);
    return text;
  }
};

void set_up(int signal, sighandler_t handler, int flags = 0, const Signals& blocks = {}) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  if ((flags & SA_SIGINFO) != 0) action.sa_sigaction = earlier_handler_with_siginfo;
  action.sa_mask = set_of(blocks);
  ::sigaction(signal, &action, nullptr);
}

// Six signals, each handled in another way.
void set_up_six() {
  earlier_handler_runs = 0;
  set_up(SIGINT, SIG_DFL);
  set_up(SIGHUP, SIG_IGN);
  set_up(SIGUSR1, earlier_handler, SA_RESTART | SA_NODEFER, {SIGALRM, SIGQUIT});
  set_up(SIGUSR2, nullptr, SA_SIGINFO | SA_ONSTACK, {SIGUSR1});
  set_up(SIGTERM, earlier_handler);
  set_up(SIGWINCH, earlier_handler, SA_RESTART);
}

std::vector<std::string> dispositions() {
  std::vector<std::string> all;
  for (int signal = 1; signal < NSIG; ++signal) all.push_back(Disposition(signal).told());
  return all;
}

// `start` is what was done between the two.
bool expect_as_before(const std::vector<std::string>& before, const std::string& start) {
  const auto now = dispositions();
  for (std::size_t i = 0; i < before.size(); ++i)
    if (!expect_that(now[i] == before[i], start + signal_name(static_cast<int>(i) + 1) +
                                              " is not handled as before.\n  wanted: " + before[i] +
                                              "\n  got:    " + now[i]))
      return false;
  return true;
}

}  // namespace

// Rule: sigaction(2) tells what was before, and takes it back whole.
TEST(SignalPipe, PutsBackTheDispositions) {
  explain({.rule = "While it lives, its signals do nothing but wake; at its end each is handled as "
                   "before: function, flags and mask.",
           .why = "They are settings of the whole process. Somebody else has made them.",
           .read = "What is lent"});
  WakingScenario scenario;
  set_up_six();
  const auto before = dispositions();
  scenario.make_signal_pipe({SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGTERM, SIGUSR2});
  int at_ms = 31;
  for (const int signal : {SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM})
    scenario.signal_at(Time(at_ms++ * 1ms), signal, Handler::own);
  scenario.let_pass(347ms);
  const Signals taken = scenario.take();
  const int earlier_runs_meanwhile = earlier_handler_runs;
  scenario.drop();

  if (!expect_equal(to_text(taken), "{SIGHUP SIGINT SIGUSR1 SIGUSR2 SIGTERM}",
                    "Five signals came, which had been handled in five ways before.") ||
      !expect_that(earlier_runs_meanwhile == 0,
                   "The handler that a signal had before ran while the SignalPipe lived.") ||
      !expect_as_before(before, "The SignalPipe, to which SIGTERM was named twice, is gone. "))
    return;
  scenario.signal_at(1219ms, SIGTERM, Handler::own);
  scenario.let_pass(1s);
  expect_that(earlier_handler_runs == 1,
              "The SignalPipe is gone, SIGTERM came, and the handler that it had before did not "
              "run.");
}

// Rule: a constructor that throws has no destructor: it undoes what it did itself.
TEST(SignalPipe, UndoesAllWhenItCannotBeMade) {
  explain({.rule =
               "When a signal cannot be caught, or no descriptor is left, the constructor throws "
               "and all is as before.",
           .why = "No destructor runs for what was never made.",
           .read = "What is lent"});
  struct Case {
    const char* what;
    Signals signals;
    int error;
  };
  const Case cases[] = {
      {"SIGKILL was the third of four signals", {SIGUSR1, SIGUSR2, SIGKILL, SIGTERM}, EINVAL},
      {"0, which is no signal, was the last of three", {SIGUSR1, SIGTERM, 0}, EINVAL},
      {"65, which is no signal, was the second of two", {SIGUSR2, 65}, EINVAL},
      {"-1, which is no signal, was the second of two", {SIGUSR2, -1}, EINVAL},
      {"SIGUSR1 was named twice, then SIGSTOP", {SIGUSR1, SIGUSR1, SIGSTOP}, EINVAL},
      {"No descriptor was left", {SIGUSR1, SIGTERM}, EMFILE}};
  for (const auto& [what, signals, error] : cases) {
    WakingScenario scenario;
    set_up_six();
    const auto before = dispositions();
    if (error == EMFILE)
      for (const char* family : {"pipe", "eventfd", "socketpair", "socket"})
        scenario.faults().fail(family, EMFILE);
    const Thrown thrown = thrown_by([&, &named = signals] { scenario.make_signal_pipe(named); });
    const auto failed = scenario.failed_call(error);
    const std::string call = failed ? family_of(failed->function) : "";
    const std::string start = std::string(what) + ", and the constructor " + thrown.told();

    if (!expect_that(thrown.names(call, error),
                     start + ". Throw std::system_error with " + error_name(error) +
                         (failed ? ", and name the call: " + failed->function : "") + ".") ||
        !expect_that(scenario.open_descriptors().empty(), start + " and left a descriptor open.") ||
        !expect_as_before(before, start + ". Now "))
      return;
    scenario.faults() = {};
    const Thrown then = thrown_by([&] { scenario.make_signal_pipe({SIGUSR2}); });
    if (!expect_that(then.what == "nothing", start + ". Another was to be made then, which " +
                                                 then.told() + ": the first is still remembered."))
      return;
    scenario.signal_at(31ms, SIGUSR2, Handler::own);
    scenario.let_pass(100ms);
    if (!expect_equal(to_text(scenario.take()), "{SIGUSR2}",
                      start + ". Another was made then, and SIGUSR2 came."))
      return;
  }
}

// Rule: a handler is given a number and nothing else, so there is one place to write to.
TEST(SignalPipe, IsOneAtATime) {
  explain(
      {.rule = "While one lives, another cannot be made: std::logic_error, and the first goes on "
               "as if nothing had been asked.",
       .why = "A handler cannot know which of two is meant; who would take the first one's place "
              "would take its signals.",
       .read = "Your task"});
  WakingScenario scenario;
  set_up_six();
  const int fd = scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  scenario.signal_at(31ms, SIGUSR1, Handler::own);
  scenario.wait_for(fd);
  const auto before = dispositions();
  const auto open_before = scenario.open_descriptors();

  const Thrown thrown = thrown_by([&] {
    scenario.run([] { course::SignalPipe second(Signals{SIGUSR2, SIGTERM}); });
  });

  const std::string start =
      "There was a SignalPipe, a second one was to be made, and its constructor " + thrown.told() +
      ". ";
  if (!expect_that(thrown.is_logic_error, start + "Throw std::logic_error.") ||
      !expect_as_before(before, start) ||
      !expect_equal(scenario.open_descriptors(), open_before,
                    start + "The open descriptors are not "
                            "as before."))
    return;
  const bool stays_readable = is_readable(fd);
  const Signals taken = scenario.take();
  if (!expect_that(stays_readable && taken == Signals{SIGUSR1},
                   start + "The first had got SIGUSR1 before that. Now its fd() was " +
                       (stays_readable ? "readable" : "quiet") + ", and take() returned " +
                       to_text(taken) + "."))
    return;
  scenario.signal_at(347ms, SIGTERM, Handler::own);
  scenario.let_pass(1s);
  const bool is_woken = is_readable(fd);
  const Signals taken_then = scenario.take();
  if (!expect_that(is_woken && taken_then == Signals{SIGTERM},
                   start + "Then SIGTERM came to the first, whose fd() was " +
                       (is_woken ? "readable" : "quiet") + ", and take() returned " +
                       to_text(taken_then) + "."))
    return;
  scenario.drop();
  const int next = scenario.make_signal_pipe({SIGUSR2});
  scenario.signal_at(scenario.now() + 31ms, SIGUSR2, Handler::own);
  scenario.wait_for(next);
  expect_equal(to_text(scenario.take()), "{SIGUSR2}",
               "The first is gone, the next was made, and SIGUSR2 came.");
}

// Rule: what a handler has written to outlives the object, unless somebody forgets it.
TEST(SignalPipe, BeginsAnew) {
  explain({.rule = "A new SignalPipe knows of nothing that came to an earlier one.",
           .why = "A server that was stopped and is started again would stop at once.",
           .read = "Your task"});
  WakingScenario scenario;
  const int first = scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  scenario.signal_at(31ms, SIGTERM, Handler::own);
  scenario.wait_for(first);
  scenario.drop();
  const int fd = scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  const bool was_readable = is_readable(fd);
  const Signals taken = scenario.take();
  scenario.signal_at(347ms, SIGUSR1, Handler::own);
  scenario.wait_for(fd);

  const std::string start = "SIGTERM came to a SignalPipe that is gone. ";
  expect_that(!was_readable, start + "fd() of a new one was readable at once.") &&
      expect_equal(to_text(taken), "{}", start + "A new one was asked at once.") &&
      expect_equal(to_text(scenario.take()), "{SIGUSR1}", start + "SIGUSR1 came to a new one.");
}

// Rule: masks and other signals are somebody else's.
TEST(SignalPipe, LeavesTheRestAlone) {
  explain({.rule = "It changes neither the signal mask nor other signals, and is not confused by "
                   "their handlers.",
           .why = "A signal that stays blocked does not even end the program when it should.",
           .read = "What is lent"});
  WakingScenario scenario;
  set_up_six();
  const sigset_t held_back = set_of({SIGTERM, SIGALRM});
  ::pthread_sigmask(SIG_BLOCK, &held_back, nullptr);
  const auto before = dispositions();
  const auto blocked_before = blocked_signals();
  scenario.signal_at(31ms, SIGTERM, Handler::own);
  scenario.signal_at(53ms, SIGWINCH, Handler::own);
  const auto expect_same_mask = [&](const std::string& when) {
    return expect_equal(to_text(blocked_signals()), to_text(blocked_before),
                        when + " other signals are blocked than before.");
  };

  const int fd = scenario.make_signal_pipe({SIGUSR1, SIGTERM});
  if (!expect_same_mask("With a SignalPipe") ||
      !expect_equal(Disposition(SIGWINCH).told(), before[SIGWINCH - 1],
                    "SIGWINCH was not named, and is not handled as before."))
    return;
  scenario.let_pass(347ms);
  const bool was_readable = is_readable(fd);
  const Signals taken = scenario.take();
  if (!expect_that(!was_readable && taken.empty() && earlier_handler_runs == 1,
                   "SIGTERM, which you were asked for, came and is blocked; SIGWINCH, which has a "
                   "handler of its own, was handled. fd() was " +
                       std::string(was_readable ? "readable" : "quiet") + ", and take() returned " +
                       to_text(taken) + ".") ||
      !expect_same_mask("After take()"))
    return;
  scenario.run([&] { ::pthread_sigmask(SIG_UNBLOCK, &held_back, nullptr); });
  if (!expect_equal(to_text(scenario.take()), "{SIGTERM}", "SIGTERM was let in.")) return;
  scenario.drop();
  expect_that(blocked_signals().empty(), "The SignalPipe is gone, and signals are blocked.");
}

// Rule: when a number is free, anybody may get it; a handler that still writes there writes to
// them.
TEST(SignalPipe, WritesNowhereWhenItIsGone) {
  explain(
      {.rule =
           "The dispositions are put back first, then goes what a handler uses: it runs as long "
           "as it is installed, and writes to no descriptor that is closed.",
       .why = "Another thread may have opened something under that number: a file, a client.",
       .read = "What is lent"});
  for (const Moment moment : all_moments)
    for (int skip = 0;; ++skip) {  // it crashes, if what it uses is gone
      WakingScenario scenario;
      ignore(SIGUSR1);
      scenario.make_signal_pipe({SIGUSR1, SIGUSR2});
      scenario.signal_at_moment(moment, skip, SIGUSR1);
      scenario.drop();
      if (!scenario.has_come()) break;
    }
  for (int skip = 0; skip < 4; ++skip) {
    WakingScenario scenario;
    ignore(SIGUSR1);
    scenario.make_signal_pipe({SIGUSR1});
    int pair[2] = {-1, -1};
    scenario.thread_after(
        "close", [&] { (void)::socketpair(AF_UNIX, SOCK_STREAM, 0, pair); }, skip);
    scenario.signal_after("close", SIGUSR1, Handler::own, skip);

    scenario.drop();

    if (pair[0] < 0) return;
    const bool is_hit = is_readable(pair[0]) || is_readable(pair[1]);
    scenario.run([&] {
      ::close(pair[0]);
      ::close(pair[1]);
    });
    if (!expect_that(!is_hit,
                     "The destructor had closed a descriptor, another thread opened one and "
                     "got its number, and then SIGUSR1 came: the handler wrote to it. Put "
                     "the dispositions back before you close."))
      return;
  }
}
