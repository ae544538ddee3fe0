/// @file
/// Facts about what select calls readable.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

/// A UDP socket on a port of its own.
Fd udp_socket() {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(fd.get(), own_address()), returns(0));
  return fd;
}

/// A path in a directory of its own, removed together with it.
class ScratchPath {
 public:
  ScratchPath() { EXPECT_NE(::mkdtemp(directory_.data()), nullptr); }
  ~ScratchPath() {
    (void)::unlink(path().c_str());  // may not have been made
    (void)::rmdir(directory_.c_str());
  }
  ScratchPath(const ScratchPath&) = delete;
  ScratchPath& operator=(const ScratchPath&) = delete;
  [[nodiscard]] std::string path() const { return directory_ + "/it"; }

 private:
  std::string directory_ = "/tmp/select-facts-XXXXXX";
};

// Fact 17: readiness is level-triggered: readable until the last byte is taken (select(2)).
TEST(Readable, StaysReadableUntilTheLastByteIsTaken) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "ab"), returns(2));
  ASSERT_TRUE(holds_input(tcp.mine(), 2));
  char byte = 0;

  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  ASSERT_EQ(::recv(tcp.mine(), &byte, 1, 0), 1);
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  ASSERT_EQ(::recv(tcp.mine(), &byte, 1, 0), 1);
  EXPECT_EQ(readiness(tcp.mine()), "writable");
}

// Fact 17: MSG_PEEK takes nothing: the bytes and the readiness stay (recv(2)).
TEST(Readable, PeekingTakesNothing) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "hello"), returns(5));
  ASSERT_TRUE(holds_input(tcp.mine(), 5));

  EXPECT_EQ(receive(tcp.mine(), MSG_PEEK), delivers("hello"));

  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  EXPECT_EQ(receive(tcp.mine()), delivers("hello"));
}

// Fact 18: the end of the stream is readable for ever (select(2)).
TEST(Readable, EndOfStreamStaysReadableForEver) {
  Pair tcp = tcp_pair();
  tcp.close_peer();
  ASSERT_TRUE(peer_has_finished(tcp.mine()));

  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
}

// Fact 19: a listener is readable when a connection is pending, and only then (accept(2)).
TEST(Readable, ListenerIsReadableWhenAConnectionIsPending) {
  const Fd listener = listening_socket();
  EXPECT_EQ(readiness(listener.get()), "nothing");

  const Fd client = connected_to(listener.get());

  EXPECT_TRUE(becomes(listener.get(), "readable"));
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  EXPECT_EQ(readiness(listener.get()), "nothing");
}

// Fact 19: what a client sends before it is accepted is kept for the accepted socket.
TEST(Readable, ClientCanSendBeforeItIsAccepted) {
  const Fd listener = listening_socket();
  const Fd client = connected_to(listener.get());

  EXPECT_EQ(send(client.get(), "early"), returns(5));

  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  EXPECT_EQ(receive(accepted.get()), delivers("early"));
}

// Fact 21: a received reset is readable and writable, not exceptional (POSIX: exceptional too).
TEST(Readable, ResetIsReadableAndWritableNotExceptional) {
  Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.mine(), "unread"), returns(6));
  ASSERT_TRUE(holds_input(tcp.peer(), 6));

  tcp.close_peer();

  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
}

// Fact 24: after a local SHUT_RD a socket is readable for ever, as 0.
TEST(Readable, ShutRdIsReadable) {
  const Pair tcp = tcp_pair();

  ASSERT_EQ(::shutdown(tcp.mine(), SHUT_RD), 0);

  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  EXPECT_EQ(receive(tcp.mine()), end_of_stream());
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
}

// Fact 25: a TCP socket that was never connected is readable and writable.
TEST(Readable, NeverConnectedSocketIsReadableAndWritable) {
  const Fd fd = tcp_socket();

  EXPECT_EQ(readiness(fd.get()), "readable writable");
}

// Fact 26: with SO_RCVLOWAT 100, 99 bytes are not readable and 100 are (socket(7)).
TEST(Readable, LowWaterMarkHoldsReadinessBack) {
  const Pair tcp = tcp_pair();
  ASSERT_TRUE(set_option(tcp.mine(), SOL_SOCKET, SO_RCVLOWAT, 100));

  ASSERT_EQ(send(tcp.peer(), std::string(99, 'x')), returns(99));
  ASSERT_TRUE(holds_input(tcp.mine(), 99));
  EXPECT_EQ(readiness(tcp.mine()), "writable");

  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(holds_input(tcp.mine(), 100));
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
}

// Fact 26: the end of the stream is readable below the low-water mark too.
TEST(Readable, EndOfStreamIgnoresTheLowWaterMark) {
  Pair tcp = tcp_pair();
  ASSERT_TRUE(set_option(tcp.mine(), SOL_SOCKET, SO_RCVLOWAT, 100));
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));

  tcp.close_peer();

  ASSERT_TRUE(peer_has_finished(tcp.mine()));
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
}

