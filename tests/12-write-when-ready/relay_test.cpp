// The graded checks of lesson 12: how a relay carries bytes. Those about its end are in
// ending_test.cpp, those of the queue in write_when_ready_test.cpp.
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "12-write-when-ready/write_when_ready.hpp"
#include "between.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

using namespace grader;

namespace {

// Fails with "START bob got ... instead of ...", and with the advice, when one of the two texts has
// not arrived as it is.
bool expect_texts(const Between& s, const Outcome& outcome, const std::string& for_bob,
                  const std::string& for_alice, const std::string& start,
                  const std::string& advice) {
  const auto expect = [&](const Peer& who, const std::string& wanted) {
    return expect_that(who.received() == wanted,
                       start + who.name() + " " + how_differs(who.received(), wanted) +
                           ", and relay " + outcome.told() + ". " + advice);
  };
  return expect(s.bob, for_bob) && expect(s.alice, for_alice);
}

bool expect_returned(const Outcome& outcome, const std::string& start) {
  return expect_that(outcome.has_returned, start + "both had finished, and relay " +
                                               outcome.told() +
                                               ". This is how all goes well: return.");
}

}  // namespace

// Rule: nobody knows who speaks next; what has come belongs to the other at once.
TEST(Relay, PassesOnBothWaysAsItComes) {
  explain({.rule = "Wait for both sides in one call, and pass on at once what has come, as it is.",
           .why = "People pause, prompts have no newline, and pictures are full of zeros.",
           .read = "Your task"});
  const std::string picture = all_values(300);
  Between s;
  s.alice.at(31ms).sends("name").at(53ms).sends("? ").at(1219ms).sends(picture);
  s.alice.at(2700ms).closes();
  s.bob.at(347ms).sends("ad").at(583ms).sends("a\n").at(2900ms).closes();

  const Outcome outcome = s.relay();

  const struct {
    const char* what;
    Time came;
    const Peer& reader;
    std::size_t index;
  } pieces[] = {{"alice sent \"name\"", 31ms, s.bob, 0},
                {"alice sent \"? \"", 53ms, s.bob, 4},
                {"bob sent \"ad\"", 347ms, s.alice, 0},
                {"bob sent \"a\\n\"", 583ms, s.alice, 2},
                {"alice sent 300 bytes", 1219ms, s.bob, 6}};
  for (const auto& [what, came, reader, index] : pieces)
    if (reader.received_at(index) != came)
      return fail(
          format("%s at %s, and it %s; relay %s at %s. Wait for both, and pass "
                 "on what came before you wait again.",
                 what, shown(came).c_str(), arrival(reader, index).c_str(), outcome.told().c_str(),
                 shown(s.took()).c_str()));
  if (!expect_texts(s, outcome, "name? " + picture, "ada\n", "All came in time, but ",
                    "Pass on every byte as it is, and nothing else.") ||
      !expect_returned(outcome, "At 2.9 s "))
    return;
  expect_that(s.took() == 2900ms, "alice closed at 2.7 s and bob at 2.9 s, and relay returned at " +
                                      shown(s.took()) + ". Return when both have finished.");
}

// Rule: what is received later is sent later, also when there is room just then.
TEST(Relay, KeepsTheOrderBehindWhatWaits) {
  explain({.rule = "While anything waits for a side, new bytes for it go behind that.",
           .why = "A byte that is sent past the queue arrives in the middle of another message.",
           .read = "Keep the rest"});
  const std::string all = "one two three four five six";
  for (const std::size_t room : {1, 5, 6})
    in_both_roles([&](Between& s) {
      s.bob.window(room).stops_reading();
      s.alice.at(31ms).sends("one two ").at(53ms).sends("three ").at(97ms).sends("four ");
      s.bob.at(53ms).reads(room).at(97ms).reads(1).at(347ms).reads(room);
      s.bob.at(583ms).resumes_reading().at(2700ms).closes();
      s.alice.at(347ms).sends("five ").at(583ms).sends("six").at(1219ms).closes();

      const Outcome outcome = s.relay();

      if (expect_texts(
              s, outcome, all, "",
              format("bob had room for %s, made more when alice sent more, and ",
                     byte_count(room).c_str()),
              "When something waits, new bytes go behind it, and the front is sent first."))
        expect_returned(outcome, "At 2.7 s ");
    });
}

