// The graded checks of lesson 16: the chat server. Those of its two parts are in room_test.cpp, and
// in line_clients_test.cpp and leaving_test.cpp.
#include "16-chat-server/chat_server.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../15-echo-server/serving.hpp"
#include "09-deadlines/deadlines.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("16-chat-server");

namespace {

using Chat = Serving<course::ChatServer>;

// Shows only what follows the lines that are right.
bool expect_received(const Peer& who, const std::string& wanted, const std::string& sentence,
                     Where where = Where::here()) {
  const std::string& got = who.received();
  std::size_t same = 0;
  while (same < std::min(got.size(), wanted.size()) && got[same] == wanted[same]) ++same;
  const std::size_t begin = same == 0 ? 0 : wanted.rfind('\n', same - 1) + 1;
  std::string behind;
  if (begin > 0) {
    const std::size_t last = begin == 1 ? 0 : wanted.rfind('\n', begin - 2) + 1;
    behind = " behind " + quoted(wanted.substr(last, begin - last), 60);
  }
  return expect_equal(got.substr(begin), wanted.substr(begin),
                      sentence + " " + who.name() + " was to get" + behind + ":", where);
}

// When the first byte of `text` came to this peer.
std::optional<Time> arrival(const Peer& who, const std::string& text) {
  const auto at = who.received().find(text);
  return at == std::string::npos ? std::nullopt : who.received_at(at);
}

// "came at 0.053 s", "never came".
std::string came(std::optional<Time> time) {
  return time ? "came at " + shown(*time) : "never came";
}

std::size_t count(const std::vector<Call>& calls, bool worked) {
  return static_cast<std::size_t>(std::count_if(
      calls.begin(), calls.end(), [&](const Call& call) { return (call.value >= 0) == worked; }));
}

}  // namespace

// Rule: what one says, all others hear, at once.
TEST(ChatServer, PassesLinesOn) {
  explain({.rule = "Whatever happens to a client goes to the Room, and what the Room says to the "
                   "clients, in the same instant.",
           .why = "That is all a chat is.",
           .read = "Three parts"});
  Chat s;
  s.start(course::LineLimits{.line_max = 30});
  Peer& alice = s.peer("alice").at(31ms).connects().at(53ms).sends("alice\n");
  Peer& bob = s.peer("bob").at(97ms).connects().sends("bo").at(131ms).sends("b\r\n");
  Peer& carol = s.peer("carol").at(150ms).connects();
  alice.at(347ms).sends("hello, ").at(583ms).sends("bob!\nhow are you?\n");
  bob.at(700ms).sends("fine\n").at(1219ms).sends("bye\n" + std::string(31, 'x'));

  s.serve_until(1900ms);

  const std::string start =
      "alice, bob and carol connected; alice and bob said their names, "
      "alice two lines, bob two, and then 31 bytes, where line_max was 30.";
  if (!expect_received(
          bob, "* your name?\n* here: alice\nalice: hello, bob!\nalice: how are you?\n", start) ||
      !expect_received(alice,
                       "* your name?\n* here: nobody else\n* bob joined\nbob: fine\nbob: bye\n"
                       "* bob left (line too long)\n",
                       start) ||
      !expect_received(carol, "* your name?\n", start))
    return;
  const struct {
    const Peer& who;
    const char* what;
    Time wanted;
  } arrivals[] = {{alice, "* your", 31ms},     {alice, "* here", 53ms},
                  {bob, "* your", 97ms},       {alice, "* bob j", 131ms},
                  {bob, "alice: hel", 583ms},  {bob, "alice: how", 583ms},
                  {alice, "bob: fine", 700ms}, {alice, "* bob l", 1219ms}};
  for (const auto& [who, what, wanted] : arrivals)
    if (!expect_that(arrival(who, what) == wanted, quoted(what) + " was to come to " + who.name() +
                                                       " at " + shown(wanted) + ", and " +
                                                       came(arrival(who, what)) + "."))
      return;
  expect_equal(s.server().connections(), 2u, "bob has left; so many are connected:");
}

