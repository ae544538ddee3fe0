// The graded checks of lesson 17: for how long a TimedChat sleeps, and what wakes it. Its times are
// in client_times_test.cpp.
#include <string>
#include <utility>
#include <vector>

#include "17-timers/timers.hpp"
#include "chatting.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

// A chat that takes so many turns in a check takes them for nothing.
constexpr std::size_t turns_max = 1000;

namespace {

bool expect_few_turns(Chatting& s, std::size_t turns, Where where = Where::here()) {
  return expect_that(
      turns < turns_max,
      format("step() returned %zu times in the first %s, and fewer than ten things happened until "
             "then. Wait once, until the next time is up, and for ever when there is none.",
             turns, shown(s.now()).c_str()),
      where);
}

// A chat gives up its own clients for those of another.
void is_assigned_another() {
  Scenario s;
  Peer& alice = s.peer("alice");
  Peer& bob = s.peer("bob");
  const int alice_fd = alice.connected_and_handed_over(), bob_fd = bob.connected_and_handed_over();
  s.run([&] {
    const course::ChatTimes times = {.naming = 1100ms, .line = 1h, .idle = 1h};
    course::TimedChat chat(times), other(times);
    chat.admit(course::Fd(alice_fd));
    other.admit(course::Fd(bob_fd));
    chat = std::move(other);
    while (s.now() < 2s && chat.connections() > 0)
      (void)chat.step(course::Deadline::after(2s - s.now()));
  });

  const std::string story = "A chat with alice was assigned, at 0 s, a chat with bob";
  if (expect_that(alice.end_at() && *alice.end_at() < 1s,
                  story + ", and alice was still connected a second later. It gives up its own "
                          "clients first, which closes their connections."))
    expect_goodbye(bob, no_name, 1100ms, story + ", and naming is 1.1 s",
                   "It takes over clients and times.");
}

// Three clients run out of time, each in another way.
bool expect_each_in_its_time(Peer& alice, Peer& bob, Peer& carol, const std::string& story,
                             const char* advice, Where where = Where::here()) {
  return expect_goodbye(bob, no_name, 1153ms, story + "bob came at 0.053 s, naming is 1.1 s",
                        advice, where) &&
         expect_goodbye(carol, line_late, 1400ms,
                        story + "carol began a line at 0.5 s, line is 0.9 s", advice, where) &&
         expect_goodbye(alice, idle, 1731ms,
                        story + "alice said her name at 0.031 s, idle is 1.7 s", advice, where);
}

}  // namespace

// Rule: several times run for one client, and the first that is up counts.
TEST(TimedChat, WaitsForTheNearestOfAllTimes) {
  explain({.rule = "A line that has begun has its own time, and does not stop the time between two "
                   "lines: the nearer of the two ends the wait.",
           .why = "The timeout of select is one number; whoever forgets a time is late for it.",
           .read = "The nearest of all"});
  Scenario s;
  Peer& alice = s.peer("alice").at(700ms).sends("alice\n").at(1300ms).sends("hel");
  const int fd = alice.connected_and_handed_over();

  s.run([&] {
    course::TimedChat chat({.naming = 1100ms, .line = 2900ms, .idle = 1700ms});
    chat.admit(course::Fd(fd));
    while (s.now() < 5s && chat.connections() > 0)
      (void)chat.step(course::Deadline::after(5s - s.now()));
  });

  expect_goodbye(
      alice, idle, 2400ms,
      "alice said her name at 0.7 s and began a line at 1.3 s; idle is 1.7 s, line 2.9 s",
      "The time between two lines goes on while one is begun.");
}

