/// @file
/// Facts about connect(2): refused, pending, interrupted, and the addresses it is given.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

tcp_info info_of(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return info;
}

// Fact: connecting to a port on which nobody listens is refused at once (connect(2), RFC 9293).
TEST(Connect, NobodyListeningIsRefused) {
  const Fd refusing = refusing_socket();
  const Fd fd = tcp_socket();

  EXPECT_EQ(connect(fd.get(), address_of(refusing.get())), fails_with(ECONNREFUSED));
}

// Fact: connecting a connected socket again says EISCONN (connect(2)).
TEST(Connect, SecondConnectSaysEisconn) {
  const Fd listener = listening_socket();
  const Fd fd = connected_to(listener.get());

  EXPECT_EQ(connect(fd.get(), address_of(listener.get())), fails_with(EISCONN));
}

// Fact: a family that the kernel does not have fails in socket(2) already: EAFNOSUPPORT.
TEST(Connect, UnknownFamilyFailsInSocket) {
  constexpr int kNoSuchFamily = 1000;

  EXPECT_EQ(result_of(::socket(kNoSuchFamily, SOCK_STREAM, 0)), fails_with(EAFNOSUPPORT));
}

// Fact 42: a non-blocking connect that succeeded is writable.
TEST(Connect, SuccessIsWritable) {
  const Fd listener = listening_socket();
  const Fd fd = tcp_socket(SOCK_NONBLOCK);

  ASSERT_EQ(connect(fd.get(), address_of(listener.get())), fails_with(EINPROGRESS));

  EXPECT_TRUE(becomes(fd.get(), "writable"));
  EXPECT_EQ(pending_error(fd.get()), 0);
}

// Fact 42: a non-blocking connect to a server that spoke first is readable too.
TEST(Connect, SuccessIsReadableTooWhenTheServerSpokeFirst) {
  const Fd listener = listening_socket();
  const Fd fd = tcp_socket(SOCK_NONBLOCK);
  ASSERT_EQ(connect(fd.get(), address_of(listener.get())), fails_with(EINPROGRESS));
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));

  ASSERT_EQ(send(accepted.get(), "welcome"), returns(7));

  EXPECT_TRUE(becomes(fd.get(), "readable writable"));
  EXPECT_EQ(pending_error(fd.get()), 0);
}

// Fact 42: a refused connect is readable and writable: writability alone is not success.
TEST(Connect, RefusalIsReadableAndWritable) {
  const Fd refusing = refusing_socket();
  const Fd fd = tcp_socket(SOCK_NONBLOCK);

  ASSERT_EQ(connect(fd.get(), address_of(refusing.get())), fails_with(EINPROGRESS));

  EXPECT_TRUE(becomes(fd.get(), "readable writable"));
  EXPECT_EQ(error_name(pending_error(fd.get())), "ECONNREFUSED");
}

// Fact 43: SO_ERROR tells a refusal once, then 0 (socket(7), SO_ERROR).
TEST(Connect, PendingErrorTellsTheRefusalOnce) {
  const Fd refusing = refusing_socket();
  const Fd fd = tcp_socket(SOCK_NONBLOCK);
  ASSERT_EQ(connect(fd.get(), address_of(refusing.get())), fails_with(EINPROGRESS));
  ASSERT_TRUE(becomes(fd.get(), "readable writable"));

  EXPECT_EQ(error_name(pending_error(fd.get())), "ECONNREFUSED");
  EXPECT_EQ(pending_error(fd.get()), 0);
}

// Fact 44: while a connect is pending: SO_ERROR 0, recv and send EAGAIN, connect EALREADY.
TEST(Connect, PendingSaysNothingYet) {
  const FullListener full;
  const Fd fd = tcp_socket(SOCK_NONBLOCK);

  ASSERT_EQ(connect(fd.get(), address_of(full.listener.get())), fails_with(EINPROGRESS));

  EXPECT_EQ(readiness(fd.get()), "nothing");
  EXPECT_EQ(pending_error(fd.get()), 0);
  EXPECT_EQ(receive_now(fd.get()), fails_with(EAGAIN));
  EXPECT_EQ(send(fd.get(), "x"), fails_with(EAGAIN));
  EXPECT_EQ(connect(fd.get(), address_of(full.listener.get())), fails_with(EALREADY));
}

// Fact 44: after success, connect answers 0 once and then EISCONN.
TEST(Connect, AfterSuccessAnswersZeroThenEisconn) {
  const Fd listener = listening_socket();
  const Fd fd = tcp_socket(SOCK_NONBLOCK);
  ASSERT_EQ(connect(fd.get(), address_of(listener.get())), fails_with(EINPROGRESS));
  ASSERT_TRUE(becomes(fd.get(), "writable"));

  EXPECT_EQ(connect(fd.get(), address_of(listener.get())), returns(0));
  EXPECT_EQ(connect(fd.get(), address_of(listener.get())), fails_with(EISCONN));
}

// Fact 45: a connect that a signal interrupts carries on; wait until writable, then ask SO_ERROR.
TEST(Connect, InterruptedConnectCarriesOn) {
  const SignalCounter signals(SIGUSR1);
  FullListener full;
  const Fd fd = tcp_socket();
  const sockaddr_in address = address_of(full.listener.get());
  BlockedCall first([&] { return connect(fd.get(), address).value; });
  ASSERT_TRUE(first.is_asleep());

  first.interrupt(SIGUSR1);

  EXPECT_EQ(first.result(), fails_with(EINTR));
  EXPECT_EQ(tcp_state(fd.get()), TCP_SYN_SENT);
  full.accept_one();  // the kernel tries again by itself, one second after the first time
  EXPECT_TRUE(becomes(fd.get(), "writable"));
  EXPECT_EQ(pending_error(fd.get()), 0);
  EXPECT_GE(info_of(fd.get()).tcpi_total_retrans, 1U);
}

