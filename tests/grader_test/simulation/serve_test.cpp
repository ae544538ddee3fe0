// bind, listen and accept. The facts are those of tests/facts/listen_test.cpp and accept_test.cpp.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

namespace {

const sockaddr_in any_8080 = address("0.0.0.0", 8080);

void reuse_address(int fd) {
  const int on = 1;
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
}

// Serves one client, hangs up first, and ends: its port is left in TIME_WAIT.
void serve_and_end(bool reuse) {
  const int listener = new_socket();
  if (reuse) reuse_address(listener);
  EXPECT_EQ(bound(listener, any_8080), "0");
  EXPECT_EQ(::listen(listener, 5), 0);
  ::close(::accept(listener, nullptr, nullptr));
  ::close(listener);
  ::sleep(1);
}

}  // namespace

TEST(Accept, ReturnsAtTheMomentOfTheConnect) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  alice.at(1700ms).connects().sends("hello");
  scenario.run([] {
    const int listener = listening_socket();
    const int fd = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(steady_time(), 1700ms);
    EXPECT_EQ(received(fd), "hello");
    ::close(fd);
    ::close(listener);
  });
  EXPECT_TRUE(alice.saw_the_end());
}

TEST(Accept, TakesTheOldestFirst) {
  Scenario scenario;
  scenario.peer("alice").at(2s).connects().sends("a");
  scenario.peer("bob").at(1s).connects().sends("b");
  scenario.run([] {
    const int listener = listening_socket();
    ::sleep(3);
    for (const char* who : {"b", "a"}) {
      const int fd = ::accept(listener, nullptr, nullptr);
      EXPECT_EQ(received(fd), who);
      ::close(fd);
    }
    ::close(listener);
  });
}

// The kernel gives the port of one who has left to the next: with some 14,000 ports, two of 240
// clients have the same in most runs.
TEST(Accept, TellsAClientFromOneWhoHadItsPortBefore) {
  constexpr int clients = 240;
  Scenario scenario;
  std::vector<Peer*> peers;
  for (int i = 0; i < clients; ++i) {
    peers.push_back(&scenario.peer("client " + std::to_string(i)));
    peers.back()->at(i * 1s).connects().sends(std::to_string(i)).sees_the_end().closes();
  }
  scenario.run([] {
    const int listener = listening_socket();
    for (int i = 0; i < clients; ++i) {
      const int fd = ::accept(listener, nullptr, nullptr);
      EXPECT_EQ(received(fd), std::to_string(i));
      ::shutdown(fd, SHUT_WR);
      EXPECT_EQ(received(fd), "");
      ::close(fd);
    }
    ::close(listener);
  });
  for (const Peer* peer : peers) EXPECT_TRUE(peer->saw_the_end());
}

TEST(Accept, TellsTheAddressOfTheClient) {
  Scenario scenario;
  scenario.peer("alice");
  scenario.peer("bob").connects();
  scenario.run([] {
    const int listener = listening_socket();
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const int fd = ::accept(listener, reinterpret_cast<sockaddr*>(&from), &length);
    EXPECT_EQ(length, sizeof from);
    EXPECT_EQ(from.sin_family, AF_INET);
    EXPECT_EQ(ntohl(from.sin_addr.s_addr), 0xc000020bU);  // 192.0.2.11, the second peer
    EXPECT_EQ(ntohs(from.sin_port), 50'001);
    ::close(fd);
    ::close(listener);
  });
}

TEST(Accept, SaysEagainWhenItMayNotWait) {
  Scenario scenario;
  scenario.run([] {
    const int listener = listening_socket();
    EXPECT_EQ(::fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
    ::close(listener);
  });
}

TEST(Accept, EndsAtItsReceiveTimeout) {
  Scenario scenario;
  scenario.run([] {
    const int listener = listening_socket();
    set_timeout(listener, SO_RCVTIMEO, 1300ms);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
    EXPECT_EQ(steady_time(), 1300ms);
    ::close(listener);
  });
}

TEST(Accept, SaysEinvalWithoutListen) {
  Scenario scenario;
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(outcome(::accept(fd, nullptr, nullptr)), "-1 EINVAL");
    ::close(fd);
  });
}

