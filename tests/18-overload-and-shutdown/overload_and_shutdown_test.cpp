// The graded checks of lesson 18: how the server ends. Who gets in: admission_test.cpp.
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"

#include <signal.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guarded.hpp"

using namespace grader;

LESSON("18-overload-and-shutdown");

// Rule: the end of a conversation is said, not left to be guessed.
TEST(Shutdown, SaysGoodbyeToEverybody) {
  explain({.rule = "Every client gets the goodbye behind what was sent to it before, and then the "
                   "end; shutdown() returns when all are closed.",
           .why = "A client that knows why you have gone can come back at the right time.",
           .read = "Leave politely"});
  Guarded s;
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  Peer& carol = s.peer("carol").at(59ms).connects();
  bob.at(347ms).sends("hello\n");
  s.serve_until(700ms);

  const std::size_t dropped = s.shut_down(10s);

  const std::string start = "shutdown() was called. ";
  if (!expect_received(alice, welcome() + "* bob joined\nbob: hello\n" + goodbye,
                       start + "alice got this in all.") ||
      !expect_received(bob, welcome(" alice") + goodbye, start + "bob got this in all.") ||
      !expect_received(carol, prompt + std::string(goodbye),
                       start + "carol, who had no name yet, got this in all."))
    return;
  for (const Peer* who : {&alice, &bob, &carol})
    if (!expect_end(*who, "Close when the goodbye has been sent.")) return;
  expect_that(dropped == 0,
              format("Everybody was sent everything, and shutdown() said that %zu were "
                     "dropped.",
                     dropped)) &&
      expect_that(s.took() == Time{}, "Everything fitted at once, and shutdown() took " +
                                          shown(s.took()) + ". Return when all are closed.");
}

// Rule: who stops must not take on anything new.
TEST(Shutdown, ClosesTheListenerFirst) {
  explain({.rule = "The listener is closed at once, before anybody is waited for.",
           .why =
               "With an open listener the server would never empty, and its successor cannot have "
               "the port.",
           .read = "Leave politely"});
  Guarded s;
  Peer& alice = s.guest("alice", 31ms);
  s.serve_until(300ms);
  alice.opens_window(0);
  s.serve_until(347ms);
  bool was_listening = true;
  s.looks_at(700ms, [&] { was_listening = s.is_listening(); });

  (void)s.shut_down(2s);

  const std::string start = "alice does not read, so shutdown() waits for her. ";
  expect_that(!was_listening, start + "Meanwhile the listener is still open. Close it first.");
}

// Rule: what has been promised is delivered, as long as there is time.
TEST(Shutdown, SendsWhatWaitsBeforeItCloses) {
  explain({.rule =
               "What waits for a client is sent to it, in the time that there is, and then it is "
               "closed; that is when shutdown() returns.",
           .why = "What others have said was promised to it.",
           .read = "Leave politely"});
  Guarded s;
  Peer& alice = s.guest("alice", 31ms).window(10).at(300ms).stops_reading();
  Peer& bob = s.guest("bob", 53ms);
  bob.at(347ms).sends("one\n").at(353ms).sends("two\n");
  s.serve_until(700ms);
  for (int i = 0; i < 4; ++i) alice.at(1219ms + i * 97ms).reads(10);
  alice.at(2219ms).resumes_reading();

  const std::size_t dropped = s.shut_down(10s);

  expect_received(alice, welcome() + "* bob joined\nbob: one\nbob: two\n" + goodbye,
                  "alice read little by little, and the rest at 2.219 s. She got this.") &&
      expect_end(alice, "Close when all has been sent.") &&
      expect_that(
          dropped == 0,
          format("alice got everything, and shutdown() said that %zu were dropped.", dropped)) &&
      expect_that(s.now() == Time(2219ms),
                  "alice had got everything at 2.219 s, and shutdown() returned at " +
                      shown(s.now()) + ". Return when nobody is left.");
}

