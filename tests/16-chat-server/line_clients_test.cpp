// The graded checks of lesson 16: clients that send lines and are sent lines.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <vector>

#include "16-chat-server/chat_server.hpp"
#include "hosting.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

// When the other side noticed that the program had closed the connection.
std::optional<Time> closed_at(const Peer& who) {
  return who.end_at() ? who.end_at() : who.reset_at();
}

// "was closed at 0.053 s", "never was".
std::string told_close(std::optional<Time> time) {
  return time ? "was closed at " + shown(*time) : "never was";
}

bool expect_closed_at(const Peer& who, Time wanted, const std::string& sentence,
                      Where where = Where::here()) {
  return expect_that(closed_at(who) == wanted,
                     sentence + " " + who.name() + "'s connection was to be closed at " +
                         shown(wanted) + ", and " + told_close(closed_at(who)) + ".",
                     where);
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

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

// Rule: what happens to a client becomes an event, when it happens.
TEST(LineClients, TellsWhatHappens) {
  explain({.rule =
               "Return joined, each line and left, as soon as they are there; number the clients "
               "1, 2, 3, ….",
           .why = "All the rules of the chat are made of these three.",
           .read = "Your task"});
  Hosting s;
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  if (!expect_that(s.id(alice) == 1 && s.id(bob) == 2,
                   format("Two clients were admitted, and admit() called them %llu and %llu "
                          "instead of 1 and 2.",
                          static_cast<unsigned long long>(s.id(alice)),
                          static_cast<unsigned long long>(s.id(bob)))))
    return;
  s.step(700ms);
  if (!s.expect_events(alice, "joined", "alice was admitted before this step().") ||
      !s.expect_events(bob, "joined", "bob was admitted before this step().") ||
      !expect_that(s.now() == Time{},
                   "The joined events were there already, and step() returned "
                   "at " +
                       shown(s.now()) + ". Look, but do not wait."))
    return;
  alice.at(31ms)
      .sends("hello\nhow are you?\r\n")
      .at(347ms)
      .sends("\n")
      .at(583ms)
      .finishes_sending();
  bob.at(53ms).sends("hi\n");
  Peer& dave = s.guest("dave");
  dave.at(97ms).sends("one\ntw").at(700ms).resets();

  s.serve_until(1900ms);

  s.expect_events(alice, R"(joined, line "hello", line "how are you?", line "", left)",
                  "alice sent three lines and finished sending.") &&
      s.expect_events(bob, R"(joined, line "hi")", "bob sent a line and is still there.") &&
      expect_that(s.time_of(alice, 1) == Time(31ms), "alice's first line came at another time.") &&
      expect_that(s.time_of(bob, 1) == Time(53ms), "bob's line came at another time.") &&
      expect_closed_at(alice, Time(583ms), "She has finished, and nothing waits for her.") &&
      s.expect_events(dave, R"(joined, line "one", left (connection lost))",
                      "dave sent a line and a half, and later a reset.") &&
      expect_that(s.time_of(dave, 2) == Time(700ms), "dave's reset was noticed at another time.") &&
      expect_equal(s.connections(), 1u, "Two are gone, and bob is there; so many are connected:") &&
      expect_equal(s.id(s.guest("erin")), 4u, "A fourth client was admitted.");
}

// Rule: bytes come in pieces that mean nothing; each client has a line of its own in the making.
TEST(LineClients, JoinsTheLinesOfEachClient) {
  explain({.rule = "Keep the unfinished line of each client until its ending comes.",
           .why = "TCP cuts where it likes, most often in the middle of somebody's line.",
           .read = "Your task"});
  const std::string text = "one\r\n\ntwo words\nthree\r\r\nunfinish";
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    Hosting s;
    Peer& alice = s.guest("alice");
    Peer& bob = s.guest("bob");
    alice.at(31ms).sends(text.substr(0, cut)).at(97ms).sends(text.substr(cut));
    bob.at(53ms).sends("nor").at(131ms).sends("th\nsouth\nea");

    s.serve_until(75ms);
    const std::size_t unfinished = s.unfinished(bob);
    s.serve_until(700ms);

    const std::string start = "alice sent " + quoted(text.substr(0, cut), 40) + " and then " +
                              quoted(text.substr(cut), 40) +
                              "; in between bob sent \"nor\", and last \"th\\nsouth\\nea\". ";
    if (!s.expect_events(alice, R"(joined, line "one", line "", line "two words", line "three\r")",
                         start + "Of alice there was to be:") ||
        !s.expect_events(bob, R"(joined, line "north", line "south")",
                         start + "Of bob there was to be:") ||
        !expect_equal(unfinished, 3u, start + "unfinished(bob) after \"nor\" was another:") ||
        !expect_equal(s.unfinished(alice), 8u, start + "unfinished(alice) is another at the end:"))
      return;
  }
}

