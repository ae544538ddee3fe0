// The graded checks of lesson 14: pselect_until().
#include <signal.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "14-wake-ups/wake_ups.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "waking.hpp"

using namespace grader;
using namespace waking;

namespace {

using Fds = std::vector<int>;
using Limit = std::optional<course::Duration>;  // nothing: never

// How late a wait may end: poll counts in milliseconds.
constexpr Time granularity = 2ms;

struct Lists {
  Fds readers = {}, writers = {}, exceptional = {};
};

// What came of a call.
struct Found {
  course::Ready ready = {};
  Thrown thrown = {};
  Time took{};
  int handler_runs = 0;   // meanwhile
  std::string diagnosis;  // the mistake that its waiting calls show; empty: none

  [[nodiscard]] bool has_returned() const { return thrown.what == "nothing"; }

  // "returned readable {3}, ... after 0.347 s".
  [[nodiscard]] std::string told() const {
    return (has_returned() ? "returned " + text_of(ready) : thrown.told()) + " after " +
           shown(took);
  }

  static std::string text_of(const course::Ready& ready) {
    const auto list = [](const Fds& fds) {
      std::string text = "{";
      for (const int fd : fds) text += (text.size() > 1 ? " " : "") + std::to_string(fd);
      return text + "}";
    };
    return "readable " + list(ready.readable) + ", writable " + list(ready.writable) +
           ", exceptional " + list(ready.exceptional);
  }
};

// A program that blocks SIGTERM and SIGUSR1, whose handlers only set a flag.
class PselectScenario : public WakingScenario {
 public:
  PselectScenario() {
    const sigset_t blocked = set_of({SIGTERM, SIGUSR1});
    ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
    for (const int signal : {SIGTERM, SIGUSR1, SIGUSR2}) handle(signal, [] {});
  }
  ~PselectScenario() {
    const sigset_t none = set_of({});
    for (const int signal : {SIGTERM, SIGUSR1, SIGUSR2}) ignore(signal);  // what is still pending
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  }

  // `held_back` is the mask.
  Found pselect_until(const Lists& lists, Limit limit, const Signals& held_back = {SIGUSR1}) {
    const sigset_t mask = set_of(held_back);
    const int runs_before = handler_runs();
    const Asked asked{
        .reading = lists.readers,
        .writing = lists.writers,
        .exceptional = lists.exceptional,
        .time = {.timeout = limit ? std::optional(std::max(Time{}, Time(*limit))) : std::nullopt,
                 .since = now()}};
    asks(asked);
    Found found;
    found.thrown = thrown_by([&] {
      run([&] {
        const auto deadline = limit ? course::Deadline::after(*limit) : course::Deadline::never();
        found.ready =
            course::pselect_until(lists.readers, lists.writers, lists.exceptional, deadline, mask);
      });
    });
    found.took = took();
    found.handler_runs = handler_runs() - runs_before;
    found.diagnosis = diagnose(calls_that_waited(), asked);
    return found;
  }

 private:
  // Without those that only looked, which any program may make for its own reasons.
  [[nodiscard]] Waits calls_that_waited() const {
    std::vector<WaitingCall> waited;
    for (const WaitingCall& wait : waits_of_last_run())
      if (wait.timeout != Time{}) waited.push_back(wait);
    return {waited.begin(), waited.end()};
  }
};

// It must have returned `wanted` after `time`; `start` says what was the case and `advice` what to
// do, unless the waits say it better.
bool expect_found(const Found& found, const course::Ready& wanted, Time time,
                  const std::string& start, const std::string& advice = {},
                  Where where = Where::here()) {
  const Time latest = time + (wanted == course::Ready{} ? granularity : Time{});
  if (found.has_returned() && found.ready == wanted && found.took >= time && found.took <= latest)
    return true;
  const std::string mistake = !found.diagnosis.empty() ? found.diagnosis : advice;
  fail(start + (mistake.empty() ? "" : " " + mistake) + "\n  wanted: returned " +
           Found::text_of(wanted) + " after " + shown(time) + "\n  got:    " + found.told(),
       where);
  return false;
}

bool is_pending(int signal) {
  sigset_t pending;
  ::sigpending(&pending);
  return sigismember(&pending, signal) == 1;
}

// SIGTERM comes just as the program enters its call number `skip` of select and the like. Returns
// false when the check has failed, or there is no such call.
bool notices_signal_before_call(int skip) {
  PselectScenario scenario;
  const int alice = scenario.peer("alice").at(2700ms).sends("x").connected();
  scenario.signal_before("select", SIGTERM, Handler::own, skip);

  const Found found = scenario.pselect_until({.readers = {alice}}, std::nullopt);

  auto waits = scenario.own_calls();
  std::erase_if(waits, [](const Call& call) { return family_of(call.function) != "select"; });
  if (waits.size() <= static_cast<std::size_t>(skip)) return false;
  const Call& call = waits[static_cast<std::size_t>(skip)];
  if (call.began > 0s) return false;  // the wait was over
  return expect_that(found.has_returned() && found.took == 0s && found.handler_runs == 1,
                     "SIGTERM came just as you called " + call.text + ", and pselect_until() " +
                         found.told() + "; by then its handler had run " +
                         times(found.handler_runs) +
                         ". Unblock it nowhere but in the call that waits: only pselect changes "
                         "the mask and begins to wait in one step.");
}

}  // namespace

