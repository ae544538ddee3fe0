// The graded checks of lesson 17: the times of a TimedChat. How its conversations end is in
// ending_test.cpp.
#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
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

// Two are admitted long before the first turn, and their time is up in the same moment.
void two_have_no_name() {
  Scenario s;
  Peer& erin = s.peer("erin");
  const std::vector<int> fds = {erin.connected_and_handed_over(),
                                s.peer("frank").connected_and_handed_over()};
  std::optional<std::size_t> connections;
  s.run([&] {
    course::TimedChat chat({.naming = 1100ms, .line = 1h, .idle = 1h});
    for (const int fd : fds) chat.admit(course::Fd(fd));
    (void)course::select_until({}, {}, {}, course::Deadline::after(700ms));
    while (s.now() < 2s && chat.connections() > 0) {
      (void)chat.step(course::Deadline::after(2s - s.now()));
      if (s.now() >= 1100ms && !connections) connections = chat.connections();
    }
  });

  const std::string story =
      "erin and frank were admitted at 0 s, the first step() was called at 0.7 s, and naming is "
      "1.1 s";
  if (expect_goodbye(erin, no_name, 1100ms, story,
                     "The time begins with admit(), not with the first turn."))
    expect_that(connections == 0U,
                format("%s. The step() that waited until then returned, and connections() was %zu "
                       "and not 0. Look at the times when the wait is over, and send away "
                       "everybody whose time is up in that same turn.",
                       story.c_str(), connections.value_or(2)));
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

// Rule: who does not say who it is goes.
TEST(Naming, HasItsTime) {
  explain({.rule = "A client that is not in the room `naming` after admit() is told so and closed; "
                   "nobody else is told.",
           .why = "A connection costs a descriptor, of which there are few, and nothing is cheaper "
                  "than to connect and say nothing.",
           .read = "Three times"});
  {
    Chatting s({.naming = 1700ms + 300us, .line = 1h, .idle = 2h});
    Peer& alice = s.joins("alice", 31ms);
    Peer& bob = s.peer("bob").at(53ms).connects();
    Peer& carol = s.peer("carol").at(97ms).connects().at(700ms).sends("alice\n");
    carol.at(1500ms).sends("not a name\n");
    Peer& dave = s.peer("dave").at(113ms).connects().at(1700ms).sends("dave\n");

    s.serve_until(5s);

    if (!expect_goodbye(bob, no_name, 1753ms + 300us,
                        "bob came at 0.053 s, said nothing, and naming is 1.7003 s",
                        "The time begins with admit().") ||
        !expect_goodbye(
            carol, no_name, 1797ms + 300us,
            "carol came at 0.097 s, her names were refused at 0.7 and 1.5 s, and naming "
            "is 1.7003 s",
            "A name that is refused is no name: the time goes on.") ||
        !expect_stays(
            dave, "dave came at 0.113 s and said his name at 1.7 s, within naming, 1.7003 s.") ||
        !expect_stays(alice, "alice said her name at once."))
      return;
    const std::vector<std::string> heard = {"* your name?", "* here: nobody else", "* dave joined"};
    if (!expect_heard(alice, heard, "bob and carol never had a name, and went.") ||
        !expect_equal(s.connections(), 2U, "alice and dave are still there. connections():"))
      return;
  }
  two_have_no_name();
}

// Rule: what select cannot watch nobody takes.
TEST(Admit, RefusesWhatSelectCannotWatch) {
  explain({.rule = "A client that does not fit into an fd_set is closed, and admit() throws "
                   "std::system_error with EINVAL. It has no times.",
           .why = "FD_SET beyond 1023 writes into somebody else's memory.",
           .read = "Your task"});
  Chatting s({.naming = 1700ms, .line = 900ms, .idle = 1h});
  Peer& alice = s.joins("alice", 31ms);
  Peer& bob = s.peer("bob").at(310ms).connects();
  s.serve_until(200ms);
  s.next_descriptor_is(1024);

  std::string threw = "nothing";
  s.run([&] {
    try {
      s.take_turns_until(1s);
    } catch (const std::system_error& error) {
      threw = error.code().value() == EINVAL ? "EINVAL" : "another error";
    }
  });
  s.serve_until(5s);

  const std::string story = "bob came at 0.31 s and got descriptor 1024";
  if (expect_that(threw == "EINVAL", story + ", and admit() threw " + threw + ".") &&
      expect_that(is_on_time(bob.end_at(), 310ms) && s.connections() == 1,
                  story + ": he is to be closed at once.") &&
      expect_stays(alice, story + "."))
    expect_heard(alice, {"* your name?", "* here: nobody else"}, story + ", and was never here.");
}

// Rule: who says nothing for too long goes.
TEST(Idle, IsWhoFinishesNoLine) {
  explain({.rule = "A client in the room that has not finished a line for `idle` is told so and "
                   "closed; each line, and the name, begins the time anew.",
           .why = "A machine that lost its power sends no FIN. Only a time tells it from one that "
                  "has nothing to say.",
           .read = "Three times"});
  Chatting s({.naming = 1h, .line = 1h, .idle = 1700ms});
  Peer& alice = s.joins("alice", 31ms).at(700ms).sends("hello\n");
  Peer& bob = s.joins("bob", 53ms).at(1600ms).sends("anybody?\n").at(3200ms).sends("\n");
  Peer& carol = s.joins("carol", 97ms);

  s.serve_until(4600ms);

  if (!expect_goodbye(
          carol, idle, 1797ms, "carol said her name at 0.097 s and then nothing, and idle is 1.7 s",
          "The time begins with the name; what others say to her is no line of hers.") ||
      !expect_goodbye(alice, idle, 2400ms, "alice said her last line at 0.7 s, and idle is 1.7 s",
                      "The time begins with her last line.") ||
      !expect_stays(bob,
                    "bob said something at 1.6 s, and at 3.2 s a line with nothing in it; "
                    "idle is 1.7 s, and it is 4.6 s."))
    return;
  expect_heard(bob,
               {"* your name?", "* here: alice", "* carol joined", "alice: hello",
                "* carol left (idle)", "* alice left (idle)"},
               "carol was idle, and then alice; the others are told why they left.");
}

// Rule: a line that never ends is no conversation.
TEST(SlowLine, HasItsTimeHoweverSteadilyItDrips) {
  explain(
      {.rule = "A line must be finished within `line` of the turn in which its first byte came, "
               "however steadily the rest drips.",
       .why = "One byte every ten seconds keeps any idle timer quiet, and holds your descriptor "
              "for a day.",
       .read = "The slow drip"});
  Chatting s({.naming = 1h, .line = 1300ms, .idle = 2h});
  Peer& alice = s.joins("alice", 31ms).at(300ms).sends("h").at(700ms).sends("e");
  alice.at(1100ms).sends("l").at(1500ms).sends("l");
  Peer& bob = s.joins("bob", 53ms).at(400ms).sends("a").at(1600ms).sends("b\nc");
  bob.at(2800ms).sends("d\n");
  Peer& carol = s.joins("carol", 97ms).at(500ms).sends("word\nrest");
  Peer& dave = s.peer("dave").at(113ms).connects().at(600ms).sends("da");
  Peer& erin = s.peer("erin").at(131ms).connects().at(700ms).sends("not a ");
  erin.at(900ms).sends("name\n");

  s.serve_until(9s);

  if (!expect_goodbye(alice, line_late, 1600ms,
                      "alice began a line at 0.3 s, sent a letter of it every 0.4 s, and line is "
                      "1.3 s",
                      "The time begins with the first byte, and the others do not renew it.") ||
      !expect_goodbye(
          carol, line_late, 1800ms,
          "carol finished a line and began another at 0.5 s, both in one piece, and line "
          "is 1.3 s",
          "What is left when the lines are taken out is a line that has begun.") ||
      !expect_goodbye(dave, line_late, 1900ms,
                      "dave, who has no name yet, began a line at 0.6 s, and line is 1.3 s",
                      "A name is a line too.") ||
      !expect_stays(bob,
                    "bob began a line at 0.4 s and finished it at 1.6 s; he began the next then, "
                    "finished it at 2.8 s, and line is 1.3 s.") ||
      !expect_stays(erin,
                    "erin began a line at 0.7 s and finished it at 0.9 s: a name that was refused, "
                    "but a whole line; line is 1.3 s."))
    return;
  expect_heard(bob,
               {"* your name?", "* here: alice", "* carol joined", "carol: word",
                "* alice left (line takes too long)", "* carol left (line takes too long)"},
               "alice's line took too long, then carol's; dave had no name.");
}

// Rule: what has arrived is not late, though it is received late.
TEST(TimedChat, ReceivesBeforeItLooksAtTheTimes) {
  explain({.rule = "What is there is received before the times are looked at: a line that came in "
                   "time counts, though you come late.",
           .why = "Your server was busy for a second; that is no reason to send away whoever had "
                  "answered.",
           .read = "First receive, then judge"});
  {
    Chatting s({.naming = 1300ms, .line = 900ms, .idle = 1700ms});
    Peer& alice = s.peer("alice").at(31ms).connects().at(1331ms).sends("alice\n");
    alice.at(3031ms).sends("in time\n").at(3100ms).sends("again").at(4000ms).sends("\n");

    s.serve_until(5500ms);

    if (!expect_stays(alice,
                      "alice said her name, and two lines, in the very moments in which her "
                      "times were up."))
      return;
  }
  Chatting s({.naming = 1300ms, .line = 900ms, .idle = 1700ms});
  Peer& alice = s.joins("alice", 31ms).at(1650ms).sends("hello\n");
  Peer& bob = s.joins("bob", 53ms).at(1000ms).sends("anybo").at(1660ms).sends("dy?\n");
  Peer& carol = s.peer("carol").at(500ms).connects().at(1670ms).sends("carol\n");
  s.serve_until(1600ms);
  s.is_busy_until(2500ms);
  s.serve_until(2600ms);

  const char* const story =
      "alice was to say a line by 1.731 s, bob to finish one by 1.9 s, and carol to say her name "
      "by "
      "1.8 s. All three did, and step() was called only at 2.5 s.";
  for (Peer* who : {&alice, &bob, &carol})
    if (!expect_stays(*who, story)) return;
  expect_that(alice.received().find("bob: anybody?\n") != std::string::npos,
              "bob finished his line in time, and alice never heard it.");
}

// Rule: a time that is up is up, whoever talks.
TEST(TimedChat, KeepsItsTimesWhileSomebodyAlwaysTalks) {
  explain({.rule = "Look at the times in every turn, also when somebody was ready.",
           .why = "With a hundred clients somebody always talks, and select never says 0.",
           .read = "In every turn"});
  {
    Chatting s({.naming = 1h, .line = 1h, .idle = 1700ms});
    s.joins("alice", 31ms);
    Peer& bob = s.joins("bob", 53ms).at(700ms).sends("hello\n");
    const std::size_t talk_max = 100'000;
    bob.at(1731ms).talks_until_it_receives("* alice left", std::string(99, '.') + "\n", talk_max);
    std::size_t talked = 0;

    s.run([&] {
      while (s.now() < 1731ms || (!time_of(bob, "* alice left (idle)") && s.now() < 1800ms))
        s.server().step(course::Deadline::after(100ms), -1);
      talked = static_cast<std::size_t>(bob.connection().peer_sent);
    });

    if (!expect_that(
            talked < talk_max,
            "alice was idle at 1.731 s. From that moment on bob always had something to say, "
            "select always found him, and alice stayed until he had sent 1000 lines. Look at "
            "the times in every turn, whatever the wait has said."))
      return;
    if (!expect_line(bob, "* alice left (idle)", 1731ms,
                     "alice said her name at 0.031 s, and idle is 1.7 s",
                     "Look at the times in every turn."))
      return;
  }
  Scenario s;
  Peer& alice = s.peer("alice");
  const int alice_fd = alice.connected_and_handed_over();
  const std::vector<int> others = {s.peer("a pipe").at(310ms).sends("x").pipe_to_program()};
  s.run([&] {
    course::TimedChat chat({.naming = 1110ms, .line = 1h, .idle = 1h});
    chat.admit(course::Fd(alice_fd));
    while (s.now() < 2s && chat.connections() > 0)
      if (!chat.step(course::Deadline::after(2s - s.now()), others).empty())
        (void)course::select_until({}, {}, {}, course::Deadline::after(20ms));
  });
  expect_line(alice, no_name, 1110ms,
              "alice said nothing, naming is 1.11 s, and from 0.31 s on one of the others "
              "was readable in every turn",
              "Look at the times in every turn, whoever is ready.");
}

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
