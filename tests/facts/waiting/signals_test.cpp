// Signals that come while a call waits.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fact.hpp"

using namespace facts;

namespace {

sigset_t block(int signal) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, &before);
  return before;
}

}  // namespace

TEST(Signals, AlwaysEndASelect) {
  fact("Fact 6: a handler ends select with EINTR, one with SA_RESTART too");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(331ms, SIGUSR1);
  scenario.signal_at(731ms, SIGUSR2, Handler::restarting);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}, 5s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(selected({.read = {fd}}, 5s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 731ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 2);
}

TEST(Signals, EndAPollToo) {
  fact("Fact 6: so does poll");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(331ms, SIGUSR1, Handler::restarting);
  scenario.run([&] { EXPECT_EQ(polled(fd, POLLIN, 5000), "-1 EINTR"); });
}

TEST(Signals, EndASelectThoughTheHandlerMakesItReady) {
  fact("A handler runs when select has ended: what the handler makes ready is found by the next");
  Scenario scenario;
  static int to_itself[2];
  struct sigaction action {};
  action.sa_handler = [](int) { (void)!::write(to_itself[1], "x", 1); };
  sigaction(SIGUSR1, &action, nullptr);
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(::pipe(to_itself), 0);
    EXPECT_EQ(selected({.read = {to_itself[0]}}, 5s), "-1 EINTR");
    EXPECT_EQ(selected({.read = {to_itself[0]}}, 5s), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    ::close(to_itself[0]);
    ::close(to_itself[1]);
  });
}

TEST(Signals, AreNothingToSelectWhenTheyAreIgnored) {
  fact("A signal that is ignored ends nothing");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(731ms).sends("x").connected();
  ::signal(SIGUSR1, SIG_IGN);
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}, 5s), "1, read {3}");
    EXPECT_EQ(steady_time(), 731ms);
  });
}

TEST(Signals, InterruptARecv) {
  fact("Fact 7: a handler without SA_RESTART ends recv with EINTR");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    EXPECT_EQ(received(fd), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(Signals, RestartARecv) {
  fact("Fact 7: after a handler with SA_RESTART recv goes on");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(731ms).sends("x").connected();
  scenario.signal_at(331ms, SIGUSR1, Handler::restarting);
  scenario.run([&] {
    EXPECT_EQ(received(fd), "x");
    EXPECT_EQ(steady_time(), 731ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 1);
}

TEST(Signals, DoNotRestartARecvWithATimeout) {
  fact("Fact 7: recv with SO_RCVTIMEO does not go on, in spite of SA_RESTART");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(331ms, SIGUSR1, Handler::restarting);
  scenario.run([&] {
    set_timeout(fd, SO_RCVTIMEO, 5s);
    EXPECT_EQ(received(fd), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(Pselect, LetsInWhatIsPending) {
  fact("Fact 57: pselect whose mask lets a pending signal in returns EINTR at once");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = block(SIGUSR1);
    EXPECT_EQ(selected({}, 731ms), "0");
    EXPECT_EQ(scenario.handler_runs(), 0);
    EXPECT_EQ(pselected({.read = {fd}}, nullptr, &before), "-1 EINTR");
    EXPECT_EQ(scenario.handler_runs(), 1);
    EXPECT_EQ(steady_time(), 731ms);
  });
}

TEST(Pselect, LetsInWhatComesWhileItWaits) {
  fact("pselect waits with its mask in force");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = block(SIGUSR1);
    const timespec time{5, 0};
    EXPECT_EQ(pselected({}, &time, &before), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(Pselect, PrefersWhatIsReady) {
  fact("Fact 58: pselect with a ready descriptor returns it, and the pending signal stays pending");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends("x").connected();
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = block(SIGUSR1);
    EXPECT_EQ(selected({}, 731ms), "0");
    EXPECT_EQ(pselected({.read = {fd}}, nullptr, &before), "1, read {3}");
    EXPECT_EQ(scenario.handler_runs(), 0);
  });
}

TEST(Pselect, KeepsOutWhatItsMaskBlocks) {
  fact("A signal that pselect's mask blocks comes when pselect has returned");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    const timespec time{0, 731'000'000};
    EXPECT_EQ(pselected({}, &time, &mask), "0");
    EXPECT_EQ(steady_time(), 731ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 1);
}