TEST(Accept, DoesNotHandOnNonBlockingMode) {
  Scenario scenario;
  scenario.peer("alice").connects();
  scenario.peer("bob").connects();
  scenario.run([] {
    const int listener = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(::listen(listener, 5), 0);
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    const int a = ::accept(listener, nullptr, nullptr);
    const int b = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_EQ(::fcntl(a, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(b, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    EXPECT_EQ(::fcntl(b, F_GETFD), FD_CLOEXEC);
    for (const int fd : {a, b, listener}) ::close(fd);
  });
}

TEST(Accept, TakesAConnectionThatWasReset) {
  Scenario scenario;
  scenario.peer("alice").at(1s).connects().resets();
  scenario.run([] {
    const int listener = listening_socket();
    ::sleep(2);
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    const int fd = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(received(fd), "-1 ECONNRESET");
    ::close(fd);
    ::close(listener);
  });
}

TEST(Accept, SaysEconnabortedOnOtherSystems) {
  Scenario scenario;
  scenario.faults().reset_before_accept_aborts();
  scenario.peer("alice").at(1s).connects().resets();
  scenario.peer("bob").at(1s).connects();
  scenario.run([] {
    const int listener = listening_socket();
    ::sleep(2);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 ECONNABORTED");
    const int fd = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(fd, 4);
    ::close(fd);
    ::close(listener);
  });
}

TEST(Backlog, MakesClientsWaitWhenItIsFull) {
  Scenario scenario;
  std::vector<Peer*> peers;
  for (const char* name : {"alice", "bob", "carol", "dave"}) {
    peers.push_back(&scenario.peer(name));
    peers.back()->at(1s).connects();
  }
  scenario.run([&] {
    const int listener = listening_socket(1);
    ::sleep(2);
    EXPECT_EQ(peers[0]->is_connected() + peers[1]->is_connected() + peers[2]->is_connected() +
                  peers[3]->is_connected(),
              2);
    for (int i = 0; i < 4; ++i) ::close(::accept(listener, nullptr, nullptr));
    EXPECT_EQ(steady_time(), 2s);
    ::close(listener);
  });
}

TEST(Listen, ResetsTheClientsThatWaitWhenItIsClosed) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  alice.at(1s).connects();
  bob.at(1s).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    ::sleep(2);
    const int fd = ::accept(listener, nullptr, nullptr);
    ::close(listener);
    ::sleep(1);
    ::close(fd);
  });
  EXPECT_EQ(alice.end_at(), 3s);
  EXPECT_EQ(bob.reset_at(), 2s);
}

TEST(Listen, ChangesItsBacklogWhenAskedAgain) {
  Scenario scenario;
  scenario.run([] {
    const int listener = listening_socket(1);
    EXPECT_EQ(::listen(listener, 5), 0);
    ::close(listener);
  });
}

TEST(Bind, LetsTheKernelChooseAPort) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  scenario.run([&] {
    const int first = new_socket();
    EXPECT_EQ(port_of(first), 0);
    EXPECT_EQ(bound(first, address("0.0.0.0", 0)), "0");
    EXPECT_EQ(port_of(first), 40001);
    const int second = listening_socket();
    EXPECT_EQ(port_of(second), 40002);
    alice.connects(40002);
    EXPECT_EQ(selected({.read = {second}}), "1, read {4}");
    ::close(first);
    ::close(second);
  });
}

TEST(Bind, RefusesWhatIsNotItsOwn) {
  Scenario scenario;
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(bound(fd, address("192.0.2.1", 80)), "-1 EADDRNOTAVAIL");
    EXPECT_EQ(bound(fd, address("127.0.0.1", 8080)), "0");
    EXPECT_EQ(bound(fd, address("127.0.0.1", 8081)), "-1 EINVAL");
    ::close(fd);
  });
}