// Rule: what has no end must not be kept.
TEST(LineClients, RefusesALineThatIsTooLong) {
  explain({.rule =
               "A client whose line is over line_max leaves at once; the lines before it count, "
               "and one of exactly line_max bytes is a line.",
           .why = "Somebody who never sends a newline would otherwise fill your memory.",
           .read = "Your task"});
  const struct {
    std::string text, wanted;
    bool leaves;
  } cases[] = {
      {"12345678\n12345678\r\n", R"(joined, line "12345678", line "12345678")", false},
      {"short\n12345678", R"(joined, line "short")", false},
      {"short\n12345678\r", R"(joined, line "short")", false},
      {"123456789", "joined, left (line too long)", true},
      {"short\n\n123456789", R"(joined, line "short", line "", left (line too long))", true},
      {"short\n123456789\n", R"(joined, line "short", left (line too long))", true},
      {"short\n123456789\r\nlater\n", R"(joined, line "short", left (line too long))", true}};
  for (const auto& [text, wanted, leaves] : cases)
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      Hosting s({.line_max = 8});
      Peer& alice = s.guest("alice");
      Peer& bob = s.guest("bob");
      alice.at(31ms).sends(text.substr(0, cut)).at(53ms).sends(text.substr(cut));
      bob.at(97ms).sends("fine\n");

      s.serve_until(700ms);

      const std::string start = "line_max was 8, and alice sent " +
                                quoted(text.substr(0, cut), 40) + " and then " +
                                quoted(text.substr(cut), 40) + ". ";
      if (!s.expect_events(alice, wanted, start + "Of her there was to be:") ||
          !s.expect_events(bob, R"(joined, line "fine")", start + "bob does not notice.") ||
          !expect_equal(s.connections(), leaves ? 1u : 2u, start + "So many are connected:"))
        return;
      if (text == "123456789" && !expect_closed_at(alice, Time(53ms), start)) return;
    }
}