// Rule: fact 57: pselect whose mask lets a pending signal in returns EINTR at once.
TEST(PselectUntil, EndsWhenASignalHasBeenHandled) {
  explain({.rule = "It returns when a signal that its mask lets in has been handled: one that was "
                   "pending before, one that comes just then, one that comes while it waits.",
           .why = "The loop around it asks its flag, and then waits for whatever comes next.",
           .read = "Let in while you wait"});
  for (const Handler handler : {Handler::plain, Handler::restarting}) {
    PselectScenario scenario;
    const int alice = scenario.peer("alice").connected();
    scenario.handle(
        SIGTERM, [] {}, handler);
    scenario.signal_at(31ms, SIGTERM, Handler::own);
    scenario.signal_at(1219ms, SIGTERM, Handler::own);
    scenario.let_pass(100ms);
    const std::string kind =
        handler == Handler::plain ? "SIGTERM " : "SIGTERM, whose handler has SA_RESTART, ";

    const Found pending = scenario.pselect_until({.readers = {alice}}, 1h);
    if (!expect_found(pending, {}, 0s, kind + "was pending before the call.",
                      "Return when it has been handled.") ||
        !expect_that(pending.handler_runs == 1, kind + "was pending; its handler has run " +
                                                    times(pending.handler_runs) + "."))
      return;
    const Found coming = scenario.pselect_until({.readers = {alice}}, 1h);
    if (!expect_found(coming, {}, 1119ms, kind + "came after 1.119 s of waiting.",
                      "A signal ends the wait: the caller wants to look at its flag.") ||
        !expect_that(coming.handler_runs == 1,
                     kind + "came; its handler has run " + times(coming.handler_runs) + "."))
      return;
  }
  for (int skip = 0; notices_signal_before_call(skip); ++skip) {
  }
}

// Rule: fact 58: pselect that finds somebody ready returns, and the handler does not run.
TEST(PselectUntil, RunsHandlersThoughSomebodyIsReady) {
  explain({.rule = "A signal that was pending has been handled when it returns, also when somebody "
                   "was ready at once, who is in the answer all the same.",
           .why = "A descriptor that is always ready would keep the signal out for ever, and a "
                  "server with much to do could not be stopped.",
           .read = "The busy descriptor"});
  PselectScenario scenario;
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int bob = scenario.peer("bob").window(100).connected();
  const int carol = scenario.peer("carol").sends_urgent('!').connected();
  const struct {
    Lists asked;
    Limit limit;
    course::Ready ready;
  } cases[] = {{{.readers = {alice}}, std::nullopt, {{alice}, {}, {}}},
               {{.writers = {bob}}, 1min, {{}, {bob}, {}}},
               {{.exceptional = {carol}}, 0s, {{}, {}, {carol}}},
               {{.readers = {carol, alice}, .writers = {bob}}, -5s, {{alice}, {bob}, {}}}};
  for (const auto& [asked, limit, ready] : cases) {
    scenario.signal_at(scenario.now() + 31ms, SIGTERM, Handler::own);
    scenario.let_pass(100ms);

    const Found found = scenario.pselect_until(asked, limit);

    const std::string start = "SIGTERM was pending, and somebody was ready at once.";
    if (!expect_that(found.handler_runs == 1, start + " pselect_until() " + found.told() +
                                                  ", and the handler has run " +
                                                  times(found.handler_runs) +
                                                  ": pselect returns who is ready and leaves the "
                                                  "signal pending. Let it in before you return.") ||
        !expect_that(!is_pending(SIGTERM),
                     start + " Its handler has run, and it is pending still.") ||
        !expect_found(found, ready, 0s, start, "Report who was ready as well."))
      return;
  }
}