// Rule: everybody at their own speed, and nobody at the expense of the others.
TEST(ChatServer, LeavesTheSlowBehind) {
  explain(
      {.rule = "A client for whom too much waits is put out, in the middle of a line to all if "
               "need be; everybody else gets every line at once.",
       .why = "One terminal that somebody has stopped with Ctrl-S must not stop the whole room.",
       .read = "In the middle of a broadcast"});
  constexpr int lines = 30;
  Chat s;
  s.start(course::LineLimits{.line_max = 100, .unsent_max = 300});
  Peer& alice = s.peer("alice").at(1ms).connects().sends("alice\n");
  Peer& bob = s.peer("bob").window(200).at(2ms).connects().sends("bob\n").stops_reading();
  Peer& carol = s.peer("carol").at(3ms).connects().sends("carol\n");
  Peer& dave = s.peer("dave").window(200).at(4ms).connects().sends("dave\n").stops_reading();
  Peer& erin = s.peer("erin").at(5ms).connects().sends("erin\n");
  for (int i = 0; i < lines; ++i)
    alice.at(100ms + i * 31ms).sends(format("%02d ", i) + std::string(46, '.') + "\n");
  bob.at(1583ms).resumes_reading();

  s.serve_until(1900ms);

  const std::string start =
      "unsent_max was 300. bob and dave took 200 bytes and no more, and alice "
      "said 30 lines of 50 bytes, one every 0.031 s. ";
  for (const Peer* who : {&carol, &erin})
    for (int i = 0; i < lines; ++i) {
      const auto arrived = arrival(*who, format("alice: %02d ", i));
      if (!expect_that(
              arrived == Time(100ms) + i * 31ms,
              start + format("Line %d was to come to %s at %s, and %s.", i, who->name().c_str(),
                             shown(Time(100ms) + i * 31ms).c_str(), came(arrived).c_str())))
        return;
    }
  for (const Peer* who : {&alice, &carol, &erin})
    for (const char* name : {"bob", "dave"})
      if (!expect_that(
              arrival(*who, format("* %s left (too slow)\n", name)).has_value(),
              start + format("%s never heard that %s left, too slow.", who->name().c_str(), name)))
        return;
  expect_equal(s.server().connections(), 3u, start + "So many are connected:") &&
      expect_that(bob.received().size() == 200 && bob.saw_the_end(),
                  start + format("When he read on, bob was to get 200 bytes and the end, and got "
                                 "%zu%s.",
                                 bob.received().size(), bob.saw_the_end() ? "" : " and no end")) &&
      expect_that(bob.received().find("left") == std::string::npos,
                  start + "They left because of the same line: neither hears of the other.");
  (void)dave;
}

// Rule: who leaves while two talk is no danger to them, nor to the server (EPIPE, SIGPIPE).
TEST(ChatServer, SurvivesWhoHangsUpWhileOthersTalk) {
  explain(
      {.rule = "When a send to one fails, that one has left; the lines go on to all others, and "
               "no SIGPIPE ends the server.",
       .why = "The first send to somebody who is gone works, the next one fails: two who talk are "
              "enough.",
       .read = "In the middle of a broadcast"});
  const std::vector<std::string> names = {"alice", "bob", "carol", "dave", "erin"};
  for (const std::size_t gone : {std::size_t{1}, std::size_t{2}, std::size_t{4}}) {
    Chat s;
    s.start();
    std::vector<Peer*> all;
    for (const std::string& name : names) {
      const Time at = Time(31ms) * (all.size() + 1);
      all.push_back(&s.peer(name).at(at).connects().sends(name + "\n"));
    }
    std::string heard = "* your name?\n* here:";
    for (std::size_t i = 0; i < gone; ++i) heard += " " + names[i];
    for (std::size_t i = gone + 1; i < names.size(); ++i) heard += "\n* " + names[i] + " joined";
    all[gone]->receives(heard + "\nalice: one\n").closes();
    all[0]->at(347ms).sends("one\ntwo\nthree\nfour\nfive\n");
    all[3]->at(700ms).sends("six\n");

    s.serve_until(1900ms);

    const std::string start =
        "alice said five lines at once, and " + names[gone] + " hung up when the first had come. ";
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i == gone) continue;
      for (const std::string line :
           {"alice: one\nalice: two\nalice: three\nalice: four\nalice: five\n", "dave: six\n"})
        if (!line.starts_with(names[i]) &&
            !expect_that(arrival(*all[i], line).has_value(),
                         start + names[i] + " never got " + quoted(line, 80) + "."))
          return;
      if (!expect_that(arrival(*all[i], "* " + names[gone] + " left") == Time(347ms),
                       start + names[i] + " was to hear of that in the same instant."))
        return;
    }
    if (!expect_equal(s.server().connections(), 4u, start + "So many are connected:")) return;
  }
}

