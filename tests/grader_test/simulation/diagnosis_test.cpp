// What the waiting calls tell about a mistake, and that a right program is never accused.
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <functional>
#include <limits>

#include "calls.hpp"

using namespace grader_test;
using grader::Asked;
using grader::diagnose;

namespace {

// Two silent peers, whose connections are 3 and 4, and what diagnose() says of a program.
struct World {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  int a = alice.connected();
  int b = bob.connected();

  std::string told(const Asked& asked, const std::function<void()>& program) {
    scenario.run(program);
    return diagnose(scenario.waits_of_last_run(), asked);
  }
};

// One select of {3} for reading with this very timeval.
std::string told_of_select(std::optional<Time> asked, timeval time) {
  World world;
  return world.told({.reading = {3}, .time = {.timeout = asked}},
                    [&] { (void)selected({.read = {3}}, 4, &time); });
}

std::string told_of_poll(std::optional<Time> asked, int timeout_ms) {
  World world;
  return world.told({.reading = {3}, .time = {.timeout = asked}},
                    [&] { (void)polled(3, POLLIN, timeout_ms); });
}

std::string told_of_nfds(const Asked& asked, int nfds) {
  World world;
  return world.told(asked, [&] {
    timeval zero{};
    (void)selected({asked.reading, asked.writing, asked.exceptional}, nfds, &zero);
  });
}

}  // namespace

// ---- which descriptors

TEST(Diagnosis, NfdsIsTheHighest) {
  EXPECT_EQ(told_of_nfds({.reading = {3, 4}, .time = {.timeout = 0s}}, 4),
            "You passed nfds 4, so select looked at 0 to 3 and not at 4. Pass the highest "
            "descriptor of all three lists plus one: 5.");
}

TEST(Diagnosis, NfdsIsTheNumberOfDescriptors) {
  EXPECT_EQ(told_of_nfds({.reading = {3, 4}, .time = {.timeout = 0s}}, 2),
            "You passed nfds 2, the number of descriptors, so select looked at 0 to 1 and not at "
            "3. Pass the highest descriptor of all three lists plus one: 5.");
  EXPECT_EQ(told_of_nfds({.reading = {4}, .time = {.timeout = 0s}}, 1),
            "You passed nfds 1, the number of descriptors, so select looked at 0 and not at 4. "
            "Pass the descriptor plus one: 5.");
}

TEST(Diagnosis, NfdsCoversOneList) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .writing = {6}, .time = {.timeout = 0s}},
                       [&] {
                         EXPECT_EQ(::dup2(4, 6), 6);
                         timeval zero{};
                         (void)selected({.read = {3}, .write = {6}}, 4, &zero);
                         ::close(6);
                       }),
            "You passed nfds 4, which covers your read list only, so select looked at 0 to 3 and "
            "not at 6. Pass the highest descriptor of all three lists plus one: 7.");
}

TEST(Diagnosis, NfdsIsNothingOrLess) {
  EXPECT_EQ(told_of_nfds({.reading = {3}, .time = {.timeout = 0s}}, 0),
            "You passed nfds 0, so select looked at no descriptor at all. Pass the descriptor plus "
            "one: 4.");
  EXPECT_EQ(told_of_nfds({.reading = {3}, .time = {.timeout = 0s}}, -1),
            "You passed nfds -1, which select refuses with EINVAL. nfds is the highest descriptor "
            "plus one, or 0.");
}

TEST(Diagnosis, SetsAreNotFilledAgain) {
  World world;
  world.alice.at(1s).sends("x");
  const std::string text =
      "select leaves only what is ready in its sets. You called it again with "
      "the sets as it had left them, so it no longer looked at 4. Fill them "
      "before every call.";
  EXPECT_EQ(world.told({.reading = {3, 4}},
                       [&] {
                         fd_set set;
                         FD_ZERO(&set);
                         FD_SET(3, &set);
                         FD_SET(4, &set);
                         for (int i = 0; i < 2; ++i) {
                           timeval time{5, 0};
                           (void)::select(5, &set, nullptr, nullptr, &time);
                         }
                       }),
            text);
}

