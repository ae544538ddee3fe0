// Signals. The facts are those of tests/facts/signals_test.cpp.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

namespace {

volatile sig_atomic_t handled = 0;
int pipe_to_itself[2];

void count(int) { handled = handled + 1; }

void write_to_itself(int) { (void)!::write(pipe_to_itself[1], "s", 1); }

sigset_t blocked(int signal) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, &before);
  return before;
}

}  // namespace

TEST(Signals, InterruptCallsThatWait) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  for (const Time time : {1s, 2s, 3s, 4s, 5s, 6s}) scenario.signal_at(time, SIGUSR1);
  alice.stops_reading();
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(received(fd), "-1 EINTR");
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EINTR");
    EXPECT_EQ(selected({.read = {fd}}), "-1 EINTR");
    EXPECT_EQ(polled(fd, POLLIN, -1), "-1 EINTR");
    EXPECT_EQ(outcome(::pause()), "-1 EINTR");
    EXPECT_EQ(sent(fd, std::string(200'000, 'x')), "65536");  // what it had taken
    EXPECT_EQ(steady_time(), 6s);
    ::close(listener);
  });
  EXPECT_EQ(scenario.handler_runs(), 6);
}

TEST(Signals, RestartRecvButNeverSelect) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(1s, SIGUSR1, Handler::restarting);
  scenario.signal_at(3s, SIGUSR1, Handler::restarting);
  alice.at(2s).sends("x");
  scenario.run([&] {
    EXPECT_EQ(received(fd), "x");
    EXPECT_EQ(selected({.read = {fd}}), "-1 EINTR");
  });
  EXPECT_EQ(scenario.handler_runs(), 2);
}

TEST(Signals, DoNotRestartARecvWithATimeout) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.signal_at(1s, SIGUSR1, Handler::restarting);
  scenario.run([&] {
    set_timeout(fd, SO_RCVTIMEO, 10s);
    EXPECT_EQ(received(fd), "-1 EINTR");
    EXPECT_EQ(steady_time(), 1s);
  });
}

TEST(Signals, DoNotInterruptWhatIsReady) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(1s, SIGUSR1);
  alice.at(1s).sends("x");
  scenario.run([&] { EXPECT_EQ(received(fd), "x"); });
  EXPECT_EQ(scenario.handler_runs(), 1);
}

TEST(Signals, WaitWhileTheyAreBlocked) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = blocked(SIGUSR1);
    EXPECT_EQ(selected({}, 2s), "0");
    EXPECT_EQ(scenario.handler_runs(), 0);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(scenario.handler_runs(), 1);
  });
}

TEST(Signals, DoNotInterruptWhenTheyAreIgnored) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1, Handler::own);
  scenario.run([&] {
    ::signal(SIGUSR1, SIG_IGN);
    EXPECT_EQ(selected({}, 2s), "0");
  });
}

TEST(Signals, InterruptThoughTheHandlerIsGoodForOneOnly) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1, Handler::own);
  scenario.run([&] {
    struct sigaction action {};
    action.sa_handler = count;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGUSR1, &action, nullptr);
    EXPECT_EQ(selected({}, 2s), "-1 EINTR");
    EXPECT_EQ(handled, 1);
  });
}

TEST(Signals, LetTheHandlerMakeCalls) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(::pipe(pipe_to_itself), 0);
    ::signal(SIGUSR1, write_to_itself);
    EXPECT_EQ(selected({.read = {pipe_to_itself[0]}}), "-1 EINTR");
    EXPECT_EQ(selected({.read = {pipe_to_itself[0]}}), "1, read {3}");
    char byte = 0;
    EXPECT_EQ(::read(pipe_to_itself[0], &byte, 1), 1);
    EXPECT_EQ(byte, 's');
    ::close(pipe_to_itself[0]);
    ::close(pipe_to_itself[1]);
  });
}

