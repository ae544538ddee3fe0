// The graded checks of lesson 16: clients that send lines and are sent lines. Those about how they
// leave are in leaving_test.cpp.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "../15-echo-server/serving.hpp"
#include "16-chat-server/chat_server.hpp"
#include "hosting.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

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
      s.expect_event_at(alice, 1, Time(31ms), "alice's first line came at 0.031 s.") &&
      s.expect_event_at(bob, 1, Time(53ms), "bob's line came at 0.053 s.") &&
      expect_closed_at(alice, Time(583ms), "She has finished, and nothing waits for her.") &&
      s.expect_events(dave, R"(joined, line "one", left (connection lost))",
                      "dave sent a line and a half, and later a reset.") &&
      s.expect_event_at(dave, 2, Time(700ms), "dave's reset came at 0.7 s.") &&
      expect_equal(s.connections(), 1u, "Two are gone, and bob is there; so many are connected:") &&
      expect_equal(s.id(s.guest("erin")), 4u, "A fourth client was admitted.");
  if (has_failed()) return;

  Peer& frank = s.peer("frank");
  const int fd = frank.connected_and_handed_over();
  course::ClientId first = 0;
  std::vector<int> open;
  s.run([&] {
    course::LineClients other;
    first = other.admit(course::Fd(fd));
    other = std::move(s.clients());
    open = s.open_descriptors();
    s.clients() = std::move(other);
  });
  expect_equal(
      first, 1u,
      "A second LineClients was made. Each counts from 1, and to its first client it gave:") &&
      expect_that(std::find(open.begin(), open.end(), fd) == open.end(),
                  "The clients were moved to where frank was connected. Those who take them over "
                  "give up their own at once, and his connection was still open.") &&
      expect_equal(s.connections(), 2u, "bob and erin were moved there and back:");
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

  Hosting s({.line_max = 8});
  Peer& alice = s.guest("alice");
  alice.window(0).at(31ms).sends("123456789").at(583ms).opens_window(65'536);
  s.send(alice, "hello, alice");
  s.step(0ms);
  s.step(1s);
  const std::size_t unsent = s.unsent(alice), open = s.connections();
  s.serve_until(700ms);

  const std::string start =
      "line_max was 8, and alice, for whom 13 bytes waited, sent a line of 9 bytes. She leaves at "
      "once, and what waits is dropped. ";
  s.expect_events(alice, "joined, left (line too long)", start) &&
      expect_equal(unsent, 0u, start + "When step() had told of it, unsent(alice) was another:") &&
      expect_equal(open, 0u, start + "When step() had told of it, so many were connected:") &&
      expect_equal(alice.received(), std::string(), start + "Later she had room, and got this:");
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
      s.expect_event_at(alice, 1, Time(400ms), "alice sent a line while something waited for bob.");
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
  if (!expect_that(s.now() == Time(200ms),
                   "Nothing happened but signals, and step() with 0.2 s for it returned at " +
                       shown(s.now()) + ".") ||
      !expect_equal(first, nobody,
                    "Nothing happened but signals, and the deadline passed. Neither of `others` "
                    "is readable, and step() returned these as readable:"))
    return;
  const std::vector<int> found = s.step(1s, others);
  if (!expect_equal(found, second,
                    "The second of two other descriptors became readable at 0.347 s, "
                    "and step() returned these as readable:") ||
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
  Peer& carol = s.guest("carol");
  std::error_code code;
  try {
    s.step(1s, std::array{closed});
  } catch (const std::system_error& error) {
    code = error.code();
  }
  if (!expect_that(
          code == std::error_code(EBADF, std::system_category()) ||
              code == std::error_code(EBADF, std::generic_category()),
          "One of `others` was not open, and step() did not throw std::system_error with EBADF."))
    return;
  s.step(0ms);
  s.expect_events(carol, "joined",
                  "carol was admitted, and then a step() threw, for one of `others` was not open. "
                  "The next step() was to go on, and to have her event:");
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

// Rule: nobody is served until nothing is left, for of one who always talks there is always more.
TEST(LineClients, GivesEachClientItsTurn) {
  explain({.rule = "Of one client receive no more than 65536 bytes in a turn.",
           .why = "Somebody who pastes a film must not silence everybody else.",
           .read = "Your task"});
  constexpr std::size_t turn_max = 65'536, too_much = 1'000'000;
  Hosting s({.unsent_max = 200'000});
  Peer& alice = s.guest("alice");
  Peer& bob = s.guest("bob");
  holds_much(alice.connection().program_fd);
  alice.window_to_program(2 * turn_max);
  s.step(0ms);
  alice.talks_until_it_receives("stop!\n", repeated(std::string(1'023, 'a') + "\n", 128), too_much);
  bob.sends("stop!\n");
  const auto before = alice.connection().program_read;
  s.step(1s);
  const auto received = alice.connection().program_read - before;
  if (!expect_that(received <= turn_max,
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
  s.step(0ms);
  const std::size_t of_one_turn = s.waits_of_last_run().size();
  expect_equal(s.events().size(), std::size_t{3 + lines + 1}, "There were so many events:") &&
      expect_that(of_one_turn <= 1,
                  format("Nothing was to be done, step() had no time, and asked %zu times. One "
                         "select looks at all sets.",
                         of_one_turn)) &&
      expect_that(
          waits <= waits_max,
          format("alice sent six lines in 26 minutes, and you waited %zu times%s. Let select "
                 "wait until the deadline.",
                 waits, waits < WaitLog::calls_max ? "" : " or more"));
}
