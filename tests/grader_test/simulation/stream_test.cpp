// Bytes on a healthy stream. The facts are those of tests/facts/stream_test.cpp.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

TEST(Stream, KeepsNoBoundaries) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("one").sends("two");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 4), "onet");
    EXPECT_EQ(received(fd), "wo");
  });
}

TEST(Stream, RemembersWhenEachByteWasRead) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& screen = scenario.peer("screen");
  const int fd = alice.connected();
  const int out = screen.pipe_from_program();
  alice.at(1300ms).sends("go").at(2700ms).sends("on");
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "one"), "3");
    EXPECT_EQ(received(fd), "go");
    EXPECT_EQ(sent(fd, "two"), "3");
    EXPECT_EQ(received(fd), "on");
    EXPECT_EQ(::write(out, "x", 1), 1);
  });
  scenario.finish();
  EXPECT_EQ(alice.received_at(0), 0s);
  EXPECT_EQ(alice.received_at(2), 0s);
  EXPECT_EQ(alice.received_at(3), 1300ms);
  EXPECT_EQ(alice.received_at(5), 1300ms);
  EXPECT_EQ(alice.received_at(6), std::nullopt);
  EXPECT_EQ(screen.received_at(0), 2700ms);
}

TEST(Stream, PeekTakesNothing) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("hello").at(2s).finishes_sending();
  scenario.run([&] {
    EXPECT_EQ(received(fd, 3, MSG_PEEK), "hel");
    EXPECT_EQ(received(fd, 5, MSG_PEEK | MSG_WAITALL), "hello");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(received(fd, 100, MSG_PEEK | MSG_WAITALL), "hello");
    EXPECT_EQ(steady_time(), 2s);
    EXPECT_EQ(received(fd), "hello");
  });
}

TEST(Stream, DontWaitSaysEagain) {
  Scenario scenario;
  const int fd = scenario.peer("alice").connected();
  scenario.run([&] {
    EXPECT_EQ(received(fd, 1, MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(received(fd, 1), "-1 EAGAIN");
  });
  EXPECT_EQ(scenario.took(), 0s);
}

TEST(Stream, WaitAllWaitsForTheWholeBuffer) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("hello").at(2700ms).sends("world").at(4s).sends("bye").closes();
  scenario.run([&] {
    EXPECT_EQ(received(fd, 10, MSG_WAITALL), "helloworld");
    EXPECT_EQ(steady_time(), 2700ms);
    EXPECT_EQ(received(fd, 10, MSG_WAITALL), "bye");
    EXPECT_EQ(received(fd, 10, MSG_WAITALL), "");
  });
}

TEST(Stream, WaitAllEndsEarlyAtASignalAndAtATimeout) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(1s, SIGUSR1, Handler::restarting);
  alice.sends("hello").at(2s).sends("world");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 10, MSG_WAITALL), "hello");
    EXPECT_EQ(steady_time(), 1s);
    set_timeout(fd, SO_RCVTIMEO, 1500ms);
    EXPECT_EQ(received(fd, 10, MSG_WAITALL), "world");
    EXPECT_EQ(steady_time(), 2500ms);
  });
}

TEST(Stream, WaitAllOnANonBlockingSocketDoesNotWait) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("hello");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 10, MSG_WAITALL | MSG_DONTWAIT), "hello");
    EXPECT_EQ(received(fd, 10, MSG_WAITALL | MSG_DONTWAIT), "-1 EAGAIN");
  });
}

TEST(Stream, ReceiveTimeoutSaysEagain) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1500ms).sends("late");
  scenario.run([&] {
    set_timeout(fd, SO_RCVTIMEO, 1337ms);
    EXPECT_EQ(received(fd), "-1 EAGAIN");
    EXPECT_EQ(steady_time(), 1337ms);
    EXPECT_EQ(received(fd), "late");
    EXPECT_EQ(steady_time(), 1500ms);
  });
}

TEST(Stream, SendTimeoutSaysHowMuchWentThenEagain) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.stops_reading();
  scenario.run([&] {
    set_timeout(fd, SO_SNDTIMEO, 1300ms);
    EXPECT_EQ(sent(fd, std::string(100'000, 'x')), "65536");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(sent(fd, "x"), "-1 EAGAIN");
    EXPECT_EQ(steady_time(), 2600ms);
  });
}

TEST(Stream, EmptyBufferWaitsForInputAndTakesNone) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("x");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 0, MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(received(fd, 0), "");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(received(fd), "x");
  });
}

