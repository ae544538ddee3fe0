// The graded checks of lesson 11, in the order of the contract: the mode, receiving and sending.
#include "11-non-blocking/non_blocking.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "attempts.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace attempts;
using namespace std::string_literals;

LESSON("11-non-blocking");

namespace {

bool has_used(const Scenario& scenario, const char* command) {
  const auto calls = scenario.calls("fcntl");
  return std::any_of(calls.begin(), calls.end(),
                     [command](const Call& call) { return says(call.text, command); });
}

// What is set besides O_NONBLOCK, by name.
std::string other_flags(int fd) {
  const int status = ::fcntl(fd, F_GETFL), own = ::fcntl(fd, F_GETFD);
  std::string names;
  if ((status & O_APPEND) != 0) names += "O_APPEND ";
  if ((status & O_ASYNC) != 0) names += "O_ASYNC ";
  if ((own & FD_CLOEXEC) != 0) names += "FD_CLOEXEC ";
  if (names.empty()) return "nothing else";
  names.pop_back();
  return names;
}

// Sets them besides what is set.
void add_flags(int fd, int status, int own) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | status);
  ::fcntl(fd, F_SETFD, own);
}

const char* in_words(bool on) { return on ? "true" : "false"; }

// The program's own handler of SIGPIPE: how often it ran.
volatile std::sig_atomic_t sigpipe_count = 0;
void on_sigpipe(int) { sigpipe_count = sigpipe_count + 1; }

bool is_blocked(int signal) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

}  // namespace

// ---- set_nonblocking

// Rule: O_NONBLOCK is a file status flag, for F_SETFL; F_SETFD has others (fcntl(2)).
TEST(SetNonblocking, TurnsTheModeOnAndOff) {
  explain({.rule = "set_nonblocking() turns the mode on or off, as it is told, whatever it was.",
           .why = "A socket that was to be non-blocking and is not works in every small test, and "
                  "stops the whole program in the first large one.",
           .read = "Where the mode lives"});
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  bool was_on = false;
  for (const bool on : {true, true, false, false, true}) {
    const Ending ending = ending_of(scenario, [&, on] { course::set_nonblocking(fd, on); });

    const std::string start = format("The mode was %s, and set_nonblocking(%d, %s) ",
                                     was_on ? "on" : "off", fd, in_words(on));
    if (!expect_that(ending.has_returned, start + ending.told() + ".") ||
        !expect_that(is_nonblocking(fd) == on,
                     start + "left it " + (on ? "off. " : "on. ") +
                         (has_used(scenario, "F_SETFD")
                              ? "F_SETFD sets the flags of the descriptor, and takes O_NONBLOCK, "
                                "which is none of them, without a word. Use F_SETFL."
                          : was_on == on ? "Set the flag, or clear it; do not flip it."
                                         : "Set the flag for true, and clear it for false.")))
      return;
    was_on = on;
  }
}

// Rule: F_SETFL sets all file status flags at once (fcntl(2)).
TEST(SetNonblocking, LeavesTheOtherFlagsAlone) {
  explain({.rule = "All other flags are after set_nonblocking() what they were before.",
           .why = "A log that has lost O_APPEND overwrites itself, and nobody thinks of the line "
                  "that did it.",
           .read = "Where the mode lives"});
  Scenario scenario;
  const int log = scenario.output_file();
  add_flags(log, O_APPEND, 0);
  const int socket = scenario.peer("alice").connected();
  add_flags(socket, O_ASYNC, FD_CLOEXEC);
  const int plain = scenario.peer("bob").pipe_to_program();
  add_flags(plain, 0, 0);
  const std::pair<const char*, int> files[] = {
      {"a log", log}, {"a socket", socket}, {"a pipe", plain}};
  for (const bool on : {true, true, false, false}) {
    for (const auto& [what, fd] : files) {
      const std::string before = other_flags(fd);

      const Ending ending =
          ending_of(scenario, [&, number = fd] { course::set_nonblocking(number, on); });

      const std::string after = other_flags(fd);
      const bool is_own = says(before, "FD_CLOEXEC") != says(after, "FD_CLOEXEC");
      if (ending.has_returned && after == before) continue;
      return fail(format("Besides O_NONBLOCK, %s had %s; after set_nonblocking(%d, %s) it had %s. ",
                         what, before.c_str(), fd, in_words(on), after.c_str()) +
                  (!ending.has_returned ? "It " + ending.told() + "."
                   : is_own ? "FD_CLOEXEC is a flag of the descriptor; O_NONBLOCK is one of the "
                              "open file, for F_SETFL."
                            : "F_SETFL sets them all: read what is there (F_GETFL), change the "
                              "one, and write it back."));
    }
  }
}

