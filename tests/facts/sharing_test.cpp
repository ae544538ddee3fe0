/// @file
/// Facts about descriptors that change under select: closed by another thread, given out again.

#include <gtest/gtest.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <initializer_list>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

fd_set set_of(std::initializer_list<int> fds) {
  fd_set set;
  FD_ZERO(&set);
  for (const int fd : fds) FD_SET(fd, &set);
  return set;
}

// Fact 59: closing a descriptor in another thread does not wake select; the FIN waits for its end.
TEST(Sharing, CloseDoesNotWakeSelectAndSendsNoFinUntilItReturns) {
  const SignalCounter signals(SIGUSR1);
  Pair tcp = tcp_pair();
  const int number = tcp.mine();
  fd_set readable = set_of({number});
  BlockedCall select([&] { return ::select(number + 1, &readable, nullptr, nullptr, nullptr); });
  ASSERT_TRUE(select.is_asleep());

  tcp.close_mine();

  EXPECT_TRUE(select.is_asleep());
  EXPECT_EQ(receive_now(tcp.peer()), fails_with(EAGAIN));
  select.interrupt(SIGUSR1);
  (void)select.result();  // EINTR, or 1 from kernels that call the missing descriptor ready
  EXPECT_EQ(receive(tcp.peer()), end_of_stream());
}

// Fact 59: shutdown(2) in another thread wakes select: the descriptor is readable.
TEST(Sharing, ShutdownWakesSelect) {
  const Pair tcp = tcp_pair();
  fd_set readable = set_of({tcp.mine()});
  BlockedCall select(
      [&] { return ::select(tcp.mine() + 1, &readable, nullptr, nullptr, nullptr); });
  ASSERT_TRUE(select.is_asleep());

  ASSERT_EQ(::shutdown(tcp.mine(), SHUT_RDWR), 0);

  EXPECT_EQ(select.result(), returns(1));
}

// Fact 60: a number closed and given out again in one pass: the old bit speaks of a silent client.
TEST(Sharing, StaleBitActsOnANewSilentConnection) {
  const Fd listener = listening_socket();
  Pair leaving = tcp_pair();
  ASSERT_EQ(send(leaving.peer(), "bye"), returns(3));
  ASSERT_TRUE(holds_input(leaving.mine(), 3));
  const Fd silent = connected_to(listener.get());
  ASSERT_TRUE(becomes(listener.get(), "readable"));
  const int number = leaving.mine();
  fd_set readable = set_of({listener.get(), number});
  ASSERT_EQ(::select(std::max(listener.get(), number) + 1, &readable, nullptr, nullptr, nullptr),
            2);

  leaving.close_mine();
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));

  ASSERT_EQ(accepted.get(), number);
  EXPECT_TRUE(FD_ISSET(accepted.get(), &readable));
  EXPECT_EQ(receive_now(accepted.get()), fails_with(EAGAIN));
}

}  // namespace
}  // namespace facts