// Rule: the mask says who may come in; what it blocks waits outside.
TEST(PselectUntil, HoldsBackWhatTheMaskHoldsBack) {
  explain({.rule = "A signal that the mask holds back, and one that is ignored, neither ends the "
                   "wait nor is handled in it.",
           .why = "The caller has said which signals it can bear now.",
           .read = "Let in while you wait"});
  PselectScenario scenario;
  const int alice = scenario.peer("alice").at(2700ms).sends("x").connected();
  scenario.signal_at(31ms, SIGUSR1, Handler::own);
  scenario.let_pass(100ms);
  ignore(SIGHUP);
  scenario.signal_at(347ms, SIGUSR1, Handler::own);
  scenario.signal_at(583ms, SIGHUP, Handler::own);

  const Found blocked = scenario.pselect_until({.readers = {alice}}, 1119ms);
  if (!expect_found(
          blocked, {}, 1119ms,
          "SIGUSR1, which the mask holds back, was pending and came once more, and SIGHUP, "
          "which is ignored, came.",
          "Neither is a reason to return.") ||
      !expect_that(blocked.handler_runs == 0 && is_pending(SIGUSR1),
                   "The mask holds SIGUSR1 back, and its handler has run " +
                       times(blocked.handler_runs) +
                       ". Let in what the mask lets in, and nothing else."))
    return;
  scenario.signal_at(1583ms, SIGUSR2, Handler::own);
  const Found unblocked =
      scenario.pselect_until({.readers = {alice}}, std::nullopt, {SIGTERM, SIGUSR1, SIGUSR2});
  expect_found(unblocked, {{alice}, {}, {}}, 1481ms,
               "SIGUSR2, which the mask holds back and the caller does not, came while it waited.",
               "It has to wait until you return.") &&
      expect_that(!is_pending(SIGUSR2) && is_pending(SIGUSR1),
                  "Nobody was to be let in but SIGUSR2, after the wait.");
}

// Rule: pselect takes a timespec, in nanoseconds, and leaves it alone (select(2)).
TEST(PselectUntil, KeepsTheDeadline) {
  explain({.rule =
               "With nobody ready and no signal it returns when the deadline has passed, and no "
               "earlier; when it has passed already, it looks once, and lets in what is pending.",
           .why = "It is select_until() with a mask; everything else is kept.",
           .read = "Your task"});
  PselectScenario scenario;
  const int alice = scenario.peer("alice").connected();
  const int bob = scenario.peer("bob").sends("x").connected();

  for (const Time time : {Time(1500ms), Time(7ns), Time(999ns), Time(347us + 1ns),
                          Time(1219ms + 500us), Time(2s + 300ns), Time(61s + 7ms), Time(24h * 31)})
    for (const Lists& lists : {Lists{.readers = {alice}}, Lists{}})
      if (!expect_found(scenario.pselect_until(lists, time), {}, time,
                        "Nobody was ready, and the deadline was " + shown(time) + " away.",
                        "Round up, never down."))
        return;
  if (!expect_that(is_real_time() || scenario.waits_of_last_run().size() < 20,
                   "Nothing happened for a month, and you waited many times. Wait once, for all of "
                   "it."))
    return;
  for (const Time time : {Time(0), Time(-1), Time(-5s - 219ms), Time::min()}) {
    const std::string start = "The deadline had passed";
    scenario.run([] { ::raise(SIGTERM); });
    const Found nobody = scenario.pselect_until({.readers = {alice}}, time);
    if (!expect_found(nobody, {}, 0s, start + ", alice was silent, and SIGTERM was pending.",
                      "Look once, and do not wait.") ||
        !expect_that(nobody.handler_runs == 1,
                     start + ", SIGTERM was pending, and its handler has run " +
                         times(nobody.handler_runs) + ". Let it in all the same.") ||
        !expect_found(scenario.pselect_until({.readers = {alice, bob}}, time), {{bob}, {}, {}}, 0s,
                      start + ", and bob was ready.", "Still look once."))
      return;
  }
}

// Rule: the answer is that of select_until(): subsets of what was asked, in order, each once.
TEST(PselectUntil, ReportsAllThreeLists) {
  explain({.rule = "It returns who is ready as soon as somebody is, for each list in the order "
                   "asked, and each descriptor once.",
           .why = "It is select_until() with a mask; everything else is kept.",
           .read = "Your task"});
  PselectScenario scenario;
  const int alice = scenario.peer("alice").at(1219ms).sends("hello").connected();
  const int dave = scenario.peer("dave").at(1219ms).sends("hi").connected();
  const int erin = scenario.peer("erin").at(24h * 31 + 347ms).closes().connected();
  Peer& to_bob = scenario.peer("bob").window(0);
  const int bob = to_bob.at(1219ms).opens_window(100).connected();
  const int carol = scenario.peer("carol").at(1219ms).sends_urgent('!').connected();

  expect_found(scenario.pselect_until({.readers = {dave, erin, alice, dave},
                                       .writers = {bob, bob},
                                       .exceptional = {dave, carol}},
                                      1min),
               {{dave, alice}, {bob}, {carol}}, 1219ms,
               "After 1.219 s alice and dave were readable, bob writable, and carol had urgent "
               "data; dave and bob had been asked about twice.") &&
      expect_found(scenario.pselect_until({.readers = {erin}}, std::nullopt), {{erin}, {}, {}},
                   24h * 31 + 347ms - 1219ms,
                   "There was no deadline, and erin closed after a month.");
}