TEST(Stream, EmptySendIsNotSeen) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, ""), "0");
    EXPECT_EQ(sent(fd, "x"), "1");
  });
  EXPECT_EQ(alice.received(), "x");
}

TEST(Stream, GoesThroughEveryFunction) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("abcdefghijklmnop");
  scenario.run([&] {
    char a[2], b[3];
    iovec parts[2] = {{a, sizeof a}, {b, sizeof b}};
    EXPECT_EQ(::readv(fd, parts, 2), 5);
    EXPECT_EQ(std::string(a, 2) + std::string(b, 3), "abcde");
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    EXPECT_EQ(::recvmsg(fd, &message, 0), 5);
    EXPECT_EQ(std::string(a, 2) + std::string(b, 3), "fghij");
    EXPECT_EQ(::read(fd, a, 2), 2);
    EXPECT_EQ(::recvfrom(fd, b, 3, 0, nullptr, nullptr), 3);
    EXPECT_EQ(std::string(a, 2) + std::string(b, 3), "klmno");
    EXPECT_EQ(::writev(fd, parts, 2), 5);
    EXPECT_EQ(::sendmsg(fd, &message, 0), 5);
    EXPECT_EQ(::write(fd, "W", 1), 1);
    EXPECT_EQ(::sendto(fd, "S", 1, 0, nullptr, 0), 1);
    EXPECT_EQ(received(fd), "p");
  });
  EXPECT_EQ(alice.received(), "klmnoklmnoWS");
}

TEST(Stream, LeavesErrnoAloneWhenACallSucceeds) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("x").at(2s).sends("y");
  scenario.run([&] {
    char byte = 0;
    errno = 4711;
    EXPECT_EQ(::recv(fd, &byte, 1, 0), 1);
    EXPECT_EQ(errno, 4711);
    pollfd entry{fd, POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, -1), 1);
    EXPECT_EQ(::send(fd, "x", 1, 0), 1);
    const int copy = ::dup(fd);
    EXPECT_EQ(::close(copy), 0);
    EXPECT_EQ(::usleep(1), 0);
    EXPECT_EQ(errno, 4711);
  });
}

TEST(Window, FillsWhenThePeerDoesNotRead) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(1000).stops_reading();
  scenario.run([&] {
    EXPECT_EQ(selected({.write = {fd}}, 0s), "1, write {3}");
    EXPECT_EQ(sent(fd, std::string(700, 'x'), MSG_DONTWAIT), "700");
    EXPECT_EQ(sent(fd, std::string(700, 'x'), MSG_DONTWAIT), "300");
    EXPECT_EQ(sent(fd, "x", MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.write = {fd}}, 1s), "0");
    EXPECT_EQ(polled(fd, POLLOUT, 1000), "0");
  });
}

TEST(Window, OpensWhenThePeerReads) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(1000).stops_reading().at(1100ms).reads(400).at(2200ms).resumes_reading();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, std::string(1400, 'x')), "1400");
    EXPECT_EQ(steady_time(), 1100ms);
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 2200ms);
    EXPECT_EQ(sent(fd, std::string(5000, 'y')), "5000");
  });
  EXPECT_EQ(alice.received().size(), 6400U);
}

TEST(Window, HoldsAfterThePeerHasFinishedSending) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(1000).stops_reading().finishes_sending();
  scenario.run([&] {
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(sent(fd, std::string(1500, 'x'), MSG_DONTWAIT), "1000");
    EXPECT_EQ(selected({.write = {fd}}, 1s), "0");
  });
}

TEST(Window, LetsABigSendThroughAtTheReadersPace) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.stops_reading().at(3s).resumes_reading();
  scenario.run([&] { EXPECT_EQ(sent(fd, std::string(1 << 20, 'x')), "1048576"); });
  EXPECT_EQ(scenario.took(), 3s);
  EXPECT_EQ(alice.received(), std::string(1 << 20, 'x'));
}

