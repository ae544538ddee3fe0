// Signals and threads that come just as a call begins, or when it has returned: the worst moments.
// The facts are those of tests/facts/waiting/signals_test.cpp.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "calls.hpp"

using namespace grader_test;

namespace {

volatile sig_atomic_t is_told = 0;

void tell(int) { is_told = 1; }

void spoil_errno(int) { errno = EPROTO; }

sigset_t with(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

// A pipe that is written to once, until somebody has drained it. To clear the flag first is wrong:
// the byte of a notify() that comes before the read is taken, and its flag stays.
struct Wakeup {
  explicit Wakeup(bool is_wrong) : clears_first(is_wrong) {
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  }
  ~Wakeup() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void notify() {
    if (!is_pending.exchange(true)) (void)!::write(ends[1], "w", 1);
  }
  bool drain() {
    bool was_pending = clears_first && is_pending.exchange(false);
    char bytes[10];
    while (::read(ends[0], bytes, sizeof bytes) > 0) {
    }
    return clears_first ? was_pending : is_pending.exchange(false);
  }
  [[nodiscard]] bool is_readable() const { return polled(ends[0], POLLIN, 0) == "1, in"; }

  int ends[2] = {-1, -1};
  std::atomic<bool> is_pending = false;
  bool clears_first;
};

// A notify() in every moment of a drain(), one after the other: in how many of them is it lost, or
// the next one after it?
int lost_wake_ups(bool is_wrong) {
  int lost = 0;
  for (int moment = 0; moment < 6; ++moment) {
    Scenario scenario;
    scenario.run([&] {
      Wakeup wakeup(is_wrong);
      wakeup.notify();
      const auto again = [&] { wakeup.notify(); };
      if (moment % 2 == 0)
        scenario.thread_before("", again, moment / 2);
      else
        scenario.thread_after("", again, moment / 2);
      const bool was_told = wakeup.drain();
      const bool is_first_kept = was_told || wakeup.is_readable();
      (void)wakeup.drain();
      wakeup.notify();
      if (!is_first_kept || !wakeup.is_readable()) ++lost;
    });
  }
  return lost;
}

// What the recording tells, one line each: "select(4, read {3}, 1 s) = -1 EINTR".
std::string story(const Scenario& scenario) {
  std::string text;
  for (const auto& call : scenario.calls())
    text += (call.by.empty() ? "" : call.by + ": ") + call.text + " = " + call.result + "\n";
  return text;
}

}  // namespace

TEST(SignalBefore, RunsItsHandlerBeforeTheCallBegins) {
  Scenario scenario;
  scenario.signal_before("select", SIGUSR1);
  int told_before = -1;
  scenario.run([&] {
    ::signal(SIGUSR1, tell);
    told_before = is_told;
    EXPECT_EQ(selected({}, 731ms), "0");  // it knows nothing of the signal
    EXPECT_EQ(is_told, 1);
  });
  EXPECT_EQ(told_before, 0);
  EXPECT_EQ(scenario.took(), 731ms);
  EXPECT_EQ(scenario.own_handler_runs(), 1);
}

TEST(SignalBefore, LeavesSoManyCallsAlone) {
  Scenario scenario;
  scenario.signal_before("select", SIGUSR1, Handler::plain, 2);
  scenario.run([&] {
    EXPECT_EQ(selected({}, 31ms), "0");
    ::sleep(1);
    EXPECT_EQ(polled(-1, POLLIN, 31), "0");
    EXPECT_EQ(scenario.handler_runs(), 0);
    EXPECT_EQ(selected({}, 31ms), "0");
    EXPECT_EQ(scenario.handler_runs(), 1);
    EXPECT_EQ(selected({}, 31ms), "0");
    EXPECT_EQ(scenario.handler_runs(), 1);
  });
}

TEST(SignalBefore, OfNoFamilyComesBeforeAnyCall) {
  for (int skip = 0; skip < 3; ++skip) {
    Scenario scenario;
    scenario.signal_before("", SIGUSR1, Handler::plain, skip);
    scenario.run([&] {
      (void)steady_time();
      EXPECT_EQ(scenario.handler_runs(), skip == 0 ? 1 : 0);
      const int fd = new_socket();
      EXPECT_EQ(scenario.handler_runs(), skip <= 1 ? 1 : 0);
      ::close(fd);
      EXPECT_EQ(scenario.handler_runs(), 1);
    });
  }
}

TEST(SignalBefore, MayComeInTheMiddleOfAnAllocation) {
  Scenario scenario;
  scenario.signal_before("new", SIGUSR1, Handler::own, 1);
  scenario.run([&] {
    ::signal(SIGUSR1, tell);
    const auto one = std::make_unique<int>(1);
    EXPECT_EQ(is_told, 0);
    EXPECT_TRUE(scenario.awaits_a_moment());
    const auto two = std::make_unique<int>(2);
    EXPECT_EQ(is_told, 1);
    EXPECT_FALSE(scenario.awaits_a_moment());
  });
}

TEST(SignalBefore, OfNoFamilyLeavesAllocationsAlone) {
  Scenario scenario;
  scenario.signal_before("", SIGUSR1, Handler::own, 1);
  scenario.run([&] {
    ::signal(SIGUSR1, tell);
    const auto one = std::make_unique<int>(1);
    EXPECT_EQ(is_told, 0);
    EXPECT_EQ(selected({}, 0s), "0");
    EXPECT_EQ(is_told, 1);
  });
}

TEST(SignalBefore, WaitsForTheNextRun) {
  Scenario scenario;
  scenario.signal_before("select", SIGUSR1, Handler::plain);
  scenario.run([&] { ::sleep(1); });
  EXPECT_EQ(scenario.handler_runs(), 0);
  scenario.run([&] { EXPECT_EQ(selected({}, 31ms), "0"); });
  EXPECT_EQ(scenario.handler_runs(), 1);
}

TEST(SignalBefore, StaysPendingWhenItIsBlockedUntilPselectLetsItIn) {
  Scenario scenario;
  scenario.signal_before("select", SIGUSR1);
  scenario.run([&] {
    ::signal(SIGUSR1, tell);
    const sigset_t usr1 = with(SIGUSR1);
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, &usr1, &before);
    EXPECT_EQ(pselected({}, nullptr, &before), "-1 EINTR");
    EXPECT_EQ(steady_time(), 0s);
    EXPECT_EQ(is_told, 1);
  });
}

