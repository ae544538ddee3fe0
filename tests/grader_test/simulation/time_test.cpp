// Virtual time: it passes only in calls that wait, and exactly as long as they wait.
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "calls.hpp"

using namespace grader_test;

TEST(VirtualTime, StandsStillWhileTheProgramComputes) {
  Scenario scenario;
  scenario.run([&] {
    const Time before = steady_time();
    [[maybe_unused]] volatile int work = 0;
    for (int i = 0; i < 1'000'000; ++i) {
      work = i;
    }
    EXPECT_EQ(steady_time(), before);
  });
  EXPECT_EQ(scenario.took(), 0s);
}

TEST(VirtualTime, PassesInAMomentWhenNothingHappens) {
  Scenario scenario;
  const auto before = std::chrono::steady_clock::now();
  scenario.run([] { EXPECT_EQ(selected({}, 3600s), "0"); });
  EXPECT_EQ(scenario.took(), 3600s);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST(VirtualTime, RecvReturnsAtTheMomentOfArrival) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1337ms).sends("hello");
  scenario.run([&] {
    EXPECT_EQ(received(fd), "hello");
    EXPECT_EQ(steady_time(), 1337ms);
  });
}

TEST(VirtualTime, TimeoutsEndExactly) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}, 60'000'001us), "0");
    EXPECT_EQ(steady_time(), 60'000'001us);
    EXPECT_EQ(polled(fd, POLLIN, 13), "0");
    EXPECT_EQ(steady_time(), 60'013'001us);
    ::usleep(7);
    EXPECT_EQ(steady_time(), 60'013'008us);
  });
}

TEST(VirtualTime, WhatHappensAtTheEndOfATimeoutIsSeenBeforeIt) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(2s).sends("just in time");
  scenario.run([&] { EXPECT_EQ(selected({.read = {fd}}, 2s), "1, read {3}"); });
}

TEST(VirtualTime, WhatHappensJustAfterATimeoutIsNot) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(2'000'001us).sends("too late");
  scenario.run([&] { EXPECT_EQ(selected({.read = {fd}}, 2s), "0"); });
}

TEST(VirtualTime, AllThatHappensInOneInstantIsSeenTogether) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int a = alice.connected();
  const int b = bob.connected();
  bob.at(1700ms).sends("b");
  alice.at(1700ms).sends("a1").sends("a2");
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {a, b}}), "2, read {3 4}");
    EXPECT_EQ(received(a), "a1a2");
  });
}

TEST(VirtualTime, StepsKeepTheirOrderWhenOneIsLate) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("first").receives("go").at(2s).sends("second").after(300ms).sends("third");
  scenario.run([&] {
    EXPECT_EQ(received(fd), "first");
    ::sleep(4);
    EXPECT_EQ(sent(fd, "go"), "2");
    EXPECT_EQ(received(fd), "second");
    EXPECT_EQ(steady_time(), 5s);
    EXPECT_EQ(received(fd), "third");
    EXPECT_EQ(steady_time(), 5300ms);
  });
}

TEST(Clocks, AgreeWithEachOther) {
  Scenario scenario;
  scenario.run([] {
    const auto steady = std::chrono::steady_clock::now();
    const auto system = std::chrono::system_clock::now();
    std::this_thread::sleep_for(1234ms);
    EXPECT_EQ(std::chrono::steady_clock::now() - steady, 1234ms);
    EXPECT_EQ(std::chrono::system_clock::now() - system, 1234ms);
    EXPECT_EQ(steady_time(), 1234ms);
    timeval wall{};
    ::gettimeofday(&wall, nullptr);
    EXPECT_EQ(wall.tv_sec, 1'700'000'001);
    EXPECT_EQ(wall.tv_usec, 234'000);
    EXPECT_EQ(::time(nullptr), 1'700'000'001);
    timespec standard{};
    EXPECT_EQ(::timespec_get(&standard, TIME_UTC), TIME_UTC);
    EXPECT_EQ(standard.tv_nsec, 234'000'000);
  });
}

TEST(Clocks, OnlyTheWallClockJumps) {
  Scenario scenario;
  scenario.wall_clock_jumps_at(1500ms, -1h);
  scenario.run([] {
    const auto steady = std::chrono::steady_clock::now();
    const auto system = std::chrono::system_clock::now();
    std::this_thread::sleep_for(2s);
    EXPECT_EQ(std::chrono::steady_clock::now() - steady, 2s);
    EXPECT_EQ(std::chrono::system_clock::now() - system, 2s - 1h);
  });
}

TEST(Clocks, TimeoutsDoNotFollowTheWallClock) {
  Scenario scenario;
  scenario.wall_clock_jumps_at(1500ms, 1h);
  scenario.run([] { EXPECT_EQ(selected({}, 10s), "0"); });
  EXPECT_EQ(scenario.took(), 10s);
}

TEST(Sleep, TakesItsTime) {
  Scenario scenario;
  scenario.run([] {
    EXPECT_EQ(::sleep(3), 0U);
    EXPECT_EQ(steady_time(), 3s);
    const timespec time{1, 500'000'001};
    EXPECT_EQ(::nanosleep(&time, nullptr), 0);
    EXPECT_EQ(steady_time(), 4'500'000'001ns);
    std::this_thread::sleep_until(std::chrono::steady_clock::now() + 250ms);
    EXPECT_EQ(steady_time(), 4'750'000'001ns);
  });
}

TEST(Sleep, TellsWhatIsLeftAfterASignal) {
  Scenario scenario;
  scenario.signal_at(1200ms, SIGUSR1);
  scenario.signal_at(6200ms, SIGUSR2, Handler::restarting);
  scenario.run([] {
    const timespec time{5, 0};
    timespec left{};
    EXPECT_EQ(outcome(::nanosleep(&time, &left)), "-1 EINTR");
    EXPECT_EQ(left.tv_sec, 3);
    EXPECT_EQ(left.tv_nsec, 800'000'000);
    EXPECT_EQ(::sleep(20), 15U);  // not even SA_RESTART makes it go on
  });
}

TEST(Alarm, InterruptsARecvAtItsTime) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    EXPECT_EQ(::alarm(5), 0U);
    EXPECT_EQ(received(fd), "-1 EINTR");
    EXPECT_EQ(steady_time(), 5s);
  });
}

TEST(Alarm, IsReplacedByTheNextAndCancelledByNone) {
  Scenario scenario;
  scenario.run([] {
    ::signal(SIGALRM, [](int) {});
    EXPECT_EQ(::alarm(5), 0U);
    ::usleep(1'700'000);
    EXPECT_EQ(::alarm(10), 3U);
    EXPECT_EQ(::sleep(30), 20U);
    EXPECT_EQ(steady_time(), 11'700ms);
    ::alarm(5);
    EXPECT_EQ(::alarm(0), 5U);
    EXPECT_EQ(::sleep(30), 0U);
  });
}
