// The graded checks of lesson 03: sending.
#include "03-send-and-receive/send_and_receive.hpp"

#include <signal.h>
#include <sys/socket.h>

#include <csignal>
#include <string>
#include <system_error>

#include "conversation.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace conversation;
using namespace std::string_literals;

LESSON("03-send-and-receive");

namespace {

// How send_all ended: `returned`, `threw EPIPE`, `threw "oops" without errno`.
std::string sending(int fd, course::cbytes data) {
  try {
    course::send_all(fd, data);
    return "returned";
  } catch (const std::system_error& error) {
    return "threw " + errno_of(error.code());
  } catch (const std::exception& error) {
    return format("threw \"%s\" without errno", error.what());
  }
}

std::string sending(int fd, const char* text) { return sending(fd, course::as_bytes(text)); }

// The program's own handler of SIGPIPE: how often it ran, and when it last did.
const Scenario* sigpipe_scenario = nullptr;
volatile std::sig_atomic_t sigpipe_count = 0;
volatile std::sig_atomic_t sigpipe_ms = 0;

void on_sigpipe(int) {
  sigpipe_count = sigpipe_count + 1;
  sigpipe_ms = static_cast<std::sig_atomic_t>(sigpipe_scenario->now() / 1ms);
}

bool is_blocked(int signal) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

}  // namespace

