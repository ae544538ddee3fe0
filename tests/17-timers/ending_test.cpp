// The graded checks of lesson 17: what a TimedChat tells all, and how its conversations end.
#include <string>
#include <vector>

#include "17-timers/timers.hpp"
#include "chatting.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

// Rule: politeness has an end.
TEST(LastBytes, AreDroppedWhenNobodyTakesThem) {
  explain(
      {.rule = "Who has left and does not take what waits for it is dropped `line` after it left.",
       .why = "A client that does not read would otherwise keep its descriptor for ever: it has "
              "no other time any more.",
       .read = "Politeness has an end"});
  Chatting s({.naming = 1h, .line = 900ms, .idle = 1700ms});
  Peer& alice = s.joins("alice", 31ms).at(700ms).stops_reading().opens_window(5);
  Peer& bob = s.joins("bob", 53ms).at(700ms).stops_reading().opens_window(25);
  s.joins("carol", 97ms).at(1000ms).sends("hello\n");
  for (const Time time : {1900ms, 2100ms, 2300ms, 2500ms}) alice.at(time).reads(2);
  alice.at(3000ms).resumes_reading();
  bob.at(2500ms).resumes_reading();
  std::vector<std::size_t> connections;
  for (const Time time : {1700ms, 2600ms, 2650ms})
    s.looks_at(time, [&] { connections.push_back(s.connections()); });

  s.serve_until(4s);

  if (!expect_goodbye(
          bob, idle, 2500ms,
          "bob was idle at 1.753 s, when something waited for him already, and he did not "
          "read until 2.5 s",
          "The last line goes behind what waits, and all of it is kept until he takes it."))
    return;
  expect_that(
      connections == std::vector<std::size_t>{3, 2, 1},
      format("alice was idle at 1.731 s and bob at 1.753 s. Neither had read since 0.7 s; then "
             "alice took two bytes now and then, and bob took all at 2.5 s. connections() at "
             "1.7, 2.6 and 2.65 s was %s, and not 3, 2 and 1. Whoever has left has a last "
             "time, `line`, here 0.9 s, to take all that waits, and a byte does not begin it "
             "anew: alice is dropped at 2.631 s.",
             shown(connections).c_str()));
}

// Rule: who has finished sending has left, too.
TEST(LastBytes, AreDroppedThoughTheClientItselfHasFinished) {
  explain({.rule = "A client that has finished sending and takes nothing is dropped `line` after "
                   "that.",
           .why = "It has no name and no line to be late with, and still holds a descriptor.",
           .read = "Politeness has an end"});
  Chatting s({.naming = 1h, .line = 900ms, .idle = 2h});
  Peer& alice = s.joins("alice", 31ms).at(300ms).stops_reading().opens_window(5);
  Peer& bob = s.joins("bob", 53ms).at(400ms).sends("are you there?\n");
  alice.at(700ms).finishes_sending();
  std::vector<std::size_t> connections;
  for (const Time time : {1500ms, 1700ms})
    s.looks_at(time, [&] { connections.push_back(s.connections()); });

  s.serve_until(4s);

  if (!expect_that(
          connections == std::vector<std::size_t>{2, 1},
          format(
              "alice finished sending at 0.7 s and took nothing of what waited for "
              "her. connections() at 1.5 and 1.7 s was %s, and not 2 and 1. Whoever has left has a "
              "last time, `line`, here 0.9 s, to take what waits: alice is dropped at 1.6 s.",
              shown(connections).c_str())))
    return;
  expect_line(bob, "* alice left", 700ms, "alice finished sending at 0.7 s",
              "Whoever has finished has left.");
}

// Rule: what the server says to all is no line of anybody's.
TEST(Announce, ReachesEverybodyAndChangesNoTime) {
  explain({.rule =
               "announce() sends a line to every client, those without a name too; their times go "
               "on.",
           .why = "\"Closing in five minutes\" concerns whoever is connected.",
           .read = "Your task"});
  Chatting s({.naming = 2300ms, .line = 1h, .idle = 1700ms});
  Peer& alice = s.joins("alice", 31ms);
  Peer& bob = s.peer("bob").at(53ms).connects();

  s.run([&] {
    s.take_turns_until(700ms);
    s.chat().announce("* tea is ready");
    s.take_turns_until(4s);
  });

  const char* const story = "The chat announced something at 0.7 s";
  const char* const advice = "It is sent at once, to everybody who is connected.";
  const std::string went_on = "The chat announced something at 0.7 s, and the times went on: ";
  if (expect_line(alice, "* tea is ready", 700ms, story, advice) &&
      expect_line(bob, "* tea is ready", 700ms, story, advice) &&
      expect_goodbye(alice, idle, 1731ms, went_on + "alice said her name at 0.031 s, idle is 1.7 s",
                     "An announcement is no line of hers."))
    expect_goodbye(bob, no_name, 2353ms, went_on + "bob came at 0.053 s, naming is 2.3 s",
                   "An announcement gives him no name.");
}

