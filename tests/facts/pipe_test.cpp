/// @file
/// Facts about pipes: what they hold, what a write waits for, and what sockets can do and they
/// cannot.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

Result written(int fd, std::size_t size) {
  const std::string data(size, 'x');
  return result_of(::write(fd, data.data(), data.size()));
}

int bytes_in(const Pipe& pipe) {
  int count = -1;
  EXPECT_EQ(::ioctl(pipe.reader.get(), FIONREAD, &count), 0);
  return count;
}

// Fact: a pipe holds 16 pages, which are 65,536 bytes where a page has 4,096 (pipe(7)).
TEST(Pipes, HoldSixteenPages) {
  const Pipe pipe;
  EXPECT_EQ(::fcntl(pipe.writer.get(), F_GETPIPE_SZ), 16 * ::sysconf(_SC_PAGESIZE));
}

// Fact: without blocking, a write of at most PIPE_BUF bytes is taken whole or not at all, and a
// larger one as far as it fits (pipe(7)).
TEST(Pipes, TakeSmallWritesWholeAndLargeOnesInPart) {
  const Pipe pipe;
  const int writer = pipe.writer.get();
  ASSERT_EQ(::fcntl(writer, F_SETFL, O_NONBLOCK), 0);
  const auto capacity = static_cast<std::size_t>(::fcntl(writer, F_GETPIPE_SZ));
  const std::size_t room = 1000;
  ASSERT_EQ(written(writer, capacity - room), returns(static_cast<long>(capacity - room)));

  EXPECT_EQ(written(writer, PIPE_BUF), fails_with(EAGAIN));
  EXPECT_EQ(readiness(writer), "nothing");
  ASSERT_EQ(bytes_in(pipe), static_cast<int>(capacity - room));

  const Result large = written(writer, PIPE_BUF + 1);
  EXPECT_GT(large.value, 0);
  EXPECT_LE(large.value, static_cast<long>(room));
}

// Fact: single bytes are packed: a pipe of one page takes as many as the page has (pipe_write() in
// fs/pipe.c merges them).
TEST(Pipes, PackSingleBytes) {
  const Pipe pipe;
  const int writer = pipe.writer.get();
  ASSERT_EQ(::fcntl(writer, F_SETFL, O_NONBLOCK), 0);
  const int page = ::fcntl(writer, F_SETPIPE_SZ, 1);
  ASSERT_EQ(page, ::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < page; ++i) ASSERT_EQ(written(writer, 1), returns(1));

  EXPECT_EQ(written(writer, 1), fails_with(EAGAIN));
  EXPECT_EQ(readiness(pipe.reader.get()), "readable");
}

// Fact: the end that reads cannot be written, and the other way round; neither is a socket.
TEST(Pipes, HaveOneDirectionAndAreNoSockets) {
  const Pipe pipe;
  char byte = 0;

  EXPECT_EQ(written(pipe.reader.get(), 1), fails_with(EBADF));
  EXPECT_EQ(result_of(::read(pipe.writer.get(), &byte, 1)), fails_with(EBADF));
  EXPECT_EQ(result_of(::recv(pipe.reader.get(), &byte, 1, 0)), fails_with(ENOTSOCK));
  EXPECT_EQ(result_of(::send(pipe.writer.get(), &byte, 1, 0)), fails_with(ENOTSOCK));
  EXPECT_EQ(result_of(::shutdown(pipe.writer.get(), SHUT_WR)), fails_with(ENOTSOCK));
}

// Fact: a signal ends a write that has put something into the pipe with what it has put there, and
// one that has put nothing there with EINTR; SA_RESTART begins only the second kind again
// (signal(7)).
TEST(Pipes, SignalEndsAWriteWithWhatItTook) {
  const SignalCounter signals(SIGUSR1, SA_RESTART);
  const Pipe pipe;
  const long capacity = ::fcntl(pipe.writer.get(), F_GETPIPE_SZ);
  BlockedCall call([&] {
    const std::string data(static_cast<std::size_t>(2 * capacity), 'x');
    return ::write(pipe.writer.get(), data.data(), data.size());
  });
  ASSERT_TRUE(call.is_asleep());

  call.interrupt(SIGUSR1);

  EXPECT_EQ(call.result(), returns(capacity));
}

}  // namespace
}  // namespace facts
