// connect, accept and what ends a connection.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fact.hpp"

using namespace facts;

namespace {

// A port of the loopback at which nobody listens: its owner has closed it.
sockaddr_in closed_port() {
  const int fd = new_socket();
  sockaddr_in local = address("127.0.0.1", 0);
  EXPECT_EQ(bound(fd, local), "0");
  local.sin_port = htons(port_of(fd));
  ::close(fd);
  return local;
}

}  // namespace

TEST(Connect, IsRefusedWhereNobodyListens) {
  fact("A blocking connect says ECONNREFUSED where nobody listens");
  Scenario scenario;
  scenario.run([&] {
    const sockaddr_in nobody = closed_port();
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, nobody), "-1 ECONNREFUSED");
    ::close(fd);
  });
}

TEST(Connect, TellsARefusalAsReadiness) {
  fact("Facts 42, 43, 46: EINPROGRESS; refused is readable and writable; SO_ERROR tells it once");
  Scenario scenario;
  scenario.run([&] {
    const sockaddr_in nobody = closed_port();
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, nobody), "-1 EINPROGRESS");
    EXPECT_EQ(selected({.write = {fd}}, 1s), "1, write {3}");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
    EXPECT_EQ(pending_error(fd), "ECONNREFUSED");
    EXPECT_EQ(pending_error(fd), "0");
    ::close(fd);
  });
}

TEST(Accept, SaysEagainWhenSomebodyElseWasQuicker) {
  fact("Fact 52: who shares a listener may accept the client of whom a wait has told: EAGAIN");
  Scenario scenario;
  scenario.peer("alice").at(331ms).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    const int shared = ::dup(listener);
    EXPECT_EQ(::fcntl(shared, F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(selected({.read = {listener, shared}}), "2, read {3 4}");
    const int client = ::accept(shared, nullptr, nullptr);
    EXPECT_EQ(client, 5);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
    EXPECT_EQ(::fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    for (const int fd : {client, shared, listener}) ::close(fd);
  });
}

TEST(Accept, WaitsForAClient) {
  fact("accept waits until somebody connects");
  Scenario scenario;
  scenario.peer("alice").at(331ms).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(client, 4);
    EXPECT_EQ(steady_time(), 331ms);
    ::close(client);
    ::close(listener);
  });
}

TEST(Accept, SaysEagainWhenNobodyWaits) {
  fact("Fact 52: accept on a listener that does not block says EAGAIN when nobody waits");
  Scenario scenario;
  scenario.peer("alice").at(331ms).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    ::fcntl(listener, F_SETFL, O_NONBLOCK);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(client, 4);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
    ::close(client);
    ::close(listener);
  });
}

TEST(Accept, DoesNotHandOnTheMode) {
  fact("Fact 50: on Linux an accepted socket blocks, though its listener does not");
  Scenario scenario;
  scenario.peer("alice").at(331ms).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    ::fcntl(listener, F_SETFL, O_NONBLOCK);
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(::fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    ::close(client);
    ::close(listener);
  });
}

TEST(Accept, IsEndedByASignal) {
  fact("A handler ends accept with EINTR; with SA_RESTART accept goes on");
  Scenario scenario;
  scenario.signal_at(331ms, SIGUSR1);
  scenario.signal_at(731ms, SIGUSR2, Handler::restarting);
  scenario.peer("alice").at(1100ms).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(client, 4);
    EXPECT_EQ(steady_time(), 1100ms);
    ::close(client);
    ::close(listener);
  });
  EXPECT_EQ(scenario.handler_runs(), 2);
}

TEST(Receive, EndsAtItsTimeout) {
  fact("SO_RCVTIMEO: recv says EAGAIN when the time is over");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(731ms).sends("late").connected();
  scenario.run([&] {
    set_timeout(fd, SO_RCVTIMEO, 400ms);
    EXPECT_EQ(received(fd), "-1 EAGAIN");
    EXPECT_EQ(steady_time(), 400ms);
    EXPECT_EQ(received(fd), "late");
    EXPECT_EQ(steady_time(), 731ms);
  });
}

TEST(Receive, WaitsForAllWhenItOnlyPeeks) {
  fact("MSG_PEEK with MSG_WAITALL waits until the buffer could be filled, or the stream ends");
  Scenario scenario;
  Peer& alice = scenario.peer("alice").sends("hello");
  const int fd = alice.at(331ms).sends("x").at(731ms).finishes_sending().connected();
  scenario.run([&] {
    EXPECT_EQ(received(fd, 6, MSG_PEEK | MSG_WAITALL), "hellox");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(received(fd, 100, MSG_PEEK | MSG_WAITALL), "hellox");
    EXPECT_EQ(steady_time(), 731ms);
    EXPECT_EQ(received(fd), "hellox");
  });
}

TEST(Close, OfOneDuplicateSendsNoEnd) {
  fact("Fact 41: closing one duplicate sends no FIN; shutdown on any of them does");
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.run([&] {
    const int copy = ::dup(fd);
    ::close(copy);
    EXPECT_EQ(selected({}, 120ms), "0");
  });
  EXPECT_FALSE(alice.saw_the_end());
  scenario.run([&] {
    const int copy = ::dup(fd);
    ::shutdown(copy, SHUT_WR);
    ::close(copy);
    EXPECT_EQ(selected({}, 120ms), "0");
  });
  EXPECT_TRUE(alice.saw_the_end());
}

TEST(Close, WithUnreadInputIsAReset) {
  fact("Fact 38: to close with unread input sends RST");
  Scenario scenario;
  Peer& alice = scenario.peer("alice").sends("unread");
  const int fd = alice.connected_and_handed_over();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    ::close(fd);
    EXPECT_EQ(selected({}, 31ms), "0");
  });
  EXPECT_TRUE(alice.saw_a_reset());
  EXPECT_FALSE(alice.saw_the_end());
}
