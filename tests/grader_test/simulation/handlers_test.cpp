// Handlers of the program: they are watched, and nothing about them is different.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>

#include "calls.hpp"
#include "libc/real_libc.hpp"

using namespace grader_test;

namespace {

volatile sig_atomic_t run_count = 0, last_signal = 0, last_code = 0, was_blocked = 0;

void count(int signal) {
  run_count = run_count + 1;
  last_signal = signal;
}

void count_with_info(int signal, siginfo_t* info, void* context) {
  count(signal);
  last_code = info->si_signo == signal && context != nullptr ? 1 : 0;
}

void look_at_mask(int) {
  sigset_t mask;
  ::sigprocmask(SIG_BLOCK, nullptr, &mask);
  was_blocked = sigismember(&mask, SIGUSR1) * 10 + sigismember(&mask, SIGUSR2);
}

void raise_itself_once(int signal) {
  run_count = run_count + 1;
  if (run_count == 1) ::raise(signal);
  last_signal = run_count;  // when the first run ends: 1, or 2 when it was interrupted
}

struct sigaction action_of(sighandler_t handler, int flags = 0) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  return action;
}

// What a handler may do: all async-signal-safe (signal-safety(7)).
int own[2];
std::atomic<bool> is_told = false;
void do_what_is_safe(int signal) {
  const int saved = errno;
  char byte = 0;
  (void)!::write(own[1], "w", 1);
  (void)!::read(own[0], &byte, 1);
  pollfd entry{own[0], POLLIN, 0};
  (void)::poll(&entry, 1, 0);
  timeval zero{};
  (void)::select(0, nullptr, nullptr, nullptr, &zero);
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  struct sigaction action = action_of(SIG_IGN);
  (void)::sigaction(SIGUSR2, &action, nullptr);
  (void)::fcntl(own[0], F_GETFL);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  (void)::close(fd);
  (void)::kill(::getpid(), SIGUSR2);
  sigset_t set;
  sigemptyset(&set);
  (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
  std::free(nullptr);
  is_told = true;
  errno = saved;
  last_signal = signal;
}

sigjmp_buf way_out;
void jump_out(int) { siglongjmp(way_out, 1); }

}  // namespace

TEST(Handlers, MayDoWhatIsSafe) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(::pipe2(own, O_NONBLOCK), 0);
    ::signal(SIGUSR1, do_what_is_safe);
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    ::close(own[0]);
    ::close(own[1]);
  });
  EXPECT_TRUE(is_told);
  EXPECT_EQ(scenario.own_handler_runs(), 1);
  EXPECT_FALSE(scenario.errno_changed_by_handler());
  for (const auto& call : scenario.calls("poll")) EXPECT_EQ(call.by, "handler");
}

TEST(Handlers, AreCountedHoweverTheirSignalsCome) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    ::signal(SIGUSR1, count);
    ::raise(SIGUSR1);
    ::kill(::getpid(), SIGUSR1);
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    EXPECT_EQ(scenario.own_handler_runs(), 3);
  });
  EXPECT_EQ(run_count, 3);
  EXPECT_EQ(scenario.handler_runs(), 0);
}

TEST(Handlers, OfTheScenarioAreNotThePrograms) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1);
  int calls = 0;
  scenario.handle(SIGUSR2, [&] { ++calls; });
  scenario.signal_at(731ms, SIGUSR2, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(scenario.handler_runs(), 2);
  EXPECT_EQ(scenario.own_handler_runs(), 0);
}

TEST(Handlers, WithSiginfoAreToldAll) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    struct sigaction action {
    }, before{};
    action.sa_sigaction = count_with_info;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigaction(SIGUSR1, &action, nullptr);
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    ::sigaction(SIGUSR1, nullptr, &before);
    EXPECT_EQ(before.sa_sigaction, count_with_info);
    EXPECT_EQ(before.sa_flags & (SA_SIGINFO | SA_RESTART), SA_SIGINFO | SA_RESTART);
  });
  EXPECT_EQ(last_signal, SIGUSR1);
  EXPECT_EQ(last_code, 1);
}

TEST(Handlers, ThatWereInstalledAreToldBack) {
  Scenario scenario;
  scenario.run([&] {
    struct sigaction first = action_of(count, SA_RESTART), second = action_of(look_at_mask), before;
    sigaddset(&first.sa_mask, SIGUSR2);
    ::sigaction(SIGUSR1, &first, &before);
    EXPECT_EQ(before.sa_handler, SIG_DFL);
    ::sigaction(SIGUSR1, &second, &before);
    EXPECT_EQ(before.sa_handler, count);
    EXPECT_EQ(before.sa_flags & SA_RESTART, SA_RESTART);
    EXPECT_EQ(sigismember(&before.sa_mask, SIGUSR2), 1);
    EXPECT_EQ(::signal(SIGUSR1, SIG_IGN), look_at_mask);
    EXPECT_EQ(::signal(SIGUSR1, count), SIG_IGN);
    EXPECT_EQ(::signal(SIGUSR1, SIG_DFL), count);
  });
}

