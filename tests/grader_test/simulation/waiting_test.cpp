// select, pselect, poll and ppoll. The facts are those of tests/facts/call_test.cpp.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

TEST(Select, ReturnsTheSubsetThatIsReady) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int a = alice.connected();
  const int b = bob.connected();
  bob.at(1100ms).sends("x");
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {a, b}}), "1, read {4}");
    EXPECT_EQ(steady_time(), 1100ms);
  });
}

TEST(Select, CountsBitsAndNotDescriptors) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("x");
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
  });
}

TEST(Select, ClearsTheSetsWhenTheTimeIsOver) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] { EXPECT_EQ(selected({.read = {fd}, .except = {fd}}, 1s), "0"); });
}

TEST(Select, IgnoresDescriptorsAtAndAboveNfds) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int a = alice.connected();
  const int b = bob.connected();
  bob.sends("x");
  scenario.run([&] {
    timeval second{1, 0};
    EXPECT_EQ(selected({.read = {a, b}}, b, &second), "0");
  });
}

TEST(Select, LeavesTheTimeThatRemains) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1300ms).sends("x");
  scenario.run([&] {
    timeval time{5, 0};
    EXPECT_EQ(selected({.read = {fd}}, fd + 1, &time), "1, read {3}");
    EXPECT_EQ(time.tv_sec, 3);
    EXPECT_EQ(time.tv_usec, 700'000);
  });
}

TEST(Select, LeavesTheTimeAloneOnOtherSystems) {
  Scenario scenario;
  scenario.select_leaves_timeout();
  scenario.run([&] {
    timeval time{5, 0};
    EXPECT_EQ(selected({}, 0, &time), "0");
    EXPECT_EQ(time.tv_sec, 5);
  });
}

TEST(Select, LeavesTheTimeThatRemainsAfterASignal) {
  Scenario scenario;
  scenario.signal_at(1300ms, SIGUSR1, Handler::restarting);
  scenario.run([&] {
    timeval time{5, 0};
    EXPECT_EQ(selected({}, 0, &time), "-1 EINTR");
    EXPECT_EQ(time.tv_sec, 3);
    EXPECT_EQ(time.tv_usec, 700'000);
  });
}

TEST(Select, LeavesTheSetsAloneWhenItFails) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(1s, SIGUSR1);
  scenario.run([&] {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    EXPECT_EQ(outcome(::select(fd + 1, &set, nullptr, nullptr, nullptr)), "-1 EINTR");
    EXPECT_TRUE(FD_ISSET(fd, &set));
    FD_SET(50, &set);
    EXPECT_EQ(outcome(::select(51, &set, nullptr, nullptr, nullptr)), "-1 EBADF");
    EXPECT_TRUE(FD_ISSET(50, &set));
  });
}

TEST(Select, SaysEinvalForNegativeNumbers) {
  Scenario scenario;
  scenario.run([] {
    timeval time{-1, 0};
    EXPECT_EQ(selected({}, 0, &time), "-1 EINVAL");
    time = {0, -1};
    EXPECT_EQ(selected({}, 0, &time), "-1 EINVAL");
    time = {0, 0};
    EXPECT_EQ(selected({}, -1, &time), "-1 EINVAL");
  });
}

TEST(Select, TouchesNoWordBeyondNfds) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  const fd_mask bit = fd_mask{1} << fd;
  fd_mask words[3 + FD_SETSIZE / NFDBITS] = {bit, bit, bit};  // three sets of one word each
  const auto set = [&](int word) { return reinterpret_cast<fd_set*>(words + word); };
  scenario.run([&] {
    timeval time{1, 0};
    EXPECT_EQ(outcome(::select(fd + 1, set(2), set(1), set(0), &time)), "1");
  });
  EXPECT_EQ(words[0], 0);
  EXPECT_EQ(words[1], bit);
  EXPECT_EQ(words[2], 0);
}

TEST(Select, TakesMicrosecondsOfMoreThanASecond) {
  Scenario scenario;
  scenario.run([] {
    timeval time{0, 1'500'000};
    EXPECT_EQ(selected({}, 0, &time), "0");
  });
  EXPECT_EQ(scenario.took(), 1500ms);
}

TEST(Select, WithoutSetsIsASleep) {
  Scenario scenario;
  scenario.run([] { EXPECT_EQ(selected({}, 2'750'000us), "0"); });
  EXPECT_EQ(scenario.took(), 2750ms);
}

