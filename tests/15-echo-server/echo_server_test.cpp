// The graded checks of lesson 15: everybody is served, at their own speed. Those about coming and
// leaving are in clients_test.cpp, those about a turn in turns_test.cpp.
#include "15-echo-server/echo_server.hpp"

#include <cerrno>
#include <string>
#include <vector>

#include "echoing.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("15-echo-server");

// Rule: select tells of whoever is ready; nobody has to leave before another is served.
TEST(EchoServer, AnswersWhoeverIsReady) {
  explain({.rule = "Wait for the listener and all clients in one call, and serve whoever is ready.",
           .why = "Who waits in a call for one client keeps all others waiting.",
           .read = "One wait for all"});
  Echoing s;
  Peer& alice = s.client("alice", 31ms).at(700ms).sends("hello");
  Peer& bob = s.client("bob", 53ms).sends("anybody?");
  Peer& carol = s.client("carol", 347ms).at(700ms).sends("good ").at(1219ms).sends("morning");
  alice.at(900ms).closes();
  Peer& dave = s.client("dave", 950ms).sends("hi");

  s.serve_until(1900ms);

  const std::string advice = "Wait for all in one call, and serve whoever is ready.";
  s.expect_echo(bob, "anybody?", 53ms, "alice was connected, and said nothing yet. " + advice) &&
      s.expect_echo(alice, "hello", 700ms,
                    "bob said nothing more, and carol spoke too. " + advice) &&
      s.expect_echo(dave, "hi", 950ms, "He came when alice had left. " + advice) &&
      s.expect_echo(carol, "good morning", 1219ms,
                    "dave had come last, and his descriptor is lower than hers. " + advice);
}

// Rule: what is true of two clients is true of as many as an fd_set holds.
TEST(EchoServer, ServesTwoHundred) {
  explain({.rule = "Serve as many clients as come, each with what it said itself.",
           .why = "A server is at work when it is full.",
           .read = "One wait for all"});
  constexpr int count = 200;
  Echoing s;
  std::vector<Peer*> clients;
  for (int i = 1; i <= count; ++i) {
    Peer& who = s.client(format("client %d", i), 31ms);
    who.at(347ms + i % 20 * 67ms).sends(format("I am %d. ", i));
    if (i % 3 == 0) who.at(2100ms).closes();
    if (i % 3 != 0) who.at(2300ms).sends("And you?");
    clients.push_back(&who);
  }

  s.serve_until(2s);
  const std::size_t when_all = s.connections();
  s.serve_until(2700ms);
  const std::size_t when_some = s.connections();

  if (!expect_that(when_all == 200,
                   format("200 clients had connected, and connections() said %zu. Accept whoever "
                          "comes, and count them until they are closed.",
                          when_all)))
    return;
  for (int i = 1; i <= count; ++i) {
    const bool stays = i % 3 != 0;
    const std::string said = format("I am %d. ", i) + (stays ? "And you?" : "");
    if (!s.expect_echo(*clients[static_cast<std::size_t>(i) - 1], said,
                       stays ? 2300ms : 347ms + i % 20 * 67ms,
                       "200 clients were connected, of whom 66 left. Serve each that is ready."))
      return;
  }
  expect_that(
      when_some == 134,
      format("66 of 200 clients had left, and connections() said %zu. Close whoever leaves.",
             when_some));
}

// Rule: a stream has no gaps, and nobody's bytes are anybody else's.
TEST(EchoServer, SendsBackEveryByteInOrder) {
  explain({.rule = "Send each client its own bytes as they are, in order, wherever the calls cut.",
           .why = "The kernel takes what fits, and goes on with somebody else.",
           .read = "Never wait for one"});
  const std::string bytes = all_values(300);
  for (const std::size_t room : {1UL, 5UL, 64UL}) {
    Echoing s;
    s.faults().fail("send", EAGAIN, 1, 4);
    s.faults().fail("recv", EINTR, 2, 1);
    s.faults().fail("send", EINTR, 2, 1);
    s.faults().recv_gives_at_most(room + 2);
    Peer& alice = s.client("alice", 31ms).window(room).stops_reading();
    Peer& bob = s.client("bob", 31ms).window(room + 1).stops_reading();
    alice.at(53ms).sends("one two ").at(97ms).sends("three ").at(347ms).sends("four ");
    bob.at(53ms).sends("eins zwei ").at(97ms).sends("drei ").at(347ms).sends("vier ");
    alice.at(97ms).reads(room).at(347ms).reads(1).at(583ms).resumes_reading();
    bob.at(97ms).reads(1).at(347ms).reads(room).at(583ms).resumes_reading();
    alice.at(1219ms).sends(bytes);

    s.serve_until(1900ms);

    const std::string advice = format(
        "Both said several words while there was room for %zu or %zu bytes. What does not fit "
        "waits, for each by itself, and new bytes go behind it.",
        room, room + 1);
    if (!s.expect_echo(bob, "eins zwei drei vier ", 583ms, advice) ||
        !s.expect_echo(alice, "one two three four " + bytes, 1219ms, advice))
      return;
  }
}