// Rule: one wait, as long as to the nearest of all ends.
TEST(TimedChat, SleepsUntilTheNearestEnd) {
  explain({.rule =
               "Wait once, for as long as it is to the nearest time or to the deadline, and not "
               "a moment longer.",
           .why = "A server that looks once a second is late by half a second, and never sleeps.",
           .read = "The nearest of all"});
  {
    Chatting s({.naming = 7min, .line = 11min, .idle = 50min});
    s.joins("alice", 31ms);
    s.serve_until(700ms);
    if (!expect_that(is_on_time(s.now(), 700ms),
                     "The deadline was at 0.7 s, alice's time was up in 50 minutes, and step() "
                     "returned at " +
                         shown(s.now()) + ". The deadline is one of the times."))
      return;
  }
  constexpr std::size_t waits_max = 60;
  Chatting s({.naming = 7min, .line = 11min, .idle = 50min});
  Peer& alice = s.joins("alice", 31ms);
  Peer& bob = s.peer("bob").at(1min).connects();
  Peer& carol = s.joins("carol", 2min).at(20min).sends("I think that ");
  s.signal_at(5min, SIGWINCH);
  s.signal_at(30min, SIGWINCH);

  const std::size_t turns = s.serve_some(36h, turns_max);

  if (!expect_few_turns(s, turns) ||
      !expect_line(bob, no_name, 8min, "bob came at 60 s, said nothing, and naming is 7 min",
                   "Of all times the nearest ends the wait.") ||
      !expect_line(carol, line_late, 31min, "carol began a line at 1200 s, and line is 11 min",
                   "Of all times the nearest ends the wait.") ||
      !expect_line(alice, idle, 50min + 31ms, "alice said her name at 0.031 s, and idle is 50 min",
                   "Of all times the nearest ends the wait."))
    return;
  const std::size_t waits = s.waits().size();
  expect_that(waits <= waits_max,
              format("Ten things happened in 36 hours, and you waited %zu times%s. Wait once, "
                     "until the next time is up, and for ever when there is none.",
                     waits, waits < WaitLog::calls_max ? "" : " or more"));
}

// Rule: the times of a client end with it.
TEST(TimedChat, IsWokenByNobodyWhoHasLeft) {
  explain({.rule = "A client that is closed has no times any more.",
           .why = "A timer that is left behind wakes you for nothing, and holds what it captured.",
           .read = "Cancelling"});
  for (const bool drops : {false, true}) {
    Chatting s({.naming = 11min, .line = 17min, .idle = 31min});
    const auto minutes = [](int i) { return i * 1min; };
    s.joins("alice", 31ms).at(minutes(1)).sends("hello\n").at(minutes(2)).closes();
    s.joins("bob", 53ms).at(minutes(1)).sends("and then").at(minutes(3)).resets();
    s.peer("carol").at(97ms).connects().at(minutes(4)).closes();
    s.peer("dave").at(97ms).connects().at(minutes(5)).sends("da").finishes_sending();
    s.joins("erin", 113ms).at(minutes(5)).sends(std::string(2000, 'x'));
    s.joins("frank", 131ms).at(minutes(6)).sends("I go\nbecause").finishes_sending();
    Peer& grace = s.joins("grace", 6min).at(7min).sends("so ");
    // Three have finished, and take a little later what waits for them.
    for (int i = 0; i < 3; ++i) {
      Peer& who = s.joins("reader-" + std::to_string(i), 370s);
      who.at(380s).stops_reading().opens_window(5);
      who.at(500s + i * 1s).finishes_sending().after(10s).resumes_reading();
    }
    s.joins("henry", 7min);
    s.joins("iris", 8min);
    s.serve_until(10min);
    drops ? s.drop_all() : s.end("* that was all");

    s.serve_some(36h, turns_max);

    if (!expect_that(grace.saw_the_end() && s.connections() == 0,
                     "Everybody had left at 10 minutes, and connections() was not 0."))
      return;
    const std::size_t waits = s.waits_of_last_run().size();
    if (!expect_that(
            waits <= 3,
            format("Everybody had left at 10 minutes, each in another way, at last by %s, and in "
                   "the time after that, until %s, you waited %zu times. Cancel the timers of "
                   "whoever is closed, however it came to that.",
                   drops ? "drop_all()" : "end()", shown(s.now()).c_str(), waits)))
      return;
  }
}

// Rule: a time is a length of time, not a time of day.
TEST(TimedChat, LooksAtTheClockThatNobodySets) {
  explain({.rule = "Times are measured on the steady clock (CLOCK_MONOTONIC).",
           .why = "When the wall clock is set, by an hour or by a second, nobody has been idle for "
                  "longer.",
           .read = "What you know already"});
  for (const Time jump : {Time(2h), Time(-2h)}) {
    Chatting s({.naming = 1100ms, .line = 900ms, .idle = 1700ms});
    s.wall_clock_jumps_at(700ms, jump);
    Peer& alice = s.joins("alice", 31ms);
    Peer& bob = s.peer("bob").at(53ms).connects();
    Peer& carol = s.joins("carol", 97ms).at(500ms).sends("wor");

    s.serve_until(4s);

    const std::string story = format("The wall clock was set %s by two hours at 0.7 s; ",
                                     jump > Time{} ? "forward" : "back");
    const char* const advice = "Ask std::chrono::steady_clock what time it is.";
    if (!expect_each_in_its_time(alice, bob, carol, story, advice)) return;
  }
}