// Rule: politeness has a deadline.
TEST(Shutdown, CutsOffWhoDoesNotTakeItInTime) {
  explain({.rule =
               "At the deadline whoever is left is closed at once, and counted; signals neither "
               "end the wait nor lengthen it.",
           .why = "One client that never reads would keep your server from ending, for ever.",
           .read = "Leave politely"});
  Guarded s;
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  Peer& carol = s.guest("carol", 59ms);
  s.serve_until(300ms);
  alice.opens_window(0);
  carol.opens_window(0);
  s.serve_until(347ms);
  for (int i = 1; i <= 5; ++i) s.signal_at(347ms + i * 371ms, SIGUSR1);

  const std::size_t dropped = s.shut_down(2s);

  expect_that(s.now() == Time(2347ms),
              "shutdown() had until 2.347 s, alice and carol never read, and signals came all the "
              "time. It returned at " +
                  shown(s.now()) + ".") &&
      expect_that(dropped == 2,
                  format("alice and carol were left, and shutdown() said that %zu were "
                         "dropped.",
                         dropped)) &&
      expect_that(
          s.connections() == 0,
          format("shutdown() has returned, and connections() says %zu.", s.connections())) &&
      expect_end(bob, "He has taken everything: he is closed politely.");
}

// Rule: the second Ctrl-C means it.
TEST(Shutdown, HurriesWhenItIsTold) {
  explain(
      {.rule = "As soon as `hurry` is readable, whoever is left is closed, and shutdown() "
               "returns.",
       .why = "Whoever asks a second time has run out of patience, and reaches for SIGKILL next.",
       .read = "Leave politely"});
  Guarded s;
  Peer& admin = s.peer("admin");
  const int hurry = admin.pipe_to_program();
  admin.at(1219ms).sends("!");
  Peer& alice = s.guest("alice", 31ms);
  s.serve_until(300ms);
  alice.opens_window(0);
  s.serve_until(347ms);

  const std::size_t dropped = s.shut_down(1h, hurry);
  const Time returned = s.now();
  s.step(1min, hurry);

  expect_that(returned == Time(1219ms),
              "alice never reads, hurry was readable at 1.219 s, and shutdown() returned at " +
                  shown(returned) + ".") &&
      expect_that(dropped == 1,
                  format("alice was left, and shutdown() said that %zu were dropped.", dropped)) &&
      expect_that(
          s.connections() == 0,
          format("shutdown() has returned, and connections() says %zu.", s.connections())) &&
      expect_that(
          s.now() == returned,
          "After the shutdown the check waited for hurry, by step(), and found nothing there "
          "until " +
              shown(s.now()) + ". Only look at hurry: what is in it is the caller's.");
}

// Rule: the conversation is over; what is said now is said to nobody.
TEST(Shutdown, ListensToNobodyAnyMore) {
  explain({.rule =
               "What clients say during the shutdown is not passed on; whoever fails or leaves is "
               "gone, and the others are waited for.",
           .why = "A server that still passes on what comes never gets to its end, for there is "
                  "always more.",
           .read = "Leave politely"});
  Guarded s;
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  Peer& carol = s.guest("carol", 59ms);
  s.serve_until(300ms);
  for (Peer* who : {&alice, &bob, &carol}) who->opens_window(0);
  bob.at(700ms).sends("wait, one more thing\n").at(2219ms).opens_window(1000);
  alice.at(1219ms).resets();
  carol.at(2731ms).opens_window(1000);
  s.serve_until(347ms);

  const std::size_t dropped = s.shut_down(1h);

  expect_received(
      carol, welcome(" alice bob") + goodbye,
      "bob said something after shutdown() had begun, and alice failed. carol got this.") &&
      expect_end(bob,
                 "He had said something that nobody took: receive what is there before you close, "
                 "for a close with unread input is a reset.") &&
      expect_that(
          dropped == 0 && s.now() == Time(2731ms),
          format("alice had failed, bob and carol had got everything at 2.731 s. shutdown() "
                 "returned at %s and said that %zu were dropped.",
                 shown(s.now()).c_str(), dropped)) &&
      expect_that(
          s.waits_of_last_run().size() <= 8,
          format("During the shutdown four things happened, and you waited %zu times. Watch "
                 "for reading only those whom you still listen to, and wait until something "
                 "happens.",
                 s.waits_of_last_run().size()));
}

