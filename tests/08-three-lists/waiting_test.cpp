// The graded checks of lesson 08: how long select_on() waits, and what it refuses.
#include <signal.h>

#include <cerrno>
#include <string>
#include <utility>

#include "asking.hpp"

using namespace grader;
using namespace asking;

namespace {

// A wait of weeks or centuries ended at the wrong time: why, as its waiting calls tell.
std::string what_went_wrong(const Answer& answer) {
  if (!answer.diagnosis.empty()) return answer.diagnosis;
  return answer.took < 1s ? "A number in which the time does not fit has overflowed."
                          : "Wait until the time is over, and no longer.";
}

// A signal came, and select_on() came back later than that.
std::string why_it_waited_on(const Answer& answer) {
  for (const WaitingCall& wait : answer.waits)
    if (wait.error == EINTR)
      return format(
          "The signal ended your %s with EINTR, and you waited again, as lesson 07 wants it. "
          "Here the caller decides: throw EINTR.",
          wait.function.c_str());
  return "None of your waits ended with EINTR. If you hold signals back, do not: they are the "
         "caller's.";
}

}  // namespace

// ---- how long

// Rule: the kernel waits for you, without using the processor.
TEST(SelectOn, WaitsAMinuteInOnePiece) {
  explain({.rule = "A wait of a minute is one wait in the kernel.",
           .why = "A program that wakes up to look whether it should wake up keeps the processor "
                  "awake.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(59s + 347ms).sends("hello").connected();
  constexpr std::size_t waits_max = 5;

  const auto answer = scenario.ask({.readers = {alice}}, 1min);

  expect_that(answer.waits.size() <= waits_max,
              format("alice said nothing for most of a minute, and it took you %zu waits. One is "
                     "enough: give it the whole minute.",
                     answer.waits.size())) &&
      expect_ready(answer, {{alice}, {}, {}}, "");
}

// Rule: a null pointer waits for ever (select(2)); so does, as good as, the longest Duration.
TEST(SelectOn, WaitsAsLongAsItTakes) {
  explain({.rule = "Without a timeout select_on() waits until somebody is ready, and with a long "
                   "one just as well, until its time is over.",
           .why = "A night watch that gives up after a minute is none.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(133min + 700ms).sends("hello").connected();
  const int bob = scenario.peer("bob").at(61 * 24h + 219ms).sends("hello").connected();
  constexpr Time month = 30 * 24h;

  const auto without = scenario.ask({.readers = {alice}}, std::nullopt);
  if (!expect_ready(without, {{alice}, {}, {}}, "")) return;
  const auto long_one = scenario.ask({.readers = {bob}}, month);
  if (!expect_that(
          long_one.took >= month && long_one.took <= month + 1ms,
          format("The timeout was 30 days (%s), bob was silent, and select_on() %s after "
                 "%s. ",
                 to_text(month).c_str(), long_one.told().c_str(), to_text(long_one.took).c_str()) +
              what_went_wrong(long_one)) ||
      !expect_ready(long_one, {}, ""))
    return;
  const auto longest = scenario.ask({.readers = {bob}}, course::Duration::max());
  if (expect_that(longest.has_returned && longest.took > month,
                  format("The timeout was the longest Duration there is, and select_on() %s after "
                         "%s. ",
                         longest.told().c_str(), to_text(longest.took).c_str()) +
                      what_went_wrong(longest)))
    expect_ready(longest, {{bob}, {}, {}}, "");
}

// Rule: 0 from select(2): the time is over, and nobody is ready.
TEST(SelectOn, ReturnsEmptyListsWhenTheTimeIsOver) {
  explain({.rule = "When the time is over and nobody is ready, three empty lists come back, on "
                   "time.",
           .why = "The caller has something to do when nothing happens.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").connected();

  for (const Time timeout : {Time(1219ms), Time(347ms), Time(2s), Time(23h + 219ms)}) {
    const auto answer = scenario.ask({.readers = {alice}}, timeout);

    const std::string sentence =
        format("The timeout was %s, and nothing was ready.", to_text(timeout).c_str());
    if (!expect_ready(answer, {}, sentence) || !expect_took(answer, timeout, sentence)) return;
  }
}

// Rule: never earlier than the timeout; select(2) counts microseconds, Duration nanoseconds.
TEST(SelectOn, RoundsTheTimeUp) {
  explain({.rule = "A timeout that the waiting call cannot express is rounded up, never down.",
           .why = "Rounded down to zero, the last moment before a deadline becomes a busy loop.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").connected();

  for (const Time timeout : {Time(1ns), Time(999ns), Time(2s + 300ns)}) {
    const auto answer = scenario.ask({.readers = {alice}}, timeout);

    if (!expect_ready(answer, {}, "") ||
        !expect_that(answer.took >= timeout,
                     format("The timeout was %s, and select_on() was back after %s: too early. If "
                            "the call counts in larger steps, round up.",
                            to_text(timeout).c_str(), to_text(answer.took).c_str())) ||
        !expect_took(answer, timeout,
                     format("The timeout was %s, and select_on() was more than a millisecond late. "
                            "Round up to what the call can count, and add no more.",
                            to_text(timeout).c_str())))
      return;
  }
}

// Rule: {0, 0} looks and does not wait; a negative time is no time (select(2): EINVAL).
TEST(SelectOn, OnlyLooksWhenThereIsNoTime) {
  explain({.rule = "With a timeout of zero or less select_on() looks once, and does not wait.",
           .why = "A deadline that has passed is no reason to overlook what is there.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int bob = scenario.peer("bob").at(1219ms).sends("late").connected();
  constexpr Time none[] = {Time(0), Time(-1), -5s - 219ms, Time::min()};

  for (const Time timeout : none) {
    const auto answer = scenario.ask({.readers = {alice}, .exceptional = {bob}}, timeout);

    const std::string sentence =
        timeout == Time(0) ? "The timeout was zero"
                           : format("The timeout was negative (%s)", to_text(timeout).c_str());
    if (!expect_ready(answer, {{alice}, {}, {}},
                      sentence + ", and alice's data was there. Look "
                                 "once.") ||
        !expect_took(answer, 0s, sentence + ", and you waited. Only look."))
      return;
  }
  for (const Time timeout : none) {
    const auto answer = scenario.ask({.readers = {bob}}, timeout);

    const std::string sentence = format("The timeout was %s, and bob was silent. ",
                                        timeout == Time(0) ? "zero" : to_text(timeout).c_str());
    if (!expect_that(answer.took == 0s,
                     sentence + format("You waited %s. Zero or less means: look, "
                                       "and do not wait.",
                                       to_text(answer.took).c_str())) ||
        !expect_ready(answer, {}, sentence))
      return;
  }
}

// Rule: when select(2) fails, its sets mean nothing.
TEST(SelectOn, ThrowsWhenTheWaitFails) {
  explain({.rule = "When the waiting call fails, EINTR included, throw its errno, and no lists.",
           .why = "After a failure every bit is still set: all that you asked about looks ready.",
           .read = "After a failure the sets mean nothing"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(9219ms).sends("hello").connected();
  scenario.signal_at(347ms, SIGUSR1);
  scenario.signal_at(1219ms, SIGUSR2, Handler::restarting);
  const auto judge = [&](const Answer& answer, const char* what_happened, const char* error,
                         std::optional<Time> signal = {}) {
    const std::string start = std::string(what_happened) + " ";
    if (signal && scenario.now() > *signal)
      return expect_that(false, start +
                                    format("select_on() %s at %s. ", answer.told().c_str(),
                                           to_text(scenario.now()).c_str()) +
                                    why_it_waited_on(answer));
    if (answer.has_returned && answer.ready != course::Ready{} && answer.took < 5s) {
      fail(start + "You returned " + shown(answer.ready) +
           ", though nobody was ready: when select fails, its sets are as they were. Look at the "
           "result first, and throw.");
      return false;
    }
    if (answer.has_returned) {
      fail(start +
           format("select_on() returned after %s. The caller is to know why the wait ended: "
                  "throw %s.",
                  to_text(answer.took).c_str(), error));
      return false;
    }
    return expect_equal(answer.thrown(), error,
                        start + "select_on() " + answer.told() +
                            ". Throw a std::system_error with the errno of the call.");
  };

  if (!judge(scenario.ask({.readers = {alice}}, 1min), "A signal came at 0.347 s.", "EINTR",
             347ms) ||
      !judge(scenario.ask({.readers = {alice}}, std::nullopt),
             "A signal came at 1.219 s; its handler has SA_RESTART, and that does not restart a "
             "select (signal(7)).",
             "EINTR", 1219ms))
    return;
  scenario.faults().fail("select", ENOMEM, 50);
  judge(scenario.ask({.readers = {alice}}, 1min), "The waiting call failed with ENOMEM.", "ENOMEM");
}

// Rule: no sets and a timeout: a sleep (select(2), "Emulating usleep(3)").
TEST(SelectOn, SleepsWhenAllListsAreEmpty) {
  explain({.rule = "With three empty lists it only waits.",
           .why = "A server whose last client has left may still have something to do at eight.",
           .read = "The timeout has three meanings"});
  AskingScenario scenario;
  scenario.signal_at(9347ms, SIGUSR1);
  scenario.signal_at(11219ms, SIGUSR2);

  const auto sleep = scenario.ask({}, 7s);
  const std::string start = "There was nobody to wait for, and 7 s to wait. select_on() ";
  if (!sleep.has_returned)
    return fail(start + sleep.told() + ". Three empty lists are no mistake: wait.");
  if (sleep.took == 0s) return fail(start + "came back at once. Wait all the same.");
  if (!expect_took(sleep, 7s, "There was nobody to wait for, and 7 s to wait.") ||
      !expect_ready(sleep, {}, ""))
    return;
  const auto minute = scenario.ask({}, 1min);
  if (!expect_that(scenario.now() == 9347ms,
                   format("There was nobody to wait for, and a signal came at 9.347 s. select_on() "
                          "%s at %s. ",
                          minute.told().c_str(), to_text(scenario.now()).c_str()) +
                       (scenario.now() > 9347ms ? why_it_waited_on(minute) : "Wait all the same.")))
    return;
  const auto for_ever = scenario.ask({}, std::nullopt);
  expect_that(scenario.now() == 11219ms,
              format("There was nobody to wait for, and no timeout: only a signal ends that, and "
                     "it came at 11.219 s. select_on() %s at %s.",
                     for_ever.told().c_str(), to_text(scenario.now()).c_str()));
}

// ---- what is refused

// Rule: an fd_set has room for the numbers 0 to FD_SETSIZE - 1 (select(2), NOTES).
TEST(SelectOn, RefusesWhatDoesNotFit) {
  explain({.rule = "A descriptor from 0 to 1023 fits an fd_set; any other is refused with EINVAL, "
                   "before FD_SET.",
           .why = "FD_SET(1024) writes into the memory behind the set.",
           .read = "A set has 1024 places"});
  AskingScenario scenario;
  const int bob = scenario.lend_at(scenario.peer("bob").sends("hello").connected(), 1024);
  const int alice = scenario.lend_at(scenario.peer("alice").sends("hello").connected(), 1023);
  const int keyboard = scenario.lend_at(scenario.peer("keyboard").sends("hi").pipe_to_program(), 0);

  const auto fitting = scenario.ask({.readers = {alice, keyboard}}, 2s);
  if (!expect_ready(fitting, {{alice, keyboard}, {}, {}},
                    "Descriptors 0 and 1023 are the first and the last that fit an fd_set."))
    return;
  for (const int fd : {bob, -1, -1024, 1087}) {
    for (const Lists& lists : {Lists{.readers = {alice, fd}}, Lists{.writers = {alice, fd}},
                               Lists{.exceptional = {alice, fd}}}) {
      const auto answer = scenario.ask(lists, 2s);

      if (answer.has_returned)
        return fail(
            format("Descriptor %d does not fit an fd_set, and you left it out: the caller "
                   "waits for it and never hears of it. Refuse it with EINVAL.",
                   fd));
      const bool is_open = fd == bob;
      if (answer.error == EBADF && !is_open) continue;
      if (!expect_equal(answer.thrown(), "EINVAL",
                        format("Descriptor %d does not fit an fd_set, and select_on() %s.", fd,
                               answer.told().c_str())))
        return;
    }
  }
}

// Rule: one closed descriptor makes the whole call fail with EBADF (select(2)).
TEST(SelectOn, NamesTheDescriptorThatIsClosed) {
  explain({.rule = "A descriptor that is not open is reported with EBADF, and what() says which.",
           .why = "One closed descriptor ends the service for all; the caller has to know which to "
                  "take out.",
           .read = "A closed descriptor spoils the question"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").sends("hello").connected();
  const std::pair<int, Lists> questions[] = {
      {61, {.readers = {alice, 61}, .writers = {alice}}},
      {47, {.readers = {alice}, .writers = {alice, 47}}},
      {23, {.readers = {alice}, .exceptional = {alice, 23, alice}}}};
  for (const auto& [closed, lists] : questions) {
    const auto answer = scenario.ask(lists, 2s);

    if (answer.has_returned)
      return fail(
          format("Descriptor %d is not open, and you returned %s. Throw EBADF, and no "
                 "lists.",
                 closed, shown(answer.ready).c_str()));
    if (!expect_equal(answer.thrown(), "EBADF",
                      format("Descriptor %d is not open, and select_on() %s.", closed,
                             answer.told().c_str())) ||
        !expect_that(answer.names(closed),
                     format("select_on() %s: that does not say which descriptor is not open. It is "
                            "%d; put the number into what().",
                            answer.told().c_str(), closed)))
      return;
  }
}

// Rule: above the kernel's table select(2) sees no closed descriptors (BUGS).
TEST(SelectOn, NoticesAClosedDescriptorAboveTheTable) {
  explain({.rule = "A closed descriptor is EBADF even where select says nothing of it.",
           .why = "select leaves its bit set, so that whoever looks takes it for ready.",
           .read = "A closed descriptor spoils the question"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(133s).sends("hello").connected();
  const std::pair<int, Lists> questions[] = {{300, {.readers = {alice, 300}}},
                                             {64, {.readers = {alice}, .writers = {64}}},
                                             {127, {.readers = {alice}, .exceptional = {127}}}};
  for (const auto& [closed, lists] : questions) {
    const auto answer = scenario.ask(lists, std::nullopt);

    if (answer.has_returned) {
      const std::string start = format(
          "Descriptor %d is not open. It lies above the kernel's table of descriptors, where "
          "select overlooks it and leaves its bit set (select(2), BUGS). ",
          closed);
      const bool is_named = contains(answer.ready.readable, closed) ||
                            contains(answer.ready.writable, closed) ||
                            contains(answer.ready.exceptional, closed);
      return fail(start +
                  (is_named ? "You returned it as ready. " : "You waited as if it were silent. ") +
                  "Ask about every descriptor whether it is open, before you wait.");
    }
    if (!expect_equal(answer.thrown(), "EBADF",
                      format("Descriptor %d is not open, and select_on() %s.", closed,
                             answer.told().c_str())) ||
        !expect_that(
            answer.took <= 1s,
            format("Descriptor %d is not open, and there was no timeout. You said so after "
                   "%s, when alice came; had she not come, never. Ask about every "
                   "descriptor whether it is open, before you wait.",
                   closed, to_text(answer.took).c_str())))
      return;
  }
}
