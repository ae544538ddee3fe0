// What a check is told of the waiting calls, and how they look in the timeline.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <limits>

#include "calls.hpp"

using namespace grader_test;
using grader::RawTimeout;
using grader::WaitingCall;
using grader::Waits;

namespace {

using Descriptors = std::vector<int>;

// How the last call of a scenario stands in the timeline.
std::string last_call(const Scenario& scenario) {
  const grader::Call call = scenario.calls().back();
  return call.text + " = " + call.result;
}

}  // namespace

TEST(Waits, TellWhatWasAskedAndWhatCame) {
  Scenario scenario;
  const int a = scenario.peer("alice").connected();
  Peer& bob = scenario.peer("bob");
  const int b = bob.connected();
  bob.at(1100ms).sends("x");

  scenario.run([&] { EXPECT_EQ(selected({.read = {a, b}, .except = {a}}, 3s), "1, read {4}"); });

  ASSERT_EQ(scenario.waits().size(), 1U);
  const WaitingCall wait = scenario.waits().front();
  EXPECT_EQ(wait.function, "select");
  EXPECT_EQ(wait.nfds, b + 1);
  EXPECT_EQ(wait.watched.reading, (Descriptors{a, b}));
  EXPECT_EQ(wait.watched.writing, Descriptors{});
  EXPECT_EQ(wait.watched.exceptional, (Descriptors{a}));
  EXPECT_EQ(wait.found.reading, (Descriptors{b}));
  EXPECT_TRUE(wait.found.exceptional.empty());
  EXPECT_TRUE(wait.overlooked.empty());
  EXPECT_EQ(wait.raw_timeout, (RawTimeout{3, 0, 1us}));
  EXPECT_EQ(wait.timeout, 3s);
  EXPECT_EQ(wait.left, (RawTimeout{1, 900'000, 1us}));
  EXPECT_EQ(wait.began, 0s);
  EXPECT_EQ(wait.returned, 1100ms);
  EXPECT_EQ(wait.value, 1);
  EXPECT_EQ(wait.error, 0);
  EXPECT_FALSE(wait.mask.has_value());
}

TEST(Waits, LookTheSameForPoll) {
  Scenario scenario;
  const int a = scenario.peer("alice").connected();
  Peer& bob = scenario.peer("bob");
  const int b = bob.connected();
  bob.at(1100ms).sends("x");

  scenario.run([&] {
    pollfd entries[] = {
        {b, POLLRDNORM, 0}, {-7, POLLIN, 0}, {a, POLLIN | POLLPRI, 0}, {b, POLLIN, 0}};
    EXPECT_EQ(::poll(entries, 4, 3000), 2);
  });

  EXPECT_EQ(last_call(scenario), "poll({4:in -7:in 3:in+pri 4:in}, 3 s) = 2, ready {4:in 4:in}");
  const WaitingCall wait = scenario.waits().front();
  EXPECT_EQ(wait.function, "poll");
  EXPECT_EQ(wait.nfds, 4);
  EXPECT_EQ(wait.watched.reading, (Descriptors{a, b}));
  EXPECT_EQ(wait.watched.exceptional, (Descriptors{a}));
  EXPECT_EQ(wait.found.reading, (Descriptors{b}));
  EXPECT_EQ(wait.raw_timeout, (RawTimeout{0, 3000, 1ms}));
  EXPECT_EQ(wait.timeout, 3s);
  EXPECT_EQ(wait.returned, 1100ms);
  EXPECT_EQ(wait.value, 2);
}

TEST(Waits, TellTheMaskAndNoTimeout) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("x");

  scenario.run([&] {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    EXPECT_EQ(pselected({.read = {fd}}, nullptr, &mask), "1, read {3}");
    EXPECT_EQ(polled(fd, POLLIN, -1), "1, in");
    pollfd entry{fd, POLLIN, 0};
    EXPECT_EQ(::ppoll(&entry, 1, nullptr, &mask), 1);
  });

  const Waits waits = scenario.waits();
  EXPECT_EQ(waits[0].mask, (std::vector<int>{SIGUSR1}));
  EXPECT_EQ(waits[2].mask, (std::vector<int>{SIGUSR1}));
  for (const WaitingCall& wait : waits) EXPECT_FALSE(wait.timeout.has_value());
}

TEST(Waits, KeepWhatStandsAtAndAboveNfdsApart) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();

  scenario.run([&] {
    fd_set garbage;
    std::memset(&garbage, 0xa5, sizeof garbage);
    FD_ZERO(&garbage);
    FD_SET(fd, &garbage);
    for (int other = 64; other < FD_SETSIZE; other += 7) FD_SET(other, &garbage);
    timeval zero{};
    EXPECT_EQ(::select(fd + 1, &garbage, nullptr, nullptr, &zero), 0);
    EXPECT_TRUE(FD_ISSET(64, &garbage));
  });

  const WaitingCall wait = scenario.waits().front();
  EXPECT_EQ(wait.watched.reading, (Descriptors{fd}));
  EXPECT_EQ(wait.overlooked.reading.front(), 64);
  EXPECT_TRUE(wait.found.empty());
}

TEST(Waits, OfTheLastRunAreApart) {
  Scenario scenario;
  scenario.run([] { EXPECT_EQ(selected({}, 1s), "0"); });
  scenario.run([] { EXPECT_EQ(polled(-1, POLLIN, 2000), "0"); });

  EXPECT_EQ(scenario.waits().size(), 2U);
  ASSERT_EQ(scenario.waits_of_last_run().size(), 1U);
  EXPECT_EQ(scenario.waits_of_last_run().front().began, 1s);
}

TEST(Waits, AreForgottenWhenThereAreTooMany) {
  Scenario scenario;
  scenario.run([] {
    for (int i = 0; i < 1500; ++i) EXPECT_EQ(selected({}, 1ms), "0");
  });

  EXPECT_EQ(scenario.waits().size(), grader::WaitLog::calls_max);
  EXPECT_EQ(scenario.waits().back().returned, 1500ms);
  EXPECT_EQ(scenario.waits_of_last_run().size(), grader::WaitLog::calls_max);
}

TEST(Waits, ThatFailAreThereToo) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.faults().fail("select", EINTR);

  scenario.run([&] {
    timeval time{1, 500'000};
    EXPECT_EQ(selected({.read = {fd}}, fd + 1, &time), "-1 EINTR");
    EXPECT_EQ(time.tv_sec, 1);  // an interruption at once leaves it all
  });

  const WaitingCall wait = scenario.waits().front();
  EXPECT_EQ(wait.value, -1);
  EXPECT_EQ(wait.error, EINTR);
  EXPECT_EQ(wait.found.reading, (Descriptors{fd}));
  EXPECT_EQ(wait.left, (RawTimeout{1, 500'000, 1us}));
}

TEST(RefusedWaits, StandInTheTimelineAsTheyWere) {
  Scenario scenario;
  scenario.run([&] {
    timeval time{0, -1};
    EXPECT_EQ(selected({}, 0, &time), "-1 EINVAL");
    EXPECT_EQ(last_call(scenario), "select(0, timeval{0, -1}) = -1 EINVAL");
    time = {-1, 0};
    EXPECT_EQ(selected({}, 0, &time), "-1 EINVAL");
    EXPECT_EQ(last_call(scenario), "select(0, timeval{-1, 0}) = -1 EINVAL");
    time = {2, 0};
    EXPECT_EQ(selected({}, -1, &time), "-1 EINVAL");
    EXPECT_EQ(last_call(scenario), "select(-1, 2 s) = -1 EINVAL");
    const timespec second{0, 1'000'000'000};
    EXPECT_EQ(pselected({}, &second, nullptr), "-1 EINVAL");
    EXPECT_EQ(last_call(scenario), "pselect(0, timespec{0, 1000000000}) = -1 EINVAL");
    EXPECT_EQ(outcome(::ppoll(nullptr, 0, &second, nullptr)), "-1 EINVAL");
    EXPECT_EQ(last_call(scenario), "ppoll({}, timespec{0, 1000000000}) = -1 EINVAL");
    std::vector<pollfd> many(5000, pollfd{-1, 0, 0});
    EXPECT_EQ(outcome(::poll(many.data(), many.size(), 0)), "-1 EINVAL");
    EXPECT_EQ(last_call(scenario), "poll(5000 entries, 0 s) = -1 EINVAL");
  });

  const Waits waits = scenario.waits();
  ASSERT_EQ(waits.size(), 6U);
  for (const WaitingCall& wait : waits) EXPECT_EQ(wait.error, EINVAL);
  EXPECT_EQ(waits[0].raw_timeout, (RawTimeout{0, -1, 1us}));
  EXPECT_EQ(waits[0].timeout, -1us);
}

TEST(RefusedWaits, NameTheDescriptorThatIsNotOpen) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();

  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd, 40}, .write = {41}}, 1s), "-1 EBADF");
    EXPECT_EQ(last_call(scenario),
              "select(42, read {3 40}, write {41}, 1 s) = -1 EBADF (40 41 are not open)");
    EXPECT_EQ(polled(50, POLLIN, -1), "1, nval");
    EXPECT_EQ(last_call(scenario), "poll({50:in}, no timeout) = 1, ready {50:nval}");
  });

  EXPECT_EQ(scenario.waits()[0].not_open, (Descriptors{40, 41}));
  EXPECT_EQ(scenario.waits()[0].error, EBADF);
  EXPECT_EQ(scenario.waits()[1].not_open, (Descriptors{50}));
}