TEST(Diagnosis, SetsHoldLeftoverBits) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 0s}},
                       [] {
                         (void)selected({.read = {3, 17}}, 0us);
                       }),
            "Your sets also held 17, which nobody asked you about and which is not open, so select "
            "said EBADF. Start every set with FD_ZERO.");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 0s}},
                       [] {
                         (void)selected({.read = {3, 4}}, 0us);
                       }),
            "You watched 4 for reading, which nobody asked you about. Start every set with "
            "FD_ZERO.");
}

TEST(Diagnosis, PollHasEntriesThatNobodyFilledIn) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}},
                       [] {
                         pollfd entries[] = {{3, POLLIN, 0}, {17, POLLIN, 0}};
                         (void)::poll(entries, 2, -1);
                       }),
            "You also asked poll about 17, which nobody asked you about and which is not open. "
            "Give it only the entries that you have filled in.");
}

TEST(Diagnosis, ListsAreSwapped) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .writing = {4}, .time = {.timeout = 0s}},
                       [] { (void)selected({.read = {4}, .write = {3}}, 0us); }),
            "You were asked about 3 for reading, and you watched it for writing.");
  EXPECT_EQ(
      world.told({.reading = {3}, .time = {.timeout = 0s}}, [] { (void)polled(3, POLLPRI, 0); }),
      "You were asked about 3 for reading, and you watched it for exceptional conditions.");
}

TEST(Diagnosis, OneIsNeverWatched) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .writing = {3}, .time = {.timeout = 0s}},
                       [] { (void)selected({.read = {3}}, 0us); }),
            "You were asked about 3 for writing, and you never watched it for that.");
}

TEST(Diagnosis, OneIsWatchedThoughNobodyAsked) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}}, [] { (void)selected({.read = {3}, .write = {3}}); }),
            "You watched 3 for writing, which nobody asked you about, and it ended the wait.");
}

TEST(Diagnosis, AClosedDescriptorIsKept) {
  World world;
  EXPECT_EQ(world.told({.reading = {3, 40}},
                       [] {
                         for (int i = 0; i < 3; ++i) (void)selected({.read = {3, 40}}, 1s);
                       }),
            "You watched descriptor 40, which is not open, again and again: select says EBADF "
            "until you take it out of the list.");
  EXPECT_EQ(
      world.told({.reading = {40}},
                 [] {
                   for (int i = 0; i < 3; ++i) (void)polled(40, POLLIN, -1);
                 }),
      "You watched descriptor 40, which is not open, again and again: poll says POLLNVAL each "
      "time.");
}

// ---- how long

TEST(Diagnosis, TheWholeTimeAgainAfterASignal) {
  World world;
  world.scenario.signal_at(300ms, SIGUSR1);
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         while (selected({.read = {3}}, 1s) == "-1 EINTR") {
                         }
                       }),
            "After the interruption at 0.3 s you gave select the whole 1 s again. Wait for what is "
            "left: 700 ms.");
}

TEST(Diagnosis, TheWholeTimeAgainForEveryPiece) {
  World world;
  world.alice.at(600ms).sends("x");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         while (polled(3, POLLIN, 1000) != "0") (void)received(3);
                       }),
            "At 0.6 s you gave poll the whole 1 s again, and only 400 ms of the time asked was "
            "left. Keep one deadline for all your waits.");
}

TEST(Diagnosis, TheTimevalIsReused) {
  World world;
  const std::string text = world.told({.reading = {3}, .time = {.timeout = 4s}}, [] {
    timeval time{1, 0};
    for (int i = 0; i < 5; ++i) (void)selected({.read = {3}}, 4, &time);
  });
  EXPECT_EQ(text,
            "select counts its timeval down: after the call before it held 0 s, and you passed it "
            "again as it was. Set it before every call.");
}