// Fact 27: a datagram of no bytes is readable, and recv's 0 is then not an end (recv(2)).
TEST(Readable, EmptyDatagramIsReadableAndNoEnd) {
  const Fd mine = udp_socket();
  const Fd peer = udp_socket();
  ASSERT_EQ(connect(peer.get(), address_of(mine.get())), returns(0));
  ASSERT_EQ(readiness(mine.get()), "writable");

  ASSERT_EQ(send(peer.get(), ""), returns(0));

  EXPECT_TRUE(becomes(mine.get(), "readable writable"));
  EXPECT_EQ(receive(mine.get()), returns(0));
  ASSERT_EQ(send(peer.get(), "next"), returns(4));
  EXPECT_EQ(receive(mine.get()), delivers("next"));
}

// Fact 27: a datagram that was refused makes the sender readable and writable (udp(7)).
TEST(Readable, RefusedDatagramIsReadableAndWritable) {
  Fd nobody = udp_socket();
  const sockaddr_in address = address_of(nobody.get());
  const Fd mine = udp_socket();
  ASSERT_EQ(connect(mine.get(), address), returns(0));
  nobody.reset();

  ASSERT_EQ(send(mine.get(), "x"), returns(1));

  EXPECT_TRUE(becomes(mine.get(), "readable writable"));
  EXPECT_EQ(receive_now(mine.get()), fails_with(ECONNREFUSED));
  EXPECT_EQ(readiness(mine.get()), "writable");
}

// Fact 28: a regular file is always readable and writable, even opened O_RDONLY, at its end.
TEST(Readable, RegularFileIsAlwaysReady) {
  const ScratchPath scratch;
  const Fd made(::open(scratch.path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const Fd file(::open(scratch.path().c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  ASSERT_EQ(::read(file.get(), &byte, 1), 0);

  EXPECT_EQ(readiness(file.get()), "readable writable");
}

// Fact 28: epoll refuses a regular file: EPERM (epoll_ctl(2)).
TEST(Readable, EpollRefusesARegularFile) {
  const ScratchPath scratch;
  const Fd file(::open(scratch.path().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;

  EXPECT_EQ(result_of(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, file.get(), &event)),
            fails_with(EPERM));
}

// Fact 29: a pipe whose writer has gone is readable: the end (pipe(7)).
TEST(Readable, PipeWithoutAWriterIsReadable) {
  Pipe pipe;
  EXPECT_EQ(readiness(pipe.reader.get()), "nothing");

  pipe.writer.reset();

  char byte = 0;
  EXPECT_EQ(readiness(pipe.reader.get()), "readable");
  EXPECT_EQ(::read(pipe.reader.get(), &byte, 1), 0);
}

// Fact 29: a FIFO that never had a writer is not readable, though read(2) returns 0 (fifo(7)).
TEST(Readable, FifoThatNeverHadAWriterIsNotReadable) {
  const ScratchPath scratch;
  ASSERT_EQ(::mkfifo(scratch.path().c_str(), 0600), 0);
  const Fd fifo(::open(scratch.path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char byte = 0;

  EXPECT_EQ(readiness(fifo.get()), "nothing");
  EXPECT_EQ(::read(fifo.get(), &byte, 1), 0);
  EXPECT_EQ(readiness(fifo.get()), "nothing");
}

// Fact 30: what select saw, a competitor may have taken: readiness is a hint (select(2), BUGS).
TEST(Readable, CompetitorCanTakeWhatSelectSaw) {
  const Pair tcp = tcp_pair();
  const Fd competitor(::dup(tcp.mine()));
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(becomes(tcp.mine(), "readable writable"));

  ASSERT_EQ(receive(competitor.get()), delivers("x"));

  EXPECT_EQ(receive_now(tcp.mine()), fails_with(EAGAIN));
}

// Fact 30: everybody who shares a socket is told of the same byte; one gets it, and a blocking recv
// of the other waits for the next.
TEST(Readable, EverybodyIsToldAndOneGetsIt) {
  const Pair tcp = tcp_pair();
  const Fd competitor(::dup(tcp.mine()));
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(becomes(tcp.mine(), "readable writable"));
  ASSERT_TRUE(becomes(competitor.get(), "readable writable"));
  ASSERT_EQ(receive(competitor.get()), delivers("x"));

  char byte = 0;
  BlockedCall recv([&] { return ::recv(tcp.mine(), &byte, 1, 0); });

  EXPECT_TRUE(recv.is_asleep());
  ASSERT_EQ(send(tcp.peer(), "y"), returns(1));
  EXPECT_EQ(recv.result(), returns(1));
  EXPECT_EQ(byte, 'y');
}

}  // namespace
}  // namespace facts
