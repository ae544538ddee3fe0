// The graded checks of lesson 15: one turn, how long it takes and how it ends.
#include <sys/ioctl.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "06-serve/serve.hpp"
#include "09-deadlines/deadlines.hpp"
#include "15-echo-server/echo_server.hpp"
#include "echoing.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

// How many bytes of a pipe can be read.
std::size_t bytes_in(int fd) {
  int bytes = 0;
  ::ioctl(fd, FIONREAD, &bytes);
  return static_cast<std::size_t>(bytes);
}

}  // namespace

// Rule: as long as somebody sends, there is always more; a turn takes a bounded piece of it.
TEST(EchoServer, ReceivesABoundedPieceInATurn) {
  explain({.rule = "Receive no more than 65536 bytes of a client in a turn, however much it sends.",
           .why = "A client that always has something would keep all others waiting for ever.",
           .read = "A short turn"});
  constexpr int turns_max = 3;
  constexpr std::size_t total = 524'288;
  Echoing s;
  holds_much(s.listener());
  Peer& alice = s.client("alice", 7ms).window_to_program(2 * turn_max);
  Peer& bob = s.client("bob", 7ms);
  alice.at(31ms).talks_until_it_receives("never", letters(2 * turn_max), total);
  bob.at(31ms).sends("ping");
  s.serve_until(20ms);

  for (int turn = 1; turn <= turns_max; ++turn) {
    const std::uint64_t before = received_from(alice);
    s.step(1s);
    const std::uint64_t received = received_from(alice) - before;
    if (!expect_that(received <= turn_max,
                     format("alice had always something to say, and in one turn you received %s "
                            "from her, while bob waited. Take at most 65536, serve the others, and "
                            "ask again.",
                            byte_count(received).c_str())))
      return;
  }
  s.run([] {});
  if (!expect_that(bob.received() == "ping",
                   format("alice had always something to say, bob said \"ping\" in the same "
                          "instant, and after three turns he had %s back. Serve everybody who is "
                          "ready in every turn.",
                          quoted(bob.received()).c_str())))
    return;
  s.serve_until(700ms);
  expect_that(alice.received().size() == total,
              format("alice said 524288 bytes in the end, and %s came back. Go on in the next turn "
                     "where you were.",
                     byte_count(alice.received().size()).c_str()));
}

// Rule: a crowd at the door is a firehose, too.
TEST(EchoServer, AcceptsABoundedNumberInATurn) {
  explain({.rule = "Accept no more than 64 clients in a turn, however many wait.",
           .why = "Otherwise whoever knocks quickly enough keeps those inside waiting for ever.",
           .read = "A short turn"});
  constexpr int count = 150, turns_max = 300;
  {
    Echoing s;
    Peer& alice = s.client("alice", 7ms);
    alice.at(31ms).sends("ping");
    for (int i = 1; i <= count; ++i) s.client(format("client %d", i), 31ms);
    s.serve_until(20ms);

    for (int turn = 0; turn < turns_max && s.now() < 347ms && s.open_clients() < count + 1;
         ++turn) {
      const std::size_t before = s.open_clients();
      s.step(347ms - s.now());
      const std::size_t accepted = s.open_clients() - before;
      if (!expect_that(
              accepted <= 64,
              format("150 clients had come at once, and you accepted %zu of them in one "
                     "turn, while alice waited. Take at most 64, serve those who are ready, "
                     "and ask again.",
                     accepted)))
        return;
    }
    s.serve_until(347ms);

    const std::size_t connections = s.connections();
    if (!s.expect_echo(alice, "ping", 31ms, "150 clients came just when she spoke.") ||
        !expect_that(connections == count + 1,
                     format("150 clients had come after alice, and connections() says %zu. Accept "
                            "the others in the next turns.",
                            connections)))
      return;
  }

  Echoing s;
  s.next_descriptor_is(1024);
  for (int i = 1; i <= count; ++i) s.client(format("client %d", i), 31ms);
  const auto accepted = [&s] {
    std::size_t number = 0;
    for (const char* function : {"accept", "accept4"})
      for (const Call& call : s.calls(function)) number += call.value >= 0 ? 1 : 0;
    return number;
  };
  for (std::size_t before = 0; s.now() <= 31ms && before < count; before = accepted()) {
    s.step(347ms - s.now());
    if (!expect_that(accepted() - before <= 64,
                     format("150 clients came at once who got descriptor 1024 or more, and in one "
                            "turn you accepted %zu of them. Who is closed at once is one of the "
                            "64, too.",
                            accepted() - before)))
      return;
  }
}

