// Urgent bytes. The facts are those of tests/facts/out_of_band_test.cpp.
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

namespace {

void receive_inline(int fd) {
  const int on = 1;
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), 0);
}

}  // namespace

TEST(UrgentByte, IsExceptionalAndNotReadable) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1300ms).sends_urgent('!');
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "1, except {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(polled(fd, POLLIN | POLLPRI, 0), "1, pri");
    EXPECT_EQ(received(fd, 1, MSG_OOB), "!");
    EXPECT_EQ(selected({.except = {fd}}, 1s), "0");
    EXPECT_EQ(received(fd, 1, MSG_OOB), "-1 EINVAL");
  });
  EXPECT_EQ(scenario.calls("recv").front().text, "recv(3, 1, MSG_OOB)");
  EXPECT_EQ(scenario.calls("recv").front().result, "1 \"!\"");
}

TEST(UrgentByte, IsDiscardedByAnOrdinaryReceive) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("ab").sends_urgent('!').sends("cd");
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "2, read {3}, except {3}");
    EXPECT_EQ(received(fd), "ab");  // as far as the mark
    int at_mark = 0;
    EXPECT_EQ(::ioctl(fd, SIOCATMARK, &at_mark), 0);
    EXPECT_EQ(at_mark, 1);
    EXPECT_EQ(received(fd), "cd");
    EXPECT_EQ(selected({.except = {fd}}, 1s), "0");
    EXPECT_EQ(received(fd, 1, MSG_OOB), "-1 EINVAL");
  });
}

TEST(UrgentByte, EndsAReceiveOfAll) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("ab").sends_urgent('!').sends("cd");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 4, MSG_WAITALL), "ab");
    EXPECT_EQ(received(fd, 2, MSG_WAITALL), "cd");
  });
}

TEST(UrgentByte, StaysInTheStreamWhenAskedTo) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("ab").sends_urgent('!');
  scenario.run([&] {
    receive_inline(fd);
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "2, read {3}, except {3}");
    EXPECT_EQ(received(fd), "ab");
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "2, read {3}, except {3}");
    EXPECT_EQ(received(fd, 1, MSG_OOB), "-1 EINVAL");
    EXPECT_EQ(received(fd), "!");
  });
}

TEST(UrgentByte, DoesNotDisturbTheStream) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends_urgent('1').sends("ab").sends_urgent('2').at(1s).sends("cd").receives("x").closes();
  scenario.run([&] {
    EXPECT_EQ(received(fd), "ab");
    EXPECT_EQ(received(fd, 1, MSG_OOB), "2");
    EXPECT_EQ(received(fd), "cd");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(sent(fd, "x"), "1");
    EXPECT_EQ(received(fd), "");
  });
}

TEST(UrgentByte, MayComeBeforeAccept) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  alice.connects().sends_urgent('!').sends("a");
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "4");
    EXPECT_EQ(selected({.except = {4}}), "1, except {4}");
    EXPECT_EQ(received(4, 1, MSG_OOB), "!");
    EXPECT_EQ(received(4), "a");
    ::close(4);
    ::close(listener);
  });
}

TEST(UrgentByte, IsUnreadDataWhenTheProgramCloses) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends_urgent('!').sees_the_end();
  scenario.run([&] {
    EXPECT_EQ(received(fd, 1, MSG_OOB), "!");
    ::close(fd);
  });
  scenario.finish();
  EXPECT_TRUE(alice.saw_a_reset());
}

// Its send takes the error that tells of the reset. What alice reads then is 0, and no orderly end.
TEST(UrgentByte, IsSentInVainAfterAReset) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.stops_reading().sends("unread").at(1s).sends_urgent('!').resumes_reading().sees_the_end();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    ::close(fd);
    ::sleep(2);
  });
  scenario.finish();
  EXPECT_TRUE(alice.saw_a_reset());
  EXPECT_FALSE(alice.saw_the_end());
}

TEST(Exceptional, IsNeitherAResetNorAnEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int from_alice = alice.connected();
  const int from_bob = bob.connected();
  alice.at(1s).resets();
  bob.at(1s).closes();
  scenario.run([&] {
    EXPECT_EQ(selected({.except = {from_alice, from_bob}}, 2s), "0");
    EXPECT_EQ(polled(from_bob, POLLPRI, 0), "0");
  });
}
