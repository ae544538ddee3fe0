// Descriptors that wake, and waiting for signals: eventfd, signalfd, sigwait and pipes of the
// program's own.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "calls.hpp"
#include "simulation/text.hpp"

using namespace grader_test;

namespace {

sigset_t set_of(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

std::string number_in(int fd) {
  std::uint64_t number = 0;
  const ssize_t got = ::read(fd, &number, sizeof number);
  return got == sizeof number ? std::to_string(number) : outcome(got);
}

std::string added(int fd, std::uint64_t number) {
  return outcome(::write(fd, &number, sizeof number));
}

std::string signal_in(int fd) {
  signalfd_siginfo info{};
  const ssize_t got = ::read(fd, &info, sizeof info);
  return got == sizeof info ? grader::signal_name(static_cast<int>(info.ssi_signo)) : outcome(got);
}

std::string story_of(const Scenario& scenario) {
  std::string text;
  for (const auto& call : scenario.calls()) text += call.text + " = " + call.result + "\n";
  return text;
}

}  // namespace

TEST(Eventfd, IsADescriptorLikeAnyOther) {
  Scenario scenario;
  scenario.run([&] {
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    EXPECT_EQ(fd, 3);
    EXPECT_EQ(selected({.read = {fd}}, 31ms), "0");
    EXPECT_EQ(number_in(fd), "-1 EAGAIN");
    EXPECT_EQ(added(fd, 2), "8");
    EXPECT_EQ(added(fd, 3), "8");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "2, read {3}, write {3}");
    EXPECT_EQ(polled(fd, POLLIN, 0), "1, in");
    EXPECT_EQ(number_in(fd), "5");
    EXPECT_EQ(number_in(fd), "-1 EAGAIN");
    char small[4];
    EXPECT_EQ(outcome(::read(fd, small, sizeof small)), "-1 EINVAL");
    EXPECT_EQ(scenario.open_descriptors(), std::vector<int>{3});
    ::close(fd);
  });
  EXPECT_TRUE(scenario.open_descriptors().empty());
}

TEST(Eventfd, ShowsItsNumbersInTheRecording) {
  Scenario scenario;
  scenario.run([&] {
    const int fd = ::eventfd(7, EFD_NONBLOCK | EFD_SEMAPHORE);
    (void)added(fd, 1);
    (void)number_in(fd);
    ::close(fd);
  });
  EXPECT_EQ(story_of(scenario),
            "eventfd(7, NONBLOCK, SEMAPHORE) = 3\n"
            "write(3, 1, 8) = 8\n"
            "read(3, 8) = 8 1\n"
            "close(3) = 0\n");
}

TEST(Eventfd, KeepsAReadWaitingUntilAThreadWrites) {
  Scenario scenario;
  int fd = -1;
  scenario.thread_at(331ms, [&] { EXPECT_EQ(::eventfd_write(fd, 4), 0); });
  scenario.run([&] {
    fd = ::eventfd(0, 0);
    eventfd_t value = 0;
    EXPECT_EQ(::eventfd_read(fd, &value), 0);
    EXPECT_EQ(value, 4U);
    EXPECT_EQ(steady_time(), 331ms);
    ::close(fd);
  });
}

TEST(Eventfd, HasRoomForVeryManyWakeUps) {
  Scenario scenario;
  scenario.run([&] {
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    EXPECT_EQ(added(fd, ~std::uint64_t{1}), "8");
    EXPECT_EQ(added(fd, 1), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "1, read {3}");
    EXPECT_EQ(outcome(::eventfd_write(fd, 1)), "-1 EAGAIN");
    ::close(fd);
  });
}

TEST(Signalfd, BecomesReadableWhenABlockedSignalComes) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    const int fd = ::signalfd(-1, &usr1, SFD_NONBLOCK);
    EXPECT_EQ(fd, 3);
    EXPECT_EQ(signal_in(fd), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(signal_in(fd), "SIGUSR1");
    EXPECT_EQ(signal_in(fd), "-1 EAGAIN");
    ::close(fd);
  });
  EXPECT_EQ(scenario.calls("read")[1].result, "128 {SIGUSR1}");
}