// Rule: never is a time too.
TEST(TimedChat, LetsEverybodyStayWhenThereIsNoLimit) {
  explain({.rule = "Duration::max() is no limit.",
           .why = "The present time plus for ever overflows, and is long past.",
           .read = "The nearest of all"});
  constexpr auto never = course::Duration::max();
  for (const auto limit : {never, never - 1ns}) {
    Chatting s({.naming = limit, .line = limit, .idle = limit});
    Peer& alice = s.joins("alice", 31ms).at(3h).sends("hello\n");
    Peer& bob = s.peer("bob").at(53ms).connects().at(1h).sends("bob\n");
    Peer& carol = s.joins("carol", 97ms).at(700ms).sends("wor").at(2h).sends("d\n");
    s.joins("dave", 113ms).at(30min).stops_reading().opens_window(5).at(90min).finishes_sending();

    const std::size_t turns = s.serve_some(4h, turns_max);

    const std::string story = std::string("All three times were Duration::max()") +
                              (limit == never ? "" : " less a nanosecond, which is centuries");
    if (!expect_few_turns(s, turns)) return;
    for (Peer* who : {&alice, &bob, &carol})
      if (!expect_stays(*who, story + ", and " + who->name() + " was sent away.")) return;
    const std::vector<std::string> heard = {
        "* your name?", "* here: nobody else", "* carol joined", "* dave joined",
        "* bob joined", "* dave left",         "carol: word"};
    if (!expect_heard(alice, heard,
                      "bob said his name after an hour, dave finished sending half an hour later, "
                      "and carol finished a line after two hours.") ||
        !expect_equal(s.connections(), 4U,
                      story + ". dave finished sending after 90 minutes and took nothing of what "
                              "waited for him; his last time, `line`, was not up after four hours. "
                              "connections():"))
      return;
  }
}

// Rule: the chat waits for what its program waits for.
TEST(TimedChat, TellsWhoElseIsReadable) {
  explain({.rule = "step() waits for the `others` too, and returns those that are readable.",
           .why = "A server has a listener and a pipe for its signals beside its clients, and one "
                  "wait.",
           .read = "Your task"});
  Scenario s;
  Peer& alice = s.peer("alice").at(31ms).sends("alice\n");
  const int alice_fd = alice.connected_and_handed_over();
  Peer& first = s.peer("the first pipe").at(310ms).sends("x");
  Peer& second = s.peer("the second pipe").at(610ms).sends("x");
  const std::vector<int> both = {first.pipe_to_program(), second.pipe_to_program()};

  s.run([&] {
    course::TimedChat chat({.naming = 1h, .line = 1h, .idle = 1h});
    chat.admit(course::Fd(alice_fd));
    const auto expect = [&](const std::vector<int>& others, const std::vector<int>& wanted, Time at,
                            const char* story) {
      std::vector<int> readable;
      while (s.now() < 2s && readable.empty())
        readable = chat.step(course::Deadline::after(2s - s.now()), others);
      std::sort(readable.begin(), readable.end());
      return expect_that(
          readable == wanted && is_on_time(s.now(), at),
          format("%s. step() returned %s at %s, and not %s at %s.", story, shown(readable).c_str(),
                 shown(s.now()).c_str(), shown(wanted).c_str(), shown(at).c_str()));
    };
    if (!expect(both, {both[0]}, 310ms, "Of two others the first became readable at 0.31 s"))
      return;
    (void)course::select_until({}, {}, {}, course::Deadline::after(700ms - s.now()));
    if (expect(both, both, 700ms,
               "The second became readable too, and the chat was asked at 0.7 s"))
      expect({both[1]}, {both[1]}, 700ms, "Only the second was asked about");
  });
}

// Rule: a chat can be moved with all that is in it.
TEST(TimedChat, GoesOnWhenItIsMoved) {
  explain({.rule = "A chat that was moved goes on with its clients and their times; the one it is "
                   "moved into gives up its own.",
           .why = "A function that holds `this` of an object that has moved calls nobody.",
           .read = "Your task"});
  {
    Chatting s({.naming = 1100ms, .line = 900ms, .idle = 1700ms});
    Peer& alice = s.joins("alice", 31ms);
    Peer& bob = s.peer("bob").at(53ms).connects();
    Peer& carol = s.joins("carol", 97ms).at(500ms).sends("wor");

    s.run([&] {
      s.take_turns_until(600ms);
      s.server().move_house();
      s.take_turns_until(4s);
    });

    const std::string story = "The chat was moved at 0.6 s; ";
    const char* const advice = "Let functions hold what does not move.";
    if (!expect_each_in_its_time(alice, bob, carol, story, advice)) return;
  }
  is_assigned_another();
}