TEST(Stream, BringsMoreThanABufferHoldsAsTheProgramReads) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends(std::string(200'000, 'x')).sends("end").at(1s).closes();
  std::string all;
  scenario.run([&] {
    for (std::string data; !(data = received(fd, 100'000)).empty();) all += data;
  });
  EXPECT_EQ(all, std::string(200'000, 'x') + "end");
  EXPECT_EQ(scenario.took(), 1s);
  EXPECT_TRUE(alice.is_done());
}

TEST(ReceiveWindow, IsWhatTheProgramHasUnread) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends(std::string(30'000, 'x')).at(1300ms).sends(std::string(10'000, 'y')).sends("end");
  scenario.run([&] {
    ::sleep(2);
    EXPECT_EQ(received(fd, 100'000, MSG_PEEK).size(), 32'768U);
    EXPECT_EQ(received(fd, 7'234).size(), 7'234U);
    EXPECT_EQ(received(fd, 100'000, MSG_PEEK).size(), 32'768U);
    EXPECT_FALSE(alice.is_done());  // two bytes of "end" fit
    EXPECT_EQ(received(fd, 1), "x");
    EXPECT_EQ(received(fd, 100'000), std::string(22'765, 'x') + std::string(10'000, 'y') + "end");
  });
  EXPECT_TRUE(alice.is_done());
}

TEST(ReceiveWindow, CanBeSmaller) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window_to_program(500).sends(std::string(1'200, 'x')).sends("end");
  scenario.run([&] {
    EXPECT_EQ(received(fd, 10'000).size(), 500U);
    EXPECT_EQ(received(fd, 10'000, MSG_PEEK).size(), 500U);
    EXPECT_EQ(received(fd, 200).size(), 200U);
    EXPECT_FALSE(alice.is_done());
    EXPECT_EQ(received(fd, 10'000).size(), 500U);
    EXPECT_EQ(received(fd), "end");
  });
  EXPECT_TRUE(alice.is_done());
}

TEST(ReceiveWindow, KeepsLaterStepsWaiting) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.stops_reading().sends(std::string(50'000, 'x')).resumes_reading().at(3s).sends("end");
  scenario.run([&] {
    EXPECT_EQ(sent(fd, std::string(65'536, 'y')), "65536");
    EXPECT_EQ(received(fd, 17'231).size(), 17'231U);
    EXPECT_EQ(selected({.write = {fd}}, 2s), "0");
    EXPECT_EQ(received(fd, 1), "x");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 2s);
    EXPECT_EQ(received(fd, 100'000).size(), 32'768U);
    EXPECT_EQ(received(fd), "end");
    EXPECT_EQ(steady_time(), 3s);
  });
  EXPECT_EQ(alice.received().size(), 65'536U);
}

TEST(ReceiveWindow, HoldsBeforeAcceptAndNotAfterTheEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int fd = alice.connected_and_handed_over();
  alice.sends(std::string(300'000, 'x')).sees_the_end();
  bob.connects().sends(std::string(100'000, 'z')).closes();
  scenario.run([&] {
    const int listener = listening_socket();
    EXPECT_EQ(received(fd, 10).size(), 10U);
    ::close(fd);
    const int client = ::accept(listener, nullptr, nullptr);
    std::size_t total = 0;
    for (std::string data; !(data = received(client, 30'000)).empty();) total += data.size();
    EXPECT_EQ(total, 100'000U);
    ::close(client);
    ::close(listener);
  });
  scenario.finish();
  EXPECT_TRUE(alice.saw_a_reset());
}

TEST(ReceiveWindow, LetsAnEchoOfAnySizeThrough) {
  constexpr std::size_t total = 8 << 20;
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(65'536).stops_reading().sends(std::string(total, 'x')).resumes_reading();
  scenario.run([&] {
    std::string kept;
    for (std::size_t taken = 0, given = 0; given < total;) {
      fd_set read, write;
      FD_ZERO(&read);
      FD_ZERO(&write);
      if (taken < total) FD_SET(fd, &read);
      if (!kept.empty()) FD_SET(fd, &write);
      ASSERT_GT(::select(fd + 1, &read, &write, nullptr, nullptr), 0);
      if (FD_ISSET(fd, &read)) {
        kept += received(fd, 1 << 20);
        taken = given + kept.size();
      }
      if (FD_ISSET(fd, &write)) {
        const ssize_t count = ::send(fd, kept.data(), kept.size(), MSG_DONTWAIT);
        ASSERT_GT(count, 0);
        kept.erase(0, static_cast<std::size_t>(count));
        given += static_cast<std::size_t>(count);
      }
    }
  });
  scenario.finish();
  EXPECT_EQ(alice.received(), std::string(total, 'x'));
  EXPECT_EQ(scenario.took(), 0s);
}

TEST(Pipe, TakesWhatFitsAndWaitsForTheRest) {
  Scenario scenario;
  scenario.run([] {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    const std::string data(200'000, 'x');
    EXPECT_EQ(::write(ends[1], data.data(), data.size()), 65'536);
    EXPECT_EQ(outcome(::write(ends[1], data.data(), data.size())), "-1 EAGAIN");
    EXPECT_EQ(selected({.write = {ends[1]}}, 0s), "0");
    std::string buffer(65'536, '\0');
    EXPECT_EQ(::read(ends[0], buffer.data(), buffer.size()), 65'536);
    EXPECT_EQ(outcome(::read(ends[0], buffer.data(), 1)), "-1 EAGAIN");
    ::close(ends[1]);
    EXPECT_EQ(::read(ends[0], buffer.data(), 1), 0);
    ::close(ends[0]);
  });
}

TEST(Window, MayBeClosedFromTheStartAndOpenLater) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(0).at(1300ms).opens_window(5).stops_reading().at(2700ms).resumes_reading();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "x", MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.write = {fd}}, 1s), "0");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(sent(fd, "hello"), "5");
    EXPECT_EQ(sent(fd, "!"), "1");
    EXPECT_EQ(steady_time(), 2700ms);
  });
  scenario.finish();
  EXPECT_EQ(alice.received(), "hello!");
}

TEST(Window, KeepsASendWaitingFromTheStart) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(0).at(1300ms).opens_window(100);
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "hello"), "5");
    EXPECT_EQ(steady_time(), 1300ms);
  });
}

TEST(Window, OfZeroLetsTheEndThrough) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.window(0).sees_the_end();
  scenario.run([&] { ::close(fd); });
  scenario.finish();
  EXPECT_EQ(alice.end_at(), Time{});
}

// ---- a closed window, which real time has, too

TEST(ClosedWindow, OpensAtItsTime) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice").window(0);
  const int fd = alice.connected();
  alice.at(1300ms).opens_window(100).receives("hello!").sends("thanks").finishes_sending();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "x", MSG_DONTWAIT), "-1 EAGAIN");
    EXPECT_EQ(selected({.read = {fd}, .write = {fd}}, 1s), "0");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(sent(fd, "hello!"), "6");
    EXPECT_EQ(received(fd), "thanks");
    EXPECT_EQ(steady_time(), 1300ms);
  });
  EXPECT_EQ(alice.received(), "hello!");
  EXPECT_EQ(alice.received_at(0), 1300ms);
}

TEST(ClosedWindow, KeepsASendWaitingUntilTheReset) {
  Scenario scenario;
  const int fd = scenario.peer("alice").window(0).at(1300ms).resets().connected();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "hello", MSG_NOSIGNAL), "-1 ECONNRESET");
    EXPECT_EQ(steady_time(), 1300ms);
  });
  EXPECT_EQ(scenario.took(), 1300ms);
}

TEST(ClosedWindow, OfAPipeOpensAtItsTime) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen").window(0);
  const int out = screen.at(1300ms).opens_window(65'536).pipe_from_program();
  Peer& printer = scenario.peer("printer").window(0);
  const int broken = printer.at(1700ms).closes().pipe_from_program();
  ::signal(SIGPIPE, SIG_IGN);
  scenario.run([&] {
    EXPECT_EQ(selected({.write = {out, broken}}, 1s), "0");
    EXPECT_EQ(::write(out, "hello", 5), 5);
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(::write(broken, "x", 1), -1);
    EXPECT_EQ(errno, EPIPE);
    EXPECT_EQ(steady_time(), 1700ms);
  });
  EXPECT_EQ(screen.received(), "hello");
  EXPECT_EQ(screen.received_at(4), 1300ms);
}

TEST(Talking, GoesOnUntilTheWordComes) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(31ms).talks_until_it_receives("stop", "again ", 1'000).sends("well then").closes();
  scenario.run([&] {
    EXPECT_EQ(received(fd, 4), "agai");
    EXPECT_EQ(received(fd), "n ");
    EXPECT_EQ(received(fd), "again ");
    EXPECT_EQ(steady_time(), 31ms);
    EXPECT_EQ(sent(fd, "please stop"), "11");
    EXPECT_EQ(received(fd), "again well then");
    EXPECT_EQ(received(fd), "");
  });
}

TEST(Talking, EndsWhenEnoughIsSaid) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.talks_until_it_receives("stop", "again ", 20).closes();
  scenario.run([&] {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(received(fd), "again ");
    EXPECT_EQ(received(fd), "");
  });
}

TEST(Looking, SeesThePeersAtItsTime) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(347ms).sends("hello");
  std::vector<std::uint64_t> read;
  for (const Time time : {346ms, 347ms, 500ms})
    scenario.looks_at(time, [&] { read.push_back(alice.connection().program_read); });
  scenario.run([&] {
    EXPECT_EQ(received(fd), "hello");
    EXPECT_EQ(steady_time(), 347ms);
    EXPECT_EQ(selected({}, 1s), "0");
  });
  EXPECT_EQ(read, (std::vector<std::uint64_t>{0, 0, 5}));
}
