/// @file
/// Facts about the call itself: timeouts, what happens to the sets, what the number means.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <chrono>
#include <initializer_list>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

fd_set set_of(std::initializer_list<int> fds) {
  fd_set set;
  FD_ZERO(&set);
  for (const int fd : fds) FD_SET(fd, &set);
  return set;
}

microseconds duration_of(const timeval& value) {
  return seconds(value.tv_sec) + microseconds(value.tv_usec);
}

/// select(2) on the readable set alone.
Result select_readable(int nfds, fd_set& readable, timeval timeout) {
  return result_of(::select(nfds, &readable, nullptr, nullptr, &timeout));
}

constexpr timeval kPoll{.tv_sec = 0, .tv_usec = 0};

// Fact 1: without a timeout select blocks until something is ready (select(2)).
TEST(Call, NoTimeoutBlocksUntilSomethingIsReady) {
  const Pair tcp = tcp_pair();
  fd_set readable = set_of({tcp.mine()});
  BlockedCall select(
      [&] { return ::select(tcp.mine() + 1, &readable, nullptr, nullptr, nullptr); });
  ASSERT_TRUE(select.is_asleep());

  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));

  EXPECT_EQ(select.result(), returns(1));
  EXPECT_TRUE(FD_ISSET(tcp.mine(), &readable));
}

// Fact 1: a timeout of zero polls: select answers at once (select(2)).
TEST(Call, ZeroTimeoutPolls) {
  const Pair tcp = tcp_pair();
  fd_set readable = set_of({tcp.mine()});

  EXPECT_EQ(select_readable(tcp.mine() + 1, readable, kPoll), returns(0));
  EXPECT_FALSE(FD_ISSET(tcp.mine(), &readable));
}

// Fact 1: three empty sets and a timeout are a sleep (select(2)).
TEST(Call, EmptySetsAndATimeoutSleep) {
  timeval timeout{.tv_sec = 0, .tv_usec = 5'000};
  const auto start = Clock::now();

  EXPECT_EQ(result_of(::select(0, nullptr, nullptr, nullptr, &timeout)), returns(0));

  EXPECT_GE(Clock::now() - start, milliseconds(5));
}

// Fact 2: on success the sets hold only what is ready (select(2)).
TEST(Call, SuccessOverwritesTheSets) {
  const Pair quiet = tcp_pair();
  const Pair busy = tcp_pair();
  ASSERT_EQ(send(busy.peer(), "x"), returns(1));
  ASSERT_TRUE(holds_input(busy.mine(), 1));
  fd_set readable = set_of({quiet.mine(), busy.mine()});

  EXPECT_EQ(select_readable(1000, readable, kPoll), returns(1));

  EXPECT_FALSE(FD_ISSET(quiet.mine(), &readable));
  EXPECT_TRUE(FD_ISSET(busy.mine(), &readable));
}

// Fact 2: on an error the sets are untouched (select(2)).
TEST(Call, ErrorLeavesTheSetsUntouched) {
  const Pair quiet = tcp_pair();
  fd_set readable = set_of({quiet.mine()});

  EXPECT_EQ(select_readable(-1, readable, kPoll), fails_with(EINVAL));

  EXPECT_TRUE(FD_ISSET(quiet.mine(), &readable));
}

// Fact 3: the return value counts bits: one descriptor in two sets counts two (select(2)).
TEST(Call, CountsBitsAndNotDescriptors) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(holds_input(tcp.mine(), 1));
  fd_set readable = set_of({tcp.mine()});
  fd_set writable = set_of({tcp.mine()});
  timeval timeout = kPoll;

  const int count = ::select(tcp.mine() + 1, &readable, &writable, nullptr, &timeout);

  EXPECT_EQ(count, 2);
}

// Fact 4: with nfds == fd the ready descriptor is ignored and its bit cleared; later words stay.
TEST(Call, NfdsEqualToTheDescriptorIgnoresIt) {
  const Pair tcp = tcp_pair();
  const Fd ready(::fcntl(tcp.mine(), F_DUPFD_CLOEXEC, 70));  // 70 and 200: in different words
  ASSERT_NE(ready.get() % 64, 0);
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(holds_input(ready.get(), 1));
  fd_set readable = set_of({ready.get(), 200});

  EXPECT_EQ(select_readable(ready.get(), readable, kPoll), returns(0));

  EXPECT_FALSE(FD_ISSET(ready.get(), &readable));
  EXPECT_TRUE(FD_ISSET(200, &readable));
}

