// The program's own connects. The facts are those of tests/facts/connect_test.cpp.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

namespace {
const sockaddr_in somewhere = address("192.0.2.1", 80);
}

TEST(Connect, IsAcceptedLate) {
  Scenario scenario;
  Peer& server = scenario.peer("server");
  server.listens_at("192.0.2.1", 80, 1300ms).sends("welcome");
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, somewhere), "0");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(received(fd), "welcome");
    EXPECT_EQ(connected(fd, somewhere), "-1 EISCONN");
    ::close(fd);
  });
  EXPECT_TRUE(server.saw_the_end());
}

TEST(Connect, IsRefusedLate) {
  Scenario scenario;
  scenario.peer("server").refuses_at("192.0.2.1", 80, 1300ms);
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, somewhere), "-1 ECONNREFUSED");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(pending_error(fd), "0");
    ::close(fd);
  });
}

TEST(Connect, IsRefusedWhereNobodyIs) {
  Scenario scenario;
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, somewhere), "-1 ECONNREFUSED");
    EXPECT_EQ(steady_time(), 0s);
    ::close(fd);
  });
}

TEST(Connect, GivesUpWhenNobodyAnswers) {
  Scenario scenario;
  scenario.peer("server").never_answers_at("192.0.2.1", 80);
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, somewhere), "-1 ETIMEDOUT");
    EXPECT_EQ(steady_time(), 127s);
    ::close(fd);
  });
}

TEST(Connect, FailsWithWhatTheScriptSays) {
  Scenario scenario;
  scenario.peer("server").fails_at("192.0.2.1", 80, ENETUNREACH);
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "-1 ENETUNREACH");
    ::close(fd);
  });
}

TEST(NonBlockingConnect, IsPendingUntilItIsAnswered) {
  Scenario scenario;
  Peer& server = scenario.peer("server");
  server.listens_at("192.0.2.1", 80, 1300ms);
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "-1 EINPROGRESS");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}, 1s), "0");
    EXPECT_EQ(polled(fd, POLLIN | POLLOUT, 100), "0");
    EXPECT_EQ(pending_error(fd), "0");
    EXPECT_EQ(received(fd), "-1 EAGAIN");
    EXPECT_EQ(sent(fd, "x"), "-1 EAGAIN");
    EXPECT_EQ(connected(fd, somewhere), "-1 EALREADY");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(pending_error(fd), "0");
    EXPECT_EQ(connected(fd, somewhere), "0");
    EXPECT_EQ(connected(fd, somewhere), "-1 EISCONN");
    EXPECT_EQ(sent(fd, "x"), "1");
    ::close(fd);
  });
  EXPECT_EQ(server.received(), "x");
}

TEST(NonBlockingConnect, IsReadableTooWhenTheServerSpeaksFirst) {
  Scenario scenario;
  scenario.peer("server").listens_at("192.0.2.1", 80, 1300ms).sends("welcome");
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "-1 EINPROGRESS");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "2, read {3}, write {3}");
    ::close(fd);
  });
}

TEST(NonBlockingConnect, TellsARefusalOnce) {
  Scenario scenario;
  scenario.peer("server").refuses_at("192.0.2.1", 80, 1300ms);
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "-1 EINPROGRESS");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(pending_error(fd), "ECONNREFUSED");
    EXPECT_EQ(pending_error(fd), "0");
    ::close(fd);
  });
}

TEST(NonBlockingConnect, TellsARefusalToWhoeverAsksFirst) {
  Scenario scenario;
  scenario.peer("server").refuses_at("192.0.2.1", 80, 1300ms);
  scenario.peer("other").fails_at("192.0.2.2", 80, EHOSTUNREACH, 1300ms);
  scenario.run([] {
    for (const char* host : {"192.0.2.1", "192.0.2.2"}) {
      const std::string error = host[8] == '1' ? "-1 ECONNREFUSED" : "-1 EHOSTUNREACH";
      for (int who = 0; who < 3; ++who) {
        const int fd = new_socket(SOCK_NONBLOCK);
        EXPECT_EQ(connected(fd, address(host, 80)), "-1 EINPROGRESS");
        EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
        EXPECT_EQ(who == 0   ? received(fd)
                  : who == 1 ? sent(fd, "x")
                             : connected(fd, address(host, 80)),
                  error);
        EXPECT_EQ(pending_error(fd), "0");
        ::close(fd);
      }
    }
  });
}

TEST(NonBlockingConnect, TellsAModelledErrorOnce) {
  Scenario scenario;
  scenario.peer("server").never_answers_at("192.0.2.1", 80);
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "-1 EINPROGRESS");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 127s);
    EXPECT_EQ(pending_error(fd), "ETIMEDOUT");
    EXPECT_EQ(pending_error(fd), "0");
    ::close(fd);
  });
}

TEST(Connect, GoesOnByItselfAfterASignal) {
  Scenario scenario;
  Peer& server = scenario.peer("server");
  server.listens_at("192.0.2.1", 80, 2s);
  scenario.signal_at(700ms, SIGUSR1);
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, somewhere), "-1 EINTR");
    EXPECT_EQ(steady_time(), 700ms);
    EXPECT_EQ(connected(fd, somewhere), "-1 EALREADY");  // POSIX; Linux would wait on
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 2s);
    EXPECT_EQ(pending_error(fd), "0");
    ::close(fd);
  });
  EXPECT_TRUE(server.is_connected());
}

TEST(Connect, RestartsUnderSaRestart) {
  Scenario scenario;
  scenario.peer("server").listens_at("192.0.2.1", 80, 2s);
  scenario.signal_at(700ms, SIGUSR1, Handler::restarting);
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(connected(fd, somewhere), "0");
    EXPECT_EQ(steady_time(), 2s);
    ::close(fd);
  });
}