// Fact 45: a retry without waiting says EALREADY (connect(2)).
TEST(Connect, RetryAfterAnInterruptionSaysEalready) {
  const SignalCounter signals(SIGUSR1);
  const FullListener full;
  const Fd fd = tcp_socket();
  const sockaddr_in address = address_of(full.listener.get());
  BlockedCall first([&] { return connect(fd.get(), address).value; });
  ASSERT_TRUE(first.is_asleep());
  first.interrupt(SIGUSR1);
  ASSERT_EQ(first.result(), fails_with(EINTR));

  ASSERT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);

  EXPECT_EQ(connect(fd.get(), address), fails_with(EALREADY));
}

// Fact 45: a retry on a blocking socket waits on for the same attempt on Linux; POSIX: EALREADY.
TEST(Connect, BlockingRetryAfterAnInterruptionWaitsOn) {
  const SignalCounter signals(SIGUSR1);
  FullListener full;
  const Fd fd = tcp_socket();
  const sockaddr_in address = address_of(full.listener.get());
  BlockedCall first([&] { return connect(fd.get(), address).value; });
  ASSERT_TRUE(first.is_asleep());
  first.interrupt(SIGUSR1);
  ASSERT_EQ(first.result(), fails_with(EINTR));

  BlockedCall second([&] { return connect(fd.get(), address).value; });

  EXPECT_TRUE(second.is_asleep());
  full.accept_one();
  EXPECT_EQ(second.result(), returns(0));
}

// Fact: SA_RESTART makes a blocking connect go on by itself on Linux (signal(7)).
TEST(Connect, RestartsUnderSaRestart) {
  const SignalCounter signals(SIGUSR1, SA_RESTART);
  const FullListener full;
  const Fd fd = tcp_socket();
  const sockaddr_in address = address_of(full.listener.get());
  BlockedCall call([&] { return connect(fd.get(), address).value; });
  ASSERT_TRUE(call.is_asleep());

  call.interrupt(SIGUSR1);

  EXPECT_TRUE(call.is_asleep());
}

// Fact: SO_SNDTIMEO limits connect too (socket(7)): EINPROGRESS then, and the attempt goes on.
TEST(Connect, EndsAtItsSendTimeout) {
  const FullListener full;
  const Fd fd = tcp_socket();
  set_timeout(fd.get(), SO_SNDTIMEO, std::chrono::milliseconds(50));

  EXPECT_EQ(connect(fd.get(), address_of(full.listener.get())), fails_with(EINPROGRESS));

  EXPECT_EQ(tcp_state(fd.get()), TCP_SYN_SENT);
}

// Fact 46: on loopback, a non-blocking connect says EINPROGRESS whether accepted or refused.
TEST(Connect, LoopbackSaysEinprogressEitherWay) {
  const Fd listener = listening_socket();
  const Fd refusing = refusing_socket();
  const Fd lucky = tcp_socket(SOCK_NONBLOCK);
  const Fd unlucky = tcp_socket(SOCK_NONBLOCK);

  EXPECT_EQ(connect(lucky.get(), address_of(listener.get())), fails_with(EINPROGRESS));
  EXPECT_EQ(connect(unlucky.get(), address_of(refusing.get())), fails_with(EINPROGRESS));
}

// Fact 47: TCP can connect to itself (RFC 9293, 3.5: simultaneous open).
TEST(Connect, SocketCanConnectToItself) {
  const Fd fd = refusing_socket();

  EXPECT_EQ(connect(fd.get(), address_of(fd.get())), returns(0));

  ASSERT_EQ(send(fd.get(), "me"), returns(2));
  EXPECT_EQ(receive(fd.get()), delivers("me"));
}

// Fact 47: so it can without blocking, and SO_ERROR says success; only the two addresses tell.
TEST(Connect, SelfConnectionHasOneAddressAtBothEnds) {
  const Fd fd = refusing_socket();
  ASSERT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  const sockaddr_in own = address_of(fd.get());

  ASSERT_EQ(connect(fd.get(), own), fails_with(EINPROGRESS));

  EXPECT_TRUE(becomes(fd.get(), "writable"));
  EXPECT_EQ(pending_error(fd.get()), 0);
  sockaddr_in other{};
  socklen_t length = sizeof other;
  ASSERT_EQ(::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&other), &length), 0);
  EXPECT_EQ(other.sin_port, own.sin_port);
  EXPECT_EQ(other.sin_addr.s_addr, own.sin_addr.s_addr);
}

// Fact 49: Linux lets a socket try again after a refusal; connect(2): use a new one (unspecified).
TEST(Connect, SocketCanBeUsedAgainAfterARefusalOnLinuxOnly) {
  const Fd refusing = refusing_socket();
  const Fd listener = listening_socket();
  const Fd fd = tcp_socket();
  ASSERT_EQ(connect(fd.get(), address_of(refusing.get())), fails_with(ECONNREFUSED));

  const Result again = connect(fd.get(), address_of(listener.get()));

  if (again.error != 0) {
    GTEST_SKIP() << "connect(2) leaves the socket unspecified after a failure; here the second "
                    "connect said "
                 << error_name(again.error);
  }
  EXPECT_EQ(send(fd.get(), "x"), returns(1));
}

}  // namespace
}  // namespace facts
