/// @file
/// Facts about what select refuses, what it overlooks, and where its sets end.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "blocking.hpp"
#include "loopback.hpp"

/// What FD_SET, FD_CLR and FD_ISSET call in fortified code (glibc, bits/select2.h).
extern "C" long int __fdelt_chk(long int fd);

namespace facts {
namespace {

constexpr timeval kPoll{.tv_sec = 0, .tv_usec = 0};

Result select_nothing(int nfds, timeval timeout) {
  return result_of(::select(nfds, nullptr, nullptr, nullptr, &timeout));
}

/// How many descriptors the kernel's table of this process has room for; -1 when not told.
int kernel_table_size() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    int size = -1;
    if (word == "FDSize:" && status >> size) return size;
  }
  return -1;
}

bool set_soft_limit(rlim_t descriptors) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  limit.rlim_cur = descriptors;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// Fact 9: a closed descriptor above the kernel's table is ignored, its bit stays (select(2), BUGS).
TEST(CallLimits, ClosedDescriptorAboveTheKernelsTableIsIgnored) {
  const std::string answer = in_child([] {  // a child begins with a small table
    const int closed = kernel_table_size();
    if (closed < 0 || closed >= FD_SETSIZE) return "no room: FDSize " + std::to_string(closed);
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(closed, &readable);
    timeval timeout = kPoll;
    const Result result = result_of(::select(closed + 1, &readable, nullptr, nullptr, &timeout));
    return testing::PrintToString(result) +
           (FD_ISSET(closed, &readable) ? ", the bit stays" : ", the bit is cleared");
  });

  if (answer.starts_with("no room")) {
    GTEST_SKIP() << "no number below FD_SETSIZE lies above the kernel's table; " << answer;
  }
  EXPECT_EQ(answer, "0, the bit stays");
}

// Fact 9: the table has room for 64 numbers, or for a power of two of them, more than the highest
// there ever was (alloc_fdtable() in fs/file.c). Below its end a closed descriptor gives EBADF.
TEST(CallLimits, TheKernelsTableDoublesAndNeverShrinks) {
  const auto answer_about = [](int fd) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd, &readable);
    timeval timeout = kPoll;
    return testing::PrintToString(
        result_of(::select(fd + 1, &readable, nullptr, nullptr, &timeout)));
  };
  const auto in_a_small_table = [](const auto& what) {
    return in_child([&] {
      ::close_range(32, ~0U, 0);  // a child's table is as large as what it inherits
      return in_child(what);
    });
  };
  const auto after_opening = [&](int highest) {
    return in_a_small_table([&] {
      if (::dup2(0, highest) != highest) return std::string("no such number");
      ::close(highest);
      const int size = kernel_table_size();
      if (size < 0 || size >= FD_SETSIZE) return "no room: FDSize " + std::to_string(size);
      return "FDSize " + std::to_string(size) + ", last " + answer_about(size - 1) + ", next " +
             answer_about(size);
    });
  };
  EXPECT_EQ(after_opening(63), "FDSize 64, last -1 (EBADF), next 0");
  EXPECT_EQ(after_opening(64), "FDSize 128, last -1 (EBADF), next 0");
  EXPECT_EQ(after_opening(127), "FDSize 128, last -1 (EBADF), next 0");
  EXPECT_EQ(after_opening(128), "FDSize 256, last -1 (EBADF), next 0");
  EXPECT_EQ(after_opening(300), "FDSize 512, last -1 (EBADF), next 0");
}

// Fact 10: EINVAL for a negative nfds, tv_sec or tv_usec (select(2)).
TEST(CallLimits, NegativeNumbersGiveEinval) {
  EXPECT_EQ(select_nothing(-1, kPoll), fails_with(EINVAL));
  EXPECT_EQ(select_nothing(0, {.tv_sec = -1, .tv_usec = 0}), fails_with(EINVAL));
  EXPECT_EQ(select_nothing(0, {.tv_sec = 0, .tv_usec = -1}), fails_with(EINVAL));
}

// Fact 11: a tv_usec of 1,500,000 counts as one and a half seconds on Linux; POSIX allows EINVAL.
TEST(CallLimits, MicrosecondsMayBeMoreThanASecond) {
  const Pair tcp = tcp_pair();
  fd_set writable;
  FD_ZERO(&writable);
  FD_SET(tcp.mine(), &writable);
  timeval timeout{.tv_sec = 0, .tv_usec = 1'500'000};

  const int count = ::select(tcp.mine() + 1, nullptr, &writable, nullptr, &timeout);

  EXPECT_EQ(count, 1);
  EXPECT_LE(timeout.tv_sec, 1);
  EXPECT_LT(timeout.tv_usec, 1'000'000);  // what remains is a proper timeval again
}

// Fact 11: pselect refuses a tv_nsec of a thousand million: EINVAL.
TEST(CallLimits, PselectRefusesNanosecondsOfASecond) {
  const timespec timeout{.tv_sec = 0, .tv_nsec = 1'000'000'000};

  EXPECT_EQ(result_of(::pselect(0, nullptr, nullptr, nullptr, &timeout, nullptr)),
            fails_with(EINVAL));
}

// Fact 12: an nfds above RLIMIT_NOFILE is no error, whatever select(2) says; poll(2) refuses it.
TEST(CallLimits, NfdsAboveTheDescriptorLimitIsAccepted) {
  EXPECT_EQ(in_child([] {
              if (!set_soft_limit(64)) return std::string("setrlimit failed");
              const Result selected = select_nothing(1024, kPoll);
              std::array<pollfd, 65> entries{};
              for (pollfd& entry : entries) entry.fd = -1;
              const Result polled = result_of(::poll(entries.data(), entries.size(), 0));
              return "select " + testing::PrintToString(selected) + ", poll " +
                     testing::PrintToString(polled);
            }),
            "select 0, poll -1 (EINVAL)");
}

// Fact 13: a set has room for the numbers 0 to 1023, and no more (select(2), FD_SETSIZE).
TEST(CallLimits, SetsEndAtNumber1023) {
  EXPECT_EQ(FD_SETSIZE, 1024);
  EXPECT_EQ(sizeof(fd_set), 128U);
}

// Fact 13: fortified code aborts at FD_SET(1024) (glibc, _FORTIFY_SOURCE); plain code is undefined.
TEST(CallLimits, FortifiedFdSetAbortsOutsideTheSet) {
  const auto set_bit_of = [](long fd) {
    return in_child([fd] {
      ::close(STDERR_FILENO);  // glibc announces the abort there
      return "word " + std::to_string(__fdelt_chk(fd));
    });
  };

  EXPECT_EQ(set_bit_of(1023), "word 15");
  EXPECT_EQ(set_bit_of(1024), "killed by SIGABRT");
  EXPECT_EQ(set_bit_of(-1), "killed by SIGABRT");
}

// Fact 13: the limit is on the number, not on how many: the only open socket can have number 1024.
TEST(CallLimits, OneDescriptorCanHaveANumberThatDoesNotFit) {
  const std::string answer = in_child([] {
    if (!set_soft_limit(2048)) return std::string("no number above 1024 allowed");
    const Pair pair = unix_pair();
    const Fd high(::fcntl(pair.mine(), F_DUPFD_CLOEXEC, 1024));
    pollfd entry{.fd = high.get(), .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&entry, 1, 0);
    return "number " + std::to_string(high.get()) + ", poll finds " + std::to_string(ready);
  });

  if (answer.starts_with("no number")) GTEST_SKIP() << "the hard limit of this system: " << answer;
  EXPECT_EQ(answer, "number 1024, poll finds 1");
}

}  // namespace
}  // namespace facts
