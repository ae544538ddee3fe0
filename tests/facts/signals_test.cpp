/// @file
/// Facts about signals: what they interrupt, what restarts, and SIGPIPE.

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <chrono>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

fd_set set_of(int fd) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  return set;
}

/// Blocks SIGUSR1 while it lives, so that a raised one stays pending.
class Usr1Blocked {
 public:
  Usr1Blocked() {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    EXPECT_EQ(::pthread_sigmask(SIG_BLOCK, &usr1, &before_), 0);
  }
  ~Usr1Blocked() { (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Usr1Blocked(const Usr1Blocked&) = delete;
  Usr1Blocked& operator=(const Usr1Blocked&) = delete;

  /// The mask without SIGUSR1: what pselect(2) is given.
  [[nodiscard]] const sigset_t& before() const { return before_; }

 private:
  sigset_t before_{};
};

// Fact 6: select fails with EINTR even under SA_RESTART (signal(7); POSIX leaves it open).
TEST(Signals, SelectIsNeverRestarted) {
  const SignalCounter signals(SIGUSR1, SA_RESTART);
  const Pair tcp = tcp_pair();
  fd_set readable = set_of(tcp.mine());
  BlockedCall select(
      [&] { return ::select(tcp.mine() + 1, &readable, nullptr, nullptr, nullptr); });
  ASSERT_TRUE(select.is_asleep());

  select.interrupt(SIGUSR1);

  EXPECT_EQ(select.result(), fails_with(EINTR));
  EXPECT_EQ(signals.count(), 1);
}

// Fact 5: Linux writes the remaining time on EINTR too (select(2)).
TEST(Signals, InterruptedSelectLeavesTheRemainingTime) {
  const SignalCounter signals(SIGUSR1);
  timeval timeout{.tv_sec = 3600, .tv_usec = 0};
  BlockedCall select([&] { return ::select(0, nullptr, nullptr, nullptr, &timeout); });
  ASSERT_TRUE(select.is_asleep());

  select.interrupt(SIGUSR1);

  ASSERT_EQ(select.result(), fails_with(EINTR));
  EXPECT_LT(timeout.tv_sec, 3600);
  EXPECT_GT(timeout.tv_sec, 3000);
}

// Fact 16: after EINTR every bit is still set: tested all the same, all would seem ready.
TEST(Signals, BitsAreStillSetAfterEintr) {
  const SignalCounter signals(SIGUSR1);
  const Pair quiet = tcp_pair();
  fd_set readable = set_of(quiet.mine());
  BlockedCall select(
      [&] { return ::select(quiet.mine() + 1, &readable, nullptr, nullptr, nullptr); });
  ASSERT_TRUE(select.is_asleep());

  select.interrupt(SIGUSR1);

  ASSERT_EQ(select.result(), fails_with(EINTR));
  EXPECT_TRUE(FD_ISSET(quiet.mine(), &readable));
}

// Fact 7: without SA_RESTART a caught signal makes a blocking recv fail with EINTR (signal(7)).
TEST(Signals, RecvIsInterrupted) {
  const SignalCounter signals(SIGUSR1);
  const Pair tcp = tcp_pair();
  char byte = 0;
  BlockedCall recv([&] { return ::recv(tcp.mine(), &byte, 1, 0); });
  ASSERT_TRUE(recv.is_asleep());

  recv.interrupt(SIGUSR1);

  EXPECT_EQ(recv.result(), fails_with(EINTR));
}

// Fact 7: under SA_RESTART recv goes on waiting after the handler (signal(7)).
TEST(Signals, RecvIsRestartedUnderSaRestart) {
  const SignalCounter signals(SIGUSR1, SA_RESTART);
  const Pair tcp = tcp_pair();
  char byte = 0;
  BlockedCall recv([&] { return ::recv(tcp.mine(), &byte, 1, 0); });
  ASSERT_TRUE(recv.is_asleep());

  recv.interrupt(SIGUSR1);

  EXPECT_TRUE(recv.is_asleep());
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  EXPECT_EQ(recv.result(), returns(1));
  EXPECT_EQ(signals.count(), 1);
}

// Fact 7: with a receive timeout recv is not restarted: EINTR even under SA_RESTART (signal(7)).
TEST(Signals, RecvWithATimeoutIsNotRestarted) {
  const SignalCounter signals(SIGUSR1, SA_RESTART);
  const Pair tcp = tcp_pair();
  set_timeout(tcp.mine(), SO_RCVTIMEO, std::chrono::seconds(3600));
  char byte = 0;
  BlockedCall recv([&] { return ::recv(tcp.mine(), &byte, 1, 0); });
  ASSERT_TRUE(recv.is_asleep());

  recv.interrupt(SIGUSR1);

  EXPECT_EQ(recv.result(), fails_with(EINTR));
}

// Fact 7: a blocking accept without SA_RESTART fails with EINTR (signal(7)).
TEST(Signals, AcceptIsInterrupted) {
  const SignalCounter signals(SIGUSR1);
  const Fd listener = listening_socket();
  BlockedCall accept([&] { return ::accept(listener.get(), nullptr, nullptr); });
  ASSERT_TRUE(accept.is_asleep());

  accept.interrupt(SIGUSR1);

  EXPECT_EQ(accept.result(), fails_with(EINTR));
}

// Fact 57: pselect that lets a pending signal in answers EINTR at once (select(2)).
TEST(Signals, PselectDeliversAPendingSignalAtOnce) {
  const SignalCounter signals(SIGUSR1);
  const Usr1Blocked blocked;
  ASSERT_EQ(::raise(SIGUSR1), 0);
  ASSERT_EQ(signals.count(), 0);

  const Result result =
      result_of(::pselect(0, nullptr, nullptr, nullptr, nullptr, &blocked.before()));

  EXPECT_EQ(result, fails_with(EINTR));
  EXPECT_EQ(signals.count(), 1);
}

// Fact 58: pselect with a ready descriptor returns it and does not run the pending handler.
TEST(Signals, PselectWithSomethingReadyKeepsTheSignalPending) {
  const SignalCounter signals(SIGUSR1);
  const Usr1Blocked blocked;
  const Pair tcp = tcp_pair();
  ASSERT_EQ(::raise(SIGUSR1), 0);

  for (int turn = 0; turn < 100; ++turn) {
    fd_set writable = set_of(tcp.mine());
    ASSERT_EQ(::pselect(tcp.mine() + 1, nullptr, &writable, nullptr, nullptr, &blocked.before()),
              1);
  }

  EXPECT_EQ(signals.count(), 0);
}

// Fact: a send that says EPIPE raises SIGPIPE, which ends a process that does nothing about it.
TEST(Signals, SigpipeKillsByDefault) {
  EXPECT_EQ(in_child([] {
              Pair pair = unix_pair();
              pair.close_peer();
              const ssize_t sent = ::send(pair.mine(), "x", 1, 0);
              return "still alive after " + std::to_string(sent);
            }),
            "killed by SIGPIPE");
}

// Fact: with MSG_NOSIGNAL the same send says EPIPE and raises nothing (send(2)).
TEST(Signals, NoSignalFlagKeepsSigpipeAway) {
  const SignalCounter signals(SIGPIPE);
  Pair pair = unix_pair();
  pair.close_peer();

  EXPECT_EQ(result_of(::send(pair.mine(), "x", 1, MSG_NOSIGNAL)), fails_with(EPIPE));
  EXPECT_EQ(signals.count(), 0);

  EXPECT_EQ(result_of(::send(pair.mine(), "x", 1, 0)), fails_with(EPIPE));
  EXPECT_EQ(signals.count(), 1);
}

// Fact: SIGPIPE comes with EPIPE only: the ECONNRESET before it raises nothing (send(2)).
TEST(Signals, ResetRaisesNoSigpipe) {
  const SignalCounter signals(SIGPIPE);
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.mine(), "unread"), returns(6));
  ASSERT_TRUE(holds_input(tcp.peer(), 6));
  tcp.close_peer();
  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));

  EXPECT_EQ(result_of(::send(tcp.mine(), "x", 1, 0)), fails_with(ECONNRESET));
  EXPECT_EQ(signals.count(), 0);
}

}  // namespace
}  // namespace facts