// Rule: the signal mask is the caller's, and nothing else than this call may change it.
TEST(PselectUntil, PutsTheMaskBack) {
  explain({.rule = "However it ends, by an exception too, the signal mask is as it was before.",
           .why = "With another mask signals come in the middle of the caller's work, or never.",
           .read = "Let in while you wait"});
  PselectScenario scenario;
  const int alice = scenario.peer("alice").sends("x").connected();
  const int bob = scenario.peer("bob").connected();
  for (const Signals& outside : {Signals{SIGUSR1, SIGTERM}, Signals{SIGALRM, SIGTERM}, Signals{}}) {
    const sigset_t mask = set_of(outside);
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    const auto expect_same = [&](const std::string& how, const Found& found) {
      return expect_equal(to_text(blocked_signals()), to_text(outside),
                          how + ": pselect_until() " + found.told() +
                              ", and other signals are blocked than before.");
    };
    if (!expect_same("Somebody was ready", scenario.pselect_until({.readers = {alice}}, 1s)) ||
        !expect_same("The deadline passed", scenario.pselect_until({.readers = {bob}}, 347ms)))
      return;
    if (sigismember(&mask, SIGTERM) == 1) scenario.run([] { ::raise(SIGTERM); });
    if (!expect_same("SIGTERM came", scenario.pselect_until({.readers = {bob}}, 347ms)) ||
        !expect_same("Descriptor 61 is not open", scenario.pselect_until({.readers = {61}}, 347ms)))
      return;
    for (int skip = 0; skip < 3; ++skip) {
      scenario.faults() = {};
      scenario.faults().fail("select", ENOMEM, 1, skip);
      if (!expect_same("The waiting call said ENOMEM",
                       scenario.pselect_until({.readers = {bob}}, 347ms)))
        return;
    }
    scenario.faults() = {};
  }
}

// Rule: EINTR is the only error of a wait that is no failure.
TEST(PselectUntil, ThrowsLikeSelectUntil) {
  explain({.rule = "EBADF names a descriptor that is not open, EINVAL one that has no room in an "
                   "fd_set, and any other failure of the wait but EINTR is thrown.",
           .why = "A wait that failed found nobody ready, and did not wait either.",
           .read = "Your task"});
  PselectScenario scenario;
  const int alice = scenario.peer("alice").at(7300ms).sends("hello").connected();
  const int bob = scenario.lend_at(scenario.peer("bob").sends("hello").connected(), 1024);
  const auto judge = [](const Found& found, const std::string& start, int error,
                        const std::string& named) {
    const std::string told = start + ", and pselect_until() " + found.told() + ". ";
    return expect_that(found.thrown.is_system_error && found.thrown.error == error,
                       told + "Throw std::system_error with " + error_name(error) + ".") &&
           expect_that(found.thrown.what.find(named) != std::string::npos,
                       told + "Name the descriptor.");
  };
  if (!judge(scenario.pselect_until({.readers = {alice, 61}}, 2s), "Descriptor 61 is not open",
             EBADF, "61") ||
      !judge(scenario.pselect_until({.readers = {alice}, .writers = {bob}}, 2s),
             "Descriptor 1024 does not fit an fd_set", EINVAL, "1024"))
    return;
  const Found negative = scenario.pselect_until({.readers = {alice}, .exceptional = {-1}}, 2s);
  if (!(negative.thrown.is_system_error && negative.thrown.error == EBADF) &&
      !judge(negative, "Descriptor -1 is none", EINVAL, "-1"))
    return;
  for (int skip = 0; skip < 3; ++skip) {
    PselectScenario failing;
    const int carol = failing.peer("carol").at(7300ms).sends("hello").connected();
    failing.faults().fail("select", ENOMEM, 1, skip);
    const Found found = failing.pselect_until({.readers = {carol}}, 2s);
    const auto waits = failing.waits_of_last_run();
    const bool is_wait_hit = std::any_of(waits.begin(), waits.end(), [](const WaitingCall& wait) {
      return wait.error == ENOMEM && wait.timeout.value_or(1s) > 0s;  // not one that only looks
    });
    if (is_wait_hit && !judge(found, "The call that waited said ENOMEM", ENOMEM, "")) return;
  }
}