// Rule: no descriptor left (EMFILE) is bad luck for who wants to come in, and for nobody else.
TEST(EchoServer, TellsThatAcceptFailedAndGoesOn) {
  explain({.rule = "When accept fails for a reason that is not one client's, serve whoever is "
                   "ready, then throw it; the next turn goes on.",
           .why = "Those inside have their descriptors, and need no other.",
           .read = "When there is no room"});
  constexpr int turns_max = 20;
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
    for (const int skip : {0, 1}) {
      Echoing s;
      Peer& alice = s.client("alice", 31ms).at(347ms).sends("hello");
      s.serve_until(60ms);
      s.faults().fail("accept", error, 1, skip);
      Peer& bob = s.client("bob", 347ms).sends("hi");
      Peer& carol = s.client("carol", 347ms).at(583ms).sends("good morning");
      std::vector<TurnOutcome> thrown;
      bool was_served = false;
      for (int turn = 0; turn < turns_max && s.now() < 1900ms; ++turn) {
        const TurnOutcome outcome = s.try_step(1900ms - s.now());
        if (outcome.has_returned) continue;
        thrown.push_back(outcome);
        was_served = received_from(alice) == 5;
      }

      const std::string start = format(
          "alice spoke, bob and carol connected, and the %s accept said %s, all at 0.347 s. ",
          skip == 0 ? "first" : "second", error_name(error).c_str());
      const std::string told = thrown.empty() ? "threw nothing" : thrown.front().told();
      if (!expect_that(
              thrown.size() == 1 && thrown.front().has_thrown(error, "accept"),
              start + "step " + told +
                  ". Throw a std::system_error with that errno, and the call in what().") ||
          !expect_that(was_served,
                       start + "When step threw, you had received nothing from alice. Serve "
                               "whoever is ready all the same.") ||
          !s.expect_echo(alice, "hello", 347ms, start) ||
          !s.expect_echo(bob, "hi", 347ms, start + "The next turn goes on: accept him then.") ||
          !s.expect_echo(carol, "good morning", 583ms, start + "The next turn goes on.") ||
          !expect_that(s.connections() == 3,
                       start + format("Later connections() says %zu, and all three are connected.",
                                      s.connections())))
        return;
    }
}

// Rule: after a failed wait the sets say nothing (select(2)).
TEST(EchoServer, TellsThatTheWaitFailed) {
  explain({.rule = "When the wait fails, for another reason than a signal, throw its errno; the "
                   "next turn goes on.",
           .why = "After a failed select every bit is still set: nobody may be served for that.",
           .read = "Your task"});
  Echoing s;
  Peer& alice = s.client("alice", 31ms).at(347ms).sends("hello");
  s.client("bob", 31ms);
  s.serve_until(60ms);
  s.faults().fail("select", ENOMEM);

  const TurnOutcome outcome = s.try_step(1s);

  const auto waits = s.waits();
  const std::string call = waits.empty() ? "select" : waits.back().function;
  if (!expect_that(outcome.has_thrown(ENOMEM, call) && s.now() == 60ms,
                   format("The wait said ENOMEM, and step %s at %s. Throw a std::system_error with "
                          "that errno, and \"%s\" in what().",
                          outcome.told().c_str(), shown(s.now()).c_str(), call.c_str())))
    return;
  s.serve_until(1900ms);
  if (s.expect_echo(alice, "hello", 347ms, "A wait had failed before, once. Go on."))
    expect_that(s.connections() == 2,
                format("A wait had failed, once, and connections() says %zu. alice and bob have "
                       "nothing to do with it.",
                       s.connections()));
}

// Rule: a turn is over when something has been done, and else when its time is up.
TEST(EchoServer, ReturnsWhenItsTimeIsUp) {
  explain({.rule =
               "A turn ends when somebody has been served, or else at the deadline: not before, "
               "not after, whatever signals come.",
           .why = "Whoever calls it has something else to do then.",
           .read = "Your task"});
  for (const bool has_signals : {false, true}) {
    Echoing s;
    if (has_signals)
      for (int i = 1; i <= 30; ++i) s.signal_at(i * 67ms, SIGWINCH);
    Peer& alice = s.client("alice", 31ms);
    s.client("bob", 97ms);
    alice.at(1219ms).sends("hello");
    const struct {
      Time time, ends;
      const char* what;
    } turns[] = {{1s, 31ms, "alice connected at 0.031 s"},
                 {53ms, 84ms, "nobody did anything until then"},
                 {1s, 97ms, "bob connected at 0.097 s"},
                 {700ms, 797ms, "nobody did anything until then"},
                 {10ms + 300ns, 807ms + 300ns, "nobody did anything until then"}};
    for (const auto& [time, ends, what] : turns) {
      const Time began = s.now();
      s.step(time);
      if (!expect_that(
              s.now() >= ends && s.now() <= ends + 1ms,
              format("A turn began at %s and had %s, %s%s, and it returned at %s.",
                     shown(began).c_str(), shown(time).c_str(), what,
                     has_signals ? ", and signals came (EINTR)" : "", shown(s.now()).c_str())))
        return;
    }
    s.run(
        [&] { (void)course::select_until({}, {}, {}, course::Deadline::after(1300ms - s.now())); });
    const Time late = s.now();
    for (int turn = 0; turn < 3; ++turn) s.step(turn == 0 ? -1s : 0s);
    if (!expect_that(alice.received() == "hello" && s.now() == late,
                     format("alice had said \"hello\" before the turn began, and its deadline had "
                            "passed: at %s she had %s back. Look once all the same, without "
                            "waiting.",
                            shown(s.now()).c_str(), quoted(alice.received()).c_str())))
      return;
  }
}

