// What goes wrong on demand.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

TEST(Faults, MakeSendsShort) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.faults().send_takes_at_most(5);
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "hello, world"), "5");
    EXPECT_EQ(sent(fd, "you"), "3");
  });
  EXPECT_EQ(alice.received(), "helloyou");
}

TEST(Faults, MakeTheNextSendsShortOnly) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.faults().next_sends_take({3, 1});
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "hello"), "3");
    EXPECT_EQ(sent(fd, "hello"), "1");
    EXPECT_EQ(sent(fd, "hello"), "5");
  });
}

TEST(Faults, MakeRecvsShort) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("hello, world");
  scenario.faults().next_recvs_give({4});
  scenario.run([&] {
    EXPECT_EQ(received(fd), "hell");
    EXPECT_EQ(received(fd), "o, world");
  });
}

TEST(Faults, LetCallsFailAfterSomeThatWork) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.faults().fail("send", ENOBUFS, 2, 1);
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "a"), "1");
    EXPECT_EQ(sent(fd, "b"), "-1 ENOBUFS");
    EXPECT_EQ(outcome(::write(fd, "c", 1)), "-1 ENOBUFS");
    EXPECT_EQ(sent(fd, "d"), "1");
  });
  EXPECT_EQ(alice.received(), "ad");
}

TEST(Faults, ReachEveryKindOfCall) {
  Scenario scenario;
  for (const char* function : {"socket", "pipe", "socketpair", "bind", "listen", "accept", "select",
                               "fcntl", "setsockopt", "getsockname", "shutdown", "connect"})
    scenario.faults().fail(function, ENOMEM);
  scenario.run([] {
    int pair[2];
    EXPECT_EQ(outcome(new_socket()), "-1 ENOMEM");
    EXPECT_EQ(outcome(::pipe(pair)), "-1 ENOMEM");
    EXPECT_EQ(outcome(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair)), "-1 ENOMEM");
    const int fd = new_socket();
    sockaddr_in own{};
    socklen_t length = sizeof own;
    EXPECT_EQ(outcome(::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &fd, sizeof fd)), "-1 ENOMEM");
    EXPECT_EQ(outcome(::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length)), "-1 ENOMEM");
    EXPECT_EQ(bound(fd, address("127.0.0.1", 0)), "-1 ENOMEM");
    EXPECT_EQ(outcome(::listen(fd, 5)), "-1 ENOMEM");
    EXPECT_EQ(outcome(::accept(fd, nullptr, nullptr)), "-1 ENOMEM");
    EXPECT_EQ(outcome(::shutdown(fd, SHUT_WR)), "-1 ENOMEM");
    EXPECT_EQ(connected(fd, address("192.0.2.1", 80)), "-1 ENOMEM");
    EXPECT_EQ(selected({.read = {fd}}), "-1 ENOMEM");
    ::close(fd);
  });
}

TEST(Faults, InterruptEveryOtherCall) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("hello");
  scenario.faults().interrupt_every_other("recv");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 3), "-1 EINTR");
    EXPECT_EQ(received(fd, 3), "hel");
    EXPECT_EQ(received(fd, 3), "-1 EINTR");
    EXPECT_EQ(received(fd, 3), "lo");
  });
}

// The kernel looks first what the descriptor is.
TEST(Faults, LeaveACallAloneThatIsRefused) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  const int in = keyboard.pipe_to_program();
  keyboard.sends("hello");
  scenario.faults().interrupt_every_other("recv");
  scenario.faults().fail("send", EIO);
  char byte = 'x';
  scenario.run([&] {
    EXPECT_EQ(received(in), "-1 ENOTSOCK");
    EXPECT_EQ(outcome(::read(in, &byte, 1)), "-1 EINTR");
    EXPECT_EQ(received(in), "-1 ENOTSOCK");
    EXPECT_EQ(outcome(::read(in, &byte, 1)), "1");
    EXPECT_EQ(sent(in, "x"), "-1 ENOTSOCK");
    EXPECT_EQ(outcome(::write(in, &byte, 1)), "-1 EIO");
  });
}

TEST(Faults, InterruptAConnectThatGoesOnByItself) {
  Scenario scenario;
  scenario.peer("server").listens_at("192.0.2.1", 80, 1s);
  scenario.faults().interrupt_every_other("connect");
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, address("192.0.2.1", 80)), "-1 EINTR");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(pending_error(fd), "0");
    ::close(fd);
  });
}

TEST(Faults, LetCloseReportAnErrorAndCloseAllTheSame) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  scenario.faults().close_reports(EINTR);
  scenario.run([&] { EXPECT_EQ(outcome(::close(fd)), "-1 EINTR"); });
  EXPECT_TRUE(alice.saw_the_end());
}

TEST(Faults, LetCleaningUpOverwriteErrno) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected_and_handed_over();
  scenario.faults().clean_up_overwrites_errno_with(EBADF);
  scenario.run([&] {
    addrinfo* list = nullptr;
    EXPECT_EQ(::getaddrinfo("192.0.2.1", "80", nullptr, &list), 0);
    errno = EINTR;
    ::freeaddrinfo(list);
    EXPECT_EQ(errno, EBADF);
    errno = EINTR;
    EXPECT_EQ(::shutdown(fd, SHUT_WR), 0);
    EXPECT_EQ(errno, EBADF);
    errno = EINTR;
    EXPECT_EQ(::close(fd), 0);
    EXPECT_EQ(errno, EBADF);
  });
}

TEST(Faults, TakeAFamilyAway) {
  Scenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  scenario.run([] {
    EXPECT_EQ(outcome(::socket(AF_INET6, SOCK_STREAM, 0)), "-1 EAFNOSUPPORT");
    ::close(new_socket());
  });
}

TEST(SpuriousReadiness, IsSeenOnceBySelectAndByPoll) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.spurious_readiness(fd);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}, 1s), "1, read {3}");
    EXPECT_EQ(received(fd, 1, MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}}, 1s), "0");
  });
  scenario.spurious_readiness(fd);
  scenario.run([&] {
    EXPECT_EQ(polled(fd, POLLIN, 1000), "1, in");
    EXPECT_EQ(polled(fd, POLLIN, 1000), "0");
  });
}

TEST(BadCloses, CanBeAllowed) {
  Scenario scenario;
  scenario.allow_bad_closes();
  scenario.run([] {
    EXPECT_EQ(outcome(::close(99)), "-1 EBADF");
    EXPECT_EQ(outcome(::close(-1)), "-1 EBADF");
  });
}

TEST(OpenDescriptors, CanBeAllowedAndAreCounted) {
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.run([] {
    (void)new_socket();
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
  });
  EXPECT_EQ(scenario.open_descriptors(), (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(scenario.open_count("pipe()"), 2U);
}
