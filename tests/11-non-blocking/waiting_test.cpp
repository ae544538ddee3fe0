// The graded checks of lesson 11: draining, waiting, and what holds for all functions.
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <limits>
#include <string>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "attempts.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace attempts;
using namespace std::string_literals;

namespace {

// No two pieces of it are alike.
std::string numbers_up_to(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

// A program that moves one byte with each call is right, and would make more calls for much than a
// check may.
bool goes_byte_by_byte(const Scenario& scenario) { return scenario.calls().size() > 300; }

// What to do about a drain that should have stopped at `limit`.
std::string advice_at_limit(const Attempt& made, std::size_t limit) {
  if (made.result.bytes > limit)
    return "Nobody else was served meanwhile. Stop at the limit, to the byte: ask for no more than "
           "is left of it.";
  return made.result.bytes == limit ? "The limit is reached: that is ok, and there may be more."
                                    : "Receive until the limit is reached, or recv says EAGAIN.";
}

}  // namespace

// ---- drain

// Rule: a socket is empty when recv(2) says EAGAIN, and at no other sign.
TEST(Drain, TakesWhatIsThereAndSaysWhyItStopped) {
  explain({.rule = "drain() takes all that is there, up to its limit, and says why it stopped: "
                   "nothing more now, the end, or a failure.",
           .why = "Who stops at the first short receive has not heard of the end that lies behind "
                  "it.",
           .read = "Nothing yet is not the end"});
  AttemptScenario scenario;
  const std::string much = numbers_up_to(20'000);
  const int alice = AttemptScenario::connected(scenario.peer("alice").sends("hello, wo\0rld"s));
  const int bob = AttemptScenario::connected(scenario.peer("bob").sends("hel").finishes_sending());
  const int carol = AttemptScenario::connected(scenario.peer("carol").sends("hel").resets());
  const int dave = AttemptScenario::connected(scenario.peer("dave").sends(much));
  std::string from_alice = "> ", from_bob = "> ", from_carol, from_dave, nothing = "> ";

  const Attempt all = scenario.drain(alice, from_alice, 1'000);
  const Attempt none = scenario.drain(alice, nothing, 1'000);
  const Attempt end = scenario.drain(bob, from_bob, 1'000);
  const Attempt reset = scenario.drain(carol, from_carol, 1'000);
  const Attempt large = scenario.drain(dave, from_dave, 100'000);

  expect_told(all, "would_block, 13 bytes", "13 bytes were there, and the limit was 1000.",
              "Receive until recv says EAGAIN, and count what came.") &&
      expect_equal(from_alice, "> hello, wo\0rld"s, "What came belongs behind what was there.") &&
      expect_told(none, "would_block, 0 bytes", "Nothing was there.", "That is would_block.") &&
      expect_equal(nothing, "> ", "Nothing was there, so nothing may be appended.") &&
      expect_told(end, "eof, 3 bytes", "bob sent 3 bytes and finished.",
                  "The end is behind them: receive until you meet it.") &&
      expect_equal(from_bob, "> hel", "bob sent 3 bytes and finished.") &&
      expect_told(reset, "error ECONNRESET, 3 bytes",
                  "carol sent 3 bytes and reset the connection.",
                  "The failure is behind them: say it, and count what came.") &&
      expect_equal(from_carol, "hel", "What came before the reset counts all the same.") &&
      expect_told(large, "would_block, 20000 bytes",
                  "20000 bytes were there, and the limit was 100000.",
                  "Receive until recv says EAGAIN.") &&
      expect_that(from_dave == much,
                  "20000 bytes were there, but those appended are not the same.");
}

// Rule: a client that always has more must not keep its server for itself.
TEST(Drain, StopsAtItsLimit) {
  explain({.rule = "drain() takes max_bytes at the most, to the byte, however much more is there, "
                   "and memory for what comes only.",
           .why = "A client that sends faster than you read would be the only one you ever serve.",
           .read = "A limit for everybody"});
  AttemptScenario scenario;
  const std::string endless = numbers_up_to(2'000'000);
  const int alice = AttemptScenario::connected(scenario.peer("alice").sends(endless));
  const int bob =
      AttemptScenario::connected(scenario.peer("bob").sends("hello, world").finishes_sending());
  const int carol = AttemptScenario::connected(scenario.peer("carol").sends("hello"));
  std::string from_alice, from_bob, from_carol;

  for (const std::size_t so_far : {0, 7'001}) {
    const Attempt piece = scenario.drain(alice, from_alice, 7'001);

    const std::string situation = "alice never stops sending, and the limit was 7001.";
    if (!expect_told(piece, "ok, 7001 bytes", situation, advice_at_limit(piece, 7'001)) ||
        !expect_that(from_alice == endless.substr(0, so_far + 7'001),
                     situation + " But what was appended is not what she sent."))
      return;
  }

  if (!goes_byte_by_byte(scenario)) {
    const Attempt large = scenario.drain(alice, from_alice, 150'001);
    if (!expect_told(large, "ok, 150001 bytes",
                     "alice never stops sending, and the limit was 150001.",
                     advice_at_limit(large, 150'001)))
      return;
  }

  const Attempt exact = scenario.drain(bob, from_bob, 5);
  std::string next(5, '.');
  const Attempt neighbour = scenario.try_recv(bob, room(next));
  const Attempt rest = scenario.drain(bob, from_bob, 2);
  const std::size_t calls = scenario.calls().size();
  const Attempt nothing = scenario.drain(bob, from_bob, 0);
  const std::size_t calls_for_nothing = scenario.calls().size() - calls;
  const Attempt end = scenario.drain(bob, from_bob, 1);
  if (!expect_told(exact, "ok, 5 bytes", "12 bytes were there, and the limit was 5.",
                   advice_at_limit(exact, 5)) ||
      !expect_told(neighbour, "ok, 5 bytes", "After that another asked for 5 bytes.",
                   "What is above the limit belongs to the next user.") ||
      !expect_equal(from_bob.substr(0, 5) + "|" + next, "hello|, wor",
                    "drain() was to take 5 bytes, and another the 5 after them.") ||
      !expect_told(rest, "ok, 2 bytes", "Just as many bytes were there as the limit: 2.",
                   "The limit is reached: that is ok. The end comes with the next call.") ||
      !expect_told(nothing, "ok, 0 bytes", "The limit was 0.", "That is reached already: ok.") ||
      !expect_that(calls_for_nothing == 0,
                   "The limit was 0, and you asked the kernel all the same.") ||
      !expect_told(end, "eof, 0 bytes", "bob has finished, and all of his was taken.",
                   "0 is the end, and an answer of its own."))
    return;

  const Attempt modest = scenario.drain(carol, from_carol, std::numeric_limits<std::size_t>::max());
  constexpr std::size_t memory_max = 100'000;
  const std::size_t memory = scenario.allocated().peak_bytes;
  const std::string situation = "5 bytes were there, and the limit was the largest there is.";
  expect_told(modest, "would_block, 5 bytes", situation, "Take memory for what comes.") &&
      expect_equal(from_carol, "hello", situation) &&
      expect_that(memory <= memory_max,
                  situation + format(" drain() took %zu bytes of memory. The limit says what may "
                                     "come, not what does.",
                                     memory));
}

// ---- recv_some

// Rule: a wait ends when something comes: bytes, the end or a failure.
TEST(RecvSomeUntil, WaitsForWhatComesFirst) {
  explain({.rule = "recv_some() waits in the kernel until bytes, the end or a failure come, and "
                   "returns what came.",
           .why = "Non-blocking mode takes the waiting away; somebody has to give it back.",
           .read = "Back to waiting"});
  AttemptScenario scenario;
  Peer& to_alice = scenario.peer("alice").sends("now").at(347ms).sends("hello");
  const int alice = AttemptScenario::connected(to_alice);
  const int bob = AttemptScenario::connected(scenario.peer("bob").at(700ms).finishes_sending());
  const int carol = AttemptScenario::connected(scenario.peer("carol").at(900ms).resets());
  const int erin = AttemptScenario::connected(scenario.peer("erin").at(1100ms).sends_urgent('!'));
  std::string first(5, '.'), second(24, '.'), buffer(24, '.');
  const std::string take = "Take what is there, and do not wait for more.";

  if (!expect_told_at(scenario.recv_some(alice, room(first), 1min), "ok, 3 bytes", 0ms,
                      "3 bytes were there, for a buffer of 5.", take) ||
      !expect_told_at(scenario.recv_some(alice, room(second).subspan(8, 8), 1min), "ok, 5 bytes",
                      347ms, "After 347 ms 5 bytes came, for a buffer of 8.", take) ||
      !expect_equal(second, "........hello...........",
                    "5 bytes came, into the middle of a buffer of 24.") ||
      !expect_told_at(scenario.recv_some(bob, room(buffer), 1min), "eof, 0 bytes", 353ms,
                      "353 ms later bob finished.", "The end ends the wait.") ||
      !expect_told_at(scenario.recv_some(carol, room(buffer), 1min), "error ECONNRESET, 0 bytes",
                      200ms, "200 ms later carol reset the connection.",
                      "A failure ends the wait, and is told with its errno.") ||
      !expect_told_at(
          scenario.recv_some(erin, room(buffer), 500ms), "timed_out, 0 bytes", 500ms,
          "erin sent an urgent byte and nothing else, and the deadline was 500 ms away.",
          "It is no part of the stream."))
    return;

  const std::size_t calls = scenario.calls().size();
  const Attempt nothing = scenario.recv_some(alice, {}, 347ms);
  const Attempt nothing_late = scenario.recv_some(alice, {}, -1s);
  const std::size_t calls_for_nothing = scenario.calls().size() - calls;
  expect_told_at(nothing, "ok, 0 bytes", 0s, "The buffer was empty.",
                 "Nothing was asked for: return ok, at once.") &&
      expect_told_at(nothing_late, "ok, 0 bytes", 0s,
                     "The buffer was empty, and the deadline had passed.",
                     "Nothing was asked for, in time or not: return ok.") &&
      expect_that(calls_for_nothing == 0,
                  "The buffer was empty, and you asked the kernel all the same.");
}

// Rule: a wait in the kernel costs nothing, however long it is.
TEST(RecvSomeUntil, WaitsWithoutUsingTheProcessor) {
  explain({.rule = "While nothing comes, recv_some() makes no calls: one wait lasts as long as it "
                   "takes, and a wake-up for nothing leads to the next.",
           .why = "Whoever looks again and again because the socket would let him keeps a "
                  "processor busy, for nothing.",
           .read = "Back to waiting"});
  AttemptScenario scenario;
  Peer& to_alice = scenario.peer("alice").at(13min + 347ms).sends("hello");
  to_alice.at(24h * 31).sends("late").at(24h * 62).sends("at last");
  const int alice = AttemptScenario::connected(to_alice);
  std::string buffer(24, '.');

  auto expect_few_calls = [&, before = std::size_t{0}](const char* how_long,
                                                       std::size_t calls_max) mutable {
    const std::size_t calls = scenario.calls().size() - before;
    before += calls;
    return expect_that(calls <= calls_max,
                       format("Nothing happened for %s, and you made %zu calls meanwhile. Let one "
                              "wait last as long as it takes.",
                              how_long, calls));
  };

  if (!expect_told_at(scenario.recv_some(alice, room(buffer), 1h), "ok, 5 bytes", 13min + 347ms,
                      "The deadline was an hour away, and 5 bytes came after 13 minutes.",
                      "Wait until they come.") ||
      !expect_few_calls("13 minutes", 100) ||
      !expect_told_at(scenario.recv_some(alice, room(buffer), 24h * 60), "ok, 4 bytes",
                      24h * 31 - 13min - 347ms,
                      "The deadline was 60 days away, and 4 bytes came after nearly 31.",
                      "poll counts milliseconds in an int, which ends after 24.8 days.") ||
      !expect_few_calls("a month", 2'000) ||
      !expect_told_at(scenario.recv_some(alice, room(buffer), std::nullopt), "ok, 7 bytes",
                      24h * 31, "The deadline was never(), and 7 bytes came after 31 days.",
                      "Wait as long as it takes.") ||
      !expect_few_calls("a month", 2'000))
    return;
  Peer& to_carol = scenario.peer("carol");
  const int carol = AttemptScenario::connected(to_carol);
  for (int i = 0; i < 13; ++i) to_carol.after(347ms).sends("not for you");
  scenario.spurious_readiness(carol);
  if (!expect_told_at(
          scenario.recv_some(carol, room(buffer), 1min), "ok, 11 bytes", 347ms,
          "select said \"readable\" although nothing was there, and 11 bytes came after "
          "347 ms.",
          "Go back to waiting."))
    return;
  scenario.competitor("bob", carol, 11);
  if (!expect_told_at(scenario.recv_some(carol, room(buffer), std::nullopt), "ok, 11 bytes",
                      12 * 347ms,
                      "carol sent twelve times, bob took all but the last before you, and the "
                      "deadline was never().",
                      "Go back to waiting, however often."))
    return;
  for (const Time time : {Time(7ns), Time(999ns), Time(347us + 1ns), Time(1219ms + 500us)})
    expect_told_at(scenario.recv_some(alice, room(buffer), time), "timed_out, 0 bytes", time,
                   format("Nothing came, and the deadline was %s away.", to_text(time).c_str()),
                   "Wait until it has passed, and not much longer.");
}

// Rule: select may say "readable" and recv EAGAIN all the same (select(2), BUGS).
TEST(RecvSomeUntil, GoesBackToWaitingWhenNothingIsThere) {
  explain({.rule = "After a \"readable\" without bytes, wait again: for what is left of the time.",
           .why = "Somebody else may have taken them; that is no answer for your caller, and no "
                  "reason to begin the time anew.",
           .read = "Back to waiting"});
  AttemptScenario scenario;
  Peer& to_alice = scenario.peer("alice");
  const int alice = AttemptScenario::connected(to_alice);
  to_alice.at(200ms).sends("hello").at(700ms).sends("anybody?");
  std::string buffer(8, '.');
  scenario.competitor("bob", alice, 2);

  const Attempt in_vain = scenario.recv_some(alice, room(buffer), 1219ms);

  expect_told_at(in_vain, "timed_out, 0 bytes", 1219ms,
                 "alice sent twice, and each time bob, who has the same socket, took it before "
                 "you. The deadline was 1.219 s away.",
                 "Go back to waiting, for what is left of the time.");
}

// Rule: what is left is asked of the clock before every wait.
TEST(RecvSomeUntil, KeepsItsDeadline) {
  explain({.rule = "Signals neither end nor lengthen the wait, and timed_out comes when the "
                   "deadline has passed, never earlier.",
           .why = "It is one promise about the clock, however many waits it takes (lesson 09).",
           .read = "Back to waiting"});
  AttemptScenario scenario;
  const int alice = AttemptScenario::connected(scenario.peer("alice").at(3s).sends("hello"));
  for (int i = 0; i < 15; ++i)
    scenario.signal_at(147ms + i * 70ms, i % 2 == 0 ? SIGUSR1 : SIGUSR2,
                       i % 2 == 0 ? Handler::plain : Handler::restarting);
  scenario.signal_at(1419ms, SIGUSR1, Handler::plain, 300ms);
  std::string buffer(8, '.');
  const auto receive = [&](Time time) { return scenario.recv_some(alice, room(buffer), time); };

  expect_told_at(receive(1219ms), "timed_out, 0 bytes", 1219ms,
                 "Fifteen signals came between 0.147 s and 1.127 s, and the deadline was at 1.219 "
                 "s.",
                 "A signal is no answer: wait for what is left.") &&
      expect_told_at(receive(1s), "timed_out, 0 bytes", 1s,
                     "A signal came, and its handler took 0.3 s.",
                     "What the handler took is over as well: ask the clock what is left.") &&
      expect_told_at(receive(2s), "ok, 5 bytes", 781ms,
                     "Two waits had timed out, and after the third began alice sent 5 bytes.",
                     "After a timeout the conversation goes on.");
}

// Rule: a deadline that has passed ends the waiting, not the taking.
TEST(RecvSomeUntil, LooksWhenTheDeadlineHasPassed) {
  explain({.rule = "When the deadline has passed, what is there is taken all the same, and nothing "
                   "is waited for.",
           .why = "Bytes that came in time would else be called late because of you.",
           .read = "Back to waiting"});
  AttemptScenario scenario;
  const int alice = AttemptScenario::connected(
      scenario.peer("alice").sends("hello, world").at(900ms).sends("late"));
  const int bob = AttemptScenario::connected(scenario.peer("bob").finishes_sending());
  const int carol = AttemptScenario::connected(scenario.peer("carol").resets());
  std::string buffer(5, '.');
  const auto receive = [&](int fd, Time time) {
    return scenario.recv_some(fd, room(buffer), time);
  };
  const std::string start = "The deadline had passed, and ";
  const std::string advice = "Look once, and take what is there.";

  if (!expect_told_at(receive(alice, -1s), "ok, 5 bytes", 0s,
                      start + "12 bytes were there, for a buffer of 5.", advice) ||
      !expect_told_at(receive(alice, 0s), "ok, 5 bytes", 0s,
                      start + "7 bytes were there, for a buffer of 5.", advice))
    return;
  scenario.faults().fail("recv", EINTR);
  if (!expect_told_at(receive(alice, Time::min()), "ok, 2 bytes", 0s,
                      start + "2 bytes were there; recv was interrupted (EINTR) at first.",
                      advice) ||
      !expect_told_at(receive(alice, -1s), "timed_out, 0 bytes", 0s, start + "nothing was there.",
                      "Only look.") ||
      !expect_told_at(receive(bob, -1s), "eof, 0 bytes", 0s, start + "bob had finished.", advice) ||
      !expect_told_at(receive(carol, -1s), "error ECONNRESET, 0 bytes", 0s,
                      start + "carol had reset the connection.", advice))
    return;
  scenario.spurious_readiness(alice);
  if (!expect_told_at(receive(alice, 0s), "timed_out, 0 bytes", 0s,
                      start + "nothing was there, although select may have said so.", "Only look."))
    return;
  scenario.signal_at(450ms, SIGUSR1, Handler::plain, 500ms);
  expect_told_at(receive(alice, 700ms), "ok, 4 bytes", 950ms,
                 "A signal came before the deadline, its handler took until after it, and "
                 "meanwhile alice sent 4 bytes.",
                 "Look once more after the signal, whatever the clock says.");
}

// Rule: a wait may fail as well, and an fd_set holds 0 to 1023 (select(2)).
TEST(RecvSomeUntil, ReturnsTheErrorOfAWait) {
  explain({.rule = "A wait that fails is an error with its errno: neither a timeout nor an "
                   "exception. A descriptor that fits into no set is EINVAL, or works.",
           .why = "Called a timeout it would be tried again for ever.",
           .read = "Your task"});
  AttemptScenario scenario;
  const int alice = AttemptScenario::connected(scenario.peer("alice").at(9s).sends("hello"));
  const int bob = scenario.lend_at(
      AttemptScenario::connected(scenario.peer("bob").at(347ms).sends("hello")), 1024);
  std::string buffer(8, '.');

  const Attempt far = scenario.recv_some(bob, room(buffer), 2s);
  const Waits far_waits = scenario.waits_of_last_run();
  scenario.faults().fail("select", ENOMEM);
  const Attempt failed = scenario.recv_some(alice, room(buffer), 2s);

  const auto calls = scenario.calls();
  const bool has_failed =
      std::any_of(calls.begin(), calls.end(), [](const Call& c) { return c.error == ENOMEM; });
  // The simulation's select looks no further than an fd_set reaches; the kernel's would.
  const bool has_larger_sets = std::any_of(
      far_waits.begin(), far_waits.end(),
      [](const WaitingCall& wait) { return !wait.is_poll() && wait.nfds > FD_SETSIZE; });
  const bool is_refused = told(far) == "error EINVAL, 0 bytes" && far.took == 0s;
  if (!is_refused && !has_larger_sets) {
    const std::string start = "Descriptor 1024 fits into no fd_set, and ";
    if (!far.ending.has_returned)
      return fail(start + "recv_some() " + far.ending.told() +
                  ". It throws nothing: catch what a wait throws, and return it as an error.");
    if (!expect_told_at(far, "ok, 5 bytes", 347ms, start + "after 347 ms 5 bytes came.",
                        "Return EINVAL at once, or wait by another call than select."))
      return;
  }
  if (has_failed)
    expect_told_at(failed, "error ENOMEM, 0 bytes", 0s, "The waiting call said ENOMEM.",
                   !failed.ending.has_returned
                       ? "Return it, like the error of a receive; recv_some() throws nothing."
                       : "Return error with that errno, in std::system_category().");
}

// ---- all of them

// Rule: EINTR says that nothing was done (signal(7)); it says nothing about the peer.
TEST(EveryAttempt, GoesOnAfterASignal) {
  explain({.rule = "EINTR is neither an answer nor a failure: make the same attempt again.",
           .why = "\"Nothing yet\" would be a guess, and the bytes that are there would lie until "
                  "the next ones come.",
           .read = "Nothing yet is not the end"});
  AttemptScenario scenario;
  scenario.allow_open_descriptors();
  const int alice = AttemptScenario::connected(scenario.peer("alice").sends("hello"));
  const int bob = AttemptScenario::connected(scenario.peer("bob").finishes_sending());
  const int carol = AttemptScenario::connected(scenario.peer("carol").sends("hello, world"));
  const int dave = AttemptScenario::connected(scenario.peer("dave").window(0));
  const int erin = AttemptScenario::connected(scenario.peer("erin").closes());
  std::string buffer(24, '.'), into;
  Faults& faults = scenario.faults();
  const auto interrupted = [](const char* function, const char* situation) {
    return format("%s was interrupted three times in a row (EINTR), and %s.", function, situation);
  };
  const std::string advice = "A signal says nothing about the peer: make the attempt again.";

  faults.fail("recv", EINTR, 3);
  const Attempt some = scenario.try_recv(alice, room(buffer));
  faults.fail("recv", EINTR, 3);
  const Attempt none = scenario.try_recv(alice, room(buffer));
  faults.fail("recv", EINTR, 3);
  const Attempt end = scenario.try_recv(bob, room(buffer));
  faults.fail("send", EINTR, 3);
  const Attempt sent = scenario.try_send(alice, "hello");
  scenario.run([&] { (void)::send(erin, "one", 3, MSG_NOSIGNAL); });  // so that the kernel learns
  faults.fail("send", EINTR, 3);
  const Attempt gone = scenario.try_send(erin, "two");
  faults.fail("send", EINTR, 3);
  const Attempt full = scenario.try_send(dave, "hello");
  if (!expect_told(some, "ok, 5 bytes", interrupted("try_recv()", "5 bytes were there"), advice) ||
      !expect_told(none, "would_block, 0 bytes", interrupted("try_recv()", "nothing was there"),
                   advice) ||
      !expect_told(end, "eof, 0 bytes", interrupted("try_recv()", "the peer had finished"),
                   advice) ||
      !expect_told(sent, "ok, 5 bytes", interrupted("try_send()", "there was room"), advice) ||
      !expect_told(gone, "error EPIPE, 0 bytes", interrupted("try_send()", "the peer had gone"),
                   advice) ||
      !expect_told(full, "would_block, 0 bytes", interrupted("try_send()", "there was no room"),
                   advice))
    return;

  faults.fail("recv", EINTR, 3, 1);
  const Attempt drained = scenario.drain(carol, into, 1'000);
  expect_told(
      drained, "would_block, 12 bytes",
      "drain() had received something, and then was interrupted three times in a row (EINTR); "
      "12 bytes were there.",
      advice) &&
      expect_equal(into, "hello, world", "drain() was interrupted three times in a row (EINTR).");
}

// Rule: the mode is shared with every duplicate (open(2)).
TEST(EveryAttempt, LeavesTheModeAlone) {
  explain({.rule = "No function but set_nonblocking() changes the mode of what it is lent, not for "
                   "a moment.",
           .why = "Whoever holds the same socket counts on the mode, and would wait where nobody "
                  "should.",
           .read = "Where the mode lives"});
  AttemptScenario scenario;
  scenario.allow_open_descriptors();
  const int alice = AttemptScenario::connected(scenario.peer("alice").sends("hello, world"));
  const int bob = AttemptScenario::connected(scenario.peer("bob"));
  const int door = scenario.run([] {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ::listen(fd, 8);
    return fd;
  });
  std::string buffer(5, '.'), into;
  struct Step {
    const char* function;
    int fd;
    std::function<void()> call;
  };
  const std::vector<Step> steps = {
      {"try_recv()", alice, [&] { (void)course::try_recv(alice, room(buffer)); }},
      {"try_recv()", bob, [&] { (void)course::try_recv(bob, room(buffer)); }},
      {"try_send()", alice, [&] { (void)course::try_send(alice, course::as_bytes("hello")); }},
      {"drain()", alice, [&] { (void)course::drain(alice, into, 3); }},
      {"drain()", bob, [&] { (void)course::drain(bob, into, 3); }},
      {"recv_some()", alice,
       [&] { (void)course::recv_some(alice, room(buffer), course::Deadline::after(347ms)); }},
      {"recv_some()", bob,
       [&] { (void)course::recv_some(bob, room(buffer), course::Deadline::after(347ms)); }},
      {"try_accept()", door, [&] { (void)course::try_accept(door); }},
  };
  for (const auto& [function, fd, call] : steps) {
    const std::size_t before = scenario.calls().size();

    (void)ending_of(scenario, call);

    const auto calls = scenario.calls();
    const bool has_blocked = std::any_of(
        calls.begin() + static_cast<std::ptrdiff_t>(std::min(before, calls.size())), calls.end(),
        [number = fd](const Call& c) {
          const bool is_mode = says(c.text, "F_SETFL") || says(c.text, "FIONBIO");
          return c.fd == number && is_mode && !says(c.text, "O_NONBLOCK") && !says(c.text, ", 1)");
        });
    if (!expect_that(is_nonblocking(fd),
                     format("%s left descriptor %d in blocking mode. It was lent in the other.",
                            function, fd)) ||
        !expect_that(!has_blocked, format("%s put descriptor %d into blocking mode for a while. "
                                          "Others may have it too: leave it as it is.",
                                          function, fd)))
      return;
  }
}