TEST(Diagnosis, RoundedToZero) {
  EXPECT_EQ(told_of_select(400ns, {0, 0}),
            "400 nanoseconds were asked, and you gave select 0: it only looked. Round up, never to "
            "zero.");
  EXPECT_EQ(told_of_poll(300us, 0),
            "300 microseconds were asked, and you gave poll 0: it only looked. It counts "
            "milliseconds. Round up, never to zero.");
}

TEST(Diagnosis, RoundedToZeroAtTheEnd) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1'000'300us}},
                       [] {
                         (void)polled(3, POLLIN, 1000);
                         for (int i = 0; i < 5; ++i) (void)polled(3, POLLIN, 0);
                       }),
            "300 microseconds were left, and you gave poll 0: it only looked. It counts "
            "milliseconds. Round up, never to zero.");
}

TEST(Diagnosis, TheUnitIsWrong) {
  EXPECT_EQ(told_of_select(1500ms, {0, 1500}),
            "You gave select 1500 microseconds where 1.5 s was asked: a thousand times too short. "
            "Mind the units: a timeval holds seconds and microseconds.");
  EXPECT_EQ(told_of_select(1500ms, {1500, 0}),
            "You gave select 1500 s where 1.5 s was asked: a thousand times too long. Mind the "
            "units: a timeval holds seconds and microseconds.");
  EXPECT_EQ(told_of_poll(1500ms, 1),
            "You gave poll 1 ms where 1.5 s was asked: a thousand times too short. Mind the unit: "
            "poll counts milliseconds.");
  EXPECT_EQ(told_of_poll(1500ms, 1'500'000),
            "You gave poll 1500 s where 1.5 s was asked: a thousand times too long. Mind the unit: "
            "poll counts milliseconds.");
  EXPECT_EQ(told_of_select(1001ns, {0, 1}),
            "You gave select 1 microsecond where 1001 nanoseconds were asked: that ends too early. "
            "Round up.");
  EXPECT_EQ(
      told_of_select(1219ms, {1, 219}),
      "You gave select 1.000219 s where 1.219 s was asked: the fraction is too short. tv_usec "
      "counts microseconds.");
  EXPECT_EQ(told_of_poll(47ms, 1), "You gave poll 1 ms where 47 ms was asked: that is too short.");
}

TEST(Diagnosis, PartOfTheTimeIsLost) {
  EXPECT_EQ(told_of_select(1500ms, {1, 0}),
            "You gave select 1 s where 1.5 s was asked: the fraction of a second is lost.");
  EXPECT_EQ(told_of_select(1500ms, {0, 500'000}),
            "You gave select 500 ms where 1.5 s was asked: the whole seconds are lost.");
  EXPECT_EQ(told_of_select(500ms, {0, 0}),
            "500 ms was asked, and you gave select 0: it only looked. The fraction of a second is "
            "lost.");
  EXPECT_EQ(told_of_poll(1'500'400us, 1500),
            "You gave poll 1.5 s where 1.5004 s was asked: that ends too early. Round up.");
  EXPECT_EQ(told_of_select(1500ms, {1, 200'000}),
            "You gave select 1.2 s where 1.5 s was asked: that is too short.");
  EXPECT_EQ(told_of_select(1500ms, {5, 0}), "You gave select 5 s where 1.5 s was asked.");
}

TEST(Diagnosis, TheTimeIsOutOfRange) {
  EXPECT_EQ(told_of_select(0s, {0, -200'000}),
            "You gave select timeval{0, -200000}, a negative time, which it refuses with EINVAL. "
            "When the time is over, none is left: that is 0.");
  EXPECT_EQ(told_of_select(1500ms, {0, 1'500'000}),
            "tv_usec was 1500000. It must stay below 1000000: Linux takes it, others say EINVAL. "
            "Carry whole seconds into tv_sec.");
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1500ms}},
                       [] {
                         const timespec time{0, 1'500'000'000};
                         (void)pselected({.read = {3}}, &time, nullptr);
                       }),
            "tv_nsec was 1500000000, so pselect said EINVAL. It must stay below 1000000000: carry "
            "whole seconds into tv_sec.");
}

TEST(Diagnosis, ATimeoutWhereNoneBelongs) {
  EXPECT_EQ(told_of_select({}, {0, 0}),
            "No timeout was asked: that means to wait for ever. You gave select 0 s, which only "
            "looks.");
  EXPECT_EQ(told_of_poll({}, 5000),
            "No timeout was asked: that means to wait for ever. You gave poll 5 s, and gave up "
            "after that.");
}

TEST(Diagnosis, NoTimeoutWhereOneBelongs) {
  World world;
  world.alice.at(9s).sends("x");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1500ms}},
                       [] { (void)selected({.read = {3}}); }),
            "1.5 s was asked, and you gave select no timeout: it waits for ever.");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1500ms}},
                       [] { (void)polled(3, POLLIN, -1500); }),
            "1.5 s was asked, and you gave poll -1500, a number below 0: it waits for ever.");
}