// Fact 5: Linux writes the remaining time into the timeval (select(2)).
TEST(Call, LeavesTheRemainingTimeInTheTimeval) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(send(tcp.peer(), "x"), returns(1));
  ASSERT_TRUE(holds_input(tcp.mine(), 1));
  fd_set readable = set_of({tcp.mine()});
  timeval timeout{.tv_sec = 3600, .tv_usec = 0};

  ASSERT_EQ(::select(tcp.mine() + 1, &readable, nullptr, nullptr, &timeout), 1);

  EXPECT_LT(duration_of(timeout), seconds(3600));
  EXPECT_GT(duration_of(timeout), seconds(3000));
}

// Fact 5: after a timeout the timeval is zero: used again unchanged, it polls (select(2)).
TEST(Call, LeavesZeroInTheTimevalAfterATimeout) {
  timeval timeout{.tv_sec = 0, .tv_usec = 5'000};

  ASSERT_EQ(::select(0, nullptr, nullptr, nullptr, &timeout), 0);

  EXPECT_EQ(duration_of(timeout), microseconds(0));
}

// Fact 5: pselect leaves its timespec untouched (select(2)).
TEST(Call, PselectLeavesItsTimespecUntouched) {
  timespec timeout{.tv_sec = 0, .tv_nsec = 5'000'000};

  ASSERT_EQ(::pselect(0, nullptr, nullptr, nullptr, &timeout, nullptr), 0);

  EXPECT_EQ(timeout.tv_sec, 0);
  EXPECT_EQ(timeout.tv_nsec, 5'000'000);
}

// Fact 8: a closed descriptor in a set gives EBADF (select(2)).
TEST(Call, ClosedDescriptorGivesEbadf) {
  Fd fd = tcp_socket();
  const int closed = fd.get();
  fd.reset();
  fd_set readable = set_of({closed});

  EXPECT_EQ(select_readable(closed + 1, readable, kPoll), fails_with(EBADF));
}

// Fact 14: O_NONBLOCK and SO_RCVTIMEO do not shorten select's wait.
TEST(Call, NonBlockingModeAndReceiveTimeoutDoNotMatter) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(::fcntl(tcp.mine(), F_SETFL, O_NONBLOCK), 0);
  set_timeout(tcp.mine(), SO_RCVTIMEO, milliseconds(1));
  fd_set readable = set_of({tcp.mine()});
  const auto start = Clock::now();

  EXPECT_EQ(select_readable(tcp.mine() + 1, readable, {.tv_sec = 0, .tv_usec = 30'000}),
            returns(0));

  EXPECT_GE(Clock::now() - start, milliseconds(30));
}

// Fact 15: select never returns before its timeout (POSIX; it may overshoot: fs/select.c).
TEST(Call, NeverReturnsEarly) {
  for (const int asked_us : {1, 999, 1'000, 1'001, 2'500, 4'999}) {
    timeval timeout{.tv_sec = 0, .tv_usec = asked_us};
    const auto start = Clock::now();

    ASSERT_EQ(::select(0, nullptr, nullptr, nullptr, &timeout), 0);

    EXPECT_GE(Clock::now() - start, microseconds(asked_us));
  }
}

// Fact 16: after EBADF every bit is still set: tested all the same, all would seem ready.
TEST(Call, BitsAreStillSetAfterEbadf) {
  const Pair quiet = tcp_pair();
  Fd fd = tcp_socket();
  const int closed = fd.get();
  fd.reset();
  fd_set readable = set_of({quiet.mine(), closed});

  ASSERT_EQ(select_readable(1000, readable, kPoll), fails_with(EBADF));

  EXPECT_TRUE(FD_ISSET(quiet.mine(), &readable));
  EXPECT_TRUE(FD_ISSET(closed, &readable));
}

}  // namespace
}  // namespace facts