// Rule: a send that does not fit must not wait, for everybody would.
TEST(EchoServer, WaitsForNobodyWhoDoesNotRead) {
  explain({.rule = "Keep what a client does not take, and serve the others meanwhile.",
           .why = "One client that does not read would otherwise stop the whole server.",
           .read = "Never wait for one"});
  Echoing s;
  Peer& bob = s.client("bob", 31ms).window(1'000).stops_reading();
  bob.sends(letters(90'000)).at(1219ms).resumes_reading();
  Peer& alice = s.client("alice", 53ms).at(347ms).sends("hello");

  s.serve_until(1900ms);

  if (s.expect_echo(alice, "hello", 347ms,
                    "bob had sent 90000 bytes, and did not read what came back. Whoever does not "
                    "read must not keep the others waiting."))
    s.expect_echo(bob, letters(90'000), 1219ms,
                  "He had room for 1000 bytes until 1.219 s. Keep the rest, and watch him for "
                  "writing while something waits.");
}

// Rule: what a client does not take must not be received, or it waits in your memory.
TEST(EchoServer, PausesWhoDoesNotRead) {
  explain({.rule = "While 65536 bytes or more wait for a client, receive nothing from it; when no "
                   "more than 16384 are left, go on.",
           .why = "One client that sends and never reads would otherwise take all the memory.",
           .read = "Never wait for one"});
  {
    Echoing s;
    Peer& bob = s.client("bob", 31ms).window(1'000).stops_reading().sends(letters(300'000));

    s.serve_until(1900ms);

    const auto waited = waiting_for(bob);
    const std::string start = format(
        "bob had 300000 bytes to send, read nothing, and had room for 1000: %s waited for him in "
        "your queue. ",
        byte_count(waited).c_str());
    if (!expect_that(waited < high_mark + turn_max,
                     start + "While so much waits, receive nothing from him: then his sends wait, "
                             "and not your memory.") ||
        !expect_that(received_from(bob) >= high_mark, start + "Up to 65536, receiving goes on."))
      return;
  }
  const struct {
    Time at;
    std::uint64_t wanted;
    const char* what;
    const char* advice;
  } looks[] = {{60ms, 95'535, "bob had sent 95535 bytes and taken 30000: 65535 waited for him",
                "Below 65536 receiving goes on."},
               {80ms, 95'536, "65535 bytes waited for bob, and he sent one more",
                "Below 65536 receiving goes on."},
               {200ms, 95'536, "65536 bytes waited for bob, and he sent ten more",
                "At 65536 a pause begins: receive nothing more from him."},
               {400ms, 95'536, "35536 of the 65536 bytes were left that had waited for bob",
                "The pause goes on until no more than 16384 are left."},
               {600ms, 95'536, "16385 of the 65536 bytes were left that had waited for bob",
                "The pause goes on until no more than 16384 are left."},
               {1300ms, 95'546, "16384 of the 65536 bytes were left that had waited for bob",
                "Here the pause ends: receive the ten bytes that he has sent meanwhile."}};
  Echoing s;
  Peer& bob = s.client("bob", 7ms).window(30'000).stops_reading();
  bob.at(31ms).sends(letters(30'000)).at(53ms).sends(letters(65'535)).at(71ms).sends("x");
  bob.at(97ms).sends("ten bytes.").at(347ms).reads(30'000).at(583ms).reads(19'151);
  bob.at(1219ms).reads(1).at(1583ms).resumes_reading();
  std::vector<std::uint64_t> received;
  for (const auto& look : looks)
    s.looks_at(look.at, [&] { received.push_back(received_from(bob)); });

  s.serve_until(1900ms);

  for (std::size_t i = 0; i < std::size(looks) && i < received.size(); ++i)
    if (received[i] != looks[i].wanted)
      return fail(
          format("At %s %s. By then you had received %s from him, %s too %s. %s",
                 shown(looks[i].at).c_str(), looks[i].what, byte_count(received[i]).c_str(),
                 std::to_string(received[i] < looks[i].wanted ? looks[i].wanted - received[i]
                                                              : received[i] - looks[i].wanted)
                     .c_str(),
                 received[i] < looks[i].wanted ? "few" : "many", looks[i].advice));
  s.expect_echo(bob, letters(30'000) + letters(65'535) + "xten bytes.", 1583ms,
                "After the pause go on until all is sent.");
}

// Rule: what nobody waits for must not wake anybody.
TEST(EchoServer, SleepsWhileThereIsNothingToDo) {
  explain({.rule = "While nobody says anything and nobody makes room, make no calls.",
           .why = "A server has silent nights, and others on the same machine have work.",
           .read = "Never wait for one"});
  constexpr int messages = 6;
  constexpr std::size_t waits_max = 60;
  Echoing s;
  Peer& alice = s.client("alice", 31ms);
  Peer& bob = s.client("bob", 53ms);
  for (int i = 1; i <= messages; ++i) {
    alice.at(i * 3min + 31ms).sends("a");
    bob.at(i * 3min + 347ms).sends("b");
  }
  alice.at(4h + 59min).sends("z");
  Peer& carol = s.client("carol", 1h).window(100).stops_reading().sends(letters(300));
  carol.at(4h).resumes_reading();

  s.serve_until(5h);

  if (!s.expect_echo(alice, "aaaaaaz", 4h + 59min, "Silence is no end: go on where you were.") ||
      !s.expect_echo(bob, "bbbbbb", 18min + 347ms, "After a silence go on where you were.") ||
      !s.expect_echo(carol, letters(300), 4h, "She read on after three hours."))
    return;
  const std::size_t waits = s.waits().size();
  s.step(0s);
  const std::size_t of_one_turn = s.waits_of_last_run().size();
  if (!expect_that(of_one_turn <= 1,
                   format("Nothing was to be done, a turn had no time, and it asked %zu times. One "
                          "select looks at all sets.",
                          of_one_turn)))
    return;
  expect_that(
      waits <= waits_max,
      format("Fourteen messages came in five hours, and you waited %zu times%s. Let the wait "
             "last until the deadline, and watch for writing only while something waits: "
             "one or two waits for each message.",
             waits, waits < WaitLog::calls_max ? "" : " or more"));
}
