/// @file
/// Facts about the ways a conversation ends: FIN, half-close, silence. (For RST: resets_test.cpp.)

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

// Fact 18: buffered data comes before the end of the stream, and the end comes again and again.
TEST(Endings, EndComesAfterTheDataAndStays) {
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "last words"), returns(10));
  tcp.close_peer();
  ASSERT_TRUE(peer_has_finished(tcp.mine()));

  EXPECT_EQ(receive(tcp.mine()), delivers("last words"));
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
}

// Fact: after SHUT_WR the peer sees the end, and its reply still arrives (shutdown(2)).
TEST(Endings, HalfCloseStillReceivesTheReply) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.mine(), "question"), returns(8));

  ASSERT_EQ(::shutdown(tcp.mine(), SHUT_WR), 0);

  EXPECT_EQ(receive(tcp.peer()), delivers("question"));
  EXPECT_EQ(receive(tcp.peer()), end_of_stream());
  EXPECT_EQ(send(tcp.peer(), "answer"), returns(6));
  EXPECT_EQ(receive(tcp.mine()), delivers("answer"));
}

// Fact: close(2) does not wait, and the kernel still delivers what send(2) had taken (tcp(7)).
TEST(Endings, CloseStillDeliversWhatWasTaken) {
  Pair tcp = narrow_tcp_pair();
  const auto taken = static_cast<long>(fill(tcp.mine()));

  tcp.close_mine();

  EXPECT_EQ(drain(tcp.peer(), k64MiB), returns(taken));
}

// Fact 37: after the peer closed, the first send succeeds and the next says EPIPE (RFC 9293, 3.6).
TEST(Endings, FirstSendAfterThePeerLeftSucceedsAndTheNextSaysEpipe) {
  Pair tcp = tcp_pair();
  tcp.close_peer();
  ASSERT_TRUE(peer_has_finished(tcp.mine()));

  EXPECT_EQ(send(tcp.mine(), "x"), returns(1));

  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));  // the answer to "x" was a reset
  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(EPIPE));
}

// Fact 37: on AF_UNIX the first send after the peer left says EPIPE at once (unix(7)).
TEST(Endings, UnixSendAfterThePeerLeftSaysEpipeAtOnce) {
  Pair pair = unix_pair();
  pair.close_peer();

  EXPECT_EQ(send(pair.mine(), "x"), fails_with(EPIPE));
}

// Fact 24: after a local SHUT_RD recv returns 0, yet Linux delivers what comes later.
TEST(Endings, ShutRdReadsAsTheEndYetLaterBytesAreDelivered) {
  const Pair tcp = tcp_pair();

  ASSERT_EQ(::shutdown(tcp.mine(), SHUT_RD), 0);

  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
  ASSERT_EQ(send(tcp.peer(), "late"), returns(4));
  ASSERT_TRUE(holds_input(tcp.mine(), 4));
  EXPECT_EQ(receive(tcp.mine()), delivers("late"));
}

// Fact 39: after SHUT_WR the own side still selects writable; send says EPIPE (send(2)).
TEST(Endings, OwnSideStaysWritableAfterShutWrButSendSaysEpipe) {
  const Pair tcp = tcp_pair();

  ASSERT_EQ(::shutdown(tcp.mine(), SHUT_WR), 0);

  EXPECT_TRUE(becomes(tcp.mine(), "writable"));
  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(EPIPE));
}

// Fact: shutdown(2) cuts nothing off that send(2) has taken: the FIN comes behind it.
TEST(Endings, FinComesBehindWhatTheKernelHolds) {
  const Pair tcp = narrow_tcp_pair();
  const auto taken = static_cast<long>(fill(tcp.mine()));

  ASSERT_EQ(::shutdown(tcp.mine(), SHUT_WR), 0);

  EXPECT_EQ(drain(tcp.peer(), k64MiB), returns(taken));
  EXPECT_EQ(receive(tcp.peer()), end_of_stream());
}

// Fact 41: closing one of two dups sends no FIN; closing the last one does (close(2), dup(2)).
TEST(Endings, ClosingOneDupSendsNoFin) {
  Pair tcp = tcp_pair();
  Fd copy(::dup(tcp.mine()));

  tcp.close_mine();

  ASSERT_EQ(send(copy.get(), "still here"), returns(10));
  EXPECT_EQ(receive(tcp.peer()), delivers("still here"));
  EXPECT_EQ(receive_now(tcp.peer()), fails_with(EAGAIN));
  copy.reset();
  EXPECT_EQ(receive(tcp.peer()), end_of_stream());
}

// Fact 41: shutdown(2) on any dup ends the stream for all of them.
TEST(Endings, ShutdownOnOneDupSendsAFin) {
  const Pair tcp = tcp_pair();
  const Fd copy(::dup(tcp.mine()));

  ASSERT_EQ(::shutdown(copy.get(), SHUT_WR), 0);

  EXPECT_EQ(receive(tcp.peer()), end_of_stream());
  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(EPIPE));
}

// Fact: a forked child's copy of the descriptor delays the FIN like a dup (fork(2)).
TEST(Endings, CopyInAChildDelaysTheFin) {
  EXPECT_EQ(in_child([] {
              Pair tcp = tcp_pair();
              Pipe until_asked;
              const pid_t child = ::fork();
              if (child == 0) {
                until_asked.writer.reset();
                char unused = 0;
                (void)!::read(until_asked.reader.get(), &unused, 1);  // the end is the question
                ::_exit(0);
              }
              tcp.close_mine();
              const Result before = receive_now(tcp.peer());
              until_asked.writer.reset();
              const Result after = receive(tcp.peer());
              return testing::PrintToString(before) + ", then " + testing::PrintToString(after);
            }),
            "-1 (EAGAIN), then 0");
}

// Fact: shutdown(2) succeeds after the peer's FIN; when both have finished, again says ENOTCONN.
TEST(Endings, ShutdownAfterThePeersEndSucceedsOnce) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(::shutdown(tcp.peer(), SHUT_WR), 0);
  ASSERT_TRUE(peer_has_finished(tcp.mine()));

  EXPECT_EQ(result_of(::shutdown(tcp.mine(), SHUT_WR)), returns(0));

  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));  // the peer has acknowledged it
  EXPECT_EQ(result_of(::shutdown(tcp.mine(), SHUT_WR)), fails_with(ENOTCONN));
}

// Fact: a second SHUT_WR succeeds while the peer has not finished.
TEST(Endings, SecondShutdownSucceedsWhileThePeerGoesOn) {
  const Pair tcp = tcp_pair();

  EXPECT_EQ(result_of(::shutdown(tcp.mine(), SHUT_WR)), returns(0));
  EXPECT_EQ(result_of(::shutdown(tcp.mine(), SHUT_WR)), returns(0));
}

// Fact: shutdown(2) on a socket that was never connected says ENOTCONN.
TEST(Endings, ShutdownWithoutAConnectionSaysEnotconn) {
  const Fd fd = tcp_socket();

  EXPECT_EQ(result_of(::shutdown(fd.get(), SHUT_WR)), fails_with(ENOTCONN));
}

// Fact: silence looks like nothing at all: no end, no error, not readable.
TEST(Endings, SilenceShowsNothing) {
  const Pair tcp = tcp_pair();

  EXPECT_EQ(receive_now(tcp.mine()), fails_with(EAGAIN));
  EXPECT_EQ(pending_error(tcp.mine()), 0);
  EXPECT_EQ(readiness(tcp.mine()), "writable");
}

}  // namespace
}  // namespace facts