TEST(Connect, EndsAtItsSendTimeout) {
  Scenario scenario;
  scenario.peer("server").never_answers_at("192.0.2.1", 80);
  scenario.run([] {
    const int fd = new_socket();
    set_timeout(fd, SO_SNDTIMEO, 1700ms);
    EXPECT_EQ(connected(fd, somewhere), "-1 EINPROGRESS");
    EXPECT_EQ(steady_time(), 1700ms);
    EXPECT_EQ(connected(fd, somewhere), "-1 EALREADY");
    ::close(fd);
  });
}

TEST(Connect, ThatIsGivenUpIsNeverAccepted) {
  Scenario scenario;
  Peer& server = scenario.peer("server");
  server.listens_at("192.0.2.1", 80, 2s);
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "-1 EINPROGRESS");
    ::sleep(1);
    ::close(fd);
    ::sleep(5);
  });
  EXPECT_FALSE(server.is_connected());
}

TEST(Connect, MayEndAtTheSocketItself) {
  Scenario scenario;
  scenario.peer("nobody").is_the_socket_itself_at("127.0.0.1", 45678, 1300ms);
  scenario.run([] {
    const sockaddr_in own = address("127.0.0.1", 45678);
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, own), "-1 EINPROGRESS");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(pending_error(fd), "0");
    for (const auto name : {::getsockname, ::getpeername}) {
      sockaddr_in shown{};
      socklen_t length = sizeof shown;
      EXPECT_EQ(name(fd, reinterpret_cast<sockaddr*>(&shown), &length), 0);
      EXPECT_EQ(ntohs(shown.sin_port), 45678);
      EXPECT_EQ(ntohl(shown.sin_addr.s_addr), 0x7f000001U);
    }
    EXPECT_EQ(sent(fd, "me"), "2");
    EXPECT_EQ(received(fd), "me");
    EXPECT_EQ(connected(fd, own), "0");
    EXPECT_EQ(connected(fd, own), "-1 EISCONN");
    ::close(fd);
    const int other = new_socket();
    EXPECT_EQ(connected(other, own), "0");
    EXPECT_EQ(steady_time(), 2600ms);
    ::close(other);
  });
}

TEST(NonBlockingConnect, TellsAnAnswerAtOnceWhereTheScenarioSaysSo) {
  Scenario scenario;
  scenario.faults().connect_may_end_at_once();
  Peer& server = scenario.peer("server").listens_at("192.0.2.1", 80);
  scenario.peer("other").refuses_at("192.0.2.2", 80);
  scenario.peer("slow").listens_at("192.0.2.3", 80, 1300ms);
  scenario.run([] {
    const int fd = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(fd, somewhere), "0");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(connected(fd, somewhere), "-1 EISCONN");
    const int other = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(other, address("192.0.2.2", 80)), "-1 ECONNREFUSED");
    EXPECT_EQ(pending_error(other), "0");
    const int slow = new_socket(SOCK_NONBLOCK);
    EXPECT_EQ(connected(slow, address("192.0.2.3", 80)), "-1 EINPROGRESS");
    for (const int each : {fd, other, slow}) ::close(each);
  });
  EXPECT_TRUE(server.is_connected());
}

TEST(Connect, RefusesAnAddressOfAnotherFamily) {
  Scenario scenario;
  scenario.run([] {
    const int fd = new_socket();
    sockaddr_in6 other{};
    other.sin6_family = AF_INET6;
    EXPECT_EQ(outcome(::connect(fd, reinterpret_cast<sockaddr*>(&other), sizeof other)),
              "-1 EAFNOSUPPORT");
    EXPECT_EQ(outcome(::connect(fd, reinterpret_cast<const sockaddr*>(&somewhere), 3)),
              "-1 EINVAL");
    ::close(fd);
    const int six = ::socket(AF_INET6, SOCK_STREAM, 0);
    EXPECT_EQ(connected(six, somewhere), "-1 EINVAL");  // too short to be looked at
    ::close(six);
  });
}

TEST(Connect, WorksOverIpv6WithoutIpv6) {
  Scenario scenario;
  Peer& server = scenario.peer("server");
  server.listens_at("2001:db8::1", 80).sends("six");
  scenario.run([] {
    const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 to{};
    socklen_t length = sizeof to;
    grader::Address::of("2001:db8::1", 80).write_to(reinterpret_cast<sockaddr*>(&to), &length);
    EXPECT_EQ(outcome(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to)), "0");
    EXPECT_EQ(received(fd), "six");
    sockaddr_in6 shown{};
    length = sizeof shown;
    EXPECT_EQ(::getpeername(fd, reinterpret_cast<sockaddr*>(&shown), &length), 0);
    EXPECT_EQ(shown.sin6_family, AF_INET6);
    EXPECT_EQ(ntohs(shown.sin6_port), 80);
    ::close(fd);
  });
}

TEST(Connect, ShowsItsOwnAddressAndTheOther) {
  Scenario scenario;
  scenario.peer("server").listens_at("192.0.2.1", 80);
  scenario.run([] {
    const int fd = new_socket();
    sockaddr_in shown{};
    socklen_t length = sizeof shown;
    EXPECT_EQ(outcome(::getpeername(fd, reinterpret_cast<sockaddr*>(&shown), &length)),
              "-1 ENOTCONN");
    EXPECT_EQ(connected(fd, somewhere), "0");
    EXPECT_EQ(port_of(fd), 40001);
    length = sizeof shown;
    EXPECT_EQ(::getpeername(fd, reinterpret_cast<sockaddr*>(&shown), &length), 0);
    EXPECT_EQ(ntohs(shown.sin_port), 80);
    EXPECT_EQ(ntohl(shown.sin_addr.s_addr), 0xc0000201U);
    ::close(fd);
  });
}