TEST(Signalfd, KeepsAReadWaiting) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR2, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1), usr2 = set_of(SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &usr2, nullptr);
    const int fd = ::signalfd(-1, &usr1, 0);
    EXPECT_EQ(::signalfd(fd, &usr2, 0), fd);  // now it takes the other one
    EXPECT_EQ(signal_in(fd), "SIGUSR2");
    EXPECT_EQ(steady_time(), 331ms);
    ::close(fd);
  });
  EXPECT_EQ(scenario.calls("signalfd")[1].text, "signalfd(3, {SIGUSR2})");
}

TEST(Signalfd, TakesWhatComesInTheGap) {
  Scenario scenario;
  scenario.signal_before("select", SIGUSR1);
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    const int fd = ::signalfd(-1, &usr1, SFD_CLOEXEC);
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(signal_in(fd), "SIGUSR1");
    ::close(fd);
  });
}

TEST(Sigwait, TakesTheSignalThatComes) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.signal_at(731ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    int signal = 0;
    EXPECT_EQ(::sigwait(&usr1, &signal), 0);
    EXPECT_EQ(signal, SIGUSR1);
    EXPECT_EQ(steady_time(), 331ms);
    siginfo_t info{};
    EXPECT_EQ(::sigwaitinfo(&usr1, &info), SIGUSR1);
    EXPECT_EQ(info.si_signo, SIGUSR1);
    EXPECT_EQ(steady_time(), 731ms);
  });
  EXPECT_EQ(scenario.calls("sigwait").front().text, "sigwait({SIGUSR1})");
  EXPECT_EQ(scenario.calls("sigwait").front().result, "SIGUSR1");
}

TEST(Sigwait, EndsAtItsTimeout) {
  Scenario scenario;
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    const timespec time{0, 331'000'000}, wrong{0, -1};
    EXPECT_EQ(outcome(::sigtimedwait(&usr1, nullptr, &time)), "-1 EAGAIN");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(outcome(::sigtimedwait(&usr1, nullptr, &wrong)), "-1 EINVAL");
  });
}

TEST(Sigwait, IsInterruptedByAnother) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR2);
  scenario.signal_at(731ms, SIGUSR2);
  scenario.signal_at(1100ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    EXPECT_EQ(outcome(::sigwaitinfo(&usr1, nullptr)), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
    int signal = 0;
    EXPECT_EQ(::sigwait(&usr1, &signal), 0);  // never
    EXPECT_EQ(steady_time(), 1100ms);
  });
  EXPECT_EQ(scenario.handler_runs(), 2);
}

TEST(Sigpending, TellsWhatIsBlockedAndHasCome) {
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const sigset_t usr1 = set_of(SIGUSR1);
    sigset_t pending;
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    EXPECT_EQ(::sigpending(&pending), 0);
    EXPECT_EQ(sigismember(&pending, SIGUSR1), 0);
    ::sleep(1);
    EXPECT_EQ(::sigpending(&pending), 0);
    EXPECT_EQ(sigismember(&pending, SIGUSR1), 1);
  });
  EXPECT_EQ(scenario.calls("sigpending").back().result, "0, {SIGUSR1}");
}

TEST(OwnPipe, WakesWhenAHandlerWrites) {
  Scenario scenario;
  int ends[2] = {-1, -1};
  scenario.handle(SIGUSR1, [&] { (void)!::write(ends[1], "w", 1); });
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_EQ(selected({.read = {ends[0]}}), "-1 EINTR");
    EXPECT_EQ(selected({.read = {ends[0]}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST(OwnPipe, TakesNoMoreThanItHolds) {
  Scenario scenario;
  scenario.run([&] {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    EXPECT_EQ(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    int taken = 0;
    for (int i = 0; i < 9'000; ++i) taken += ::write(ends[1], "w", 1) == 1 ? 1 : 0;
    EXPECT_EQ(taken, 4096);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(selected({.read = {ends[0]}, .write = {ends[1]}}), "1, read {3}");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST(OwnSocketpair, TakesNoMoreThanItHolds) {
  Scenario scenario;
  scenario.run([&] {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    int refused = 0;
    for (int i = 0; i < 5'000; ++i) refused += ::send(ends[1], "w", 1, MSG_NOSIGNAL) == 1 ? 0 : 1;
    EXPECT_GT(refused, 0);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(selected({.read = {ends[0]}, .write = {ends[1]}}), "1, read {3}");
    ::close(ends[0]);
    ::close(ends[1]);
  });
}