// Rule: what did not fit waits, in order, and nobody waits for it.
TEST(LineClients, SendsWhatFitsAndTheRestLater) {
  explain({.rule = "Send at once what fits, and the rest, in order, when there is room: neither "
                   "send() nor step() waits for one client.",
           .why = "One client on a slow line would slow down everybody.",
           .read = "At everybody's own speed"});
  Hosting s;
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  bob.window(5).stops_reading().at(347ms).reads(5).at(583ms).reads(2).at(1219ms).resumes_reading();
  alice.at(400ms).sends("meanwhile\n");
  Peer& carol = s.guest("carol");
  s.faults().fail("send", EAGAIN);

  s.send(carol, "first");
  s.send(carol, "second");
  s.send(bob, "hello, world");
  if (!expect_equal(s.now(), Time{}, "bob took 5 bytes of a line, and send() waited.") ||
      !expect_equal(s.unsent(bob), 8u, "bob had room for 5 of 13 bytes; unsent(bob) is another:"))
    return;
  s.serve_until(450ms);
  if (!expect_equal(s.unsent(bob), 3u,
                    "bob had room for 5 more at 0.347 s; unsent(bob) is another:"))
    return;
  s.send(bob, "second");
  s.serve_until(700ms);
  s.send(bob, "");
  s.serve_until(1900ms);

  expect_equal(bob.received(), std::string("hello, world\nsecond\n\n"),
               "bob read slowly, and got this:") &&
      expect_equal(
          carol.received(), std::string("first\nsecond\n"),
          "For carol's first line send said EAGAIN, and there was room when the second was "
          "sent. New bytes go behind what waits. She got this:") &&
      expect_equal(s.unsent(bob), 0u, "All is sent; unsent(bob) is another:") &&
      expect_equal(bob.received_at(7), std::optional<Time>(1219ms),
                   "The rest came at another time.") &&
      expect_that(s.time_of(alice, 1) == Time(400ms),
                  "alice sent a line while something waited for bob, and it came at another time.");
}

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
  bob.window(20).stops_reading().at(583ms).resumes_reading();
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
  s.step(347ms);
  const Time then = s.now();
  s.send(bob, "x");
  s.serve_until(1900ms);

  const std::string after = start + "100 waited, and then one more byte. ";
  s.expect_events(bob, "joined, left (too slow)", after) &&
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
  s.faults().fail("send", ECONNRESET);

  s.serve_until(1900ms);

  s.expect_events(bob, "joined, left (connection lost)",
                  "Of a line for bob 6 bytes waited, and when there was room for them, at 0.347 s, "
                  "send said ECONNRESET. There was to be:") &&
      expect_that(s.time_of(bob, 1) == Time(347ms), "That was noticed at another time.") &&
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
  bob.window(5).stops_reading().at(53ms).finishes_sending().at(700ms).resumes_reading();
  carol.at(97ms).sends(long_line + "\nlast\nunfinish").finishes_sending();
  s.send(bob, "hello, bob");

  s.serve_until(600ms);
  const std::size_t waiting = s.unsent(bob), open = s.connections();
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
      expect_equal(open, 1u,
                   "Only bob's connection is to be open while something waits for him:") &&
      expect_equal(bob.received(), std::string("hello, bob\n"),
                   "bob read on at 0.7 s, and got this:") &&
      expect_closed_at(bob, Time(700ms), "All that waited for him was sent.") &&
      expect_equal(s.connections(), 0u, "All have finished, and nothing waits:");
}