// Rule: a number that one gives back another gets, in the same turn perhaps.
TEST(ChatServer, AsksEveryNewcomerForItsName) {
  explain({.rule = "Nothing of a client who left is left for the next one who gets its descriptor: "
                   "not the name, not half a line, not the answer of select.",
           .why = "Carol, who was taken for Bob, says what Carol says in Bob's name.",
           .read = "A number is nobody's name"});
  for (const bool resets : {false, true}) {
    Chat s;
    s.start();
    Peer& alice = s.peer("alice").at(1ms).connects().sends("alice\n");
    Peer& bob = s.peer("bob").at(31ms).connects().sends("bob\n").at(53ms).sends("half a li");
    Peer& carol = s.peer("carol").at(347ms).connects();
    resets ? bob.at(347ms).resets() : bob.at(347ms).closes();
    carol.at(583ms).sends("carol\n").at(700ms).sends("hello\n");

    s.serve_until(1900ms);

    const std::string start = format(
        "bob, who had sent half a line, %s in the instant in which "
        "carol connected.",
        resets ? "reset his connection" : "left");
    if (!expect_received(carol, "* your name?\n* here: alice\n", start) ||
        !expect_received(alice,
                         format("* your name?\n* here: nobody else\n* bob joined\n* bob left%s\n* "
                                "carol joined\ncarol: hello\n",
                                resets ? " (connection lost)" : ""),
                         start))
      return;
  }
}

// Rule: the end of what one says comes with the last of it.
TEST(ChatServer, AnswersWhoFinishesSending) {
  explain({.rule =
               "Who finishes sending with its last line is answered, and then closed; what it said "
               "goes to all others.",
           .why = "printf 'ada\nhello\n' | nc -N does just that.",
           .read = "The end comes with the last line"});
  Chat s;
  s.start();
  Peer& alice = s.peer("alice").at(1ms).connects().sends("alice\n");
  Peer& bob = s.peer("bob").window(20).stops_reading().at(347ms).connects();
  bob.sends("alice\nbob\nhello\nunfinish").finishes_sending().at(700ms).resumes_reading();

  s.serve_until(1900ms);

  const std::string start =
      "bob connected, sent \"alice\\nbob\\nhello\\nunfinish\" and finished, all at once; he took "
      "20 bytes, and the rest when he read on at 0.7 s.";
  expect_received(bob, "* your name?\n! alice is taken\n* here: alice\n", start) &&
      expect_that(bob.saw_the_end(), start + " He has left, and his connection was not closed.") &&
      expect_received(alice,
                      "* your name?\n* here: nobody else\n* bob joined\nbob: hello\n* bob left\n",
                      start);
}

// Rule: many come at once after every restart.
TEST(ChatServer, AcceptsManyAtOnce) {
  explain(
      {.rule = "Accept no more than 64 clients in a turn; serve them all, and those who are there.",
       .why = "After a restart all clients come back in the same second.",
       .read = "Your task"});
  constexpr std::size_t newcomers = 150, turn_max = 64;
  Chat s;
  s.start();
  std::vector<Peer*> all;
  for (std::size_t i = 0; i < newcomers; ++i)
    all.push_back(&s.peer(format("client %zu", i)).at(31ms).connects());
  s.serve_until(20ms);
  std::size_t most = 0;
  for (std::size_t before = 0, turns = 0; before < newcomers && turns < newcomers; ++turns) {
    s.step(100ms);
    const std::size_t accepted = count(s.calls("accept4"), true) + count(s.calls("accept"), true);
    most = std::max(most, accepted - before);
    before = accepted;
  }
  all[0]->at(347ms).sends("ada\n").at(700ms).sends("hello\n");
  all[149]->at(583ms).sends("bob\n");
  s.serve_until(1900ms);

  if (!expect_that(most <= turn_max,
                   format("150 clients came at once, and in one turn you accepted "
                          "%zu of them.",
                          most)))
    return;
  for (const Peer* who : all)
    if (!expect_that(who->received_at(0) == Time(31ms),
                     "150 clients came at 0.031 s, and " + who->name() + "'s question for a name " +
                         came(who->received_at(0)) + "."))
      return;
  expect_equal(s.server().connections(), newcomers, "So many are connected:") &&
      expect_received(*all[149], "* your name?\n* here: ada\nada: hello\n",
                      "Two of 150 clients have said their names.") &&
      expect_received(*all[77], "* your name?\n", "Two of 150 clients have said their names.");
}

