// The call itself: when it returns, what it leaves in the sets and in the timeout.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "fact.hpp"

using namespace facts;

namespace {

// What is left of 5 s after 1.3 s; late by at most the slack of real time.
void expect_what_is_left(Time left) {
  EXPECT_LE(left, 3700ms);
  EXPECT_GT(left, 3700ms - 100ms);
}

Time time_in(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

TEST(Call, WaitsForEverWithoutATimeout) {
  fact("Fact 1: without a timeout select waits until something is ready");
  Scenario scenario;
  Peer& alice = scenario.peer("alice").at(1300ms).sends("x");
  const int fd = alice.connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 1300ms);
  });
}

TEST(Call, OnlyLooksWhenTheTimeoutIsZero) {
  fact("Fact 1: with a timeout of zero select looks, and returns at once");
  Scenario scenario;
  const int alice = scenario.peer("alice").connected();
  const int bob = scenario.peer("bob").sends("x").connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {alice}}, 0s), "0");
    EXPECT_EQ(selected({.read = {alice, bob}}, 0s), "1, read {4}");
    EXPECT_EQ(polled(alice, POLLIN, 0), "0");
    EXPECT_EQ(steady_time(), 0s);
  });
}

TEST(Call, SleepsWithoutSets) {
  fact("Fact 1: three empty sets and a timeout are a sleep");
  Scenario scenario;
  scenario.run([&] {
    EXPECT_EQ(selected({}, 731ms), "0");
    EXPECT_EQ(steady_time(), 731ms);
  });
}

TEST(Call, NeverReturnsEarly) {
  fact("Fact 15: select waits its whole timeout, here 1 s, and never less");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}, 1s), "0");
    EXPECT_EQ(steady_time(), 1s);
  });
  EXPECT_EQ(scenario.took(), 1s);
}

TEST(Call, EmptiesTheSetsWhenNothingIsReady) {
  fact("Fact 2: when nothing is ready, the sets are empty");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] { EXPECT_EQ(selected({.read = {fd}, .except = {fd}}, 31ms), "0"); });
}

TEST(Call, LeavesTheReadyOnesInTheSets) {
  fact("Fact 2: on success the sets hold those that are ready, and no other");
  Scenario scenario;
  const int alice = scenario.peer("alice").connected();
  const int bob = scenario.peer("bob").at(31ms).sends("x").connected();
  const int carol = scenario.peer("carol").connected();
  scenario.run([&] { EXPECT_EQ(selected({.read = {alice, bob, carol}}), "1, read {4}"); });
}

TEST(Call, LeavesTheSetsAloneOnAnError) {
  fact("Facts 2 and 16: after EBADF and EINTR every bit is still set");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(fd, &read);
    EXPECT_EQ(outcome(::select(fd + 1, &read, nullptr, nullptr, nullptr)), "-1 EINTR");
    EXPECT_TRUE(FD_ISSET(fd, &read));
    FD_SET(40, &read);
    EXPECT_EQ(outcome(::select(41, &read, nullptr, nullptr, nullptr)), "-1 EBADF");
    EXPECT_TRUE(FD_ISSET(fd, &read));
    EXPECT_TRUE(FD_ISSET(40, &read));
  });
}

TEST(Call, CountsBits) {
  fact("Fact 3: a descriptor that is ready in two sets counts two");
  Scenario scenario;
  const int fd = scenario.peer("alice").sends("x").connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
  });
}

TEST(Call, LooksBelowNfdsOnly) {
  fact(
      "Fact 4: what is ready at nfds is ignored, and its bit cleared; later words stay as they "
      "are");
  Scenario scenario;
  const int alice = scenario.peer("alice").connected();
  const int bob = scenario.peer("bob").sends("x").connected();
  const int far = scenario.lend_at(scenario.peer("carol").sends("x").connected(), 70);
  scenario.run([&] {
    timeval time{0, 31'000};
    EXPECT_EQ(selected({.read = {alice, bob}}, bob, &time), "0");
    time = {0, 31'000};
    EXPECT_EQ(selected({.read = {alice, bob, far}}, bob, &time), "0, read {70}");
  });
}

TEST(Call, LeavesTheTimeThatRemains) {
  fact("Fact 5: Linux writes the time that is left into the timeval, on EINTR too");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(1300ms).sends("x").connected();
  scenario.run([&] {
    timeval time{5, 0};
    EXPECT_EQ(selected({.read = {fd}}, fd + 1, &time), "1, read {3}");
    expect_what_is_left(time_in(time));
  });
  scenario.signal_at(2600ms, SIGUSR1);
  scenario.run([&] {
    timeval time{5, 0};
    EXPECT_EQ(selected({}, 0, &time), "-1 EINTR");
    expect_what_is_left(time_in(time));
  });
}

TEST(Call, LeavesPselectsTimeoutAlone) {
  fact("Fact 5: pselect does not touch its timespec");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends("x").connected();
  scenario.run([&] {
    const timespec time{5, 7};
    EXPECT_EQ(pselected({.read = {fd}}, &time, nullptr), "1, read {3}");
    EXPECT_EQ(time.tv_sec, 5);
    EXPECT_EQ(time.tv_nsec, 7);
  });
}

TEST(Call, SaysEbadfOfAClosedDescriptor) {
  fact("Fact 8: a descriptor that is not open makes select fail with EBADF");
  Scenario scenario;
  const int fd = scenario.peer("alice").sends("x").connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd, 40}}, 1s), "-1 EBADF");
    EXPECT_EQ(selected({.write = {fd, 40}}, 1s), "-1 EBADF");
    EXPECT_EQ(polled(40, POLLIN, 1000), "1, nval");
    EXPECT_EQ(steady_time(), 0s);
  });
}

TEST(Call, RefusesNegativeNumbers) {
  fact("Fact 10: select says EINVAL of a negative nfds, tv_sec or tv_usec");
  Scenario scenario;
  scenario.run([&] {
    timeval second{1, 0}, before{-1, 0}, a_little_before{0, -1};
    EXPECT_EQ(outcome(::select(-1, nullptr, nullptr, nullptr, &second)), "-1 EINVAL");
    EXPECT_EQ(selected({}, 0, &before), "-1 EINVAL");
    EXPECT_EQ(selected({}, 0, &a_little_before), "-1 EINVAL");
    EXPECT_EQ(steady_time(), 0s);
  });
}

TEST(Call, TakesMoreThanAMillionMicroseconds) {
  fact("Fact 11: Linux takes a tv_usec of 1,500,000; pselect refuses a tv_nsec of a second");
  Scenario scenario;
  scenario.run([&] {
    timeval time{0, 1'500'000};
    EXPECT_EQ(selected({}, 0, &time), "0");
    EXPECT_EQ(steady_time(), 1500ms);
    const timespec second{0, 1'000'000'000};
    EXPECT_EQ(pselected({}, &second, nullptr), "-1 EINVAL");
  });
}

TEST(Call, WaitsWhateverTheSocketsModeAndTimeoutAre) {
  fact("Fact 14: neither O_NONBLOCK nor SO_RCVTIMEO changes how long select waits");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(731ms).sends("x").connected();
  scenario.run([&] {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_timeout(fd, SO_RCVTIMEO, 120ms);
    EXPECT_EQ(selected({.read = {fd}}, 331ms), "0");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 731ms);
  });
}
