// The graded checks of lesson 16: how clients of LineClients leave, and what they leave behind.
#include <signal.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>

#include "../15-echo-server/serving.hpp"
#include "16-chat-server/chat_server.hpp"
#include "hosting.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

volatile std::sig_atomic_t sigpipe_count = 0;
void count_sigpipe(int) { sigpipe_count = sigpipe_count + 1; }

bool sigpipe_is_as_it_was() {
  struct sigaction action {};
  sigset_t mask;
  ::sigaction(SIGPIPE, nullptr, &action);
  ::sigprocmask(SIG_BLOCK, nullptr, &mask);
  return action.sa_handler == count_sigpipe && sigismember(&mask, SIGPIPE) == 0;
}

}  // namespace

// Rule: a limit for what waits, or one client who does not read takes all the memory.
TEST(LineClients, CapsWhatWaitsForOne) {
  explain({.rule = "A client leaves as \"too slow\" when more than unsent_max bytes would wait for "
                   "it, not before, and in the next step().",
           .why = "What a client does not take waits in your memory, and that of all such clients "
                  "together.",
           .read = "Too slow, or gone"});
  Hosting s({.unsent_max = 100});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  Peer& carol = s.guest("carol");
  Peer& dave = s.guest("dave");
  bob.window(20).stops_reading().at(583ms).resumes_reading();
  dave.window(20).stops_reading();
  const std::string line(29, '-');
  s.step(0ms);
  for (int i = 0; i < 4; ++i)
    for (const Peer* who : {&alice, &bob, &carol}) s.send(*who, line);
  s.send(alice, std::string(5'000, 'x'));
  const std::string start =
      "unsent_max was 100. bob took 20 bytes and no more, and was sent 4 lines of 30: ";
  if (!expect_equal(s.unsent(bob), 100u, start + "so 100 wait. unsent(bob) is another:")) return;
  s.step(31ms);
  if (!s.expect_events(bob, "joined", start + "100 wait, and that is allowed.") ||
      !s.expect_events(alice, "joined",
                       "alice took 120 bytes, and then 5001, at once: nothing waits for her."))
    return;

  for (const Peer* who : {&alice, &bob, &carol}) s.send(*who, "");
  s.send(dave, std::string(120, 'x'));
  s.step(347ms);
  const Time then = s.now();
  s.send(bob, "x");
  s.serve_until(1900ms);

  const std::string after = start + "100 waited, and then one more byte. ";
  s.expect_events(bob, "joined, left (too slow)", after) &&
      s.expect_events(dave, "joined, left (too slow)",
                      "unsent_max was 100. Nothing waited for dave, who had room for 20 bytes, and "
                      "he was sent one line of 121: 101 would wait.") &&
      expect_that(then == Time(31ms),
                  after + "The next step() has the event and need not wait; it returned at " +
                      shown(then) + ".") &&
      expect_equal(s.unsent(bob), 0u, after + "What waited is dropped; unsent(bob) is another:") &&
      expect_equal(bob.received(), line.substr(0, 20),
                   after + "He was to get what the kernel had taken, and the end.") &&
      expect_that(bob.saw_the_end(),
                  after + "He leaves at once, and his connection was not closed.") &&
      s.expect_events(alice, "joined", "alice took all that she was sent, at once.") &&
      expect_equal(carol.received(), repeated(line + "\n", 4) + "\n",
                   "carol was sent a line after bob, each time, and got this:");
}

// Rule: a connection that fails is one client's end, and is told apart from a slow one.
TEST(LineClients, TellsALostConnection) {
  explain({.rule = "When a receive or a send fails, the client leaves: \"connection lost\". No "
                   "SIGPIPE, no exception, and nobody else notices.",
           .why = "Connections are lost all day: a laptop is closed, a phone leaves the house.",
           .read = "Too slow, or gone"});
  struct sigaction action {};
  action.sa_handler = count_sigpipe;
  ::sigaction(SIGPIPE, &action, nullptr);
  Hosting s;
  Peer& alice = s.guest("alice");
  Peer& carol = s.guest("carol");
  carol.receives("one\n").closes();

  for (const char* line : {"one", "two", "three"}) s.send(carol, line);
  s.send(alice, "three");
  s.step(0ms);

  s.expect_events(carol, "joined, left (connection lost)",
                  "carol closed when the first of three lines had come: the second send was "
                  "answered by a reset, and the third said EPIPE. There was to be:") &&
      expect_equal(alice.received(), std::string("three\n"),
                   "alice was sent a line after that, and got this:") &&
      expect_equal(s.connections(), 1u, "Only alice is left; so many are connected:") &&
      expect_that(
          sigpipe_count == 0,
          "A send to carol raised SIGPIPE. With MSG_NOSIGNAL it says EPIPE, and no more.") &&
      expect_that(sigpipe_is_as_it_was(),
                  "SIGPIPE is not handled as it was before. MSG_NOSIGNAL needs no change of what "
                  "belongs to the whole process.");
}

// Rule: a loss can show itself at any time, also while the rest is being sent.
TEST(LineClients, TellsALossBehindWhatWaits) {
  explain({.rule = "Look at what came of every send, also of those in step(): when one fails, the "
                   "client leaves, \"connection lost\".",
           .why = "Who is not taken out is sent to for ever, and keeps a name that nobody else can "
                  "have.",
           .read = "Too slow, or gone"});
  Hosting s;
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  bob.window(5).stops_reading().at(347ms).reads(5);
  alice.at(583ms).sends("hello\n");
  s.send(bob, "hello, bob");
  s.looks_at(347ms, [&] { s.faults().fail("send", ECONNRESET); });

  s.serve_until(1900ms);

  s.expect_events(bob, "joined, left (connection lost)",
                  "Of a line for bob 6 bytes waited, and when there was room for them, at 0.347 s, "
                  "send said ECONNRESET. There was to be:") &&
      s.expect_event_at(bob, 1, Time(347ms), "The send to bob failed at 0.347 s.") &&
      expect_equal(s.unsent(bob), 0u, "bob is gone; unsent(bob) is another:") &&
      expect_equal(s.connections(), 1u, "Only alice is left; so many are connected:") &&
      s.expect_events(alice, R"(joined, line "hello")", "alice did not notice. There was to be:");
}

// Rule: who has finished sending still listens.
TEST(LineClients, StillSendsToWhoHasFinished) {
  explain({.rule = "Who finishes sending can be answered in the turn of its last lines, has left "
                   "after that, and is closed when nothing waits for it.",
           .why =
               "printf 'ada\\nhello\\n' | nc -N sends its FIN with the last line, and wants to see "
               "what comes back.",
           .read = "The end comes with the last line"});
  const std::string long_line(16'383, 'c');
  Hosting s({.line_max = 20'000});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  Peer& carol = s.guest("carol");
  s.answers([&](const course::Event& event) {
    if (event.kind == course::Event::Kind::line)
      s.clients().send(event.client, "re: " + event.text);
    if (event.kind == course::Event::Kind::left) s.clients().send(event.client, "too late");
  });
  alice.sends("early\n").finishes_sending();  // before anybody looks
  bob.window(5).stops_reading().at(53ms).sends("half a li").finishes_sending();
  bob.at(700ms).resumes_reading();
  carol.at(97ms).sends(long_line + "\nlast\nunfinish").finishes_sending();
  s.send(bob, "hello, bob");

  s.serve_until(600ms);
  const std::size_t waiting = s.unsent(bob), unfinished = s.unfinished(bob), open = s.connections();
  s.serve_until(1900ms);

  s.expect_events(alice, R"(joined, line "early", left)",
                  "alice sent a line and finished sending, before the first step().") &&
      expect_equal(alice.received(), std::string("re: early\n"),
                   "alice's line came together with her FIN. The line was answered in the turn in "
                   "which step() returned it, and she got this:") &&
      expect_that(carol.received() == "re: " + long_line + "\nre: last\n",
                  "carol's two lines and an unfinished one came together with her FIN. The lines "
                  "were answered in the turn in which step() returned them, and of the 16398 bytes "
                  "of the answers she got " +
                      std::to_string(carol.received().size()) + ".") &&
      expect_equal(s.events_of(carol).substr(s.events_of(carol).find("line \"last")),
                   std::string("line \"last\", left"), "After carol's last line there was:") &&
      s.expect_events(bob, "joined, left", "bob finished sending at 0.053 s.") &&
      expect_equal(waiting, 6u,
                   "Of 11 bytes 6 did not fit when bob had finished sending; "
                   "unsent(bob) is another:") &&
      expect_equal(unfinished, 0u,
                   "bob had sent half a line and finished, so he has left, though something still "
                   "waits for him; unfinished(bob) is another:") &&
      expect_equal(open, 1u,
                   "Only bob's connection is to be open while something waits for him:") &&
      expect_equal(bob.received(), std::string("hello, bob\n"),
                   "bob read on at 0.7 s, and got this:") &&
      expect_closed_at(bob, Time(700ms), "All that waited for him was sent.") &&
      expect_equal(s.connections(), 0u, "All have finished, and nothing waits:");
}

// Rule: a polite end says what was to be said; from then on nobody listens.
TEST(LineClients, DisconnectsPolitely) {
  explain({.rule = "disconnect(): hand out nothing more, send what waits, and when nothing does, "
                   "receive and throw away what is there, and close; there are no more events of "
                   "that client.",
           .why = "The last line says why somebody is thrown out, and is the one that matters.",
           .read = "Your task"});
  Hosting s({.unsent_max = 100});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  Peer& carol = s.guest("carol");
  Peer& dave = s.guest("dave");
  Peer& frank = s.guest("frank");
  for (Peer* who : {&bob, &dave, &frank}) who->window(5).stops_reading();
  bob.at(97ms).sends("wait\n").at(347ms).resumes_reading();
  dave.at(53ms).sends("bu").at(97ms).sends("t\n").at(131ms).sends("listen\n").at(583ms).resets();
  carol.at(53ms).sends("ca");
  s.serve_until(60ms);
  Peer& erin = s.guest("erin");
  const std::string much = "hello\n" + std::string(59'994, 'x');
  erin.window_to_program(much.size()).sends(much);
  constexpr std::uint64_t discarded_max = 65'536;
  Peer& gina = s.guest("gina");
  holds_much(gina.connection().program_fd);
  gina.window_to_program(2 * discarded_max);
  gina.talks_until_it_receives("never", std::string(2 * discarded_max, 'x'), 1'000'000);

  for (const Peer* who : {&alice, &bob, &carol, &dave}) {
    s.send(*who, "goodbye");
    s.disconnect(*who);
    s.disconnect(*who);
  }
  s.disconnect(erin);
  s.disconnect(gina);
  if (!expect_that(s.now() == Time(60ms), "disconnect() waited.") ||
      !expect_equal(s.connections(), 3u,
                    "Of six that were disconnected only bob and dave, for whom something waits, "
                    "are still connected, and frank, who was not disconnected:") ||
      !expect_that(gina.connection().program_read <= discarded_max,
                   format("gina, who always has something to say, was disconnected, and %llu bytes "
                          "of hers were received and thrown away. Stop at 65536, and close: one "
                          "who never stops would keep you there for ever.",
                          static_cast<unsigned long long>(gina.connection().program_read))) ||
      !expect_equal(s.unsent(bob), 3u, "bob has room for 5 of 8 bytes; unsent(bob) is another:") ||
      !expect_equal(s.unfinished(carol), 0u, "carol has left; unfinished(carol) is another:"))
    return;
  const std::size_t unfinished = s.unfinished(dave);
  s.send(bob, "and one more thing");
  s.send(frank, std::string(200, 'x'));  // too slow: he is leaving
  s.disconnect(frank);
  s.serve_until(400ms);
  const std::size_t open = s.connections();
  s.serve_until(1900ms);

  expect_closed_at(alice, Time(60ms), "Nothing waits for alice.") &&
      expect_equal(bob.received(), std::string("goodbye\n"),
                   "bob was disconnected, and got this:") &&
      expect_that(
          !bob.saw_a_reset() && !erin.saw_a_reset(),
          std::string(bob.saw_a_reset() ? "bob had said something" : "erin had said 60000 bytes") +
              " that nobody received, and the close was a reset, which can destroy the "
              "last line. Receive what is there, and throw it away, before you close.") &&
      expect_closed_at(bob, Time(347ms), "All that waited for him was sent.") &&
      expect_equal(
          open, 1u,
          "Only dave's connection is to be open while he does not read (frank was too slow "
          "for his last line, so nothing waits for him any more):") &&
      expect_equal(s.connections(), 0u, "dave's connection was reset at 0.583 s:") &&
      s.expect_events(erin, "nothing",
                      "erin was disconnected before the step() that would have had "
                      "her joined event.") &&
      s.expect_events(dave, "joined",
                      "dave was disconnected, went on talking, and reset. There are no more events "
                      "of one that was disconnected.") &&
      s.expect_events(frank, "joined",
                      "frank was too slow, and was disconnected before the step() that would have "
                      "had his left event.") &&
      s.expect_events(bob, "joined", "bob was disconnected.") &&
      expect_equal(unfinished, 0u,
                   "dave had sent half a line and was disconnected, so he has left, though "
                   "something still waited for him; unfinished(dave) was another:");
}

// Rule: a hard end waits for nothing.
TEST(LineClients, DropsAtOnce) {
  explain(
      {.rule = "drop(): close at once, whatever waits; there are no more events of that client.",
       .why = "For those who do not take the hint, and for the end of the server.",
       .read = "Your task"});
  Hosting s({.unsent_max = 100});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  Peer& carol = s.guest("carol");
  Peer& dave = s.guest("dave");
  bob.window(5).stops_reading().at(583ms).resumes_reading();
  carol.window(5).stops_reading().at(583ms).resumes_reading();
  dave.window(5).stops_reading().at(583ms).resumes_reading();
  s.serve_until(60ms);

  s.send(bob, "hello, bob");
  s.send(carol, "goodbye");
  s.disconnect(carol);
  s.send(dave, std::string(200, 'x'));  // too slow: it is leaving
  for (const Peer* who : {&alice, &bob, &carol, &dave}) {
    s.drop(*who);
    s.drop(*who);
  }
  if (!expect_equal(s.connections(), 0u, "All four were dropped; so many are connected:") ||
      !expect_equal(s.unsent(bob), 0u, "bob was dropped; unsent(bob) is another:"))
    return;
  s.serve_until(1900ms);

  expect_closed_at(alice, Time(60ms), "She was dropped.") &&
      expect_equal(bob.received(), std::string("hello"),
                   "bob was dropped when he had taken 5 bytes, and got this:") &&
      expect_that(carol.saw_the_end(),
                  "carol was disconnected and then dropped, and her connection "
                  "was not closed.") &&
      s.expect_events(bob, "joined", "bob was dropped.") &&
      s.expect_events(dave, "joined",
                      "dave was dropped before the step() that would have had his "
                      "left event.");
}

// Rule: the kernel gives a number again at once; who has it now is somebody else.
TEST(LineClients, KnowsClientsNotNumbers) {
  explain({.rule = "A new client that gets the descriptor of one who left has nothing of it: no "
                   "line, no queue, no end, no name.",
           .why = "The lowest free number is given first, so it is given again at once.",
           .read = "A number is nobody's name"});
  enum class Way { drop, disconnect, closes, resets, too_slow };
  for (const Way way : {Way::drop, Way::disconnect, Way::closes, Way::resets, Way::too_slow}) {
    Hosting s({.unsent_max = 100});
    Peer& alice = s.guest("alice");
    Peer& bob = s.guest("bob");
    bob.at(31ms).sends("half a li");
    if (way == Way::closes) bob.at(53ms).closes();
    if (way == Way::resets) bob.at(53ms).resets();
    if (way == Way::too_slow || way == Way::drop) bob.window(5).stops_reading();
    s.serve_until(97ms);
    if (way == Way::drop) s.send(bob, "that waits");
    if (way == Way::too_slow) s.send(bob, std::string(200, 'x'));
    if (way == Way::drop) s.drop(bob);
    if (way == Way::disconnect) s.disconnect(bob);
    if (way == Way::too_slow) s.step(0ms);
    Peer& carol = s.guest("carol");
    if (!expect_that(carol.connection().program_fd == 4,
                     "bob has left, and his descriptor, 4, is still open."))
      return;
    s.send(bob, "for bob");
    s.disconnect(bob);
    s.drop(bob);
    carol.at(131ms).sends("whole\n");
    const std::size_t unfinished = s.unfinished(carol), unsent = s.unsent(carol);
    s.serve_until(347ms);
    s.send(carol, "for carol");
    s.send(alice, "for alice");
    s.serve_until(700ms);

    const char* ways[] = {"was dropped", "was disconnected", "closed", "was reset", "was too slow"};
    const std::string start = format(
        "bob, whose descriptor was 4, had sent half a line and %s; "
        "then carol came and got 4. ",
        ways[static_cast<int>(way)]);
    if (!expect_that(s.id(carol) != s.id(bob), start + "Both have the same id.") ||
        !s.expect_events(carol, R"(joined, line "whole")", start + "She sent a line:") ||
        !expect_equal(carol.received(), std::string("for carol\n"),
                      start + "After that something was sent to bob's id, which was then "
                              "disconnected and dropped. carol got this:") ||
        !expect_equal(alice.received(), std::string("for alice\n"), start + "alice got this:") ||
        !expect_equal(unfinished + unsent, 0u, start + "Nothing of hers is unfinished or unsent:"))
      return;
  }
}
