/// @file
/// Facts about what select calls writable, and what a send then does.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

/// A pipe that takes no further byte; returns how many it took.
long fill_pipe(int writer) {
  const std::string page(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), 'x');
  EXPECT_EQ(::fcntl(writer, F_SETFL, O_NONBLOCK), 0);
  long taken = 0;
  while (true) {
    const ssize_t count = ::write(writer, page.data(), page.size());
    if (count < 0) return taken;
    taken += count;
  }
}

/// How many bytes of its send buffer an AF_UNIX socket uses, overhead included.
int used_send_buffer(int fd) {
  int used = -1;
  EXPECT_EQ(::ioctl(fd, SIOCOUTQ, &used), 0);
  return used;
}

/// What a socket has queued to be sent, and how much it may: memory, overhead included.
struct SendMemory {
  long queued;
  long limit;
};

SendMemory send_memory(int fd) {
  std::array<unsigned, SK_MEMINFO_VARS> numbers{};
  socklen_t length = sizeof numbers;
  EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, numbers.data(), &length), 0);
  return {.queued = numbers[SK_MEMINFO_WMEM_QUEUED], .limit = numbers[SK_MEMINFO_SNDBUF]};
}

// Fact 31: a healthy idle socket is always writable: watched for nothing, it wakes at every turn.
TEST(Writable, IdleSocketIsWritableEveryTime) {
  const Pair tcp = tcp_pair();

  for (int turn = 0; turn < 1000; ++turn) ASSERT_EQ(readiness(tcp.mine()), "writable");
}

// Fact 31: a socket whose peer never reads stops being writable.
TEST(Writable, FullSocketIsNotWritable) {
  const Pair tcp = narrow_tcp_pair();

  const bool became_full = wait_until([&] {  // acknowledgements may still make room
    fill(tcp.mine());
    return readiness(tcp.mine()) == "nothing";
  });

  EXPECT_TRUE(became_full);
}

// Fact 32: TCP is writable while the free space is at least half of what is queued (net/sock.h).
TEST(Writable, TcpIsWritableWhileHalfOfTheQueuedIsFree) {
  const Pair tcp = narrow_tcp_pair();
  const std::string block(1024, 'x');

  bool was_not_writable = false;
  while (!was_not_writable) {
    const SendMemory before = send_memory(tcp.mine());
    const std::string ready = readiness(tcp.mine());
    const SendMemory after = send_memory(tcp.mine());
    if (before.queued == after.queued) {  // no acknowledgement in between
      const bool half_is_free = after.limit - after.queued >= after.queued / 2;
      ASSERT_EQ(ready, half_is_free ? "writable" : "nothing") << after.queued << " queued";
      was_not_writable = !half_is_free;
    }
    (void)send(tcp.mine(), block, MSG_DONTWAIT);  // EAGAIN ends with a later acknowledgement
  }
}

// Fact 32: TCP stops being writable at two thirds; a non-blocking send still takes more.
TEST(Writable, NonBlockingSendTakesMoreWhenSelectSaysNo) {
  const Pair tcp = narrow_tcp_pair();
  const std::string block(1024, 'x');

  const bool taken_between_two_noes = wait_until([&] {
    if (readiness(tcp.mine()) != "nothing") {
      (void)send(tcp.mine(), block, MSG_DONTWAIT);  // not there yet
      return false;
    }
    const Result sent = send(tcp.mine(), block, MSG_DONTWAIT);
    return sent.value > 0 && readiness(tcp.mine()) == "nothing";
  });

  EXPECT_TRUE(taken_between_two_noes);
}

// Fact 33: SO_SNDLOWAT cannot be set on Linux: ENOPROTOOPT (socket(7)).
TEST(Writable, SendLowWaterMarkCannotBeSet) {
  const Fd fd = tcp_socket();
  const int value = 100;

  EXPECT_EQ(result_of(::setsockopt(fd.get(), SOL_SOCKET, SO_SNDLOWAT, &value, sizeof value)),
            fails_with(ENOPROTOOPT));
}

// Fact 34: AF_UNIX is writable while at most a quarter of its send buffer is used (af_unix.c).
TEST(Writable, UnixSocketStopsBeingWritableAtAQuarter) {
  const Pair pair = unix_pair();
  ASSERT_TRUE(set_option(pair.mine(), SOL_SOCKET, SO_SNDBUF, 50'000));  // doubled: socket(7)
  const std::string block(1024, 'x');

  int used_when_writable = 0;
  while (readiness(pair.mine()) == "writable") {
    used_when_writable = used_send_buffer(pair.mine());
    ASSERT_EQ(send(pair.mine(), block, MSG_DONTWAIT), returns(1024));
  }

  EXPECT_LE(used_when_writable, 25'000);
  EXPECT_GE(used_send_buffer(pair.mine()), 25'000);
  EXPECT_EQ(send(pair.mine(), block, MSG_DONTWAIT), returns(1024));
}

// Fact 34: a full pipe is writable again after a whole page was read, not after one byte (pipe(7)).
TEST(Writable, FullPipeNeedsAWholePageFreed) {
  const Pipe pipe;
  ASSERT_GT(fill_pipe(pipe.writer.get()), 0);
  ASSERT_EQ(readiness(pipe.writer.get()), "nothing");
  std::string page(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), '\0');

  ASSERT_EQ(::read(pipe.reader.get(), page.data(), 1), 1);
  EXPECT_EQ(readiness(pipe.writer.get()), "nothing");

  const std::size_t rest = page.size() - 1;
  ASSERT_EQ(::read(pipe.reader.get(), page.data(), rest), static_cast<ssize_t>(rest));
  EXPECT_EQ(readiness(pipe.writer.get()), "writable");
}

// Fact 37: a socket whose peer has closed is writable (and readable) before and after the reset.
TEST(Writable, SocketWithoutAPeerIsWritable) {
  Pair tcp = tcp_pair();
  tcp.close_peer();
  ASSERT_TRUE(peer_has_finished(tcp.mine()));

  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
  ASSERT_EQ(send(tcp.mine(), "x"), returns(1));
  ASSERT_TRUE(reaches_state(tcp.mine(), TCP_CLOSE));
  EXPECT_EQ(readiness(tcp.mine()), "readable writable");
}

// Fact 40: the write end of a pipe without a reader is writable and readable; write says EPIPE.
TEST(Writable, PipeWithoutAReaderIsWritableAndReadable) {
  Pipe pipe;
  const SignalCounter signals(SIGPIPE);

  pipe.reader.reset();

  EXPECT_EQ(readiness(pipe.writer.get()), "readable writable");
  EXPECT_EQ(result_of(::write(pipe.writer.get(), "x", 1)), fails_with(EPIPE));
  EXPECT_EQ(signals.count(), 1);
}

}  // namespace
}  // namespace facts
