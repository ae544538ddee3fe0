/// @file
/// Facts about the urgent byte of TCP, which select calls exceptional. New protocols should not use
/// it (RFC 6093, section 5).

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "loopback.hpp"

namespace facts {
namespace {

// Fact 56: an urgent byte is exceptional and not readable (select(2), tcp(7)).
TEST(OutOfBand, UrgentByteIsExceptionalNotReadable) {
  const Pair tcp = tcp_pair();

  ASSERT_EQ(send(tcp.peer(), "!", MSG_OOB), returns(1));

  EXPECT_TRUE(becomes(tcp.mine(), "writable exceptional"));
  EXPECT_EQ(receive_now(tcp.mine()), fails_with(EAGAIN));
}

// Fact 56: receiving it with MSG_OOB ends the exceptional condition (recv(2)).
TEST(OutOfBand, ReceivingItEndsTheCondition) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "!", MSG_OOB), returns(1));
  ASSERT_TRUE(becomes(tcp.mine(), "writable exceptional"));

  EXPECT_EQ(receive(tcp.mine(), MSG_OOB), delivers("!"));

  EXPECT_EQ(readiness(tcp.mine()), "writable");
  EXPECT_EQ(receive_now(tcp.mine(), MSG_OOB), fails_with(EINVAL));
}

// Fact 56: an ordinary recv stops at the mark where the urgent byte was (sockatmark(3)).
TEST(OutOfBand, OrdinaryRecvStopsAtTheMark) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "ab"), returns(2));
  ASSERT_EQ(send(tcp.peer(), "!", MSG_OOB), returns(1));
  ASSERT_EQ(send(tcp.peer(), "cd"), returns(2));
  ASSERT_TRUE(holds_input(tcp.mine(), 2));  // FIONREAD counts up to the mark (tcp(7))

  EXPECT_EQ(receive(tcp.mine()), delivers("ab"));
  EXPECT_EQ(::sockatmark(tcp.mine()), 1);
  EXPECT_EQ(receive(tcp.mine(), MSG_OOB), delivers("!"));
  EXPECT_EQ(receive(tcp.mine()), delivers("cd"));
}

// Fact 56: an ordinary recv past the mark discards an urgent byte that was not received before.
TEST(OutOfBand, OrdinaryRecvPastTheMarkDiscardsIt) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "!", MSG_OOB), returns(1));
  ASSERT_EQ(send(tcp.peer(), "cd"), returns(2));
  ASSERT_TRUE(becomes(tcp.mine(), "readable writable exceptional"));

  EXPECT_EQ(receive(tcp.mine()), delivers("cd"));

  EXPECT_EQ(receive_now(tcp.mine(), MSG_OOB), fails_with(EINVAL));
  EXPECT_EQ(readiness(tcp.mine()), "writable");
}

// Fact 56: with SO_OOBINLINE it is readable and exceptional, an ordinary byte of the stream.
TEST(OutOfBand, InlineItIsReadableAndExceptional) {
  const Pair tcp = tcp_pair();
  ASSERT_TRUE(set_option(tcp.mine(), SOL_SOCKET, SO_OOBINLINE, 1));

  ASSERT_EQ(send(tcp.peer(), "!", MSG_OOB), returns(1));

  EXPECT_TRUE(becomes(tcp.mine(), "readable writable exceptional"));
  EXPECT_EQ(receive_now(tcp.mine(), MSG_OOB), fails_with(EINVAL));
  EXPECT_EQ(receive(tcp.mine()), delivers("!"));
}

// Fact 56: only one byte is urgent: an older one becomes an ordinary byte of the stream (tcp(7)).
TEST(OutOfBand, SecondUrgentByteMakesTheFirstOrdinary) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "ab"), returns(2));
  ASSERT_EQ(send(tcp.peer(), "1", MSG_OOB), returns(1));
  ASSERT_EQ(send(tcp.peer(), "2", MSG_OOB), returns(1));
  ASSERT_TRUE(holds_input(tcp.mine(), 3));

  EXPECT_EQ(receive(tcp.mine(), MSG_OOB), delivers("2"));
  EXPECT_EQ(receive(tcp.mine()), delivers("ab1"));
}

}  // namespace
}  // namespace facts