// Rule: readiness is a hint, and EAGAIN an answer, for writing as for reading.
TEST(Relay, TakesReadinessForAHint) {
  explain({.rule =
               "When select says ready and the call says EAGAIN, nothing has happened: keep what "
               "waits, and wait again.",
           .why = "Between the answer of select and your call the world goes on.",
           .read = "What you know already"});
  Between s;
  s.spurious_readiness(s.a);
  s.spurious_readiness(s.b);
  s.faults().fail("send", EAGAIN, 3, 1);
  s.alice.at(31ms).sends("hello, ").at(347ms).sends("world").at(2700ms).closes();
  s.bob.at(583ms).sends("goodbye").at(2900ms).closes();

  const Outcome outcome = s.relay();

  if (!expect_texts(s, outcome, "hello, world", "goodbye",
                    "Both sides were called readable when nothing was there, and three sends said "
                    "EAGAIN: ",
                    "EAGAIN is neither an end nor a failure, and takes nothing away.") ||
      !expect_returned(outcome, "At 2.9 s "))
    return;
  expect_that(s.bob.received_at(7) == 347ms,
              "A send said EAGAIN at 0.347 s though there was room, and what waited " +
                  arrival(s.bob, 7) + ". Ask select again: it knows at once.");
}

// Rule: EINTR is no failure, wherever it comes.
TEST(Relay, GoesOnAfterASignal) {
  explain({.rule = "A signal ends neither the wait, nor a receive, nor a send for good.",
           .why = "Whoever makes the window larger sends one (SIGWINCH).",
           .read = "What you know already"});
  for (const char* call : {"", "select", "recv", "send"}) {
    Between s;
    if (*call != '\0')
      for (int i = 0; i < 7; ++i) s.faults().fail(call, EINTR, 1 + i % 3, i % 2);
    for (int i = 0; i < 20; ++i) s.signal_at(100ms + i * 130ms, SIGWINCH);
    s.bob.window(5).stops_reading().at(583ms).sends("bye").at(1219ms).resumes_reading();
    s.alice.at(347ms).sends("hello, ").at(1220ms).sends("world").at(2700ms).closes();
    s.bob.at(2900ms).closes();

    const Outcome outcome = s.relay();

    const std::string start = *call == '\0'
                                  ? std::string("Twenty signals came: ")
                                  : format(
                                        "Twenty signals came, and many a %s was interrupted "
                                        "(EINTR): ",
                                        call == std::string("select") ? "wait"
                                        : call == std::string("recv") ? "receive"
                                                                      : "send");
    if (!expect_texts(s, outcome, "hello, world", "bye", start,
                      "EINTR is neither a failure nor an end: do it again.") ||
        !expect_returned(outcome, start))
      return;
  }
}

// Rule: nfds is one above the highest descriptor of all sets, and 0 is a descriptor like any other.
TEST(Relay, TakesAnyDescriptors) {
  explain({.rule = "a and b may have any numbers below FD_SETSIZE, in any order, 0 and 1023 among "
                   "them.",
           .why = "A server that has been busy for a while hands out high numbers.",
           .read = "Your task"});
  struct Numbers {
    int a, b;
  };
  for (const Numbers& numbers :
       {Numbers{7, 4}, Numbers{0, 4}, Numbers{1023, 0}, Numbers{3, 1023}}) {
    Between s;
    s.a = s.lend_at(s.a, numbers.a);
    s.b = s.lend_at(s.b, numbers.b);
    s.bob.window(5).stops_reading().at(583ms).sends("bye").at(1219ms).resumes_reading();
    s.alice.window(2).stops_reading().at(31ms).sends("hello, world");
    s.alice.at(1583ms).resumes_reading().at(2700ms).closes();
    s.bob.at(2900ms).closes();

    const Outcome outcome = s.relay();

    const std::string start = format("a is %d and b is %d, and ", numbers.a, numbers.b);
    if (!expect_texts(s, outcome, "hello, world", "bye", start,
                      "A descriptor may have any number below FD_SETSIZE.") ||
        !expect_returned(outcome, start))
      return;
  }
}