// Rule: fcntl(2) returns -1 when it fails, F_GETFL too.
TEST(SetNonblocking, ThrowsWhenItFails) {
  explain({.rule = "When a call fails, set_nonblocking() throws std::system_error with its errno, "
                   "and names the call.",
           .why = "Who goes on believes that no call can wait any more.",
           .read = "Your task"});
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  constexpr int closed = 61;
  for (const bool on : {true, false}) {
    const Ending ending = ending_of(scenario, [&] { course::set_nonblocking(closed, on); });

    const std::string start = format("Descriptor %d is not open, and set_nonblocking(%d, %s) ",
                                     closed, closed, in_words(on));
    if (!expect_equal(ending.thrown(), "EBADF",
                      start + ending.told() + ". Look at what every call returned.") ||
        !expect_that(says(ending.what, "fcntl") || says(ending.what, "ioctl"),
                     start + ending.told() + ", which does not name the call that failed. Add it."))
      return;
  }

  scenario.faults().fail("fcntl", EPERM);
  const Ending refused = ending_of(scenario, [&] { course::set_nonblocking(fd, true); });

  const auto calls = scenario.calls("fcntl");
  const bool was_refused =
      std::any_of(calls.begin(), calls.end(), [](const Call& call) { return call.error == EPERM; });
  if (was_refused)
    expect_equal(refused.thrown(), "EPERM",
                 "F_SETFL was refused with EPERM, and set_nonblocking() " + refused.told() +
                     ". Look at what every call returned.") &&
        expect_that(!is_nonblocking(fd),
                    "F_SETFL was refused, and yet the mode has changed. When it throws, all should "
                    "be as before.");
}

// ---- try_recv

