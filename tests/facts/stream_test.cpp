/// @file
/// Facts about send(2) and recv(2) on a healthy stream, blocking and not.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <chrono>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

using std::chrono::milliseconds;

/// 64 MiB of zeros that cost no memory: every page of the mapping is the same one.
class Zeros {
 public:
  Zeros() : data_(::mmap(nullptr, k64MiB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Zeros() { (void)::munmap(data_, k64MiB); }
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;
  [[nodiscard]] const void* data() const { return data_; }

 private:
  void* data_;
};

// Fact: recv(2) gives what is there and does not wait for the rest of the buffer.
TEST(Stream, RecvGivesWhatIsThere) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));

  std::array<char, 4096> buffer{};
  const Result received = result_of(::recv(tcp.mine(), buffer.data(), buffer.size(), 0));

  EXPECT_EQ(received, returns(5));
}

// Fact: a stream keeps bytes and their order, not the boundaries of the sends (tcp(7), RFC 9293).
TEST(Stream, TwoSendsCanComeOutOfOneRecv) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "one"), returns(3));
  ASSERT_EQ(send(tcp.peer(), "two"), returns(3));
  ASSERT_TRUE(holds_input(tcp.mine(), 6));

  EXPECT_EQ(receive(tcp.mine()), delivers("onetwo"));
}

// Fact: what one send took can come out of several recvs; the rest waits.
TEST(Stream, OneSendCanComeOutOfTwoRecvs) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));

  std::array<char, 2> small{};
  const Result first = result_of(::recv(tcp.mine(), small.data(), small.size(), 0));

  EXPECT_EQ(first, returns(2));
  EXPECT_EQ(receive(tcp.mine()), delivers("llo"));
}

// Fact: sending nothing puts nothing on a stream, and recv(2) on the other side does not return 0.
TEST(Stream, EmptySendIsNotSeenByThePeer) {
  const Pair tcp = tcp_pair();

  EXPECT_EQ(send(tcp.peer(), ""), returns(0));

  EXPECT_EQ(receive_now(tcp.mine()), fails_with(EAGAIN));
  ASSERT_EQ(send(tcp.peer(), "next"), returns(4));
  EXPECT_EQ(receive(tcp.mine()), delivers("next"));
}

// Fact: recv(2) into an empty buffer returns 0 while data waits: 0 is then not the end (recv(2)).
TEST(Stream, RecvIntoAnEmptyBufferReturnsZeroWithoutAnEnd) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(holds_input(tcp.mine(), 1));

  std::array<char, 1> unused{};
  EXPECT_EQ(result_of(::recv(tcp.mine(), unused.data(), 0, 0)), returns(0));

  EXPECT_EQ(receive(tcp.mine()), delivers("x"));
}

// Fact: recv(2) into an empty buffer waits on Linux when nothing is there (MSG_DONTWAIT: EAGAIN).
TEST(Stream, RecvIntoAnEmptyBufferWaitsForInput) {
  const Pair tcp = tcp_pair();
  std::array<char, 1> unused{};

  EXPECT_EQ(result_of(::recv(tcp.mine(), unused.data(), 0, MSG_DONTWAIT)), fails_with(EAGAIN));
}

// Fact: MSG_DONTWAIT makes one call non-blocking: EAGAIN, which is EWOULDBLOCK on Linux (recv(2)).
TEST(Stream, DontWaitSaysEagain) {
  const Pair tcp = tcp_pair();

  EXPECT_EQ(receive_now(tcp.mine()), fails_with(EAGAIN));
  EXPECT_EQ(EAGAIN, EWOULDBLOCK);
}

// Fact: MSG_WAITALL waits until the whole buffer is full (recv(2)).
TEST(Stream, WaitAllWaitsForTheWholeBuffer) {
  const Pair tcp = tcp_pair();
  std::array<char, 10> buffer{};
  BlockedCall recv([&] { return ::recv(tcp.mine(), buffer.data(), 10, MSG_WAITALL); });

  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  EXPECT_TRUE(recv.is_asleep());
  ASSERT_EQ(send(tcp.peer(), "world"), returns(5));

  EXPECT_EQ(recv.result(), returns(10));
}

// Fact: MSG_WAITALL gives less than asked at the end of the stream (recv(2)).
TEST(Stream, WaitAllEndsEarlyAtTheEndOfTheStream) {
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  tcp.close_peer();

  std::array<char, 10> buffer{};
  const Result received = result_of(::recv(tcp.mine(), buffer.data(), 10, MSG_WAITALL));

  EXPECT_EQ(received, returns(5));
}