TEST(SignalBefore, StaysPendingWhenSomethingIsReady) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.sends("x").connected();
  scenario.signal_before("select", SIGUSR1);
  scenario.run([&] {
    ::signal(SIGUSR1, tell);
    const sigset_t usr1 = with(SIGUSR1);
    sigset_t before, pending;
    ::sigprocmask(SIG_BLOCK, &usr1, &before);
    for (int turn = 0; turn < 3; ++turn)
      EXPECT_EQ(pselected({.read = {fd}}, nullptr, &before), "1, read {3}");
    EXPECT_EQ(is_told, 0);
    ::sigpending(&pending);
    EXPECT_EQ(sigismember(&pending, SIGUSR1), 1);
  });
}

TEST(SignalBefore, IsTakenByAByteThatItsHandlerWrites) {
  Scenario scenario;
  static int to_itself[2];
  scenario.signal_before("select", SIGUSR1);
  scenario.run([&] {
    EXPECT_EQ(::pipe(to_itself), 0);
    ::signal(SIGUSR1, [](int) { (void)!::write(to_itself[1], "w", 1); });
    EXPECT_EQ(selected({.read = {to_itself[0]}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 0s);
    ::close(to_itself[0]);
    ::close(to_itself[1]);
  });
  EXPECT_EQ(story(scenario),
            "pipe() = 0, {3, 4}\n"
            "signal(SIGUSR1, a handler) = SIG_DFL\n"
            "handler: write(4, \"w\", 1) = 1\n"
            "select(4, read {3}, no timeout) = 1, read {3}\n"
            "close(3) = 0\n"
            "close(4) = 0\n");
}

TEST(SignalAfter, FindsErrnoAsTheCallHasLeftIt) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_after("recv", SIGUSR1);
  scenario.run([&] {
    ::signal(SIGUSR1, spoil_errno);
    EXPECT_EQ(received(fd, 1, MSG_DONTWAIT), "-1 EPROTO");
    EXPECT_EQ(received(fd, 1, MSG_DONTWAIT), "-1 EAGAIN");
  });
  ASSERT_TRUE(scenario.errno_changed_by_handler());
  EXPECT_EQ(scenario.errno_changed_by_handler()->signal, SIGUSR1);
  EXPECT_EQ(scenario.errno_changed_by_handler()->left, EPROTO);
}

TEST(SignalAfter, LeavesErrnoAloneWhenTheHandlerDoes) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_after("recv", SIGUSR1);
  scenario.handle(SIGUSR1, [&] {
    const int saved = errno;
    char byte = 0;
    EXPECT_EQ(::recv(99, &byte, 1, 0), -1);
    errno = saved;
  });
  scenario.run([&] { EXPECT_EQ(received(fd, 1, MSG_DONTWAIT), "-1 EAGAIN"); });
  EXPECT_EQ(scenario.handler_runs(), 1);
  EXPECT_FALSE(scenario.errno_changed_by_handler());
}