TEST(Handlers, OfTheCheckAreLeftAlone) {
  struct sigaction mine = action_of(count, SA_RESTART), found{}, truth{};
  sigaddset(&mine.sa_mask, SIGUSR2);
  ::sigaction(SIGUSR1, &mine, nullptr);
  Scenario scenario;
  scenario.run([&] {
    struct sigaction other = action_of(look_at_mask), before;
    ::sigaction(SIGUSR1, &other, &before);
    ::raise(SIGUSR1);
    ::sigaction(SIGUSR1, &before, nullptr);
  });
  ::sigaction(SIGUSR1, nullptr, &found);
  grader::real().sigaction(SIGUSR1, nullptr, &truth);
  EXPECT_EQ(found.sa_handler, count);
  EXPECT_EQ(truth.sa_handler, count);
  EXPECT_EQ(truth.sa_flags & SA_RESTART, SA_RESTART);
  EXPECT_EQ(sigismember(&truth.sa_mask, SIGUSR2), 1);
  ::raise(SIGUSR1);
  EXPECT_EQ(scenario.own_handler_runs(), 1);
}

TEST(Handlers, LeftInstalledAreSeenAsTheyWereGiven) {
  Scenario scenario;
  scenario.run([&] { ::signal(SIGUSR1, count); });
  struct sigaction found {};
  ::sigaction(SIGUSR1, nullptr, &found);
  EXPECT_EQ(found.sa_handler, count);
}

TEST(Handlers, BlockWhatTheirMaskSays) {
  Scenario scenario;
  scenario.run([&] {
    struct sigaction action = action_of(look_at_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    ::sigaction(SIGUSR1, &action, nullptr);
    ::raise(SIGUSR1);
    EXPECT_EQ(was_blocked, 11);
    action = action_of(look_at_mask, SA_NODEFER);
    ::sigaction(SIGUSR1, &action, nullptr);
    ::raise(SIGUSR1);
    EXPECT_EQ(was_blocked, 0);
  });
}

TEST(Handlers, InterruptThemselvesOnlyWithNodefer) {
  Scenario scenario;
  scenario.run([&] {
    struct sigaction action = action_of(raise_itself_once);
    ::sigaction(SIGUSR1, &action, nullptr);
    ::raise(SIGUSR1);
    EXPECT_EQ(run_count, 2);
    run_count = 0;
    action.sa_flags = SA_NODEFER;
    ::sigaction(SIGUSR1, &action, nullptr);
    ::raise(SIGUSR1);
    EXPECT_EQ(run_count, 2);
    EXPECT_EQ(last_signal, 2);
  });
}

TEST(Handlers, ForOneSignalOnlyAreGoneAfterIt) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    struct sigaction action = action_of(count, static_cast<int>(SA_RESETHAND)), before;
    ::sigaction(SIGUSR1, &action, nullptr);
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    ::sigaction(SIGUSR1, nullptr, &before);
    EXPECT_EQ(before.sa_handler, SIG_DFL);
  });
}

TEST(Handlers, ThatChangeErrnoAreNoticed) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.signal_at(731ms, SIGUSR2, Handler::own);
  scenario.handle(SIGUSR2, [] { EXPECT_EQ(::close(::dup(-1)), -1); });
  scenario.run([&] {
    ::signal(SIGUSR1, count);
    scenario.allow_bad_closes();
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    EXPECT_FALSE(scenario.errno_changed_by_handler());
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
  });
  ASSERT_TRUE(scenario.errno_changed_by_handler());
  EXPECT_EQ(scenario.errno_changed_by_handler()->signal, SIGUSR2);
  EXPECT_EQ(scenario.errno_changed_by_handler()->left, EBADF);
}

TEST(Handlers, MayBeLeftByAJump) {
  Scenario scenario;
  scenario.run([&] {
    ::signal(SIGUSR1, jump_out);
    if (sigsetjmp(way_out, 1) == 0) ::raise(SIGUSR1);
    std::puts("this is no handler any more");
    const std::string text(1000, 'x');
    EXPECT_EQ(text.size(), 1000U);
  });
  EXPECT_EQ(scenario.own_handler_runs(), 1);
}

TEST(Handlers, OutsideOneEverythingIsSafe) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    ::signal(SIGUSR1, count);
    EXPECT_EQ(selected({}, 1s), "-1 EINTR");
    std::printf("%d\n", run_count);
    const std::string text(1000, 'x');
    EXPECT_EQ(text.size(), 1000U);
  });
}

TEST(Handlers, OfTheProgramRunInItsTurnOnly) {
  Scenario scenario;
  int calls = 0;
  scenario.handle(SIGUSR1, [&] { ++calls; });
  scenario.signal_at(2s, SIGUSR1, Handler::own);
  scenario.run([&] { EXPECT_EQ(selected({}, 1s), "0"); });
  scenario.finish();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(scenario.handler_runs(), 0);
}