TEST(Signals, HandlersTakeTimeWhichSelectDoesNotMeasure) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(200ms, SIGUSR1, Handler::plain, 300ms);
  alice.at(400ms).sends("x");
  scenario.run([&] {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    timeval left{1, 219'000};
    EXPECT_EQ(outcome(::select(fd + 1, &set, nullptr, nullptr, &left)), "-1 EINTR");
    EXPECT_EQ(steady_time(), 500ms);
    EXPECT_EQ(left.tv_sec, 1);
    EXPECT_EQ(left.tv_usec, 19'000);
    EXPECT_EQ(selected({.read = {fd}}, 0s), "1, read {3}");
    EXPECT_EQ(received(fd), "x");
  });
  EXPECT_EQ(scenario.handler_runs(), 1);
}

TEST(Signals, ThatComeDuringAHandlerRunTheirsWithinIt) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1, Handler::plain, 1s);
  scenario.signal_at(1300ms, SIGUSR2, Handler::plain, 900ms);
  scenario.signal_at(1600ms, SIGUSR1, Handler::plain, 500ms);  // waits for its like to be done
  scenario.run([&] {
    EXPECT_EQ(selected({}, 10s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 2700ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 3);
}

TEST(Signals, RestartRecvWhenTheHandlerIsDone) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(1s, SIGUSR1, Handler::restarting, 2s);
  alice.at(2s).sends("x");
  scenario.run([&] {
    EXPECT_EQ(received(fd), "x");
    EXPECT_EQ(steady_time(), 3s);
  });
}

TEST(Pselect, LetsAPendingSignalInAtOnce) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = blocked(SIGUSR1);
    ::sleep(2);
    EXPECT_EQ(scenario.handler_runs(), 0);
    EXPECT_EQ(pselected({}, nullptr, &before), "-1 EINTR");
    EXPECT_EQ(scenario.handler_runs(), 1);
    EXPECT_EQ(steady_time(), 2s);
  });
}

TEST(Pselect, LetsASignalInWhileItWaits) {
  Scenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = blocked(SIGUSR1);
    EXPECT_EQ(pselected({}, nullptr, &before), "-1 EINTR");
    EXPECT_EQ(steady_time(), 1300ms);
  });
}

TEST(Pselect, KeepsTheSignalPendingWhenSomethingIsReady) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(1s, SIGUSR1);
  alice.at(1s).sends("x");
  scenario.run([&] {
    const sigset_t before = blocked(SIGUSR1);
    EXPECT_EQ(pselected({.read = {fd}}, nullptr, &before), "1, read {3}");
    EXPECT_EQ(scenario.handler_runs(), 0);
  });
}

TEST(Pselect, KeepsOutASignalThatOnlyItsMaskBlocks) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1);
  scenario.run([&] {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    const timespec time{2, 0};
    EXPECT_EQ(pselected({}, &time, &mask), "0");
    EXPECT_EQ(scenario.handler_runs(), 1);  // as it returned
  });
}

TEST(Sigsuspend, WaitsForTheSignalThatItLetsIn) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1);
  scenario.run([&] {
    const sigset_t before = blocked(SIGUSR1);
    ::sleep(2);
    EXPECT_EQ(outcome(::sigsuspend(&before)), "-1 EINTR");
    EXPECT_EQ(scenario.handler_runs(), 1);
  });
}

