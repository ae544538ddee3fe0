// What is ready for reading, for writing, for both, and exceptional.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "fact.hpp"

using namespace facts;

TEST(Readable, IsALevelAndNotAnEdge) {
  fact("Fact 17: what is not taken stays readable; MSG_PEEK takes nothing");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends("xy").connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd, 2, MSG_PEEK), "xy");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd, 1), "x");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd, 1), "y");
    EXPECT_EQ(selected({.read = {fd}}, 31ms), "0");
  });
}

TEST(Readable, IsAnEndForEver) {
  fact("Fact 18: the end of a stream is readable for ever, after the bytes before it");
  Scenario scenario;
  const int fd = scenario.peer("alice").sends("x").at(331ms).finishes_sending().connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(received(fd), "x");
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(received(fd), "");
      EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    }
  });
}

TEST(Readable, IsNoPromise) {
  fact("Fact 30: who shares a socket may take what a wait has told of: EAGAIN, and the next wait");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends("x").at(731ms).sends("y").connected();
  scenario.run([&] {
    const int shared = ::dup(fd);
    EXPECT_EQ(::fcntl(shared, F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(selected({.read = {fd, shared}}), "2, read {3 4}");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(received(shared), "x");
    EXPECT_EQ(received(fd), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 731ms);
    EXPECT_EQ(received(fd), "y");
    ::close(shared);
  });
}

TEST(Readable, IsAListenerWithSomebodyWaiting) {
  fact(
      "Fact 19: a pending connection makes a listener readable; its client can send before accept");
  Scenario scenario;
  scenario.peer("alice").at(331ms).connects().sends("early").closes();
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(selected({.read = {listener}}, 120ms), "0");
    EXPECT_EQ(selected({.read = {listener}, .write = {listener}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(selected({.read = {listener}}, 0s), "0");
    EXPECT_EQ(selected({.read = {client}}), "1, read {4}");
    EXPECT_EQ(received(client), "early");
    ::close(client);
    ::close(listener);
  });
}

TEST(Readable, IsAListenerWhoseClientHasReset) {
  fact("Fact 20: after a reset before accept Linux accepts all the same, and recv says ECONNRESET");
  Scenario scenario;
  scenario.peer("alice").at(331ms).connects().resets();
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(selected({}, 731ms), "0");
    EXPECT_EQ(selected({.read = {listener}}), "1, read {3}");
    const int client = ::accept(listener, nullptr, nullptr);
    EXPECT_EQ(client, 4);
    EXPECT_EQ(received(client), "-1 ECONNRESET");
    ::close(client);
    ::close(listener);
  });
}

TEST(Readable, IsAReset) {
  fact("Facts 21, 22: a reset is readable and writable, not exceptional; it is told once, then 0");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).resets().connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
    EXPECT_EQ(received(fd), "-1 ECONNRESET");
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
  });
}

TEST(Readable, IsAFileAlways) {
  fact(
      "Fact 28: a regular file is always readable and writable, opened for reading, at its end "
      "too");
  Scenario scenario;
  const int fd = scenario.file("x");
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
    char byte = 0;
    EXPECT_EQ(::read(fd, &byte, 1), 1);
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(::read(fd, &byte, 1), 0);
  });
}

TEST(Readable, IsAPipeWhoseWritersHaveGone) {
  fact("Fact 29: a pipe without a writer is readable: its end");
  Scenario scenario;
  const int fd = scenario.peer("keyboard").at(331ms).closes().pipe_to_program();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}, 120ms), "0");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
    char byte = 0;
    EXPECT_EQ(::read(fd, &byte, 1), 0);
  });
}

TEST(Readable, IsANewSocket) {
  fact("Fact 25: a TCP socket that was never connected is readable and writable");
  Scenario scenario;
  scenario.run([&] {
    const int fd = new_socket();
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}, .except = {fd}}), "2, read {3}, write {3}");
    ::close(fd);
  });
}

TEST(Readable, IsABothEndedConversationInBothDirections) {
  fact("A socket with data is ready in both directions; one that has ended in both too");
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.sends("x").finishes_sending().connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "2, read {3}, write {3}");
    EXPECT_EQ(outcome(::shutdown(fd, SHUT_WR)), "0");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "2, read {3}, write {3}");
  });
}

TEST(Exceptional, IsAnUrgentByte) {
  fact("Fact 56: an urgent byte is exceptional and not readable, until MSG_OOB takes it");
  Scenario scenario;
  const int fd = scenario.peer("alice").at(331ms).sends_urgent('!').connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}), "1, except {3}");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(received(fd, 1, MSG_OOB), "!");
    EXPECT_EQ(selected({.read = {fd}, .except = {fd}}, 31ms), "0");
  });
}

TEST(Writable, IsAnIdleSocketAlways) {
  fact("Fact 31: a healthy idle socket is always writable");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] {
    for (int i = 0; i < 10; ++i)
      EXPECT_EQ(selected({.read = {fd}, .write = {fd}}, 1s), "1, write {3}");
    EXPECT_EQ(steady_time(), 0s);
  });
}

TEST(Writable, IsASocketThatWasShutDown) {
  fact("Fact 39: after SHUT_WR the own side is still writable, and send says EPIPE");
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] {
    EXPECT_EQ(outcome(::shutdown(fd, SHUT_WR)), "0");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
  });
}

TEST(Writable, IsASocketWhosePeerHasGone) {
  fact("Fact 37: when the peer has closed, the first send succeeds and the next says EPIPE");
  Scenario scenario;
  const int fd = scenario.peer("alice").closes().connected();
  scenario.run([&] {
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(sent(fd, "x"), "1");
    EXPECT_EQ(selected({}, 31ms), "0");
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
  });
}

TEST(Writable, IsAPipeWithoutAReader) {
  fact("Fact 40: a pipe without a reader is writable and readable, and a write says EPIPE");
  Scenario scenario;
  const int fd = scenario.peer("screen").closes().pipe_from_program();
  ::signal(SIGPIPE, SIG_IGN);
  scenario.run([&] {
    EXPECT_EQ(selected({}, 31ms), "0");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}), "2, read {3}, write {3}");
    EXPECT_EQ(outcome(::write(fd, "x", 1)), "-1 EPIPE");
  });
}

TEST(Writable, IsNotAFullPipe) {
  fact("Fact 34: a full pipe is writable when a page of it has been read");
  Scenario scenario;
  Peer& screen = scenario.peer("screen").stops_reading();
  const int fd = screen.at(331ms).reads(4096).pipe_from_program();
  scenario.run([&] {
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(outcome(::write(fd, std::string(65'536, 'x').data(), 65'536)), "65536");
    EXPECT_EQ(selected({.write = {fd}}, 120ms), "0");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(Writable, IsAFullSocketWhoseReaderHasMadeRoom) {
  fact("Fact 31: a full socket is not writable, and a send that must not wait says EAGAIN");
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(0).at(331ms).opens_window(65'536);
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "x", MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.write = {fd}}, 120ms), "0");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(sent(fd, "x", MSG_DONTWAIT), "1");
  });
}