// Rule: a polite end says what was to be said; from then on nobody listens.
TEST(LineClients, DisconnectsPolitely) {
  explain({.rule = "disconnect(): receive nothing more, send what waits, close when nothing does; "
                   "there are no more events of that client.",
           .why = "The last line says why somebody is thrown out, and is the one that matters.",
           .read = "Your task"});
  Hosting s({.unsent_max = 100});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  Peer& carol = s.guest("carol");
  Peer& dave = s.guest("dave");
  for (Peer* who : {&bob, &dave}) who->window(5).stops_reading();
  bob.at(97ms).sends("wait\n").at(347ms).resumes_reading();
  dave.at(97ms).sends("but\n").at(131ms).sends("listen\n").at(583ms).resets();
  carol.at(53ms).sends("ca");
  s.serve_until(60ms);
  Peer& erin = s.guest("erin");
  erin.sends("hello\n");

  for (const Peer* who : {&alice, &bob, &carol, &dave}) {
    s.send(*who, "goodbye");
    s.disconnect(*who);
    s.disconnect(*who);
  }
  s.disconnect(erin);
  if (!expect_that(s.now() == Time(60ms), "disconnect() waited.") ||
      !expect_equal(s.connections(), 2u,
                    "Of five that were disconnected only bob and dave, for whom something waits, "
                    "are still connected:") ||
      !expect_equal(s.unsent(bob), 3u, "bob has room for 5 of 8 bytes; unsent(bob) is another:") ||
      !expect_equal(s.unfinished(carol), 0u, "carol has left; unfinished(carol) is another:"))
    return;
  s.send(bob, "and one more thing");
  s.serve_until(400ms);
  const std::size_t open = s.connections();
  s.serve_until(1900ms);

  expect_closed_at(alice, Time(60ms), "Nothing waits for alice.") &&
      expect_equal(bob.received(), std::string("goodbye\n"),
                   "bob was disconnected, and got this:") &&
      expect_that(!bob.saw_a_reset() && !erin.saw_a_reset(),
                  std::string(bob.saw_a_reset() ? "bob" : "erin") +
                      " had said something that nobody received, and the close was a reset, which "
                      "can destroy the last line. Receive what is there, and throw it away, before "
                      "you close.") &&
      expect_closed_at(bob, Time(347ms), "All that waited for him was sent.") &&
      expect_equal(open, 1u, "Only dave's connection is to be open while he does not read:") &&
      expect_equal(s.connections(), 0u, "dave's connection was reset at 0.583 s:") &&
      s.expect_events(erin, "nothing",
                      "erin was disconnected before the step() that would have had "
                      "her joined event.") &&
      s.expect_events(dave, "joined", "dave was disconnected, and goes on talking.") &&
      s.expect_events(bob, "joined", "bob was disconnected.");
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

// Rule: one wait for all, also for what the clients know nothing of.
TEST(LineClients, WaitsForOthersAsWell) {
  explain({.rule =
               "Wait for `others` too and return those that are readable, without touching them; "
               "return when the deadline has passed, and not earlier.",
           .why = "Whoever owns the clients has a listener as well, and a way to be woken.",
           .read = "Your task"});
  Hosting s;
  Peer& alice = s.guest("alice");
  Peer& stop = s.peer("the other pipe");
  Peer& quiet = s.peer("the silent pipe");
  const std::array others = {quiet.pipe_to_program(), stop.pipe_to_program()};
  const std::vector<int> nobody, second = {others[1]};
  stop.at(347ms).sends("!");
  alice.at(700ms).sends("hello\n");
  for (int i = 0; i < 20; ++i) s.signal_at(i * 13ms + 1ms, SIGWINCH);

  s.step(100ms, others);  // joined
  const std::vector<int> first = s.step(200ms, others);
  if (!expect_that(first.empty() && s.now() == Time(200ms),
                   "Nothing happened but signals, and step() with 0.2 s for it returned at " +
                       shown(s.now()) + "."))
    return;
  const std::vector<int> found = s.step(1s, others);
  if (!expect_equal(found, second,
                    "The second of two other descriptors became readable at 0.347 s, "
                    "and step() returned these:") ||
      !expect_that(s.now() == Time(347ms),
                   "One of `others` became readable at 0.347 s, and step() "
                   "returned at " +
                       shown(s.now()) + "."))
    return;
  s.guest("bob");
  if (!expect_equal(
          s.step(1s, others), second,
          "There was a joined event, and one of `others` is still readable. step() need not "
          "wait, but must look; it returned these:") ||
      !expect_equal(s.step(0ms, others), second,
                    "A deadline that has passed still looks once; step() returned these:"))
    return;
  s.step(600ms);
  if (!expect_that(s.now() == Time(700ms),
                   "alice's line came at 0.7 s, and step() returned at " + shown(s.now()) + "."))
    return;
  const int closed = 60;
  std::error_code code;
  try {
    s.step(1s, std::array{closed});
  } catch (const std::system_error& error) {
    code = error.code();
  }
  expect_that(
      code == std::error_code(EBADF, std::system_category()) ||
          code == std::error_code(EBADF, std::generic_category()),
      "One of `others` was not open, and step() did not throw std::system_error with EBADF.");
}

// Rule: what does not fit into an fd_set must never come near one.
TEST(LineClients, AdmitsWhatFitsIntoASet) {
  explain({.rule = "admit() takes any descriptor below FD_SETSIZE, 1024; any other it closes, and "
                   "throws EINVAL.",
           .why = "FD_SET(1024) writes to memory that is not the set's.",
           .read = "Your task"});
  Hosting s;
  const auto moved = [&](int fd, int number) {
    s.next_descriptor_is(number);
    return s.run([&] {
      const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
      ::close(fd);
      return high;
    });
  };
  Peer& alice = s.peer("alice");
  const auto id = s.admit(moved(alice.connected_and_handed_over(), 1023));
  alice.window(5).stops_reading().at(31ms).sends("hello\n").at(53ms).resumes_reading();
  s.run([&] { s.clients().send(id, "hello, alice"); });
  for (const int number : {1024, 1025, 2000}) {
    Peer& bob = s.peer(format("bob %d", number));
    const int fd = moved(bob.connected_and_handed_over(), number);
    std::string outcome = "returned";
    try {
      (void)s.admit(fd);
    } catch (const std::system_error& error) {
      outcome = error_name(error.code().value());
    }
    const auto open = s.open_descriptors();
    if (!expect_equal(outcome, std::string("EINVAL"),
                      format("admit(%d) was to throw EINVAL.", number)) ||
        !expect_that(
            std::find(open.begin(), open.end(), number) == open.end(),
            format("admit(%d) threw, as it should, and %d is still open.", number, number)))
      return;
  }
  s.serve_until(700ms);

  expect_equal(s.events_of(id), std::string("joined, line \"hello\""),
               "alice has 1023, and sent a line.") &&
      expect_equal(alice.received(), std::string("hello, alice\n"),
                   "alice has 1023, and got this:") &&
      expect_equal(s.connections(), 1u, "Three were refused; so many are connected:");
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

// Rule: nobody is served until nothing is left, for of one who always talks there is always more.
TEST(LineClients, GivesEachClientItsTurn) {
  explain({.rule = "Of one client receive no more than 65536 bytes in a turn.",
           .why = "Somebody who pastes a film must not silence everybody else.",
           .read = "Your task"});
  constexpr std::size_t too_much = 1'000'000;
  Hosting s({.unsent_max = 200'000});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  s.step(0ms);
  alice.talks_until_it_receives("stop!\n", repeated(std::string(1'023, 'a') + "\n", 32), too_much);
  bob.sends("stop!\n");
  const auto before = alice.connection().program_read;
  s.step(1s);
  const auto received = alice.connection().program_read - before;
  if (!expect_that(received <= 65'536,
                   format("alice always has something to say, and in one turn %llu bytes were "
                          "received from her. Then it is somebody else's turn.",
                          static_cast<unsigned long long>(received))))
    return;
  s.answers([&](const course::Event& event) {
    if (event.client == s.id(bob)) s.clients().send(s.id(alice), event.text);
  });
  s.serve_until(700ms);

  s.expect_events(bob, R"(joined, line "stop!")",
                  "alice always had something to say, and bob said "
                  "\"stop!\".");
  expect_that(alice.connection().peer_sent < too_much / 2,
              format("bob said \"stop!\" at once, and it got through to alice after %llu bytes of "
                     "hers.",
                     static_cast<unsigned long long>(alice.connection().peer_sent)));
}

// Rule: whoever has nothing to do does nothing.
TEST(LineClients, SleepsWhileNothingHappens) {
  explain({.rule =
               "While nothing happens, stay in the one wait: no timeouts of your own, no writers "
               "for whom nothing waits, no readers that you do not read.",
           .why = "A chat is silent most of the night, and so should its processor be.",
           .read = "At everybody's own speed"});
  constexpr int lines = 6;
  constexpr std::size_t waits_max = 40;
  Hosting s;
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  Peer& carol = s.guest("carol");
  bob.window(5).stops_reading().at(97ms).finishes_sending();
  carol.window(5).stops_reading();
  for (int i = 0; i < lines; ++i) alice.at(i * 3min + 31ms).sends("still there?\n");
  s.send(bob, "hello, bob");
  s.send(carol, "goodbye");
  s.step(0ms);
  s.disconnect(carol);
  carol.at(131ms).sends("why?\n");

  s.serve_until(26min);

  const std::size_t waits = s.waits().size();
  expect_equal(s.events().size(), std::size_t{3 + lines + 1}, "There were so many events:") &&
      expect_that(
          waits <= waits_max,
          format("alice sent six lines in 26 minutes, and you waited %zu times%s. Let select "
                 "wait until the deadline.",
                 waits, waits < WaitLog::calls_max ? "" : " or more"));
}