TEST(Signals, InterruptPipesAtTheirTime) {
  Scenario scenario;
  const int in = scenario.peer("keyboard").pipe_to_program();
  const int out = scenario.peer("screen").stops_reading().pipe_from_program();
  for (const Time time : {1300ms, 2700ms, 3900ms}) scenario.signal_at(time, SIGUSR1);
  scenario.run([&] {
    char byte = 0;
    EXPECT_EQ(outcome(::read(in, &byte, 1)), "-1 EINTR");
    EXPECT_EQ(steady_time(), 1300ms);
    const std::string data(70'000, 'x');
    EXPECT_EQ(outcome(::write(out, data.data(), data.size())), "65536");
    EXPECT_EQ(steady_time(), 2700ms);
    EXPECT_EQ(outcome(::write(out, data.data(), data.size())), "-1 EINTR");
    EXPECT_EQ(steady_time(), 3900ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 3);
}

TEST(Signals, RestartPipesButNeverSelect) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  Peer& screen = scenario.peer("screen");
  const int in = keyboard.pipe_to_program();
  const int out = screen.pipe_from_program();
  keyboard.at(2s).sends("x");
  screen.stops_reading().at(4s).resumes_reading();
  for (const Time time : {1s, 3s, 5s}) scenario.signal_at(time, SIGUSR1, Handler::restarting);
  scenario.run([&] {
    char byte = 0;
    EXPECT_EQ(outcome(::read(in, &byte, 1)), "1");
    EXPECT_EQ(steady_time(), 2s);
    const std::string full(65'536, 'x');
    EXPECT_EQ(outcome(::write(out, full.data(), full.size())), "65536");
    EXPECT_EQ(outcome(::write(out, "y", 1)), "1");
    EXPECT_EQ(steady_time(), 4s);
    EXPECT_EQ(selected({.read = {in}, .write = {}}, 10s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 5s);
  });
  EXPECT_EQ(scenario.handler_runs(), 3);
}

TEST(Signals, DispositionsAndMasksAreRecorded) {
  Scenario scenario;
  scenario.run([&] {
    struct sigaction action {
    }, before{};
    action.sa_handler = count;
    action.sa_flags = SA_RESTART;
    EXPECT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    EXPECT_EQ(before.sa_handler, SIG_DFL);
    EXPECT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
    EXPECT_EQ(outcome(::sigaction(SIGKILL, &action, nullptr)), "-1 EINVAL");
    EXPECT_EQ(::signal(SIGPIPE, SIG_IGN), SIG_DFL);
    EXPECT_EQ(::signal(SIGPIPE, SIG_DFL), SIG_IGN);
    EXPECT_EQ(::signal(SIGKILL, SIG_IGN), SIG_ERR);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    EXPECT_EQ(::sigprocmask(SIG_BLOCK, &set, nullptr), 0);
    sigset_t mask_before;
    EXPECT_EQ(::pthread_sigmask(SIG_UNBLOCK, &set, &mask_before), 0);
    EXPECT_EQ(sigismember(&mask_before, SIGPIPE), 1);
    EXPECT_EQ(::pthread_sigmask(99, &set, nullptr), EINVAL);
  });
  std::string story;
  for (const auto& call : scenario.calls()) story += call.text + " = " + call.result + "\n";
  EXPECT_EQ(story,
            "sigaction(SIGUSR1, a handler, SA_RESTART) = 0, was SIG_DFL\n"
            "sigaction(SIGUSR1, SIG_DFL) = 0\n"
            "sigaction(SIGKILL, a handler, SA_RESTART) = -1 EINVAL\n"
            "signal(SIGPIPE, SIG_IGN) = SIG_DFL\n"
            "signal(SIGPIPE, SIG_DFL) = SIG_IGN\n"
            "signal(SIGKILL, SIG_IGN) = -1 EINVAL\n"
            "sigprocmask(SIG_BLOCK, {SIGPIPE}) = 0\n"
            "pthread_sigmask(SIG_UNBLOCK, {SIGPIPE}) = 0, was {SIGPIPE}\n"
            "pthread_sigmask(99, {SIGPIPE}) = -1 EINVAL\n");
}

TEST(Signals, ThatWerePendingArriveWhenTheMaskLetsThemIn) {
  Scenario scenario;
  scenario.signal_at(1s, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(::pipe(pipe_to_itself), 0);
    ::signal(SIGUSR1, write_to_itself);
    const sigset_t before = blocked(SIGUSR1);
    ::sleep(2);
    EXPECT_TRUE(scenario.calls("write").empty());
    sigprocmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(scenario.calls("write").size(), 1U);
    ::close(pipe_to_itself[0]);
    ::close(pipe_to_itself[1]);
  });
}

TEST(Signals, OfABrokenPipeRunTheProgramsHandler) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.closes();
  scenario.run([&] {
    EXPECT_EQ(::pipe(pipe_to_itself), 0);
    ::signal(SIGPIPE, write_to_itself);
    EXPECT_EQ(outcome(::write(fd, "x", 1)), "1");
    EXPECT_EQ(outcome(::write(fd, "x", 1)), "-1 EPIPE");
    EXPECT_EQ(selected({.read = {pipe_to_itself[0]}}), "1, read {4}");
    ::signal(SIGPIPE, SIG_DFL);
    ::close(pipe_to_itself[0]);
    ::close(pipe_to_itself[1]);
  });
  EXPECT_EQ(scenario.calls("write").size(), 3U);
}
