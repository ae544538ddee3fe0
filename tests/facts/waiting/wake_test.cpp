// What wakes a program that waits, besides its peers: other threads, handlers, eventfd, signalfd.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "fact.hpp"

using namespace facts;

namespace {

sigset_t blocked(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return set;
}

std::string number_in(int fd) {
  std::uint64_t number = 0;
  const ssize_t got = ::read(fd, &number, sizeof number);
  return got == sizeof number ? std::to_string(number) : outcome(got);
}

}  // namespace

TEST(Wake, ByAByteOfAnotherThread) {
  fact("A byte that another thread writes into a pipe wakes a select that watches it");
  Scenario scenario;
  int ends[2] = {-1, -1};
  scenario.thread_at(331ms, [&] { (void)!::write(ends[1], "w", 1); });
  scenario.run([&] {
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    EXPECT_EQ(selected({.read = {ends[0]}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST(Wake, ByAByteOfAHandler) {
  fact("A handler's byte is there when select, which its signal has ended, is called again");
  Scenario scenario;
  int ends[2] = {-1, -1};
  scenario.handle(SIGUSR1, [&] { (void)!::write(ends[1], "w", 1); });
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    EXPECT_EQ(selected({.read = {ends[0]}}), "-1 EINTR");
    EXPECT_EQ(selected({.read = {ends[0]}}, 5s), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    ::close(ends[0]);
    ::close(ends[1]);
  });
  EXPECT_EQ(scenario.handler_runs(), 1);
}

TEST(Wake, ByASignalThatAnotherThreadSends) {
  fact("A signal that another thread sends the process ends the wait of the main thread");
  Scenario scenario;
  ::signal(SIGUSR1, [](int) {});
  scenario.thread_at(331ms, [] { ::kill(::getpid(), SIGUSR1); });
  scenario.run([&] {
    EXPECT_EQ(selected({}, 5s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(Wake, NotByASignalThatWasHandledBefore) {
  fact("A handler that has run before select begins does not end it");
  Scenario scenario;
  scenario.run([&] {
    ::signal(SIGUSR1, [](int) {});
    ::raise(SIGUSR1);
    EXPECT_EQ(selected({}, 331ms), "0");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(Wake, ByAnEventfd) {
  fact("eventfd(2): writes add up, a read takes all, and the next one waits");
  Scenario scenario;
  int fd = -1;
  scenario.thread_at(331ms, [&] {
    (void)!::eventfd_write(fd, 2);
    (void)!::eventfd_write(fd, 3);
  });
  scenario.thread_at(731ms, [&] { (void)!::eventfd_write(fd, 7); });
  scenario.run([&] {
    fd = ::eventfd(0, 0);
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(selected({}, 120ms), "0");
    EXPECT_EQ(number_in(fd), "5");
    EXPECT_EQ(number_in(fd), "7");
    EXPECT_EQ(steady_time(), 731ms);
    ::close(fd);
  });
}

TEST(Wake, ByAnEventfdThatIsFull) {
  fact("eventfd(2): what would overflow is EAGAIN, and the descriptor stays readable");
  Scenario scenario;
  scenario.run([&] {
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    EXPECT_EQ(outcome(::eventfd_write(fd, ~eventfd_t{1})), "0");
    EXPECT_EQ(outcome(::eventfd_write(fd, 1)), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}, 31ms), "1, read {3}");
    ::close(fd);
  });
}

TEST(Wake, ByASignalfd) {
  fact("signalfd(2): a blocked signal makes it readable, and reading takes the signal");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = blocked(SIGUSR1);
    const int fd = ::signalfd(-1, &usr1, SFD_NONBLOCK);
    EXPECT_EQ(selected({.read = {fd}}, 5s), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    signalfd_siginfo info{};
    EXPECT_EQ(::read(fd, &info, sizeof info), static_cast<ssize_t>(sizeof info));
    EXPECT_EQ(info.ssi_signo, static_cast<unsigned>(SIGUSR1));
    EXPECT_EQ(outcome(::read(fd, &info, sizeof info)), "-1 EAGAIN");
    ::close(fd);
  });
}

TEST(Sigwait, TakesASignalWithoutItsHandler) {
  fact("sigwait(3) takes a blocked signal that comes; its handler does not run");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    const sigset_t usr1 = blocked(SIGUSR1);
    int signal = 0;
    EXPECT_EQ(::sigwait(&usr1, &signal), 0);
    EXPECT_EQ(signal, SIGUSR1);
    EXPECT_EQ(steady_time(), 331ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 0);
}

TEST(Sigwait, TakesItEvenWhenItIsNotBlocked) {
  fact("sigtimedwait(2): Linux takes a signal of the set also when it is not blocked");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1);
  scenario.run([&] {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    const timespec time{5, 0};
    EXPECT_EQ(::sigtimedwait(&usr1, nullptr, &time), SIGUSR1);
    EXPECT_EQ(steady_time(), 331ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 0);
}

TEST(Sigwait, EndsAtItsTimeoutOrByAnotherSignal) {
  fact("sigtimedwait(2): EAGAIN at the timeout, EINTR when another signal is handled; not sigwait");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR2);
  scenario.signal_at(731ms, SIGUSR2);
  scenario.signal_at(1100ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = blocked(SIGUSR1);
    const timespec time{0, 120'000'000};
    EXPECT_EQ(outcome(::sigtimedwait(&usr1, nullptr, &time)), "-1 EAGAIN");
    EXPECT_EQ(outcome(::sigwaitinfo(&usr1, nullptr)), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
    int signal = 0;
    EXPECT_EQ(::sigwait(&usr1, &signal), 0);
    EXPECT_EQ(steady_time(), 1100ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 2);
}

TEST(Handlers, MaySpoilErrno) {
  fact("What a handler leaves in errno is what the interrupted code finds");
  Scenario scenario;
  scenario.run([&] {
    ::signal(SIGUSR1, [](int) { errno = EPROTO; });
    EXPECT_EQ(::fcntl(99, F_GETFD), -1);
    EXPECT_EQ(errno, EBADF);
    ::raise(SIGUSR1);
    EXPECT_EQ(errno, EPROTO);
  });
}

TEST(Handlers, AreWhatSigactionSays) {
  fact("SA_RESETHAND, SA_NODEFER, sa_mask and the old action of sigaction(2)");
  Scenario scenario;
  static volatile sig_atomic_t mask_in_handler = 0;
  const auto look = [](int) {
    sigset_t mask;
    ::sigprocmask(SIG_BLOCK, nullptr, &mask);
    mask_in_handler = sigismember(&mask, SIGUSR1) * 10 + sigismember(&mask, SIGUSR2);
  };
  scenario.run([&] {
    struct sigaction action {
    }, before{};
    action.sa_handler = look;
    sigaddset(&action.sa_mask, SIGUSR2);
    ::sigaction(SIGUSR1, &action, nullptr);
    ::raise(SIGUSR1);
    EXPECT_EQ(mask_in_handler, 11);
    sigemptyset(&action.sa_mask);
    action.sa_flags = static_cast<int>(SA_NODEFER | SA_RESETHAND);
    ::sigaction(SIGUSR1, &action, &before);
    EXPECT_EQ(before.sa_handler, action.sa_handler);
    EXPECT_EQ(sigismember(&before.sa_mask, SIGUSR2), 1);
    ::raise(SIGUSR1);
    EXPECT_EQ(mask_in_handler, 0);
    ::sigaction(SIGUSR1, nullptr, &before);
    EXPECT_EQ(before.sa_handler, SIG_DFL);
    EXPECT_NE(before.sa_flags & static_cast<int>(SA_RESETHAND), 0);
  });
}