// Rule: an accept that fails is one client's affair, or the caller's, and never all clients'.
TEST(ChatServer, GoesOnWhenAcceptFails) {
  explain({.rule =
               "Pass over what concerns one client; throw what concerns the process, when whoever "
               "was ready has been served; and go on with the next step().",
           .why = "When there is no descriptor left for a newcomer, those who are there can go on "
                  "talking.",
           .read = "Your task"});
  Chat s;
  s.start();
  Peer& alice = s.peer("alice").at(1ms).connects().sends("alice\n");
  Peer& bob = s.peer("bob").at(2ms).connects().sends("bob\n");
  s.serve_until(97ms);
  s.faults().fail("accept", ECONNABORTED, 3);
  Peer& carol = s.peer("carol").at(347ms).connects();
  s.serve_until(500ms);
  s.faults().fail("accept", EMFILE, 1);
  Peer& dave = s.peer("dave").at(583ms).connects();
  alice.at(583ms).sends("hello\n");
  std::error_code code;
  try {
    s.serve_until(700ms);
  } catch (const std::system_error& error) {
    code = error.code();
  }
  if (!expect_that(carol.received_at(0) == Time(347ms),
                   "accept said ECONNABORTED three times, and carol waited behind. "
                   "Her question for a name " +
                       came(carol.received_at(0)) + ".") ||
      !expect_that(code.value() == EMFILE && s.now() == Time(583ms),
                   "accept said EMFILE at 0.583 s, and step() was to throw it.") ||
      !expect_that(arrival(bob, "alice: hello") == Time(583ms),
                   "In the turn in which accept said EMFILE alice said \"hello\", and to bob it " +
                       came(arrival(bob, "alice: hello")) + ". Serve first, and throw then."))
    return;
  s.serve_until(1900ms);
  expect_received(dave, "* your name?\n", "After that accept worked again.") &&
      expect_equal(s.server().connections(), 4u, "So many are connected:");
}

// Rule: 1024 descriptors, and no more.
TEST(ChatServer, TurnsAwayWhoDoesNotFit) {
  explain({.rule =
               "A client whose descriptor does not fit into an fd_set is closed as soon as it is "
               "accepted.",
           .why = "FD_SET(1024) writes to memory that is not the set's.",
           .read = "Your task"});
  Chat s;
  s.start();
  Peer& alice = s.peer("alice").at(1ms).connects().sends("alice\n");
  s.serve_until(31ms);
  s.next_descriptor_is(1023);
  Peer& bob = s.peer("bob").at(97ms).connects();
  Peer& carol = s.peer("carol").at(131ms).connects();
  bob.at(347ms).sends("bob\n");
  s.serve_until(700ms);

  expect_received(bob, "* your name?\n* here: alice\n", "bob got 1023, the last that fits.") &&
      expect_received(carol, "", "carol got 1024, which does not fit.") &&
      expect_that(carol.end_at() == Time(131ms),
                  "carol got 1024, which does not fit, and was to be closed at once.") &&
      expect_received(alice, "* your name?\n* here: nobody else\n* bob joined\n",
                      "bob got 1023, and carol 1024.") &&
      expect_equal(s.server().connections(), 2u, "So many are connected:");
}