// Rule: a healthy socket is always writable, so who has nothing to write must not ask.
TEST(Relay, SleepsWhileThereIsNothingToDo) {
  explain({.rule = "Watch a side for writing only while something waits for it; while nobody says "
                   "anything, make no calls.",
           .why = "A relay has thousands of silent hours, and a laptop a battery.",
           .read = "Ask only while something waits"});
  constexpr int messages = 6;
  constexpr std::size_t waits_max = 60;
  Between s;
  for (int i = 0; i < messages; ++i) {
    s.alice.at(i * 3min + 31ms).sends("?");
    s.bob.at(i * 3min + 347ms).sends("!");
  }
  s.alice.at(25h).closes();
  s.bob.at(26h).closes();

  const Outcome outcome = s.relay();

  if (!expect_that(s.took() == 26h, "Nobody had finished, and relay " + outcome.told() + " at " +
                                        shown(s.took()) +
                                        ". Silence is no end: wait without a timeout."))
    return;
  if (!expect_texts(s, outcome, "??????", "!!!!!!", "After long silences ",
                    "Go on where you were."))
    return;
  const std::size_t waits = s.waits().size();
  expect_that(
      waits <= waits_max,
      format("Twelve messages of one byte came in 26 hours, and you waited %zu times%s. Let "
             "select wait without a timeout, and watch for writing only while something "
             "waits: one or two waits for each message.",
             waits, waits < WaitLog::calls_max ? "" : " or more"));
}