TEST(Select, SeesAnUnconnectedSocketReadableAndWritable) {
  Scenario scenario;
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
    ::close(fd);
  });
}

TEST(Select, SeesPipesAndSocketpairs) {
  Scenario scenario;
  scenario.run([] {
    int pipe[2], pair[2];
    EXPECT_EQ(::pipe(pipe), 0);
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_EQ(selected({.read = {pipe[0], pair[0]}, .write = {pipe[1], pair[1]}}),
              "2, write {4 6}");
    EXPECT_EQ(::write(pipe[1], "x", 1), 1);
    EXPECT_EQ(sent(pair[1], "y"), "1");
    EXPECT_EQ(selected({.read = {pipe[0], pair[0]}}), "2, read {3 5}");
    for (const int fd : {pipe[0], pipe[1], pair[0], pair[1]}) ::close(fd);
  });
}

TEST(Select, SeesAListenerReadableWhenAClientWaits) {
  Scenario scenario;
  scenario.peer("alice").at(900ms).connects();
  scenario.run([] {
    const int listener = listening_socket();
    EXPECT_EQ(selected({.read = {listener}, .write = {listener}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 900ms);
    ::close(listener);
  });
}

TEST(Select, SeesAResetReadableAndWritableNotExceptional) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).resets();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "1, read {3}");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
  });
}

TEST(Pselect, LeavesItsTimespecAlone) {
  Scenario scenario;
  scenario.run([] {
    const timespec time{2, 5};
    EXPECT_EQ(pselected({}, &time, nullptr), "0");
    EXPECT_EQ(time.tv_sec, 2);
  });
  EXPECT_EQ(scenario.took(), 2'000'000'005ns);
}

TEST(Pselect, RefusesNanosecondsOfASecond) {
  Scenario scenario;
  scenario.run([] {
    const timespec time{0, 1'000'000'000};
    EXPECT_EQ(pselected({}, &time, nullptr), "-1 EINVAL");
  });
}

TEST(Poll, TellsTheEventsThatHold) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("x").at(2s).closes();
  scenario.run([&] {
    EXPECT_EQ(polled(fd, POLLIN, 700), "0");
    EXPECT_EQ(steady_time(), 700ms);
    EXPECT_EQ(polled(fd, POLLIN, -1), "1, in");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(polled(fd, POLLIN | POLLOUT, -1), "1, in out");
    EXPECT_EQ(polled(fd, POLLRDHUP, 5000), "1");
    EXPECT_EQ(steady_time(), 2s);
  });
}

// Two names of one thing on Linux, whichever of them is asked for.
TEST(Poll, TreatsTheNormalEventsAsThePlainOnes) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.window(0).at(1s).sends("x").at(2s).opens_window(8).connected();
  scenario.run([&] {
    EXPECT_EQ(polled(fd, POLLWRNORM, 0), "0");
    EXPECT_EQ(polled(fd, POLLOUT | POLLWRNORM, 0), "0");
    EXPECT_EQ(polled(fd, POLLRDNORM, 1500), "1");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(polled(fd, POLLWRNORM, -1), "1");
    EXPECT_EQ(steady_time(), 2s);
  });
}

TEST(Poll, TellsABadDescriptor) {
  Scenario scenario;
  scenario.run([] {
    EXPECT_EQ(polled(50, POLLIN, -1), "1, nval");
    EXPECT_EQ(polled(-1, POLLIN, 100), "0");
  });
}

TEST(Poll, OfNothingIsASleep) {
  Scenario scenario;
  scenario.run([] { EXPECT_EQ(::poll(nullptr, 0, 2750), 0); });
  EXPECT_EQ(scenario.took(), 2750ms);
}

TEST(Ppoll, TakesNanosecondsAndIsInterrupted) {
  Scenario scenario;
  scenario.signal_at(5s, SIGUSR1, Handler::restarting);
  scenario.run([] {
    const timespec time{2, 5};
    EXPECT_EQ(::ppoll(nullptr, 0, &time, nullptr), 0);
    EXPECT_EQ(steady_time(), 2'000'000'005ns);
    EXPECT_EQ(outcome(::ppoll(nullptr, 0, nullptr, nullptr)), "-1 EINTR");
  });
}
