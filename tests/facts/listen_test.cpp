/// @file
/// Facts about bind(2) and listen(2): who may have a port, and how many may wait there.

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>
#include <limits>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

constexpr bool kReuse = true;
constexpr bool kNoReuse = false;

/// A server with (or without) SO_REUSEADDR served one client, hung up first, and ended: its port,
/// on which a connection is left in TIME_WAIT.
sockaddr_in port_of_a_server_that_ended(bool reuse) {
  const Fd listener = tcp_socket();
  EXPECT_TRUE(set_option(listener.get(), SOL_SOCKET, SO_REUSEADDR, reuse ? 1 : 0));
  EXPECT_EQ(bind(listener.get(), own_address()), returns(0));
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  const Fd client = connected_to(listener.get());
  Fd accepted(::accept(listener.get(), nullptr, nullptr));
  accepted.reset();  // the one that closes first gets the TIME_WAIT
  EXPECT_TRUE(peer_has_finished(client.get()));
  EXPECT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  EXPECT_TRUE(reaches_state(client.get(), TCP_CLOSE));  // its FIN was answered: TIME_WAIT
  return address_of(listener.get());
}

/// What bind(2) tells the next server that wants the same port.
Result next_bind(const sockaddr_in& address, bool reuse) {
  const Fd next = tcp_socket();
  EXPECT_TRUE(set_option(next.get(), SOL_SOCKET, SO_REUSEADDR, reuse ? 1 : 0));
  return bind(next.get(), address);
}

// Fact: with port 0 the kernel chooses a port, which getsockname(2) tells (ip(7)).
TEST(Listen, PortZeroLetsTheKernelChoose) {
  const Fd fd = tcp_socket();

  ASSERT_EQ(bind(fd.get(), own_address(0)), returns(0));

  EXPECT_NE(address_of(fd.get()).sin_port, 0);
}

// Fact 54: while TIME_WAIT lasts, the port cannot be bound without SO_REUSEADDR (ip(7), socket(7)).
TEST(Listen, TimeWaitRefusesABindWithoutReuseaddr) {
  const sockaddr_in address = port_of_a_server_that_ended(kReuse);

  EXPECT_EQ(next_bind(address, kNoReuse), fails_with(EADDRINUSE));
}

// Fact 54: with SO_REUSEADDR in both runs the port can be bound at once (socket(7)).
TEST(Listen, TimeWaitAllowsABindWithReuseaddrInBothRuns) {
  const sockaddr_in address = port_of_a_server_that_ended(kReuse);

  EXPECT_EQ(next_bind(address, kReuse), returns(0));
}

// Fact 54: SO_REUSEADDR does not help when the run before did not have it.
TEST(Listen, TimeWaitRefusesABindWhenOnlyTheSecondRunHasReuseaddr) {
  const sockaddr_in address = port_of_a_server_that_ended(kNoReuse);

  EXPECT_EQ(next_bind(address, kReuse), fails_with(EADDRINUSE));
}

// Fact 54: SO_REUSEADDR counts when bind(2) is called: set later, it helps only the next bind.
TEST(Listen, ReuseaddrHasToComeBeforeBind) {
  const sockaddr_in address = port_of_a_server_that_ended(kReuse);
  const Fd next = tcp_socket();

  const Result before = bind(next.get(), address);
  ASSERT_TRUE(set_option(next.get(), SOL_SOCKET, SO_REUSEADDR, 1));
  const Result after = bind(next.get(), address);

  EXPECT_EQ(before, fails_with(EADDRINUSE));
  EXPECT_EQ(after, returns(0));
}

// Fact 54: two listeners on one port are refused even with SO_REUSEADDR: bind says EADDRINUSE.
TEST(Listen, SecondBindToAListenersPortIsRefused) {
  const Fd first = tcp_socket();
  ASSERT_TRUE(set_option(first.get(), SOL_SOCKET, SO_REUSEADDR, 1));
  ASSERT_EQ(bind(first.get(), own_address()), returns(0));
  ASSERT_EQ(::listen(first.get(), 1), 0);

  EXPECT_EQ(next_bind(address_of(first.get()), kReuse), fails_with(EADDRINUSE));
}

// Fact 54: bound by two with SO_REUSEADDR before either listens, the second listen says EADDRINUSE.
TEST(Listen, SecondListenOnAPortIsRefused) {
  const Fd first = tcp_socket();
  const Fd second = tcp_socket();
  ASSERT_TRUE(set_option(first.get(), SOL_SOCKET, SO_REUSEADDR, 1));
  ASSERT_TRUE(set_option(second.get(), SOL_SOCKET, SO_REUSEADDR, 1));
  ASSERT_EQ(bind(first.get(), own_address()), returns(0));
  ASSERT_EQ(bind(second.get(), address_of(first.get())), returns(0));
  ASSERT_EQ(::listen(first.get(), 1), 0);

  EXPECT_EQ(result_of(::listen(second.get(), 1)), fails_with(EADDRINUSE));
}

// Fact: listen(2) on a socket that listens already succeeds and changes its backlog.
TEST(Listen, SecondListenOnTheSameSocketSucceeds) {
  const Fd listener = listening_socket(1);

  EXPECT_EQ(result_of(::listen(listener.get(), 5)), returns(0));
}

/// The longest queue that the listener allows (tcpi_sacked of a listener: net/ipv4/tcp.c).
unsigned backlog_of(int listener) {
  tcp_info info{};
  socklen_t length = sizeof info;
  EXPECT_EQ(::getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return info.tcpi_sacked;
}

int somaxconn() {
  std::ifstream file("/proc/sys/net/core/somaxconn");
  int value = -1;
  file >> value;
  return value;
}

// Fact 55: a backlog above somaxconn is silently cut down to it (listen(2)).
TEST(Listen, BacklogIsCappedBySomaxconn) {
  const int cap = somaxconn();
  ASSERT_GT(cap, 0);

  const Fd listener = listening_socket(std::numeric_limits<int>::max());

  EXPECT_EQ(backlog_of(listener.get()), static_cast<unsigned>(cap));
}

// Fact 55: somaxconn is 4096 unless the administrator says otherwise (listen(2): since 5.4).
TEST(Listen, SomaxconnIs4096ByDefault) {
  const int cap = somaxconn();

  if (cap != 4096) GTEST_SKIP() << "somaxconn is a setting; here it is " << cap;
}

// Fact 55: listen(fd, 0) lets one connection wait; the next connect hangs.
TEST(Listen, ConnectToAFullQueueHangs) {
  const FullListener full;
  const Fd fd = tcp_socket();
  const sockaddr_in address = address_of(full.listener.get());

  BlockedCall next([&] { return connect(fd.get(), address).value; });

  EXPECT_TRUE(next.is_asleep());
  EXPECT_EQ(tcp_state(fd.get()), TCP_SYN_SENT);
}

// Fact 55: a backlog of n lets n + 1 connections wait on Linux.
TEST(Listen, BacklogOfOneLetsTwoWait) {
  const Fd listener = listening_socket(1);

  const Fd first = connected_to(listener.get());
  const Fd second = connected_to(listener.get());

  EXPECT_TRUE(has_pending(listener.get(), 2));
}

}  // namespace
}  // namespace facts