// Rule: what nobody takes must not be received, or it waits in your memory.
TEST(Relay, StopsReceivingAtTheHighMark) {
  explain({.rule = "When marks.high bytes wait for one side, receive nothing from the other.",
           .why = "One client that does not read would otherwise eat all the memory there is.",
           .read = "Backpressure"});
  constexpr std::size_t high = 1'000;
  in_both_roles([&](Between& s) {
    s.bob.window(100).stops_reading().at(2700ms).resets();
    s.alice.at(31ms).sends(letters(100)).at(53ms).sends(letters(200'000));
    std::size_t waiting = 0;
    s.looks_at(1219ms, [&] { waiting = Between::waiting(s.alice, s.bob); });

    s.relay({.high = high, .low = 200});

    const std::string start = format(
        "bob took 100 bytes and then no more, alice sent 200000, and the high-water mark was "
        "1000: %zu bytes waited for him in your queue. ",
        waiting);
    if (expect_that(waiting <= high + 65'536,
                    start + "Receive nothing from alice while so much waits: then her sends wait, "
                            "and not your memory."))
      expect_that(waiting >= high, start + "Up to the mark, receiving goes on.");
  });
}

// Rule: between the marks it stays as it is, so that a pause is worth it.
TEST(Relay, GoesOnReceivingAtTheLowMark) {
  explain({.rule = "A pause lasts until no more than marks.low are left, and not longer.",
           .why =
               "With one mark you would stop and go at every byte; with none that ends the pause, "
               "for ever.",
           .read = "Backpressure"});
  const struct {
    Time at;
    std::uint64_t wanted;
    const char* what;
    const char* advice;
  } looks[] = {
      {60ms, 129, "99 bytes waited for bob, fewer than the high-water mark of 100",
       "Up to the mark, receiving goes on"},
      {80ms, 130, "99 bytes waited for bob, fewer than the high-water mark of 100",
       "Up to the mark, receiving goes on"},
      {200ms, 130, "100 bytes waited for bob, as many as the high-water mark",
       "From there on, receive nothing"},
      {400ms, 130, "100 bytes had waited, and bob had left 70, more than the low-water mark of 40",
       "Between the marks a pause goes on"},
      {600ms, 130, "100 bytes had waited, and bob had left 41, more than the low-water mark of 40",
       "Between the marks a pause goes on"},
      {1300ms, 140, "100 bytes had waited, and bob had left 40, no more than the low-water mark",
       "Here the pause ends, and receiving goes on at once"}};
  in_both_roles([&](Between& s) {
    s.bob.window(30).stops_reading();
    s.alice.at(31ms).sends(letters(30)).at(53ms).sends(letters(99)).at(71ms).sends("x");
    s.alice.at(97ms).sends("ten bytes.").at(2700ms).closes();
    s.bob.at(347ms).reads(30).at(583ms).reads(29).at(1219ms).reads(1).at(1583ms).resumes_reading();
    s.bob.at(2900ms).closes();
    std::vector<std::uint64_t> received;
    for (const auto& look : looks)
      s.looks_at(look.at, [&] { received.push_back(Between::received_from(s.alice)); });

    const Outcome outcome = s.relay({.high = 100, .low = 40});

    for (std::size_t i = 0; i < std::size(looks) && i < received.size(); ++i)
      if (received[i] != looks[i].wanted)
        return fail(format("At %s %s, and you had received %s from alice instead of %s. %s.",
                           shown(looks[i].at).c_str(), looks[i].what,
                           byte_count(received[i]).c_str(), std::to_string(looks[i].wanted).c_str(),
                           looks[i].advice));
    expect_texts(s, outcome, letters(30) + letters(99) + "xten bytes.", "", "After the pause ",
                 "Go on until both have finished.");
  });
}

// Rule: who waits for one peer in a send, waits for everybody; two of them wait for each other.
TEST(Relay, NeitherDirectionWaitsForTheOther) {
  explain({.rule = "While bytes wait for one side, go on hearing it and serving the other "
                   "direction.",
           .why =
               "Many a program says all before it listens: it hears you only when you have heard "
               "it.",
           .read = "The deadlock is gone"});
  {
    Between s;
    s.bob.window(100)
        .stops_reading()
        .at(583ms)
        .sends("slowly, please")
        .at(2700ms)
        .resumes_reading();
    s.alice.at(31ms).sends(letters(1'000)).at(2700ms).closes();
    s.bob.at(2900ms).closes();

    s.relay({.high = 500, .low = 200});

    if (!expect_that(
            s.alice.received_at(13) == 583ms,
            "Bytes waited for bob, who did not read but said \"slowly, please\" at 0.583 s, "
            "and it " +
                arrival(s.alice, 13) + ". A side that does not read is still heard."))
      return;
  }
  constexpr std::size_t much = 1'000;
  for (const bool is_alice : {true, false}) {
    Between s;
    Peer& first_talks = is_alice ? s.alice : s.bob;
    Peer& other = is_alice ? s.bob : s.alice;
    for (Peer* who : {&s.alice, &s.bob}) who->window(150).window_to_program(150);
    first_talks.stops_reading().at(31ms).sends(letters(much)).resumes_reading().at(2700ms).closes();
    other.at(31ms).sends(letters(much)).at(2900ms).closes();

    const Outcome outcome = s.relay({.high = 300, .low = 100});

    if (!expect_texts(s, outcome, letters(much), letters(much),
                      format("Both said 1000 bytes, and %s listened only after that: ",
                             first_talks.name().c_str()),
                      "Pass on both ways, each as far as it goes.") ||
        !expect_returned(outcome, "Both said 1000 bytes, "))
      return;
  }
}

// Rule: several descriptors can be ready after one wait; each of them is served (select_tut(2)).
TEST(Relay, ServesBothInEveryTurn) {
  explain({.rule =
               "Of a side that always has something receive no more than 65536 bytes before the "
               "other gets its turn.",
           .why = "\"Stop!\" must get through just when somebody does not stop.",
           .read = "Your task"});
  constexpr std::size_t too_much = 200'000;
  for (const bool is_alice : {true, false}) {
    Between s;
    Peer& talker = is_alice ? s.alice : s.bob;
    Peer& other = is_alice ? s.bob : s.alice;
    talker.at(31ms).talks_until_it_receives("stop!", letters(100), 2 * too_much).closes();
    other.at(31ms).sends("stop!").at(2700ms).closes();

    s.relay();

    if (!expect_that(other.received().size() < too_much,
                     format("%s had always something to say, and %s said \"stop!\" at once. It got "
                            "through after %zu bytes of the other. Take a piece of each, and ask "
                            "again.",
                            talker.name().c_str(), other.name().c_str(), other.received().size())))
      return;
  }
}