TEST(Diagnosis, NoTimeoutWhereALongOneBelongs) {
  World world;
  world.alice.at(37 * 24h).sends("x");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 31 * 24h}},
                       [] { (void)selected({.read = {3}}); }),
            "2678400 s (31 days) was asked, and you gave select no timeout: it waits for ever.");
  EXPECT_EQ(
      world.told({.reading = {3}, .time = {.timeout = 31 * 24h}},
                 [] { (void)polled(3, POLLIN, static_cast<int>(31LL * 24 * 3'600'000)); }),
      "2678400 s (31 days) was asked, and you gave poll -1616567296, a number below 0: it waits "
      "for ever. An int of milliseconds ends after 24.8 days: what is longer takes several "
      "waits.");
}

TEST(Diagnosis, ALongTimeIsCutShort) {
  EXPECT_EQ(told_of_poll(31 * 24h, INT_MAX),
            "You gave poll 2147483.647 s (24.8 days) where 2678400 s (31 days) was asked: that is "
            "all that an int of milliseconds holds. Wait again, until the time is over.");
  EXPECT_EQ(told_of_select(365 * 24h, {24 * 3600, 0}),
            "You gave select 86400 s where 31536000 s (365 days) was asked: that is too short. "
            "Wait again for what is left.");
  EXPECT_EQ(told_of_select(31 * 24h, {365 * 24 * 3600, 0}),
            "You gave select 31536000 s (365 days) where 2678400 s (31 days) was asked.");
  EXPECT_EQ(told_of_select({}, {31 * 24 * 3600, 0}),
            "No timeout was asked: that means to wait for ever. You gave select 2678400 s (31 "
            "days), and gave up after that.");
}