// Rule: recv(2) gives what is there, and its return value says how much.
TEST(TryRecv, TakesWhatIsThere) {
  explain({.rule = "try_recv() gives at once what is there, as much as the buffer holds, and says "
                   "how many bytes that is.",
           .why = "What lies behind them in the buffer is from some earlier time.",
           .read = "EAGAIN is an answer"});
  AttemptScenario scenario;
  const std::string much(3'000, 'x');
  const int alice = AttemptScenario::connected(scenario.peer("alice").sends("hello, wo\0rld"s));
  const int bob = AttemptScenario::connected(scenario.peer("bob").sends(much));
  const int carol = AttemptScenario::connected(scenario.peer("carol").finishes_sending());
  std::string first(24, '.'), second(24, '.'), all(4'000, '.');

  const Attempt full = scenario.try_recv(alice, room(first).subspan(8, 5));
  const std::size_t calls = scenario.calls().size();
  const Attempt nothing = scenario.try_recv(alice, {});
  const Attempt nothing_at_end = scenario.try_recv(carol, {});
  const std::size_t calls_for_nothing = scenario.calls().size() - calls;
  const Attempt rest = scenario.try_recv(alice, room(second));
  const Attempt large = scenario.try_recv(bob, room(all));

  expect_told(full, "ok, 5 bytes", "13 bytes were there, for a buffer of 5.",
              "Fill the buffer that you are given, no more.") &&
      expect_equal(first, "........hello...........",
                   "5 bytes came, into the middle of a buffer of 24.") &&
      expect_told(nothing, "ok, 0 bytes", "The buffer was empty.",
                  "Nothing was asked for, and nothing is missing: that is ok.") &&
      expect_told(nothing_at_end, "ok, 0 bytes", "The buffer was empty, and carol has finished.",
                  "Of an empty buffer recv returns 0 too; so do not ask it.") &&
      expect_that(calls_for_nothing == 0,
                  "The buffer was empty, and you asked the kernel all the same. Its answer could "
                  "only mislead: 0 is what it says of an end.") &&
      expect_told(rest, "ok, 8 bytes", "8 bytes were there, a zero among them, for a buffer of 24.",
                  "Take what is there; only the count that recv returned says how much that is.") &&
      expect_equal(second, ", wo\0rld................"s,
                   "8 bytes came; what lies behind them in the buffer is not yours to write.") &&
      expect_told(large, "ok, 3000 bytes", "3000 bytes were there, for a buffer of 4000.",
                  "Offer recv the whole buffer, and count in a std::size_t.");
}

// Rule: recv(2): -1 and EAGAIN is nothing yet, 0 is the end, any other errno a failure.
TEST(TryRecv, TellsNothingYetFromTheEndAndFromAFailure) {
  explain({.rule = "would_block when nothing is there yet, eof when the peer has finished, error "
                   "when the connection has failed.",
           .why = "After the first you come back, after the others never: who mixes them up hangs "
                  "up on healthy clients, or keeps dead ones.",
           .read = "Nothing yet is not the end"});
  AttemptScenario scenario;
  const auto connected = [&](const char* name) -> Peer& { return scenario.peer(name); };
  const int alice = AttemptScenario::connected(connected("alice").at(347ms).sends("late"));
  Peer& to_bob = connected("bob").sends("hel").finishes_sending();
  const int bob = AttemptScenario::connected(to_bob);
  const int carol = AttemptScenario::connected(connected("carol").resets());
  const int dave = AttemptScenario::connected(connected("dave").sends("hel").resets());
  const int erin = AttemptScenario::connected(connected("erin").sends_urgent('!'));
  std::string buffer(24, '.');
  const auto attempt = [&](int fd) { return scenario.try_recv(fd, room(buffer)); };
  const std::string again = "Return the bytes first; the next attempt tells the rest.";

  if (!expect_told(attempt(alice), "would_block, 0 bytes",
                   "alice is connected and has sent nothing: recv said -1 and EAGAIN.",
                   "EAGAIN means nothing yet: neither an end nor a failure.") ||
      !expect_told(attempt(bob), "ok, 3 bytes", "bob sent 3 bytes and finished.", again) ||
      !expect_told(attempt(bob), "eof, 0 bytes",
                   "bob has finished, and his bytes were taken: recv said 0.",
                   "0 is the end, and an answer of its own.") ||
      !expect_told(attempt(bob), "eof, 0 bytes", "bob has finished, and was asked once more.",
                   "An end remains an end.") ||
      !expect_told(attempt(carol), "error ECONNRESET, 0 bytes",
                   "carol reset the connection: recv said -1 and ECONNRESET.",
                   "Any errno but EINTR and EAGAIN is a failure: return it, in "
                   "std::system_category().") ||
      !expect_told(attempt(dave), "ok, 3 bytes", "dave sent 3 bytes and reset the connection.",
                   again) ||
      !expect_told(attempt(dave), "error ECONNRESET, 0 bytes",
                   "dave sent 3 bytes, which were taken, and reset the connection.",
                   "The failure is told once. Who asks on after the bytes came has heard it, and "
                   "must not forget it.") ||
      !expect_told(attempt(erin), "would_block, 0 bytes",
                   "erin sent an urgent byte and nothing else.",
                   "It is no part of the stream, so nothing is there."))
    return;

  scenario.allow_open_descriptors();
  const int nobody = scenario.run([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); });
  if (!expect_told(attempt(nobody), "error ENOTCONN, 0 bytes",
                   "A socket is connected to nobody: recv said -1 and ENOTCONN.",
                   "Any errno but EINTR and EAGAIN is a failure: return it."))
    return;
  scenario.pause(400ms);
  scenario.run([&] { (void)::send(bob, "good night", 10, MSG_NOSIGNAL); });
  expect_told(attempt(alice), "ok, 4 bytes", "alice had been silent, and has sent 4 bytes since.",
              "After EAGAIN the conversation goes on.") &&
      expect_equal(to_bob.received(), "good night",
                   "bob has finished sending, but still reads, and the caller could not answer any "
                   "more. Leave the socket as it is.");
}

// ---- try_send

// Rule: a non-blocking send(2) takes what fits, and its return value says how much.
TEST(TrySend, SaysHowMuchWasTaken) {
  explain({.rule = "try_send() offers the bytes once and says how many of them were taken; the "
                   "rest is the caller's.",
           .why = "Only the caller knows what to do meanwhile; bytes that are called sent and "
                  "were not are missing from the middle.",
           .read = "EAGAIN is an answer"});
  AttemptScenario scenario;
  Peer& alice = scenario.peer("alice").window(8).stops_reading().at(347ms).resumes_reading();
  Peer& bob = scenario.peer("bob");
  const int to_alice = AttemptScenario::connected(alice);
  const int to_bob = AttemptScenario::connected(bob);

  const Attempt part = scenario.try_send(to_alice, "hello, world");
  const Attempt none = scenario.try_send(to_alice, "orld");
  const std::size_t calls = scenario.calls().size();
  const Attempt empty = scenario.try_send(to_alice, "");
  const std::size_t calls_for_nothing = scenario.calls().size() - calls;
  scenario.pause(400ms);
  const Attempt rest = scenario.try_send(to_alice, "orld");
  scenario.faults().next_sends_take({300});
  const Attempt large = scenario.try_send(to_bob, std::string(400, '\0'));
  scenario.finish();

  if (!expect_told(part, "ok, 8 bytes", "There was room for 8 of 12 bytes, and send took them.",
                   "A part is progress: say how much went. The caller keeps the rest.") ||
      !expect_told(none, "would_block, 0 bytes",
                   "There was no room any more: send said -1 and EAGAIN.",
                   "EAGAIN means not now: neither a failure nor a reason to try again at once.") ||
      !expect_told(empty, "ok, 0 bytes", "There was no room, and the data was empty.",
                   "Nothing was to be sent, and nothing is left: that is ok.") ||
      !expect_that(calls_for_nothing == 0,
                   "The data was empty, and you asked the kernel all the "
                   "same. There is nothing to ask.") ||
      !expect_told(rest, "ok, 4 bytes", "alice had read, and there was room again.",
                   "After EAGAIN the conversation goes on.") ||
      !expect_equal(
          alice.received(), "hello, world",
          "The caller offered what was not taken, and alice did not get every byte once."))
    return;
  const bool is_counted = large.ending.has_returned &&
                          large.result.status == course::IoStatus::ok &&
                          large.result.bytes == bob.received().size() && large.result.bytes > 0;
  expect_that(is_counted, format("400 zero bytes were offered, and send took 300 at first. bob got "
                                 "%zu, and try_send() said \"%s\". Return what send returned.",
                                 bob.received().size(), told(large).c_str()));
}

// Rule: send(2): EAGAIN is full, EPIPE and ECONNRESET are gone; MSG_NOSIGNAL keeps SIGPIPE away.
TEST(TrySend, TellsFullFromGone) {
  explain({.rule = "would_block when there is no room, error when the peer is gone; and no SIGPIPE "
                   "either way.",
           .why = "For a full peer you keep the bytes, for a gone one you close; and it must not "
                  "take you with it.",
           .read = "Nothing yet is not the end"});
  AttemptScenario scenario;
  const int to_alice =
      AttemptScenario::connected(scenario.peer("alice").window(0).at(700ms).opens_window(100));
  const int to_bob = AttemptScenario::connected(scenario.peer("bob").closes());
  const int to_carol = AttemptScenario::connected(scenario.peer("carol").resets());
  constexpr int closed = 61;
  struct sigaction own {};
  own.sa_handler = on_sigpipe;
  sigaction(SIGPIPE, &own, nullptr);

  const Attempt full = scenario.try_send(to_alice, "hello");
  (void)scenario.try_send(to_bob, "one");  // the answer to this is how the kernel learns
  const Attempt after_close = scenario.try_send(to_bob, "two");
  const Attempt after_reset = scenario.try_send(to_carol, "hello");
  const Attempt to_nobody = scenario.try_send(closed, "hello");

  struct sigaction after {};
  sigaction(SIGPIPE, nullptr, &after);
  const std::string advice =
      "Any errno but EINTR and EAGAIN is a failure: return it, in "
      "std::system_category().";
  expect_told(full, "would_block, 0 bytes",
              "alice does not read, and there was no room: send said -1 and EAGAIN.",
              "She is slow, not gone: that is would_block.") &&
      expect_told(after_close, "error EPIPE, 0 bytes", "bob has gone: send said -1 and EPIPE.",
                  advice) &&
      expect_told(after_reset, "error ECONNRESET, 0 bytes",
                  "carol reset the connection: send said -1 and ECONNRESET.", advice) &&
      expect_told(to_nobody, "error EBADF, 0 bytes",
                  "Descriptor 61 is not open: send said -1 and EBADF.", advice) &&
      expect_that(sigpipe_count == 0,
                  format("The sends to bob raised %d SIGPIPE: by default each ends the process. "
                         "send(2) has a flag against it.",
                         static_cast<int>(sigpipe_count))) &&
      expect_that(after.sa_handler == on_sigpipe,
                  "The program has a handler for SIGPIPE, and after try_send() it was another. "
                  "The setting belongs to the whole process: leave it alone.") &&
      expect_that(!is_blocked(SIGPIPE),
                  "After try_send() SIGPIPE was blocked in this thread. The mask is the caller's.");
}
