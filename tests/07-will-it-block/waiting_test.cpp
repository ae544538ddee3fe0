// The graded checks of lesson 07: how long it waits, what a signal does, and what is refused.
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <string>
#include <vector>

#include "asking.hpp"

using namespace grader;
using namespace asking;

namespace {

// A silent peer's connection for reading, a full one for writing: neither is ready.
struct Silence {
  explicit Silence(Scenario& scenario)
      : alice(scenario.peer("alice").connected()),
        bob(scenario.peer("bob").window(0).connected()) {}
  [[nodiscard]] int fd(const Function& function) const {
    return function.wait == readable.wait ? alice : bob;
  }
  int alice, bob;
};

const Scenario* the_scenario = nullptr;
std::vector<Time> handled_at;

// Sends `signal` at `time`, to a handler that notes when it runs.
void noted_signal(Scenario& scenario, Time time, int signal, int flags = 0) {
  the_scenario = &scenario;
  struct sigaction action {};
  action.sa_handler = [](int) { handled_at.push_back(the_scenario->now()); };
  action.sa_flags = flags;
  ::sigaction(signal, &action, nullptr);
  scenario.signal_at(time, signal, Handler::own);
}

// `answer`'s first timeval is what `before`'s last had been counted down to.
bool is_left_over(const Answer& answer, const Answer& before) {
  return !answer.waits.empty() && !before.waits.empty() && before.waits.back().left &&
         answer.waits.front().raw_timeout == before.waits.back().left;
}

// After an interruption, a timeval was given to select as the call before had left it.
bool has_counted_down(const Waits& waits) {
  for (std::size_t i = 1; i < waits.size(); ++i)
    if (waits[i - 1].error == EINTR && waits[i - 1].left &&
        waits[i - 1].left == waits[i].raw_timeout)
      return true;
  return false;
}

// Enough for a check whose subject is not how exact it is.
constexpr Time slack = 150ms;
constexpr Time day = 24h;

}  // namespace

// ---- how long

