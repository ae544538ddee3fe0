/// @file
/// Facts about the small integers: which number, whose flags, and what close(2) does.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

// Fact: a new descriptor takes the lowest free number (POSIX, File Descriptor Allocation).
TEST(Descriptors, NewOneTakesTheLowestFreeNumber) {
  Fd lower = tcp_socket();
  const Fd higher = tcp_socket();
  const int freed = lower.get();

  lower.reset();
  const Fd next = tcp_socket();

  EXPECT_EQ(next.get(), freed);
}

// Fact: a second close of a number that was given out again closes the new owner's (close(2)).
TEST(Descriptors, SecondCloseHitsTheNewOwnerOfTheNumber) {
  Fd first = tcp_socket();
  const int number = first.get();
  first.reset();
  Fd next = tcp_socket();
  ASSERT_EQ(next.get(), number);

  const int second_close = ::close(number);

  EXPECT_EQ(second_close, 0);
  EXPECT_FALSE(is_open(next.release()));
}

// Fact: closing a number that is not open says EBADF and does nothing else (close(2)).
TEST(Descriptors, ClosingAClosedNumberSaysEbadf) {
  Fd fd = tcp_socket();
  const int number = fd.get();
  fd.reset();

  EXPECT_EQ(result_of(::close(number)), fails_with(EBADF));
}

// Fact: close(2) frees the number first; that it lingers, or a signal ends it, changes nothing.
TEST(Descriptors, CloseFreesTheNumberEvenWhileItLingersAndWhenASignalEndsIt) {
  const SignalCounter signals(SIGUSR1);
  Pair tcp = narrow_tcp_pair();
  const linger wait{.l_onoff = 1, .l_linger = 60};
  ASSERT_EQ(::setsockopt(tcp.mine(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait), 0);
  fill(tcp.mine());
  const int number = tcp.release_mine();

  BlockedCall close([number] { return ::close(number); });

  EXPECT_TRUE(close.is_asleep());
  EXPECT_FALSE(is_open(number));
  close.interrupt(SIGUSR1);
  (void)close.result();  // whether it mentions the signal is not the point
  EXPECT_FALSE(is_open(number));
}

// Fact: a socket survives an exec unless FD_CLOEXEC is asked for, best as it is made (socket(2)).
TEST(Descriptors, CloseOnExecHasToBeAskedFor) {
  const Fd plain(::socket(AF_INET, SOCK_STREAM, 0));
  const Fd asked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

  EXPECT_FALSE(closes_on_exec(plain.get()));
  EXPECT_TRUE(closes_on_exec(asked.get()));
}

// Fact: neither dup(2) nor accept(2) hands FD_CLOEXEC on; F_DUPFD_CLOEXEC and accept4(2) set it.
TEST(Descriptors, CloseOnExecIsNotHandedOn) {
  const Fd listener = listening_socket();
  ASSERT_TRUE(closes_on_exec(listener.get()));
  const Fd client = connected_to(listener.get());
  const Fd second_client = connected_to(listener.get());

  const Fd copy(::dup(listener.get()));
  const Fd asked_copy(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0));
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  const Fd asked_accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));

  EXPECT_FALSE(closes_on_exec(copy.get()));
  EXPECT_TRUE(closes_on_exec(asked_copy.get()));
  EXPECT_FALSE(closes_on_exec(accepted.get()));
  EXPECT_TRUE(closes_on_exec(asked_accepted.get()));
}

// Fact: O_NONBLOCK belongs to the open socket and its dups; FD_CLOEXEC to one number (fcntl(2)).
TEST(Descriptors, DupSharesNonBlockingModeButNotCloseOnExec) {
  const Pair tcp = tcp_pair();
  const Fd copy(::dup(tcp.mine()));

  ASSERT_EQ(::fcntl(copy.get(), F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(::fcntl(copy.get(), F_SETFD, FD_CLOEXEC), 0);
  ASSERT_EQ(::fcntl(tcp.mine(), F_SETFD, 0), 0);

  EXPECT_TRUE(is_nonblocking(tcp.mine()));
  EXPECT_TRUE(closes_on_exec(copy.get()));
  EXPECT_FALSE(closes_on_exec(tcp.mine()));
}

// Fact: F_SETFL sets all status flags at once: what is not named is off afterwards (fcntl(2)).
TEST(Descriptors, StatusFlagsAreSetAllAtOnce) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(::fcntl(tcp.mine(), F_SETFL, O_ASYNC), 0);

  ASSERT_EQ(::fcntl(tcp.mine(), F_SETFL, O_NONBLOCK), 0);

  EXPECT_EQ(::fcntl(tcp.mine(), F_GETFL) & (O_ASYNC | O_NONBLOCK), O_NONBLOCK);
}

// Fact: F_SETFD takes O_NONBLOCK without a word, does nothing of the kind, and clears FD_CLOEXEC.
TEST(Descriptors, StatusFlagsAreNotForSetfd) {
  const Pair tcp = tcp_pair();
  ASSERT_EQ(::fcntl(tcp.mine(), F_SETFD, FD_CLOEXEC), 0);

  EXPECT_EQ(::fcntl(tcp.mine(), F_SETFD, O_NONBLOCK), 0);

  EXPECT_FALSE(is_nonblocking(tcp.mine()));
  EXPECT_FALSE(closes_on_exec(tcp.mine()));
}

// Fact: with one number left, socketpair(2) says EMFILE and takes none.
TEST(Descriptors, SocketpairTakesBothNumbersOrNone) {
  EXPECT_EQ(in_child([] {
              const int lowest_free = tcp_socket().get();
              const rlim_t one_left = static_cast<rlim_t>(lowest_free) + 1;
              const rlimit limit{.rlim_cur = one_left, .rlim_max = one_left};
              if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return std::string("setrlimit failed");

              std::array<int, 2> ends{-1, -1};
              const Result made = result_of(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()));

              return error_name(made.error) +
                     (is_open(lowest_free) ? ", one stays open" : ", none stays open");
            }),
            "EMFILE, none stays open");
}

}  // namespace
}  // namespace facts
