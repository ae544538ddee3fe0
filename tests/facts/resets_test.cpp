/// @file
/// Facts about the reset: who sends it, who hears of it, and what it destroys.

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "loopback.hpp"

namespace facts {
namespace {

/// A pair whose peer has closed with a byte unread, so that mine() has received a reset.
Pair reset_pair() {
  Pair tcp = tcp_pair();
  EXPECT_EQ(send(tcp.mine(), "unread"), returns(6));
  EXPECT_TRUE(holds_input(tcp.peer(), 6));
  tcp.close_peer();
  EXPECT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));
  return tcp;
}

// Fact: a reset that answers a send after the peer's FIN does not hide the end: recv returns 0.
TEST(Reset, EndStaysAnEndWhenASendAfterItWasReset) {
  Pair tcp = tcp_pair();
  tcp.close_peer();
  ASSERT_TRUE(peer_has_finished(tcp.mine()));
  ASSERT_EQ(send(tcp.mine(), "x"), returns(1));
  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));

  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
}

// Fact 38: closing with unread input sends a reset instead of a FIN (RFC 1122, 4.2.2.13).
TEST(Reset, CloseWithUnreadInputResets) {
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.mine(), "unread"), returns(6));
  ASSERT_TRUE(holds_input(tcp.peer(), 6));

  tcp.close_peer();

  EXPECT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));
  EXPECT_EQ(receive(tcp.mine()), fails_with(ECONNRESET));
}

// Fact 38: send after a reset says ECONNRESET, then EPIPE.
TEST(Reset, SendAfterAResetSaysEconnresetThenEpipe) {
  const Pair tcp = reset_pair();

  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(ECONNRESET));
  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(EPIPE));
}

// Fact: closing with a linger time of 0 resets the connection (socket(7), SO_LINGER).
TEST(Reset, CloseWithALingerOfZeroResets) {
  const Fd listener = listening_socket();
  Fd client = connected_to(listener.get());
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));

  reset_connection(client);

  EXPECT_EQ(receive(accepted.get()), fails_with(ECONNRESET));
}

// Fact: a reset throws away what send(2) had taken and the peer had no room for yet (RFC
// 9293, 3.6).
TEST(Reset, CloseWithUnreadInputLosesWhatWasOnItsWay) {
  Pair tcp = narrow_tcp_pair();
  const auto taken = static_cast<long>(fill(tcp.mine()));
  ASSERT_EQ(send(tcp.peer(), "unread"), returns(6));
  ASSERT_TRUE(holds_input(tcp.mine(), 6));

  tcp.close_mine();

  ASSERT_TRUE(reaches_state(tcp.peer(), TCP_CLOSE));
  const Result received = drain(tcp.peer(), k64MiB);
  EXPECT_EQ(error_name(received.error), "ECONNRESET");
  EXPECT_LT(received.value, taken);
}

// Fact 22: recv says ECONNRESET once and then 0, as if the peer had finished properly.
TEST(Reset, ResetIsToldOnceAndThenLooksLikeAnEnd) {
  const Pair tcp = reset_pair();

  EXPECT_EQ(receive(tcp.mine()), fails_with(ECONNRESET));
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
}

// Fact 22: reading SO_ERROR takes the error away: recv then returns 0 (socket(7), SO_ERROR).
TEST(Reset, AskingForThePendingErrorClearsIt) {
  const Pair tcp = reset_pair();

  EXPECT_EQ(error_name(pending_error(tcp.mine())), "ECONNRESET");

  EXPECT_EQ(pending_error(tcp.mine()), 0);
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
}

// Fact 23: bytes that arrived before the reset are delivered before ECONNRESET.
TEST(Reset, InputIsDeliveredBeforeTheReset) {
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.mine(), "unread"), returns(6));
  ASSERT_TRUE(holds_input(tcp.peer(), 6));
  ASSERT_EQ(send(tcp.peer(), "reply"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));

  tcp.close_peer();
  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));

  EXPECT_EQ(receive(tcp.mine()), delivers("reply"));
  EXPECT_EQ(receive(tcp.mine()), fails_with(ECONNRESET));
}

// Fact: a send that failed takes nothing away from what has arrived: then comes the end, for the
// send has told the error.
TEST(Reset, InputOutlivesAFailedSend) {
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.mine(), "unread"), returns(6));
  ASSERT_TRUE(holds_input(tcp.peer(), 6));
  ASSERT_EQ(send(tcp.peer(), "reply"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));
  tcp.close_peer();
  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));

  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(ECONNRESET));

  EXPECT_EQ(receive(tcp.mine()), delivers("reply"));
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
}

// Fact: shutdown(2) on a connection that was reset says ENOTCONN.
TEST(Reset, ShutdownAfterAResetSaysEnotconn) {
  const Pair tcp = reset_pair();

  EXPECT_EQ(result_of(::shutdown(tcp.mine(), SHUT_WR)), fails_with(ENOTCONN));
}

// Fact: on AF_UNIX, a peer that closes with unread input shows as ECONNRESET too (unix(7)).
TEST(Reset, UnixPeerClosingWithUnreadInputResets) {
  Pair pair = unix_pair();
  ASSERT_EQ(send(pair.mine(), "unread"), returns(6));

  pair.close_peer();

  EXPECT_EQ(receive(pair.mine()), fails_with(ECONNRESET));
  EXPECT_EQ(receive(pair.mine()), end_of_stream());
}

}  // namespace
}  // namespace facts
