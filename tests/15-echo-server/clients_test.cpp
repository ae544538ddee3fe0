// The graded checks of lesson 15: how clients come, leave and fail.
#include <fcntl.h>
#include <signal.h>

#include <cerrno>
#include <string>
#include <vector>

#include "15-echo-server/echo_server.hpp"
#include "echoing.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

volatile sig_atomic_t sigpipes = 0;

void handle_sigpipe(int) { sigpipes = sigpipes + 1; }

void install_sigpipe_handler() {
  struct sigaction action {};
  action.sa_handler = handle_sigpipe;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool sigpipe_is_as_it_was() {
  struct sigaction action {};
  ::sigaction(SIGPIPE, nullptr, &action);
  sigset_t mask;
  ::sigprocmask(SIG_BLOCK, nullptr, &mask);
  return action.sa_handler == handle_sigpipe && sigismember(&mask, SIGPIPE) == 0;
}

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

// Rule: a half-close says "I have said all", not "I am gone" (lesson 05).
TEST(EchoServer, SendsWhatIsDueAndThenCloses) {
  explain({.rule = "When a client has finished sending, send it what is due, and then close it.",
           .why = "Who says all and then listens has asked for an answer.",
           .read = "Who leaves"});
  Echoing s;
  Peer& alice = s.client("alice", 31ms).sends("hello").finishes_sending();
  Peer& bob = s.client("bob", 53ms).window(30).stops_reading().sends(letters(100));
  bob.at(347ms).finishes_sending().at(1219ms).resumes_reading();
  Peer& carol = s.client("carol", 97ms).window(1'000).stops_reading().sends(letters(90'000));
  carol.finishes_sending().resumes_reading();
  Peer& dave = s.client("dave", 583ms).finishes_sending();

  s.serve_until(700ms);
  const std::size_t sent_to = s.connections();
  s.serve_until(1900ms);

  const struct {
    Peer& who;
    std::string said;
    Time end;
    const char* what;
  } cases[] = {
      {alice, "hello", 31ms, "She said \"hello\" and finished in the same instant."},
      {bob, letters(100), 1219ms,
       "He finished at 0.347 s, had room for 30 bytes, and read on at "
       "1.219 s."},
      {carol, letters(90'000), 97ms, "She sent 90000 bytes, finished, and only then read."},
      {dave, "", 583ms, "He finished without a word."}};
  for (const auto& each : cases) {
    const std::string advice =
        std::string(each.what) + " Send what is due, and close when nothing waits any more.";
    if (!s.expect_echo(each.who, each.said, each.end, advice) ||
        !expect_that(each.who.end_at() == each.end && !each.who.saw_a_reset(),
                     format("%s saw the end %s%s. %s", each.who.name().c_str(),
                            when(each.who.end_at()).c_str(),
                            each.who.saw_a_reset() ? ", and a reset" : "", advice.c_str())))
      return;
  }
  const std::size_t left = s.connections(), open = s.open_clients();
  expect_that(left == 0 && open == 0,
              format("All four have finished and got everything: connections() says %zu, and %zu "
                     "sockets of clients are open. Close them.",
                     left, open)) &&
      expect_that(sent_to == 1,
                  format("At 0.7 s three had got all and were closed, and 70 bytes waited for bob, "
                         "who had finished: connections() said %zu. He is connected until he is "
                         "closed.",
                         sent_to));
}

// Rule: the failure of one connection is that client's alone.
TEST(EchoServer, ClosesWhoFails) {
  explain({.rule = "Close a client whose connection fails, at once, and go on with the others.",
           .why = "Clients are reset all day long: no server may fall for that.",
           .read = "Who leaves"});
  struct Case {
    const char* what;
    void (*arrange)(Echoing& s, Peer& bob);
  };
  const Case cases[] = {
      {"bob reset the connection", [](Echoing&, Peer& bob) { bob.at(347ms).resets(); }},
      {"bob, for whom 70 bytes waited, reset the connection",
       [](Echoing&, Peer& bob) {
         bob.window(30).stops_reading().at(53ms).sends(letters(100)).at(347ms).resets();
       }},
      {"bob, for whom so much waited that you received nothing, reset the connection",
       [](Echoing&, Peer& bob) {
         bob.window(30).stops_reading().at(53ms).sends(letters(90'000)).at(347ms).resets();
       }},
      {"bob had finished, 70 bytes still waited for him, and he reset the connection",
       [](Echoing&, Peer& bob) {
         bob.window(30).stops_reading().at(53ms).sends(letters(100)).finishes_sending();
         bob.at(347ms).resets();
       }},
      {"bob sent 3000 bytes and closed without reading what came back",
       [](Echoing& s, Peer& bob) {
         s.faults().recv_gives_at_most(100);
         bob.stops_reading().at(347ms).sends(letters(3'000)).closes();
       }},
      {"Receiving from bob said ETIMEDOUT",
       [](Echoing& s, Peer& bob) {
         s.faults().fail("recv", ETIMEDOUT);
         bob.at(347ms).sends("hello");
       }},
      {"Sending to bob said EHOSTUNREACH", [](Echoing& s, Peer& bob) {
         s.faults().fail("send", EHOSTUNREACH);
         bob.at(347ms).sends("hello");
       }}};
  for (const auto& [what, arrange] : cases) {
    install_sigpipe_handler();
    Echoing s;
    Peer& bob = s.client("bob", 7ms);
    Peer& alice = s.client("alice", 31ms);
    arrange(s, bob);
    alice.at(583ms).sends("hello");
    std::size_t open = 0;
    s.looks_at(360ms, [&] { open = s.open_clients(); });

    const TurnOutcome outcome = s.try_serve_until(1900ms);

    if (!expect_that(outcome.has_returned,
                     std::string(what) + ", and step " + outcome.told() +
                         ". That is one client's failure: close it, and go on.") ||
        !expect_that(open == 1,
                     format("%s at 0.347 s, and at 0.36 s %zu clients were open instead of 1, "
                            "alice. Close him as soon as a call says so.",
                            what, open)) ||
        !s.expect_echo(alice, "hello", 583ms, std::string(what) + ". alice must not notice.") ||
        !expect_that(
            s.connections() == 1,
            format("%s, and connections() says %zu. Only alice is left.", what, s.connections())) ||
        !expect_that(sigpipes == 0, std::string(what) + ", and SIGPIPE came, which ends a process "
                                                        "that does not expect it. Send with "
                                                        "MSG_NOSIGNAL.") ||
        !expect_that(sigpipe_is_as_it_was(),
                     "SIGPIPE is not handled as it was before. MSG_NOSIGNAL leaves it alone."))
      return;
  }

  Echoing s;
  s.client("alice", 31ms);
  s.client("bob", 53ms).at(347ms).resets();
  s.serve_until(100ms);
  s.step(1s);
  const std::size_t open = s.open_clients(), connections = s.connections();
  expect_that(open == 1 && connections == 1,
              format("bob reset the connection, and when step() had met that and returned, at %s, "
                     "%zu sockets of clients were open, and connections() said %zu. Close him in "
                     "the same turn: the next one may be an hour away.",
                     shown(s.now()).c_str(), open, connections));
}

// Rule: the lowest free number is given to whoever comes next (lesson 01), also within a turn.
TEST(EchoServer, TakesNobodyForAnother) {
  explain({.rule = "What belonged to a client goes with it: whoever gets its number next is new.",
           .why = "Otherwise one reads what was meant for another, or is thrown out for it.",
           .read = "A number is not a client"});
  struct Case {
    const char* what;
    void (*arrange)(Peer& alice);
  };
  const Case cases[] = {
      {"alice closed", [](Peer& alice) { alice.at(347ms).closes(); }},
      {"alice finished sending", [](Peer& alice) { alice.at(347ms).finishes_sending(); }},
      {"alice, for whom 70 bytes waited, reset the connection",
       [](Peer& alice) {
         alice.window(30).stops_reading().at(53ms).sends(letters(100)).at(347ms).resets();
       }},
      {"alice, for whom so much waited that you received nothing, reset the connection",
       [](Peer& alice) {
         alice.window(30).stops_reading().at(53ms).sends(letters(90'000)).at(347ms).resets();
       }},
      {"alice, who had finished and for whom 70 bytes waited, reset the connection",
       [](Peer& alice) {
         alice.window(30).stops_reading().at(53ms).sends(letters(100)).finishes_sending();
         alice.at(347ms).resets();
       }}};
  for (const auto& [what, arrange] : cases) {
    Echoing s;
    Peer& alice = s.client("alice", 31ms);
    arrange(alice);
    Peer& bob = s.client("bob", 347ms).at(583ms).sends("hello").at(1219ms).sends(" again");
    Peer& carol = s.client("carol", 347ms).sends("hi");

    s.serve_until(1900ms);

    const std::string start = format(
        "In the instant in which %s, bob and carol connected, and a new client gets the "
        "lowest free number. ",
        what);
    if (!expect_that(!bob.end_at() && !carol.end_at() && !bob.saw_a_reset() && !carol.saw_a_reset(),
                     start + "One of them was closed, and had not finished. Close who has left, "
                             "and nobody else.") ||
        !s.expect_echo(bob, "hello again", 1219ms,
                       start + "He starts anew, with nothing that was hers.") ||
        !s.expect_echo(carol, "hi", 347ms,
                       start + "She starts anew, with nothing that was another's.") ||
        !expect_that(s.connections() == 2,
                     start + format("connections() says %zu.", s.connections())))
      return;
  }
}

// Rule: readiness is a hint: between the answer of select and your call the world goes on.
TEST(EchoServer, TakesReadinessForAHint) {
  explain({.rule = "Who was called ready may be gone when you look: wait neither in accept nor in "
                   "recv, and pass over the errors of one connection.",
           .why = "Whoever waits in accept waits for the next client, and all others wait too.",
           .read = "Who leaves"});
  struct Case {
    const char* what;
    void (*arrange)(Echoing& s);
  };
  const Case cases[] = {
      {"bob had left before accept (EAGAIN)",
       [](Echoing& s) { s.faults().reset_before_accept_vanishes(); }},
      {"bob had left before accept (ECONNABORTED)",
       [](Echoing& s) { s.faults().reset_before_accept_aborts(); }},
      {"bob had left before accept, which knew nothing of it", [](Echoing&) {}},
      {"accept said EPROTO", [](Echoing& s) { s.faults().fail("accept", EPROTO, 1, 1); }},
      {"bob had left, and alice was called readable when nothing was there",
       [](Echoing& s) { s.spurious_readiness(first_client); }},
      {"somebody else accepted bob, who was then reset",
       [](Echoing& s) { s.competitor("another process", s.listener()); }}};
  for (const bool is_nonblocking : {false, true})
    for (const auto& [what, arrange] : cases) {
      Echoing s(is_nonblocking ? make_nonblocking : [](int) {});
      Peer& alice = s.client("alice", 7ms).at(97ms).sends("hello");
      s.serve_until(20ms);
      arrange(s);
      s.client("bob", 31ms).resets();
      Peer& carol = s.client("carol", 583ms).sends("hi");

      s.serve_until(1900ms);

      const std::string start = format("%s; the listener was given in %sblocking mode. ", what,
                                       is_nonblocking ? "non-" : "");
      if (!s.expect_echo(alice, "hello", 97ms,
                         start + "Put the listener and the clients into non-blocking mode, and go "
                                 "on.") ||
          !s.expect_echo(carol, "hi", 583ms, start + "Go on accepting.") ||
          !expect_that(s.connections() == 2,
                       start + format("connections() says %zu, and alice and carol are connected.",
                                      s.connections())))
        return;
    }
}

// Rule: FD_SET with a number of 1024 or more writes past the end of the set (select(2), NOTES).
TEST(EchoServer, RefusesWhoDoesNotFit) {
  explain({.rule = "Close a client whose descriptor is FD_SETSIZE, 1024, or more, as soon as it is "
                   "accepted.",
           .why = "FD_SET with such a number overwrites whatever lies behind the set.",
           .read = "When there is no room"});
  Echoing s;
  s.next_descriptor_is(1022);
  Peer& alice = s.client("alice", 31ms).at(700ms).sends("hello").at(1219ms).closes();
  Peer& bob = s.client("bob", 53ms).at(700ms).sends("hi");
  Peer& carol = s.client("carol", 347ms);
  Peer& dave = s.client("dave", 347ms);
  Peer& erin = s.client("erin", 1583ms).sends("good morning");
  std::size_t open = 0;
  s.looks_at(360ms, [&] { open = s.open_clients(); });

  s.serve_until(1900ms);

  for (Peer* who : {&carol, &dave})
    if (!expect_that(
            who->end_at() == 347ms && who->received().empty(),
            format("%s got descriptor 1024 or more at 0.347 s, and saw the end %s. An fd_set holds "
                   "0 to 1023: close the client.",
                   who->name().c_str(), when(who->end_at()).c_str())))
      return;
  if (!expect_that(open == 2, format("Two clients had 1022 and 1023, two others were refused, and "
                                     "%zu were open. Close those that do not fit.",
                                     open)) ||
      !s.expect_echo(alice, "hello", 700ms, "She has descriptor 1022, which fits.") ||
      !s.expect_echo(bob, "hi", 700ms, "He has descriptor 1023, which fits: the last that does.") ||
      !s.expect_echo(erin, "good morning", 1583ms, "alice had left, so erin got 1022, which fits."))
    return;
  const std::size_t connections = s.connections();
  expect_that(connections == 2,
              format("bob and erin are connected, and connections() says %zu. Whoever was refused "
                     "does not count.",
                     connections));
}