// Fact: MSG_WAITALL gives less than asked when a signal is caught (recv(2)).
TEST(Stream, WaitAllEndsEarlyAtASignal) {
  const SignalCounter signals(SIGUSR1);
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));
  std::array<char, 10> buffer{};
  BlockedCall recv([&] { return ::recv(tcp.mine(), buffer.data(), 10, MSG_WAITALL); });
  ASSERT_TRUE(recv.is_asleep());

  recv.interrupt(SIGUSR1);

  EXPECT_EQ(recv.result(), returns(5));
}

// Fact: a receive timeout shows as EAGAIN, also on a blocking socket (socket(7), SO_RCVTIMEO).
TEST(Stream, ReceiveTimeoutSaysEagain) {
  const Pair tcp = tcp_pair();
  set_timeout(tcp.mine(), SO_RCVTIMEO, milliseconds(20));

  std::array<char, 10> buffer{};
  const auto start = std::chrono::steady_clock::now();
  const Result received = result_of(::recv(tcp.mine(), buffer.data(), 10, 0));
  const auto waited = std::chrono::steady_clock::now() - start;

  EXPECT_EQ(received, fails_with(EAGAIN));
  EXPECT_GE(waited, milliseconds(10));  // counted in ticks of up to 10 ms
}

// Fact: a timeout that is over after some bytes came gives the bytes, not an error (socket(7)).
TEST(Stream, ReceiveTimeoutInTheMiddleGivesWhatCame) {
  const Pair tcp = tcp_pair();
  set_timeout(tcp.mine(), SO_RCVTIMEO, milliseconds(20));
  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));

  std::array<char, 10> buffer{};
  const Result received = result_of(::recv(tcp.mine(), buffer.data(), 10, MSG_WAITALL));

  EXPECT_EQ(received, returns(5));
}

// Fact: a send timeout shows as EAGAIN too (socket(7), SO_SNDTIMEO).
TEST(Stream, SendTimeoutSaysEagain) {
  const Pair tcp = narrow_tcp_pair();
  fill(tcp.mine());
  set_timeout(tcp.mine(), SO_SNDTIMEO, milliseconds(20));

  EXPECT_EQ(send(tcp.mine(), "x"), fails_with(EAGAIN));
}

// Fact: a non-blocking send takes what fits, which can be less than it is offered (send(2)).
TEST(Stream, NonBlockingSendTakesWhatFits) {
  const Pair tcp = narrow_tcp_pair();
  const Zeros zeros;

  const ssize_t taken = ::send(tcp.mine(), zeros.data(), k64MiB, MSG_DONTWAIT | MSG_NOSIGNAL);

  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 64 * 1024 * 1024);
}

// Fact 35: a 64 MiB blocking send blocks, although select called the socket writable.
TEST(Stream, BigBlockingSendBlocksOnAWritableSocket) {
  const Pair tcp = narrow_tcp_pair();
  const Zeros zeros;
  ASSERT_EQ(readiness(tcp.mine()), "writable");
  BlockedCall send([&] { return ::send(tcp.mine(), zeros.data(), k64MiB, MSG_NOSIGNAL); });

  EXPECT_TRUE(send.is_asleep());

  EXPECT_EQ(drain(tcp.peer(), k64MiB), returns(67'108'864));
  EXPECT_EQ(send.result(), returns(67'108'864));
}

// Fact 36: a blocking send that a signal interrupts returns how much it had taken (signal(7)).
TEST(Stream, InterruptedSendReturnsAPartialCount) {
  const SignalCounter signals(SIGUSR1);
  const Pair tcp = narrow_tcp_pair();
  const Zeros zeros;
  BlockedCall send([&] { return ::send(tcp.mine(), zeros.data(), k64MiB, MSG_NOSIGNAL); });
  ASSERT_TRUE(send.is_asleep());

  send.interrupt(SIGUSR1);
  const Result partial = send.result();

  EXPECT_GT(partial.value, 0);
  EXPECT_LT(partial.value, 67'108'864);
}

// Fact: recv(2) on a socket that was never connected says ENOTCONN.
TEST(Stream, RecvWithoutAConnectionSaysEnotconn) {
  const Fd fd = tcp_socket();

  EXPECT_EQ(receive_now(fd.get()), fails_with(ENOTCONN));
}

// Fact: send(2) on a TCP socket that was never connected says EPIPE on Linux (POSIX: ENOTCONN).
TEST(Stream, SendWithoutAConnectionSaysEpipe) {
  const Fd fd = tcp_socket();

  EXPECT_EQ(send(fd.get(), "x"), fails_with(EPIPE));
}

}  // namespace
}  // namespace facts