// Rule: once ended is ended.
TEST(Shutdown, CanBeCalledAgain) {
  explain({.rule =
               "After shutdown() there is nobody left: a second one returns at once, and step() "
               "waits for wake_up and the deadline alone.",
           .why = "A program that ends has many ways to its end; each may call this.",
           .read = "Leave politely"});
  Guarded s;
  s.guest("alice", 31ms);
  Peer& admin = s.peer("admin");
  const int wake_up = s.lend_at(admin.pipe_to_program(), 100);
  admin.at(1219ms).sends("?");
  s.serve_until(347ms);
  (void)s.shut_down(10s);

  const std::size_t dropped = s.shut_down(10s);
  const Time second = s.took();
  const TurnOutcome first = s.try_step(300ms);
  const Time stepped = s.now();
  const TurnOutcome last = s.try_step(1min, wake_up);

  expect_that(
      dropped == 0 && second == Time{},
      format("Nobody was left, and a second shutdown() took %s and said that %zu were dropped.",
             shown(second).c_str(), dropped)) &&
      expect_that(
          first.has_returned && last.has_returned,
          "After the shutdown step() " + (first.has_returned ? last : first).told() +
              ". There is no listener any more: do not wait for it, nor for -1, for FD_SET(-1) "
              "sets the bit of another descriptor.") &&
      expect_that(stepped == Time(647ms),
                  "After the shutdown step() had until 0.647 s, and it returned at " +
                      shown(stepped) + ".") &&
      expect_that(s.now() == Time(1219ms),
                  "After the shutdown wake_up was readable at 1.219 s, and step() returned at " +
                      shown(s.now()) + ".");
}

// Rule: a server that rests still ends.
TEST(Shutdown, EndsAServerThatRests) {
  explain({.rule = "shutdown() while there are no descriptors is a shutdown like any other.",
           .why = "A server that is overloaded is the one that is most likely to be stopped.",
           .read = "Leave politely"});
  Guarded s({.rest = 20s});
  Peer& alice = s.guest("alice", 31ms);
  s.serve_until(300ms);
  s.faults().fail("accept", EMFILE, 1000);
  s.peer("bob").at(347ms).connects();
  s.serve_until(700ms);

  (void)s.shut_down(10s);
  const Time took = s.took();
  s.step(1min);

  expect_received(alice, welcome() + goodbye, "The listener rested. alice got this.") &&
      expect_that(took == Time{},
                  "The listener rested, everything fitted at once, and shutdown() "
                  "took " +
                      shown(took) + ".") &&
      expect_that(!s.is_listening(), "shutdown() has returned, and the listener is still open.") &&
      expect_that(s.took() == Time(1min),
                  "After the shutdown step() had a minute, and it returned after " +
                      shown(s.took()) + ". The rest has ended with the listener.") &&
      expect_that(s.waits_of_last_run().size() <= 2,
                  format("After the shutdown, in a minute, you waited %zu times.",
                         s.waits_of_last_run().size()));
}

// Rule: who destroys a server owns up to everything it has opened.
TEST(Shutdown, IsNotNeededForTheDestructor) {
  explain({.rule = "The destructor closes the listener and all connections at once; so does the "
                   "assignment of another server, which can be moved with all that it has.",
           .why = "What an exception leaves behind is cleaned up by destructors alone.",
           .read = "Your task"});
  Guarded s;
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  s.serve_until(300ms);
  bob.opens_window(0);
  alice.at(347ms).sends("hello\n");
  s.serve_until(600ms);
  const std::vector<int> before = s.open_descriptors();
  std::optional<course::GuardedChatServer> other;
  s.run([&] {
    const auto anywhere = course::Endpoint::numeric("127.0.0.1", 0);
    other.emplace(course::listen_on(anywhere, 1));
    *other = std::move(s.server());
  });
  if (!expect_that(s.open_descriptors() == before,
                   "A server was assigned to another, whose listener is still open. Give up your "
                   "own, and take over what the other has."))
    return;
  Peer& carol = s.guest("carol", 647ms);
  s.run([&] {
    while (s.now() < 700ms) other->step(course::Deadline::after(700ms - s.now()));
  });
  if (!expect_received(carol, welcome(" alice bob"),
                       "The server was moved to another object, and carol got this."))
    return;

  s.run([&] { other.reset(); });

  expect_that(s.open_descriptors().empty(),
              "The server is gone, and a descriptor is still open.") &&
      expect_that(s.took() == Time{}, "The destructor took " + shown(s.took()) + ".") &&
      expect_that(alice.saw_the_end() || alice.saw_a_reset(),
                  "The server is gone, and alice does not know.");
}