// Rule: one wait, which somebody else may end.
TEST(ChatServer, CanBeWokenAndSleepsElse) {
  explain(
      {.rule = "A turn ends when something has happened, when wake_up is readable, or at the "
               "deadline; else it sleeps in one wait.",
       .why = "Whoever stops the server writes a byte; and most of the night nobody writes at all.",
       .read = "Your task"});
  constexpr std::size_t waits_max = 40;
  Chat s;
  s.start();
  Peer& stop = s.peer("the pipe").at(26min).sends("!");
  const int wake_up = s.lend_at(stop.pipe_to_program(), 0);
  Peer& alice = s.peer("alice").at(31ms).connects().sends("alice\n").at(12min).sends("anybody?\n");
  s.peer("bob").at(53ms).connects().sends("bob\n").at(97ms).finishes_sending();
  Peer& carol = s.peer("carol").at(131ms).connects().sends("carol\n");
  alice.at(27min).sends("good night\n");
  s.step(20ms, wake_up);
  if (!expect_that(s.now() == Time(20ms),
                   "Nothing happened, and step() with 0.02 s for it returned "
                   "at " +
                       shown(s.now()) + "."))
    return;
  const std::size_t of_one_turn = s.waits_of_last_run().size();
  if (!expect_that(of_one_turn <= 1,
                   format("Nothing happened, and in one turn you waited %zu times. When the wait "
                          "has found nobody, the turn is over.",
                          of_one_turn)))
    return;
  s.serve_until(25min, wake_up);
  const std::size_t waits = s.waits().size();
  if (!expect_that(waits <= waits_max,
                   format("Next to nothing happened in 25 minutes, and you waited %zu times%s. Let "
                          "select wait until the deadline.",
                          waits, waits < WaitLog::calls_max ? "" : " or more")))
    return;
  s.step(3min, wake_up);
  if (!expect_that(s.now() == Time(26min),
                   "wake_up was readable after 26 minutes, and step() returned "
                   "at " +
                       shown(s.now()) + "."))
    return;
  s.step(3min, wake_up);
  if (!expect_that(s.now() == Time(26min),
                   "wake_up was still readable, for step() only looks at it; and "
                   "step() waited until " +
                       shown(s.now()) + "."))
    return;
  s.run([] { (void)course::select_until({}, {}, {}, course::Deadline::after(2min)); });
  s.step(3min, wake_up);
  s.run([] {});
  expect_that(arrival(carol, "alice: good night") == Time(28min),
              "Before the next turn, at 28 minutes, alice had said \"good night\", and wake_up was "
              "still readable; to carol her line " +
                  came(arrival(carol, "alice: good night")) +
                  ". Whatever happened in that turn counts all the same.");
}

// Rule: what a server owns ends with it.
TEST(ChatServer, OwnsItsConnections) {
  explain({.rule = "A server can be moved, and closes the listener and all connections when it is "
                   "destroyed.",
           .why = "A port that nobody closes cannot be listened on again.",
           .read = "Your task"});
  Chat s;
  s.start();
  Peer& alice = s.peer("alice").at(1ms).connects().sends("alice\n");
  Peer& bob =
      s.peer("bob").window(5).at(2ms).connects().stops_reading().at(583ms).resumes_reading();
  s.serve_until(97ms);
  int its_listener = -1;
  const std::size_t open_before = s.open_descriptors().size();
  std::size_t open_after = 0;
  s.run([&] {
    course::Fd listener = course::listen_on(course::Endpoint::numeric("127.0.0.1", 0), 1);
    its_listener = listener.get();
    course::ChatServer other(std::move(listener));
    other = std::move(s.server());
    open_after = s.open_descriptors().size();
    s.server() = course::ChatServer(std::move(other));
  });
  if (!expect_that(open_after == open_before,
                   format("A server was moved into another one, which had a listener, %d. That one "
                          "was to give up its own at once, and did not close it.",
                          its_listener)))
    return;
  alice.at(347ms).sends("still there?\n");
  s.serve_until(400ms);
  const std::size_t connections = s.server().connections();
  s.stop();
  const Time stopped = s.now();
  s.finish();

  expect_equal(connections, 2u, "The server was moved; so many are connected:") &&
      expect_that(alice.end_at() == stopped,
                  "The server was destroyed, and alice's connection was "
                  "not closed just then.") &&
      expect_equal(bob.received(), std::string("* you"), "bob had taken 5 bytes, and got this:");
}