TEST(ThreadBefore, RunsBetweenTheCheckAndTheWait) {
  Scenario scenario;
  int ends[2] = {-1, -1};
  scenario.thread_before("select", [&] { (void)!::write(ends[1], "w", 1); });
  scenario.run([&] {
    EXPECT_EQ(::pipe(ends), 0);
    EXPECT_EQ(selected({.read = {ends[0]}}), "1, read {3}");
    ::close(ends[0]);
    ::close(ends[1]);
  });
  EXPECT_EQ(story(scenario),
            "pipe() = 0, {3, 4}\n"
            "another thread: write(4, \"w\", 1) = 1\n"
            "select(4, read {3}, no timeout) = 1, read {3}\n"
            "close(3) = 0\n"
            "close(4) = 0\n");
}

TEST(ThreadAfter, RunsWhenTheCallHasReturned) {
  Scenario scenario;
  int ends[2] = {-1, -1};
  scenario.thread_after("recv", [&] { (void)!::write(ends[1], "b", 1); });
  scenario.run([&] {
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    EXPECT_EQ(::write(ends[1], "a", 1), 1);
    char bytes[10];
    errno = EPROTO;
    EXPECT_EQ(::read(ends[0], bytes, sizeof bytes), 1);
    EXPECT_EQ(errno, EPROTO);
    EXPECT_EQ(::read(ends[0], bytes, sizeof bytes), 1);
    EXPECT_EQ(outcome(::read(ends[0], bytes, sizeof bytes)), "-1 EAGAIN");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST(Moments, ComeInTheOrderInWhichTheyWerePlanned) {
  Scenario scenario;
  std::string order;
  scenario.thread_before("select", [&] { order += "a"; });
  scenario.handle(SIGUSR1, [&] { order.push_back('b'); });  // within what a string holds by itself
  scenario.signal_before("select", SIGUSR1, Handler::own);
  scenario.thread_before("select", [&] { order += "c"; });
  scenario.thread_after("select", [&] { order += "d"; });
  scenario.run([&] { EXPECT_EQ(selected({}, 31ms), "0"); });
  EXPECT_EQ(order, "abcd");
}

TEST(Moments, FindWhatComesInTheWorstOne) {
  EXPECT_EQ(lost_wake_ups(false), 0);
  EXPECT_GT(lost_wake_ups(true), 0);
}

// A handler's own calls, and another thread's, are no occasion.
TEST(Moments, AreThoseOfTheMainLine) {
  Scenario scenario;
  scenario.handle(SIGUSR1, [] { ::raise(0); });
  int ends[2] = {-1, -1};
  scenario.handle(SIGUSR2, [&] { (void)!::write(ends[1], "h", 1); });
  scenario.signal_at(31ms, SIGUSR2, Handler::own);
  scenario.thread_at(331ms, [&] { (void)!::write(ends[1], "t", 1); });
  scenario.run([&] {
    EXPECT_EQ(::pipe(ends), 0);
    scenario.signal_before("send", SIGUSR1, Handler::own);
    ::sleep(1);
    ::sleep(1);
    EXPECT_EQ(scenario.handler_runs(), 1);
    EXPECT_EQ(::write(ends[1], "m", 1), 1);
    EXPECT_EQ(scenario.handler_runs(), 2);
    ::close(ends[0]);
    ::close(ends[1]);
  });
}