// Rule: who wakes a server wants it to return, and to read the reason itself (lesson 14).
TEST(EchoServer, LooksAtTheWakeUp) {
  explain({.rule = "Return as soon as wake_up is readable; look at it only, and take nothing.",
           .why = "The byte is for whoever calls: it says that the server is to stop, say.",
           .read = "Your task"});
  for (const int number : {-1, 0, 1023}) {
    Echoing s;
    Peer& caller = s.peer("the caller");
    int wake_up = caller.pipe_to_program();
    if (number >= 0) wake_up = s.lend_at(wake_up, number);
    caller.at(347ms).sends("stop");
    Peer& alice = s.client("alice", 31ms).at(347ms).sends("hello");
    s.serve_until(60ms, wake_up);
    s.run([&] { s.server().step(course::Deadline::never(), wake_up); });
    const Time woken = s.now();
    for (int turn = 0; turn < 2; ++turn) s.step(1s, wake_up);
    const Time again = s.now();
    s.run([] {});

    const std::string start =
        format("wake_up, %d, became readable at 0.347 s, just when alice spoke. ", wake_up);
    if (!expect_that(woken == 347ms,
                     start + format("step returned at %s, and not then.", shown(woken).c_str())) ||
        !expect_that(bytes_in(wake_up) == 4,
                     start + format("%s are left in it of 4. Take nothing: it is for whoever calls "
                                    "step.",
                                    byte_count(bytes_in(wake_up)).c_str())) ||
        !expect_that(again == 347ms, start + format("It still is, and another turn took until %s. "
                                                    "As long as it is, return at once.",
                                                    shown(again).c_str())) ||
        !s.expect_echo(alice, "hello", 347ms, start + "Serve whoever is ready all the same."))
      return;
    s.step(236ms);
    if (!expect_that(s.now() == 583ms,
                     format("A turn without wake_up had 0.236 s at 0.347 s, and returned at %s. -1 "
                            "is none: watch nobody for it.",
                            shown(s.now()).c_str())))
      return;
  }
}

// Rule: a class has its state to itself; its end is the end of all that it owns.
TEST(EchoServer, OwnsItsClients) {
  explain({.rule = "All that a server knows is in its object, which can be moved, and closes "
                   "everything at its end, at once.",
           .why = "A process may have two servers, and an end that waits is none.",
           .read = "Your task"});
  Echoing s;
  Peer& alice = s.client("alice", 31ms).window(30).stops_reading();
  alice.at(800ms).sends(letters(100));
  Peer& bob = s.client("bob", 53ms).sends("hello").at(700ms).sends(" again");
  s.serve_until(100ms);
  std::optional<course::EchoServer> moved, other;
  course::Fd its_listener;
  const auto port = s.run([&] {
    moved.emplace(std::move(s.server()));
    its_listener = course::listen_on(course::Endpoint::numeric("127.0.0.1", 0), 1);
    return course::local_port(its_listener.get());
  });
  Peer& carol = s.peer("carol").at(200ms).connects(port).sends("hi");
  s.run([&] {
    (void)course::select_until({}, {}, {}, course::Deadline::after(247ms));
    other.emplace(std::move(its_listener));
  });
  if (!expect_that(
          s.open_clients() == 2,
          "A client was waiting when its server was made, and the constructor accepted it. "
          "Only step() serves."))
    return;

  const auto serve_until = [&s](course::EchoServer& server, Time end) {
    s.run([&] {
      while (s.now() < end) server.step(course::Deadline::after(end - s.now()));
    });
  };
  serve_until(*other, 583ms);
  serve_until(*moved, 900ms);

  const std::size_t of_moved = moved->connections(), of_other = other->connections();
  if (!expect_that(of_moved == 2 && of_other == 1,
                   format("A server with two clients was moved, and another has one: their "
                          "connections() say %zu and %zu. What one object knows is its own, and "
                          "goes with it.",
                          of_moved, of_other)) ||
      !s.expect_echo(bob, "hello again", 700ms, "His server was moved meanwhile.") ||
      !s.expect_echo(carol, "hi", 347ms, "Her server is the second of the process."))
    return;
  s.run([&] { *other = std::move(*moved); });
  if (!expect_that(carol.end_at() == 900ms && !bob.end_at(),
                   format("Another server was assigned to hers at 0.9 s: carol saw the end %s, and "
                          "bob, whose server it is, %s.",
                          when(carol.end_at()).c_str(), when(bob.end_at()).c_str())))
    return;
  s.run([&] { other.reset(); });
  if (!expect_that(s.now() == 900ms && bob.end_at() == 900ms && s.open_descriptors().empty(),
                   format("The server was destroyed at 0.9 s, while 70 bytes waited for alice. The "
                          "destructor returned at %s, and bob saw the end %s. Close everything at "
                          "once, and wait for nobody.",
                          shown(s.now()).c_str(), when(bob.end_at()).c_str())))
    return;
  alice.resumes_reading();
}
