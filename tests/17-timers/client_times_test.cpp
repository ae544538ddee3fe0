// The graded checks of lesson 17: the times of a TimedChat's clients. For how long it sleeps is in
// timed_chat_test.cpp, how its conversations end in ending_test.cpp.
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "17-timers/timers.hpp"
#include "chatting.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

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
