// The graded checks of lesson 09: recv_exact() with a deadline.
#include <signal.h>
#include <sys/socket.h>

#include <string>

#include "09-deadlines/deadlines.hpp"
#include "in_time.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace in_time;
using namespace std::string_literals;

// Rule: a stream has no boundaries; the buffer decides how much is taken.
TEST(RecvExactUntil, FillsTheBufferAndTakesNotOneByteMore) {
  explain({.rule = "recv_exact() fills its buffer from however many pieces, leaves what follows in "
                   "the stream, and asks for nothing when nothing fits.",
           .why = "It is recv_exact() of lesson 03; the deadline changes nothing while there is "
                  "time.",
           .read = "Your task"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  for (const char* piece : {"h", "el", "lo, wo", "rld!", "?"}) alice.after(347ms).sends(piece);
  alice.at(133min).sends("a").after(700ms).sends("bc").at(24h * 40).sends("de");
  std::string buffer(24, '.'), rest(2, '.'), late(3, '.'), later(2, '.');

  const auto first = scenario.recv_exact(fd, room(buffer).subspan(8, 12), 1min);
  const auto second = scenario.recv_exact(fd, room(rest), 1min);
  const std::size_t calls = scenario.calls().size();
  const auto nothing = scenario.recv_exact(fd, {}, 1min);
  const auto nothing_late = scenario.recv_exact(fd, {}, -1s);
  const std::size_t calls_for_nothing = scenario.calls().size() - calls;
  const auto third = scenario.recv_exact(fd, room(late), std::nullopt);
  const auto fourth = scenario.recv_exact(fd, room(later), 24h * 60);

  expect_received(first, "ok, 12 bytes", 1388ms,
                  "alice sent 12 bytes in four pieces, within 1.388 s, and the deadline was a "
                  "minute away.",
                  "Ask again, for what is missing, until the buffer is full.") &&
      expect_equal(buffer, "........hello, world....",
                   "12 bytes came, into the middle of a buffer of 24.") &&
      expect_received(second, "ok, 2 bytes", 347ms, "One byte was left in the stream, one came.",
                      "Take no more than fit.") &&
      expect_equal(rest, "!?", "What followed the first 12 bytes belongs to the next call.") &&
      expect_received(nothing, "ok, 0 bytes", 0s, "The buffer was empty.",
                      "It is full already: return ok, and ask for nothing.") &&
      expect_received(nothing_late, "ok, 0 bytes", 0s,
                      "The buffer was empty, and the deadline had passed.",
                      "It is full already, in time or not: return ok.") &&
      expect_that(calls_for_nothing == 0,
                  "The buffer was empty, and you asked the kernel all the same. Who asks waits, "
                  "though nothing is missing.") &&
      expect_received(third, "ok, 3 bytes", 133min + 700ms - 1735ms,
                      "The deadline was never(), and 3 bytes came after 133 minutes.",
                      "Wait as long as it takes.") &&
      expect_received(fourth, "ok, 2 bytes", 24h * 40 - 133min - 700ms,
                      "The deadline was 60 days away, and 2 bytes came after nearly 40.",
                      "poll counts milliseconds in an int, which ends after 24.8 days.");
}

// Rule: one promise for all pieces: what is left is less each time.
TEST(RecvExactUntil, KeepsOneDeadlineForAllPieces) {
  explain({.rule = "The deadline holds for the whole buffer, whatever comes and however often the "
                   "wait is interrupted.",
           .why = "A peer that sends one byte now and then could hold you for ever.",
           .read = "A trickle restarts every timeout"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  for (const char c : "hello"s) alice.after(900ms).sends({c});
  scenario.signal_at(1219ms, SIGUSR1);
  scenario.signal_at(2219ms, SIGUSR2, Handler::restarting);
  std::string buffer(21, '.'), rest(2, '.');

  const auto in_vain = scenario.recv_exact(fd, room(buffer).subspan(8, 5), 3s);

  expect_received(in_vain, "timed_out, 3 bytes", 3s,
                  "alice sent a byte every 900 ms, two signals came, and the deadline was at 3 s.",
                  "Keep one deadline for all of it, and say how many bytes had come.") &&
      expect_equal(buffer, "........hel..........",
                   "3 bytes came in time, into the middle of a buffer of 21.") &&
      expect_received(scenario.recv_exact(fd, room(rest), 1min), "ok, 2 bytes", 1500ms,
                      "The other 2 bytes came after the deadline, for the next call.",
                      "Nothing may be lost.") &&
      expect_equal(rest, "lo", "The other 2 bytes came after the deadline.");
}

// Rule: an expired deadline ends the waiting, not the taking.
TEST(RecvExactUntil, TakesWhatIsThereWhenTheDeadlineHasPassed) {
  explain({.rule = "When the deadline has passed, all that is there already is taken, the end "
                   "included, and nothing is waited for.",
           .why = "Bytes that came in time would else be called late because of you.",
           .read = "No time left is not nothing there"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("hello, worldand").at(7300ms).finishes_sending();
  Peer& bob = scenario.peer("bob");
  const int ended = bob.connected();
  bob.sends("hel").finishes_sending();
  scenario.faults().next_recvs_give({4, 4});
  std::string all(12, '.'), part(5, '.'), none(5, '.'), last(5, '.');

  const auto full = scenario.recv_exact(fd, room(all), -1s);
  const auto some = scenario.recv_exact(fd, room(part), 0s);
  const auto nothing = scenario.recv_exact(fd, room(none), -5s);
  const auto end = scenario.recv_exact(ended, room(last), -1s);

  const std::string start = "The deadline had passed, ";
  const std::string advice = "Take all that is there, and do not wait for more.";
  expect_received(full, "ok, 12 bytes", 0s,
                  start + "and all 12 bytes were there; recv gave 4 at a time.", advice) &&
      expect_equal(all, "hello, world", "12 bytes were there.") &&
      expect_received(some, "timed_out, 3 bytes", 0s, start + "and 3 of 5 bytes were there.",
                      advice) &&
      expect_equal(part, "and..", "3 of 5 bytes were there.") &&
      expect_received(nothing, "timed_out, 0 bytes", 0s, start + "and nothing was there.",
                      "Only look.") &&
      expect_received(end, "eof, 3 bytes", 0s,
                      start + "and bob had sent 3 of 5 bytes and finished.",
                      "The end is there as well: look until you meet it.");
}

// Rule: recv(2): 0 is the end, -1 an error; a wait that brings nothing is neither.
TEST(RecvExactUntil, TellsSilenceFromTheEnd) {
  explain({.rule = "timed_out when the time ran out, eof when the peer has finished, error when a "
                   "call failed; each with the bytes that came before.",
           .why = "After a silence you may ask again; after the end, never.",
           .read = "Silence is not the end"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").sends("hel").at(9s).sends("lo").connected();
  Peer& to_bob = scenario.peer("bob").at(1519ms).sends("hel");
  const int bob = to_bob.after(300ms).finishes_sending().connected();
  const int carol = scenario.peer("carol").at(2119ms).finishes_sending().connected();
  Peer& to_dave = scenario.peer("dave").at(2419ms).sends("hel");
  const int dave = to_dave.after(300ms).resets().connected();
  const int erin = scenario.peer("erin").at(9s).sends("hello").connected();
  const int frank = scenario.peer("frank").sends_urgent('!').at(9s).sends("hello").connected();
  std::string buffer(5, '.');
  const auto receive = [&](int fd) { return scenario.recv_exact(fd, room(buffer), 1219ms); };

  if (!expect_received(receive(alice), "timed_out, 3 bytes", 1219ms,
                       "alice sent 3 of 5 bytes and fell silent.",
                       "The time ran out and she has not finished: timeout and end are different "
                       "answers, and the bytes before them count.") ||
      !expect_received(receive(bob), "eof, 3 bytes", 600ms,
                       "bob sent 3 of 5 bytes and finished after 600 ms.",
                       "The end is known when it comes; do not wait for the deadline.") ||
      !expect_received(receive(carol), "eof, 0 bytes", 300ms,
                       "carol finished after 300 ms and had sent nothing.",
                       "The end is an answer, not a silence.") ||
      !expect_received(receive(dave), "error ECONNRESET, 3 bytes", 600ms,
                       "dave sent 3 of 5 bytes and reset the connection after 600 ms.",
                       "Return error with the errno, and count what came before.") ||
      !expect_received(receive(frank), "timed_out, 0 bytes", 1219ms,
                       "frank sent an urgent byte and nothing else.",
                       "It is no part of the stream: nobody is readable by it."))
    return;

  scenario.faults().fail("select", ENOMEM);
  const Received no_memory = receive(erin);
  const auto calls = scenario.calls();
  if (std::any_of(calls.begin(), calls.end(), [](const Call& c) { return c.error == ENOMEM; }) &&
      !expect_no_memory(no_memory, "recv_exact()"))
    return;
  scenario.faults().fail("recv", ETIMEDOUT);
  expect_received(receive(bob), "error ETIMEDOUT, 0 bytes", 0s, "recv said -1 and ETIMEDOUT.",
                  "Any errno but EINTR is the answer: return it.");
}