// Rule: 0 from select(2): the timeout has passed, and nothing is ready.
TEST(Waiting, EndsWhenTheTimeIsOver) {
  explain({.rule = "When the time is over and the descriptor is not ready, the answer is false: on "
                   "time, and never early.",
           .why = "The caller has other things to do, and has said when.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const Silence silence(scenario);

  for (const Function& function : {readable, writable})
    for (const Time timeout : {Time(1219ms), Time(347ms), Time(2s), Time(61s + 700us)})
      if (!expect_no(scenario.ask(function, silence.fd(function), timeout), timeout,
                     format("The timeout was %s, and nothing became %s;", to_text(timeout).c_str(),
                            function.readiness),
                     "Return false when the time is over."))
        return;
}

// Rule: a time_t counts seconds for ever, an int of milliseconds ends after 24.8 days (poll(2)).
TEST(Waiting, TakesALongTimeAtItsWord) {
  explain({.rule = "A timeout of hours or weeks is kept like any other.",
           .why = "A number that is too small for its milliseconds or microseconds goes wrong only "
                  "when nobody watches, weeks later.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const Silence silence(scenario);
  const int carol = scenario.peer("carol").at(37 * day + 219ms).sends("hello").connected();
  const char* advice =
      "Mind how much the number holds: an int of microseconds ends after 36 minutes, one of "
      "milliseconds after 25 days. What is too long for one call takes several.";

  expect_no(scenario.ask(writable, silence.bob, 2h), 2h,
            "The timeout was 2 hours, and nothing became writable;", advice) &&
      expect_no(scenario.ask(readable, silence.alice, 31 * day), 31 * day,
                "The timeout was 31 days, and nothing became readable;", advice) &&
      expect_ready_at(scenario.ask(readable, carol, 61 * day), 37 * day + 219ms,
                      "The timeout was 61 days, carol sent after six of them, and", advice);
}

// Rule: {0, 0} looks and does not wait; a negative time is refused (select(2): EINVAL).
TEST(Waiting, OnlyLooksWhenThereIsNoTime) {
  explain({.rule = "With a timeout of zero or less it looks once, and does not wait.",
           .why = "A deadline that has passed is no reason to overlook what is there.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const Silence silence(scenario);
  const int carol = scenario.peer("carol").sends("hello").connected();

  for (const Function& function : {readable, writable})
    for (const Time timeout : {Time(0), Time(-1), Time(-219ms), Time(-7s), Time::min()}) {
      const std::string start =
          "The timeout was " + (timeout == Time(0) ? "zero" : "negative, " + to_text(timeout));
      if (!expect_ready_at(scenario.ask(function, carol, timeout), 0s,
                           start + ", and the descriptor was " + function.readiness + ";",
                           "Look once, even if no time is left.") ||
          !expect_no(scenario.ask(function, silence.fd(function), timeout), 0s,
                     start + ", and the descriptor was not " + function.readiness + ";",
                     "Look, and do not wait."))
        return;
    }
}

// Rule: never earlier; a timeval counts microseconds, Duration nanoseconds.
TEST(Waiting, RoundsTheTimeUp) {
  explain({.rule = "A timeout that the waiting call cannot express is rounded up, never down.",
           .why = "Rounded down to zero, the last moment before a deadline becomes a busy loop.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const Silence silence(scenario);

  for (const Time timeout : {Time(7ns), Time(999ns), Time(1001ns), Time(2s - 1ns)}) {
    const auto count = static_cast<long long>(timeout.count());
    if (!expect_no(scenario.ask(readable, silence.alice, timeout), timeout,
                   format("The timeout was %lld ns;", count),
                   "That is too early. A timeval counts microseconds: round up.", slack))
      return;
  }
}

// Rule: a null pointer waits for ever (select(2)); so does, as good as, the longest Duration.
TEST(Waiting, LastsAsLongAsItTakes) {
  explain({.rule = "Without a timeout it waits until the descriptor is ready, and with a long one "
                   "just as well.",
           .why = "A night watch that gives up after a minute is none.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const Time sent_at = 26 * day + 700ms, opened_at = 27 * day + 219ms;
  const int alice = scenario.peer("alice").at(sent_at).sends("hello").connected();
  const int bob = scenario.peer("bob").window(0).at(opened_at).opens_window(8).connected();

  const char* advice =
      "Added to the present time, or put into an int, that overflows: take what is too long for "
      "never.";

  if (!expect_ready_at(scenario.ask(readable, alice, std::nullopt), sent_at,
                       "There was no timeout, alice sent after 26 days, and",
                       "Without a timeout, wait as long as it takes."))
    return;
  expect_ready_at(scenario.ask(writable, bob, course::Duration::max()), opened_at,
                  "The timeout was Duration::max(), which is 292 years, and", advice);
}

// Rule: the kernel waits for you, without using the processor.
TEST(Waiting, IsOneWaitInTheKernel) {
  explain({.rule = "A wait of a minute is one wait in the kernel.",
           .why = "A program that wakes up to see whether it should wake up keeps the processor "
                  "awake, and the battery pays.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(59s + 347ms).sends("hello").connected();
  const int carol = scenario.peer("carol").at(118s + 219ms).sends("hello").connected();
  constexpr std::size_t calls_max = 20;
  const auto expect_few_calls = [](const Answer& answer, const char* who) {
    const char* advice = "One is enough: give it all the time there is.";
    return expect_that(
        answer.calls <= calls_max,
        format("%s said nothing for most of a minute, and it took you %zu calls to wait for her. ",
               who, answer.calls) +
            (answer.diagnosis.empty() ? advice : answer.diagnosis));
  };
  const char* advice = "Say true as soon as it is ready.";

  const Answer timed = scenario.ask(readable, alice, 1min);
  if (!expect_few_calls(timed, "alice") ||
      !expect_ready_at(timed, 59s + 347ms, "alice sent at 59.347 s, and", advice))
    return;
  const Answer endless = scenario.ask(readable, carol, std::nullopt);
  expect_few_calls(endless, "carol") &&
      expect_ready_at(endless, 118s + 219ms, "carol sent at 118.219 s, and", advice);
}

// Rule: select(2) overwrites its sets and its timeval; each call needs new ones.
TEST(Waiting, AsksAnewEachTime) {
  explain({.rule = "Each question is about its own descriptor and its own time only.",
           .why = "select overwrites the set and the timeval that it is given; what a call before "
                  "left in them is no question.",
           .read = "One descriptor, one set"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(1219ms).sends("hello").connected();
  const int bob = scenario.peer("bob").window(0).connected();
  const int carol = scenario.peer("carol").sends("hello").at(5219ms).sends("again").connected();

  const char* advice = "Make the set and the time anew for every call.";

  const Answer first = scenario.ask(readable, alice, 1s);
  Answer second = scenario.ask(readable, alice, 2s);
  if (is_left_over(second, first))
    second.diagnosis =
        "The first select counted its timeval down, and you passed it again as it was. Set it "
        "before every call.";
  if (!expect_no(first, 1s, "alice was silent for 1.219 s, and", advice) ||
      !expect_ready_at(second, 1219ms, "Asked once more about alice, who sent at 1.219 s,",
                       advice) ||
      !expect_no(scenario.ask(readable, bob, 1s), 1s,
                 format("alice (%d) was readable, and the question was about bob (%d), who was "
                        "silent;",
                        alice, bob),
                 advice) ||
      !expect_ready_at(scenario.ask(readable, carol, 1s), 0s,
                       "carol had sent something by then, and", advice))
    return;
  scenario.run([&] {
    char hello[5];
    return ::recv(carol, hello, sizeof hello, 0);
  });
  expect_no(scenario.ask(readable, carol, 1s), 1s,
            "carol's data had been received since the question before, and", advice) &&
      expect_ready_at(scenario.ask(readable, carol, 10s), 5219ms,
                      "Asked once more about carol, who sent at 5.219 s,", advice) &&
      expect_no(scenario.ask(writable, bob, 1s), 1s, "bob took nothing, and", advice);
}

// ---- signals

// Rule: EINTR ends select(2) whatever SA_RESTART says (signal(7)), and says nothing of readiness.
TEST(Waiting, IsNotEndedByASignal) {
  explain({.rule = "A signal is handled when it comes, and the wait goes on.",
           .why = "A child that ends or a window that changes its size says nothing about the "
                  "socket.",
           .read = "A signal ends select"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(1219ms).sends("hello").connected();
  Peer& peer = scenario.peer("bob").window(0).at(2700ms);
  const int bob = peer.opens_window(8).connected();
  const std::vector<Time> signals = {219ms, 431ms, 1218ms, 1500ms, 1507ms, 1601ms, 1709ms};
  for (const Time time : signals)
    if (time == 431ms)
      noted_signal(scenario, time, SIGUSR2, SA_RESTART);
    else
      noted_signal(scenario, time, SIGUSR1);
  const char* advice =
      "A signal ends the waiting call with EINTR, which says nothing about the descriptor; a set "
      "is as it was before. Wait on, and at once.";

  expect_ready_at(scenario.ask(readable, alice, std::nullopt), 1219ms,
                  "alice sent at 1.219 s. Signals came at 0.219 s, at 0.431 s, to a handler with "
                  "SA_RESTART, and at 1.218 s, and",
                  advice) &&
      expect_ready_at(scenario.ask(writable, bob, 1min), 2700ms,
                      "bob had room at 2.7 s. Four signals came before that, and", advice) &&
      expect_that(handled_at == signals,
                  "Signals came while you waited, and their handlers ran later, or not at all: you "
                  "held the signals back, or ignored them. Let them come, and wait on after each.");
}

// Rule: what is left is the timeout less the time that has passed. select(2) measures it before the
// handler runs (poll_select_finish() in the kernel's fs/select.c), so its timeval does not tell.
TEST(Waiting, IsNotLengthenedBySignals) {
  explain({.rule =
               "After a signal, wait for the time that is left. The time that its handler takes "
               "belongs to the wait.",
           .why = "If every signal starts the wait anew, a timer that ticks more often than the "
                  "timeout makes it last for ever.",
           .read = "A signal ends select"});
  AskingScenario scenario;
  const Silence silence(scenario);
  scenario.signal_at(300ms, SIGUSR1, Handler::plain, 400ms);
  scenario.signal_at(1900ms, SIGUSR2, Handler::plain, 419ms);
  for (Time at = 2500ms; at < 8s; at += 317ms) scenario.signal_at(at, SIGALRM, Handler::restarting);
  const char* advice = "After each signal, wait for what is left of the time, by the clock.";

  Answer in_time = scenario.ask(readable, silence.alice, 1s);
  if (has_counted_down(in_time.waits))
    in_time.diagnosis =
        "After the signal you gave select its own timeval again. What Linux leaves there was "
        "measured before the handler ran, which took 0.4 s. Ask a clock what is left.";
  expect_no(in_time, 1s, "The timeout was 1 s, and 0.4 s of that passed in a signal handler;",
            advice, slack) &&
      expect_no(scenario.ask(writable, silence.bob, 1s), 2319ms - in_time.ended,
                "The timeout was 1 s. A signal handler ran from 1.9 s to 2.319 s, which was past "
                "the end, and",
                "No time was left then: say false, unless one more look finds something.", slack) &&
      expect_no(scenario.ask(writable, silence.bob, 4s), 4s,
                "The timeout was 4 s, and a signal came every 0.317 s;", advice, slack);
}

// ---- what fails

// Rule: when select(2) fails, its set is as it was: every bit still stands.
TEST(Waiting, ThrowsWhatTheCallFailsWith) {
  explain({.rule = "When the waiting call fails, throw a std::system_error with its errno.",
           .why = "After a failure the bit still stands, so whoever looks at the set takes it for "
                  "ready, and waits in recv.",
           .read = "One descriptor, one set"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").connected();
  const int closed = scenario.peer("bob").connected_and_handed_over();
  scenario.run([&] { ::close(closed); });
  const auto advice_on = [](const Answer& answer) {
    if (!answer.has_returned) return ". What went wrong is in errno, straight after the call.";
    if (answer.waits.empty()) return ". Look at what your calls return, and throw.";
    return answer.waits.back().is_poll()
               ? ". poll itself fails, or says POLLNVAL of the descriptor: look at both, and throw."
               : ". Look at what the call returned, before the set, and throw.";
  };

  for (const Function& function : {readable, writable}) {
    const Answer of_closed = scenario.ask(function, closed, 2s);
    if (!expect_equal(of_closed.thrown(), "EBADF",
                      format("Descriptor %d was not open, and ", closed) + of_closed.told() +
                          advice_on(of_closed)))
      return;

    scenario.faults().fail("select", ENOMEM);
    const Answer without_memory = scenario.ask(function, alice, 2s);
    if (!expect_equal(without_memory.thrown(), "ENOMEM",
                      "The waiting call failed with ENOMEM, and " + without_memory.told() +
                          advice_on(without_memory)))
      return;
  }
}

// Rule: an fd_set has room for the numbers 0 to FD_SETSIZE - 1 (select(2), NOTES).
TEST(Waiting, RefusesWhatDoesNotFit) {
  explain({.rule = "A descriptor from 0 to 1023 fits an fd_set; any other is refused with EINVAL, "
                   "before FD_SET.",
           .why = "FD_SET(1024) writes into the memory behind the set.",
           .read = "A set has 1024 places"});
  AskingScenario scenario;
  const int alice = scenario.lend_at(scenario.peer("alice").sends("hello").connected(), 1023);
  const int bob = scenario.lend_at(scenario.peer("bob").sends("hello").connected(), 1024);
  const int carol = scenario.lend_at(scenario.peer("carol").sends("hello").connected(), 0);

  for (const Function& function : {readable, writable}) {
    for (const int fd : {carol, alice}) {
      const Answer answer = scenario.ask(function, fd, 2s);
      if (!expect_ready_at(
              answer, 0s,
              format("Descriptor %d fits an fd_set and was %s;", fd, function.readiness),
              "The numbers from 0 to FD_SETSIZE - 1 fit."))
        return;
    }
    for (const int fd : {bob, 1087, -1, INT_MAX, INT_MIN}) {
      const Answer answer = scenario.ask(function, fd, 2s);
      const bool is_open = fd == bob;
      if (answer.error == EBADF && !is_open) continue;
      if (!expect_equal(answer.thrown(), "EINVAL",
                        format("Descriptor %d does not fit an fd_set, and ", fd) + answer.told() +
                            ". Refuse it before FD_SET, which would write outside of the set."))
        return;
    }
  }
}