TEST(Diagnosis, ALongTimeOverflowsAnInt) {
  EXPECT_EQ(told_of_poll(365 * 24h, 1'471'228'928),
            "You gave poll 1471228.928 s (17 days) where 31536000 s (365 days) was asked: so many "
            "milliseconds do not fit an int, which ends after 24.8 days.");
  EXPECT_EQ(told_of_poll(60 * 24h + 300us, 889'032'705),
            "You gave poll 889032.705 s (10.2 days) where 5184000.0003 s (60 days) was asked: so "
            "many milliseconds do not fit an int, which ends after 24.8 days.");
  EXPECT_EQ(told_of_select(2h, {2905, 32'704}),
            "You gave select 2905.032704 s where 7200 s was asked: so many microseconds do not fit "
            "an int, which ends after 36 minutes.");
  EXPECT_EQ(told_of_select(31 * 24h, {-1500, 0}),
            "You gave select timeval{-1500, 0}, a negative time, which it refuses with EINVAL. "
            "2678400 s (31 days) was asked. Has a number overflowed?");
}

TEST(Diagnosis, TheLongestTimeOverflows) {
  EXPECT_EQ(told_of_select(Time::max(), {0, 0}),
            "You gave select 0 s, which only looks, where 292 years were asked. So long a time "
            "overflows when it is added to the present time or put into an int: take what is too "
            "long for never.");
  EXPECT_EQ(told_of_select(Time::max(), {-9000, 0}),
            "You gave select timeval{-9000, 0}, a negative time, which it refuses with EINVAL, "
            "where 292 years were asked. So long a time overflows when it is added to the present "
            "time or put into an int: take what is too long for never.");
  EXPECT_EQ(told_of_poll(Time::max(), INT_MAX),
            "You gave poll 2147483.647 s (24.8 days), and gave up after that, where 292 years were "
            "asked. So long a time overflows when it is added to the present time or put into an "
            "int: take what is too long for never.");
}

TEST(Diagnosis, LooksAgainAndAgain) {
  World world;
  const auto look = [] {
    for (int i = 0; i < 10; ++i) (void)selected({.read = {3}}, 0us);
  };
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}}, look),
            "You gave select 0 s, again and again: it only looks, and your program keeps a "
            "processor busy. Give it the time that is left.");
  EXPECT_EQ(world.told({.reading = {3}}, look),
            "You gave select 0 s, again and again: it only looks, and your program keeps a "
            "processor busy. Give it no timeout.");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         for (int i = 0; i < 10; ++i) {
                           (void)selected({.read = {3}}, 0us);
                           ::usleep(100'000);
                         }
                       }),
            "You gave select 0 s, again and again: it only looks. Give it the time that is left.");
}

TEST(Diagnosis, ManyShortWaits) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         for (int i = 0; i < 10; ++i) (void)selected({.read = {3}}, 100ms);
                       }),
            "You waited for 100 ms, again and again, where one wait for all the time that is left "
            "would do. Each wakes the program for nothing.");
}

// ---- right programs

TEST(NoDiagnosis, OfOneWaitThatIsRight) {
  World world;
  const Asked asked{.reading = {4, 3, 3}, .writing = {}, .time = {.timeout = 1'500'400ns}};
  EXPECT_EQ(world.told(asked, [] { (void)selected({.read = {3, 4}}, 1501us); }), "");
  EXPECT_EQ(world.told(asked,
                       [] {
                         const timespec time{0, 1'500'400};
                         (void)pselected({.read = {3, 4}}, &time, nullptr);
                       }),
            "");
  EXPECT_EQ(world.told(asked,
                       [] {
                         pollfd entries[] = {{4, POLLIN, 0}, {3, POLLIN, 0}, {3, POLLIN, 0}};
                         (void)::poll(entries, 3, 2);
                       }),
            "");
}

TEST(NoDiagnosis, OfALookBeforeTheWait) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         (void)polled(3, POLLIN, 0);
                         (void)polled(3, POLLIN, 1000);
                         (void)polled(3, POLLIN, 0);
                       }),
            "");
}

TEST(NoDiagnosis, OfWaitsThatAreInterrupted) {
  World world;
  for (int i = 1; i < 10; ++i) world.scenario.signal_at(i * 100ms + 123us, SIGUSR1);
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         const Time until = steady_time() + 1s;
                         std::string result = "-1 EINTR";
                         while (result == "-1 EINTR") {
                           const auto left = (until - steady_time() + 999'999ns) / 1ms;
                           result = polled(3, POLLIN, static_cast<int>(left));
                         }
                       }),
            "");
}

TEST(NoDiagnosis, OfALinuxTimevalThatCountsDown) {
  World world;
  for (int i = 1; i < 10; ++i) world.scenario.signal_at(i * 100ms + 123us, SIGUSR1);
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         timeval time{1, 0};
                         while (selected({.read = {3}}, 4, &time) == "-1 EINTR") {
                         }
                       }),
            "");
}