TEST(PollInTheTimeline, ShowsWhatCameForWhom) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.closes();

  scenario.run([&] {
    EXPECT_EQ(polled(fd, POLLIN | POLLOUT | POLLRDHUP, -1), "1, in out");
    EXPECT_EQ(last_call(scenario),
              "poll({3:in+out+rdhup}, no timeout) = 1, ready {3:in+out+rdhup}");
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    ::close(pipe[0]);
    EXPECT_EQ(polled(pipe[1], POLLIN, -1), "1, err");
    EXPECT_EQ(last_call(scenario), "poll({5:in}, no timeout) = 1, ready {5:err}");
    EXPECT_EQ(scenario.waits().back().found.reading, (Descriptors{5}));  // as select says
    ::close(pipe[1]);
    EXPECT_EQ(polled(-1, POLLIN, 0), "0");
    EXPECT_EQ(last_call(scenario), "poll({-1:in}, 0 s) = 0, timeout");
  });
}

TEST(LongTimeouts, NeverEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  constexpr auto most = std::numeric_limits<time_t>::max();
  alice.at(2100ms).sends("x");

  scenario.run([&] {
    timeval time{most, 999'999};
    EXPECT_EQ(selected({.read = {fd}}, fd + 1, &time), "1, read {3}");
    EXPECT_EQ(time.tv_sec, most - 2);
    const timespec precise{most, 999'999'999};
    EXPECT_EQ(pselected({.read = {fd}}, &precise, nullptr), "1, read {3}");
    pollfd entry{fd, POLLIN, 0};
    EXPECT_EQ(::ppoll(&entry, 1, &precise, nullptr), 1);
  });

  EXPECT_EQ(scenario.took(), 2100ms);
  EXPECT_EQ(scenario.waits()[0].timeout, Time::max());
}

// The facts are those of tests/facts/call_limits_test.cpp.
TEST(KernelsTable, HidesClosedDescriptorsAboveIt) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();

  scenario.run([&] {
    EXPECT_EQ(selected({.read = {63}}, 0s), "-1 EBADF");
    EXPECT_EQ(selected({.read = {64}}, 0s), "0, read {64}");
    EXPECT_EQ(selected({.read = {fd, 1023}}, 0s), "0, read {1023}");
    EXPECT_EQ(selected({.read = {800}, .write = {fd}}, 0s), "1, read {800}, write {3}");
    EXPECT_EQ(polled(64, POLLIN, 0), "1, nval");
    EXPECT_EQ(polled(900, POLLIN, 0), "1, nval");
  });
}

TEST(KernelsTable, GrowsWithTheHighestNumberThereEverWas) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();

  scenario.run([&] {
    EXPECT_EQ(::dup2(fd, 64), 64);
    ::close(64);
    EXPECT_EQ(selected({.read = {127}}, 0s), "-1 EBADF");
    EXPECT_EQ(selected({.read = {128}}, 0s), "0, read {128}");
    EXPECT_EQ(::dup2(fd, 600), 600);
    EXPECT_EQ(selected({.read = {600}}, 0s), "0");
    EXPECT_EQ(selected({.read = {1023}}, 0s), "-1 EBADF");
    EXPECT_EQ(selected({.read = {701}}, 0s), "-1 EBADF");
    ::close(600);
  });
}