// Rule: at the end everybody is told, and nobody is heard any more.
TEST(End, TellsEverybodyAndReceivesNothingMore) {
  explain({.rule =
               "end() sends a line to every client, receives nothing more, and closes each when "
               "it has been sent what waits for it, or `line` later.",
           .why = "A conversation that is over is over for both: who still talks would be answered "
                  "by nobody.",
           .read = "Politeness has an end"});
  Chatting s({.naming = 580ms, .line = 900ms, .idle = 2h});
  Peer& alice = s.joins("alice", 31ms);
  Peer& bob = s.joins("bob", 53ms).at(300ms).stops_reading().opens_window(5);
  Peer& carol = s.joins("carol", 97ms).at(300ms).stops_reading().opens_window(5);
  Peer& dave = s.peer("dave").at(213ms).connects();
  // These two leave before the end, and something waits for them.
  Peer& erin = s.peer("erin").window(5).at(131ms).connects().stops_reading();
  s.peer("frank").window(5).at(41ms).connects().stops_reading();  // no name at 0.621 s
  erin.at(500ms).finishes_sending().at(900ms).resumes_reading();
  bob.at(1100ms).resumes_reading();
  carol.at(900ms).sends("wait\n");
  s.serve_until(700ms);

  s.end("* good night");
  const std::size_t at_once = s.connections();
  s.serve_until(1550ms);
  const std::size_t later = s.connections();
  s.serve_until(3s);

  if (!expect_goodbye(alice, "* good night", 700ms, "end() was called at 0.7 s",
                      "Whoever has room is told, and closed, at once.") ||
      !expect_goodbye(dave, "* good night", 700ms, "end() was called at 0.7 s",
                      "Who has no name is told as well.") ||
      !expect_line(bob, "* good night", 1100ms,
                   "end() was called at 0.7 s, and bob did not read until 1.1 s",
                   "What waits for him is kept until he takes it."))
    return;
  if (!expect_heard(bob, {"* your name?", "* here: alice", "* carol joined", "* good night"},
                    "end() was called, and carol said something after it. All leave together: "
                    "nobody is told of it, and nobody is heard."))
    return;
  if (!expect_that(erin.received().starts_with("* your name?\n") && erin.saw_the_end(),
                   format("erin finished sending at 0.5 s, and was still to get \"* your name?\" "
                          "when end() was called at 0.7 s. She read on at 0.9 s, and got %s, and "
                          "then %s. Who has left before is sent what waits for it all the same.",
                          quoted(erin.received(), 60).c_str(),
                          erin.saw_the_end() ? "the end" : "no orderly end")))
    return;
  const std::vector<std::size_t> connections = {at_once, later, s.connections()};
  expect_that(
      connections == std::vector<std::size_t>{4, 1, 0},
      format("end() was called at 0.7 s. erin read on at 0.9 s and bob at 1.1 s; carol never "
             "did, nor frank, who had been sent away at 0.621 s, without a name; line is "
             "0.9 s. connections() after end(), at 1.55 and at 3 s was %s, and not 4, 1 and "
             "0: frank is dropped at 1.521 s and carol at 1.6 s, each `line` after it left.",
             shown(connections).c_str()));
}

// Rule: a chat that has dropped all is as good as new.
TEST(DropAll, ClosesAtOnceAndLeavesNothingBehind) {
  explain(
      {.rule = "drop_all() closes all connections at once. Names are free, and no time is left.",
       .why = "What is left of the old clients would meet the new ones.",
       .read = "Politeness has an end"});
  Chatting s({.naming = 1100ms, .line = 900ms, .idle = 1700ms});
  Peer& alice = s.joins("alice", 31ms);
  s.joins("bob", 53ms).at(300ms).stops_reading().opens_window(5);
  s.peer("carol").at(97ms).connects().at(300ms).sends("car");
  s.serve_until(500ms);
  s.run([&] { s.chat().announce("* that was all"); });

  s.drop_all();
  const Time dropped_at = s.now();
  if (!expect_equal(s.connections(), 0U, "drop_all() was called. connections():")) return;
  Peer& second = s.joins("alice", 600ms);
  s.serve_until(4s);

  if (!expect_that(is_on_time(alice.end_at(), dropped_at) || alice.saw_a_reset(),
                   "drop_all() was called at 0.5 s, and alice was not closed then.") ||
      !expect_that(!time_of(second, "! alice is taken"),
                   "drop_all() was called at 0.5 s, a second alice came at 0.6 s, and was told "
                   "\"! alice is taken\". Nobody is there any more, so all names are free.") ||
      !expect_goodbye(second, idle, 2300ms,
                      "drop_all() was called at 0.5 s, a second alice came at 0.6 s, and idle is "
                      "1.7 s",
                      "She is as good as the first one of a new chat."))
    return;
  expect_heard(second, {"* your name?", "* here: nobody else", "! idle: goodbye"},
               "After drop_all() nobody is there, and all names are free.");
}