TEST(NoDiagnosis, OfOneDeadlineForManyPieces) {
  World world;
  for (int i = 1; i < 8; ++i) world.alice.at(i * 100ms).sends("x");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s, .idle = 200ms}},
                       [] {
                         const Time until = steady_time() + 1s;
                         for (;;) {
                           const Time left = std::min<Time>(200ms, until - steady_time());
                           const timespec time{0, left.count()};
                           if (pselected({.read = {3}}, &time, nullptr) == "0") return;
                           (void)received(3, 1);
                         }
                       }),
            "");
}

TEST(NoDiagnosis, OfWaitsForEver) {
  World world;
  world.alice.at(50h).sends("x");
  EXPECT_EQ(world.told({.reading = {3}}, [] { (void)selected({.read = {3}}); }), "");
  EXPECT_EQ(world.told({.reading = {3}}, [] { (void)polled(3, POLLIN, INT_MAX); }), "");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = Time::max()}},
                       [] {
                         timeval time{std::numeric_limits<time_t>::max(), 0};
                         (void)selected({.read = {3}}, 4, &time);
                         (void)polled(3, POLLIN, -1);
                       }),
            "");
}

// No call takes any time there is; FreeBSD's select, say, takes no more than 100,000,000 s.
TEST(NoDiagnosis, OfALongWaitInPieces) {
  const auto in_pieces = [](Time time, Time piece_max) {
    const Time until = grader::sum(steady_time(), time);
    std::string result = "0";
    for (Time left = time; result == "0" && left > 0s; left = until - steady_time()) {
      const Time piece = std::min(left, piece_max);
      timeval timeout{piece / 1s, piece % 1s / 1us};
      result = selected({.read = {3}}, 4, &timeout);
    }
  };
  for (const Time piece : {Time(10min), Time(1h), 24 * Time(1h), Time(INT_MAX * 1ms)}) {
    World world;
    world.alice.at(91 * 24h).sends("x");
    for (const Time time : {37 * Time(24h), 365 * Time(24h), Time::max()})
      EXPECT_EQ(
          world.told({.reading = {3}, .time = {.timeout = time}}, [&] { in_pieces(time, piece); }),
          "");
    EXPECT_EQ(world.told({.reading = {3}}, [&] { in_pieces(Time::max(), piece); }), "");
  }
  World world;
  world.alice.at(7 * 365 * 24h).sends("x");
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = Time::max()}},
                       [&] { in_pieces(Time::max(), 100'000'000s); }),
            "");
}

TEST(NoDiagnosis, OfBitsBeyondNfds) {
  World world;
  EXPECT_EQ(world.told({.reading = {3}, .time = {.timeout = 1s}},
                       [] {
                         timeval time{1, 0};
                         (void)selected({.read = {3, 4, 60, 100, 1000}}, 4, &time);
                       }),
            "");
}

TEST(NoDiagnosis, OfASearchForTheBadDescriptor) {
  World world;
  EXPECT_EQ(world.told({.reading = {3, 40, 4}, .time = {.timeout = 1s}},
                       [] {
                         (void)selected({.read = {3, 40, 4}}, 1s);
                         for (const int fd : {3, 40, 4}) (void)selected({.read = {fd}}, 0us);
                       }),
            "");
}

TEST(NoDiagnosis, OfProbesAndSecondLooks) {
  World world;
  world.alice.at(500ms).sends("x");
  const auto program = [] {
    for (const int fd : {3, 4, 3, 4}) (void)polled(fd, 0, 0);
    (void)selected({.read = {3, 4}}, 1s);
    for (const int fd : {3, 4}) (void)polled(fd, POLLIN, 0);
  };
  EXPECT_EQ(world.told({.reading = {3, 4}, .time = {.timeout = 1s}}, program), "");
  EXPECT_EQ(world.told({.reading = {3, 4}}, program), "");
}

TEST(NoDiagnosis, OfNoWaits) {
  World world;
  EXPECT_EQ(world.told({.reading = {-1, 1024}, .time = {.timeout = 1s}}, [] {}), "");
}