TEST(Bind, RefusesAPortWithAListener) {
  Scenario scenario;
  scenario.run([] {
    const int first = new_socket();
    const int second = new_socket();
    reuse_address(first);
    reuse_address(second);
    EXPECT_EQ(bound(first, any_8080), "0");
    EXPECT_EQ(::listen(first, 5), 0);
    EXPECT_EQ(bound(second, any_8080), "-1 EADDRINUSE");
    ::close(first);
    ::close(second);
  });
}

TEST(Listen, RefusesASecondListenerOnAPort) {
  Scenario scenario;
  scenario.run([] {
    const int first = new_socket();
    const int second = new_socket();
    reuse_address(first);
    reuse_address(second);
    EXPECT_EQ(bound(first, any_8080), "0");
    EXPECT_EQ(bound(second, any_8080), "0");
    EXPECT_EQ(::listen(first, 5), 0);
    EXPECT_EQ(outcome(::listen(second, 5)), "-1 EADDRINUSE");
    ::close(first);
    ::close(second);
  });
}

TEST(TimeWait, RefusesABindWithoutReuseaddr) {
  Scenario scenario;
  scenario.peer("alice").connects().sees_the_end().closes();
  scenario.run([] {
    serve_and_end(true);
    const int next = new_socket();
    EXPECT_EQ(bound(next, any_8080), "-1 EADDRINUSE");
    ::close(next);
  });
}

TEST(TimeWait, AllowsABindWithReuseaddrInBothRuns) {
  Scenario scenario;
  scenario.peer("alice").connects().sees_the_end().closes();
  scenario.run([] {
    serve_and_end(true);
    const int next = new_socket();
    reuse_address(next);
    EXPECT_EQ(bound(next, any_8080), "0");
    ::close(next);
  });
}

TEST(TimeWait, RefusesABindWhenTheRunBeforeHadNoReuseaddr) {
  Scenario scenario;
  scenario.peer("alice").connects().sees_the_end().closes();
  scenario.run([] {
    serve_and_end(false);
    const int next = new_socket();
    reuse_address(next);
    EXPECT_EQ(bound(next, any_8080), "-1 EADDRINUSE");
    ::close(next);
  });
}

TEST(Serve, WorksOverIpv6WithoutIpv6) {
  Scenario scenario;
  scenario.peer("alice").connects(8080).sends("six");
  scenario.run([] {
    const int listener = ::socket(AF_INET6, SOCK_STREAM, 0);
    const int on = 1;
    EXPECT_EQ(::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(8080);
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(listener, 5), 0);
    sockaddr_in6 from{};
    socklen_t length = sizeof from;
    const int fd = ::accept(listener, reinterpret_cast<sockaddr*>(&from), &length);
    EXPECT_EQ(from.sin6_family, AF_INET6);
    EXPECT_EQ(received(fd), "six");
    ::close(fd);
    ::close(listener);
  });
}

TEST(Accept, FindsNobodyWhenTheClientHasVanished) {
  Scenario scenario;
  scenario.faults().reset_before_accept_vanishes();
  scenario.peer("alice").connects().resets();
  scenario.peer("bob").at(1300ms).connects();
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "4");
    EXPECT_EQ(steady_time(), 1300ms);
    ::close(4);
    ::close(listener);
  });
}

TEST(Accept, SaysEagainWhenTheClientHasVanished) {
  Scenario scenario;
  scenario.faults().reset_before_accept_vanishes();
  scenario.peer("alice").connects().resets();
  scenario.run([&] {
    const int listener = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(::listen(listener, 5), 0);
    EXPECT_EQ(polled(listener, POLLIN, -1), "1, in");
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "-1 EAGAIN");
    EXPECT_EQ(polled(listener, POLLIN, 0), "0");
    ::close(listener);
  });
}

TEST(Accept, WaitsAfterASpuriousReadiness) {
  Scenario scenario;
  scenario.peer("bob").at(1300ms).connects();
  int listener = -1;
  scenario.allow_open_descriptors();
  scenario.run([&] { listener = listening_socket(); });
  scenario.spurious_readiness(listener);
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 0s);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "4");
    EXPECT_EQ(steady_time(), 1300ms);
  });
}