// Rule: send(2) may take fewer bytes than it is offered; the caller offers the rest again.
TEST(SendAll, OffersTheRestAfterAShortSend) {
  explain({.rule = "send may take fewer bytes than it is offered. Offer it the rest, and nothing "
                   "but the rest, until none is left.",
           .why = "The peer waits for ever for the end of a message that was never sent.",
           .read = "send takes what fits"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  const std::string memory = "hello, world(not yours)";

  for (const std::size_t taken : {5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 0}) {
    const bool every_time = taken == 0;  // at last one byte at a time
    if (every_time) scenario.faults().send_takes_at_most(1);
    if (!every_time) scenario.faults().next_sends_take({taken});
    const std::size_t before = alice.received().size();

    const std::string ending =
        scenario.run([&] { return sending(fd, course::as_bytes(memory).first(12)); });

    const std::string got = alice.received().substr(before);
    if (ending == "returned" && got == "hello, world") continue;
    const std::string start = every_time ? "send took one byte at a time, "s
                                         : format("send took %zu of 12 bytes, ", taken);
    if (ending != "returned")
      return fail(start + "and send_all " + ending +
                  ". A short send is progress, not failure: offer the rest.");
    if (got.size() < 12)
      return fail(start + format("and %zu were never sent. Offer the rest, until none is left.",
                                 12 - got.size()));
    if (got.size() > 12)
      return fail(start + "and then send_all went on into memory behind the data: alice got " +
                  quoted(got.substr(12)) + " as well. The rest is shorter than the whole.");
    return (void)expect_equal(got, "hello, world",
                              start +
                                  "and what came after them is wrong. The rest begins where "
                                  "send stopped.");
  }

  scenario.faults().send_takes_at_most(0);
  for (const std::string& payload :
       {"he\0lo\n\0"s, many_bytes(300, '\n'), many_bytes(70'000, '\n')}) {
    if (payload.size() > 300 && goes_byte_by_byte(scenario)) break;
    const std::size_t before = alice.received().size();

    const std::string ending = scenario.run([&] { return sending(fd, course::as_bytes(payload)); });

    const std::string got = alice.received().substr(before);
    if (ending != "returned" || got != payload)
      return fail(format("%zu bytes were to be sent, zeros among them; send_all %s, and ",
                         payload.size(), ending.c_str()) +
                  (got.size() == payload.size()
                       ? "alice got others."
                       : "alice got " + byte_count(got.size()) +
                             ". Take the size from data.size(), and count in a std::size_t."));
  }
}

// Rule: a blocking send waits for room as long as the connection lives.
TEST(SendAll, WaitsForAPeerThatReadsLate) {
  explain({.rule = "When the kernel has no room, send_all waits until it has.",
           .why = "A peer that reads late has not failed, and it has half a message already.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.window(8).stops_reading().at(67min + 1300ms).resumes_reading();

  const std::string ending = scenario.run([&] {
    course::send_all(fd, course::as_bytes("hello, w"));  // fills the window
    return sending(fd, "orld");
  });

  if (ending != "returned")
    return fail("The kernel had no room, and send_all " + ending + " at " + shown(scenario.now()) +
                ". Wait for room, however long it takes.");
  expect_equal(alice.received(), "hello, world", "alice read late, and did not get everything.");
}

// Rule: EINTR says that nothing was taken (send(2), signal(7)).
TEST(SendAll, GoesOnAfterASignal) {
  explain({.rule = "A signal neither ends send_all nor loses or repeats a byte.",
           .why = "A timer, a resized window or a child that ended must not cut a message in two.",
           .read = "EINTR is no failure"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.window(8).stops_reading().at(2600ms).resumes_reading();
  twenty_signals(scenario);

  const std::string ending = scenario.run([&] {
    course::send_all(fd, course::as_bytes("hello, w"));  // fills the window
    return sending(fd, "orld");
  });

  if (ending != "returned")
    return fail("A signal interrupted send at " + shown(scenario.now()) +
                ", before it had taken a byte, and send_all " + ending +
                ". Nothing was lost: offer the same bytes again.");
  expect_equal(alice.received(), "hello, world",
               "Signals came while send waited, and alice did not get every byte once.");
}

// Rule: a send to a peer that has gone fails with EPIPE, or ECONNRESET the first time (send(2)).
TEST(SendAll, ThrowsTheErrnoWhenThePeerIsGone) {
  explain({.rule = "When the peer is gone, send_all throws std::system_error with the errno of "
                   "send, and no SIGPIPE is raised: send(2) has a flag for that.",
           .why = "A peer may leave at any time. That must not end your program, and not look "
                  "like success either.",
           .read = "A gone peer raises SIGPIPE"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  Peer& carol = scenario.peer("carol");
  const int to_alice = alice.connected_and_handed_over();
  const int to_bob = bob.connected_and_handed_over();
  const int to_carol = carol.connected_and_handed_over();
  alice.closes();
  bob.window(8).stops_reading().at(1300ms).resets();
  scenario.faults().next_sends_take({3});
  std::string after_close, after_reset;

  scenario.run([&] {
    after_close = sending(to_alice, "onetwo");  // the answer to "one" is how the kernel learns
    course::send_all(to_bob, course::as_bytes("hello, w"));  // fills the window
    after_reset = sending(to_bob, "orld");
  });
  scenario.faults().fail("send", ETIMEDOUT);
  const std::string after_silence = scenario.run([&] { return sending(to_carol, "hello"); });

  const struct {
    const char *peer, *error;
    const std::string& ending;
  } cases[] = {{"alice", "EPIPE", after_close},
               {"bob", "ECONNRESET", after_reset},
               {"carol", "ETIMEDOUT", after_silence}};
  for (const auto& [peer, error, ending] : cases) {
    if (ending == "threw "s + error) continue;
    const std::string start = format("%s is gone, and send said %s, but send_all ", peer, error);
    if (ending == "returned")
      return fail(start + "returned as if all were sent. Throw, and say why.");
    if (ending.find("without errno") != std::string::npos)
      return fail(start + ending + ". Throw a std::system_error with it.");
    return fail(start + ending +
                ". Take errno straight after the call, before anything else can change it.");
  }
}

// Rule: what to do about SIGPIPE is one setting for the whole process (signal(7)).
TEST(SendAll, LeavesSigpipeToTheProgram) {
  explain({.rule = "What the process does with SIGPIPE is at no time different from before.",
           .why = "The setting belongs to the whole process: another part of it may count on its "
                  "handler just now.",
           .read = "A gone peer raises SIGPIPE"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.window(8).stops_reading().at(1300ms).resets();
  sigpipe_scenario = &scenario;
  struct sigaction own {};
  own.sa_handler = on_sigpipe;
  own.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &own, nullptr);
  scenario.signal_at(900ms, SIGPIPE, Handler::own);  // from elsewhere

  scenario.run([&] {
    (void)sending(fd, "hello, world");  // ends with the reset
    (void)sending(fd, "again");         // EPIPE
  });

  struct sigaction after {};
  sigaction(SIGPIPE, nullptr, &after);
  const std::string start = "The program handles SIGPIPE itself, and ";
  const std::string one = "one that came from elsewhere at 0.9 s, while send_all waited, was ";
  if (after.sa_handler != on_sigpipe)
    fail(start +
         "send_all set something else for the whole process, for good. Keep the one send "
         "from raising the signal instead.");
  else if (is_blocked(SIGPIPE))
    fail(start + "send_all blocked it in this thread, for good.");
  else if (sigpipe_count == 0)
    fail(start + one +
         "lost. Keep the one send from raising the signal, and leave the process's "
         "setting alone.");
  else if (sigpipe_count > 1)
    fail(start +
         "send_all raised one by sending to a peer that was gone. Keep the send from "
         "raising it: send(2) has a flag.");
  else
    expect_that(
        sigpipe_ms == 900,
        start + one + format("held back until %.1f s. Do not block it.", sigpipe_ms / 1000.0));
}

// Rule: a borrowed descriptor is given back as it came, whatever happened.
TEST(SendAll, LeavesTheSocketToTheCaller) {
  explain({.rule = "A send that fails does not end the connection; only the caller does.",
           .why = "The caller may try again, or read what the peer had to say, and closes its "
                  "descriptor once.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();

  scenario.run([&] { (void)sending(fd, "hello"); });
  const bool was_blocking = is_blocking(fd);
  scenario.faults().fail("send", ENOMEM);
  scenario.run([&] {
    (void)sending(fd, ", world");
    (void)::send(fd, " again", 6, MSG_NOSIGNAL);  // the caller's
  });

  if (expect_equal(
          alice.received(), "hello again",
          has_closed(scenario, fd)
              ? "send had no memory just then, and send_all closed the descriptor, which it "
                "was only lent. Report the failure; closing is the caller's business."
              : "send had no memory just then, and after send_all the caller could not send "
                "any more. Report the failure, and leave the socket as it is."))
    expect_that(was_blocking && is_blocking(fd),
                "send_all left the socket in non-blocking mode. The mode belongs to the socket, so "
                "the caller's next recv will not wait. Leave it as it was.");
}
