// Somebody else who holds the same open file, and is quicker.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "calls.hpp"

using namespace grader_test;

TEST(Competitor, TakesTheBytesOfWhichAWaitHasTold) {
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends("hello").at(731ms).sends("bye").connected();
  scenario.competitor("bob", fd);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(received(fd, 100, MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}}, 0s), "0");
    EXPECT_EQ(received(fd), "bye");
    EXPECT_EQ(steady_time(), 731ms);
  });
}

TEST(Competitor, ComesAsOftenAsItIsAsked) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  for (const char* text : {"a", "b", "c"}) alice.after(331ms).sends(text);
  scenario.competitor("bob", fd, 2);
  scenario.run([&] {
    EXPECT_EQ(polled(fd, POLLIN, 0), "0");  // nothing to take: that does not count
    EXPECT_EQ(polled(fd, POLLIN, -1), "1, in");
    EXPECT_EQ(received(fd, 100, MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd, 100, MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd), "c");
    EXPECT_EQ(steady_time(), 993ms);
  });
}

TEST(Competitor, IsTooLateForWhoAsksNobody) {
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends("hello").connected();
  scenario.competitor("bob", fd);
  scenario.run([&] { EXPECT_EQ(received(fd), "hello"); });
}

TEST(Competitor, MakesRoomForMore) {
  Scenario scenario;
  const int fd = scenario.peer("alice").sends(std::string(40'000, 'x')).connected();
  scenario.competitor("bob", fd);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    std::string rest(40'000, '\0');
    EXPECT_EQ(outcome(::recv(fd, rest.data(), rest.size(), MSG_WAITALL | MSG_DONTWAIT)), "7232");
  });
}

TEST(Competitor, CannotTakeAnEnd) {
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).finishes_sending().connected();
  scenario.competitor("bob", fd);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd), "");
  });
}

TEST(Competitor, TakesFromAPipe) {
  Scenario scenario;
  const int fd = scenario.peer("keyboard").at(331ms).sends("hello").closes().pipe_to_program();
  scenario.competitor("bob", fd);
  scenario.run([&] {
    EXPECT_EQ(polled(fd, POLLIN, -1), "1, in hup");
    char byte = 0;
    EXPECT_EQ(outcome(::read(fd, &byte, 1)), "0");
  });
}

TEST(Competitor, AcceptsTheClientOfWhomAWaitHasTold) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  alice.at(331ms).connects().sends("hello");
  scenario.peer("carol").at(731ms).connects().sends("hi");
  scenario.allow_open_descriptors();
  const int listener = scenario.run([] { return listening_socket(); });
  scenario.competitor("bob", listener);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(selected({.read = {listener}}, 0s), "0");
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(steady_time(), 731ms);
    EXPECT_EQ(received(client), "hi");
  });
  EXPECT_TRUE(alice.is_connected());
  EXPECT_FALSE(alice.saw_the_end());
}

TEST(Competitor, LeavesOneClientToANonBlockingAccept) {
  Scenario scenario;
  scenario.peer("alice").connects();
  scenario.peer("carol").connects();
  scenario.allow_open_descriptors();
  const int listener = scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    ::listen(fd, 5);
    return fd;
  });
  scenario.competitor("bob", listener);
  scenario.run([&] {
    EXPECT_EQ(polled(listener, POLLIN, -1), "1, in");
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "4");
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
  });
  EXPECT_EQ(scenario.calls("accept").front().result, "4 (carol)");
}
