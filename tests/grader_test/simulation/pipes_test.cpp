// Pipes, files and other descriptors that a check lends. The facts are those of
// tests/facts/pipe_test.cpp, readable_test.cpp and writable_test.cpp.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <iostream>

#include "calls.hpp"

using namespace grader_test;

namespace {

std::string read_from(int fd, std::size_t size = 100) {
  std::string data(size, '\0');
  const ssize_t got = ::read(fd, data.data(), data.size());
  if (got < 0) return outcome(got);
  data.resize(static_cast<std::size_t>(got));
  return data;
}

std::string written(int fd, const std::string& data) {
  return outcome(::write(fd, data.data(), data.size()));
}

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

TEST(PipeToTheProgram, GivesWhatWasWrittenThenTheEnd) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  const int in = keyboard.pipe_to_program();
  keyboard.at(1300ms).sends("hello").at(2700ms).closes();
  scenario.run([&] {
    EXPECT_EQ(in, 3);
    EXPECT_EQ(selected({.read = {in}}, 1s), "0");
    EXPECT_EQ(selected({.read = {in}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 1300ms);
    EXPECT_EQ(read_from(in, 3), "hel");
    EXPECT_EQ(read_from(in), "lo");
    EXPECT_EQ(read_from(in), "");
    EXPECT_EQ(steady_time(), 2700ms);
    EXPECT_EQ(selected({.read = {in}}), "1, read {3}");
    EXPECT_EQ(polled(in, POLLIN, -1), "1, hup");
    EXPECT_EQ(read_from(in), "");
  });
  EXPECT_TRUE(keyboard.is_done());
}

TEST(PipeToTheProgram, TakesMoreThanItHoldsAsTheProgramReads) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  const int in = keyboard.pipe_to_program();
  keyboard.sends(std::string(200'001, 'x')).closes();
  std::size_t total = 0;
  scenario.run([&] {
    for (;;) {
      const std::string data = read_from(in, 100'000);
      EXPECT_LE(data.size(), 65'536U);
      if (data.empty()) break;
      total += data.size();
    }
  });
  EXPECT_EQ(total, 200'001U);
}

TEST(PipeToTheProgram, IsNoSocket) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  const int in = keyboard.pipe_to_program();
  keyboard.sends("hello");
  scenario.run([&] {
    EXPECT_EQ(received(in), "-1 ENOTSOCK");
    EXPECT_EQ(sent(in, "x"), "-1 ENOTSOCK");
    EXPECT_EQ(outcome(::shutdown(in, SHUT_RD)), "-1 ENOTSOCK");
    EXPECT_EQ(written(in, "x"), "-1 EBADF");
    char part[2];
    const iovec parts[] = {{part, 1}, {part + 1, 1}};
    EXPECT_EQ(outcome(::readv(in, parts, 2)), "2");
    make_nonblocking(in);
    EXPECT_EQ(read_from(in), "llo");
    EXPECT_EQ(read_from(in), "-1 EAGAIN");
  });
}

TEST(PipeToTheProgram, IsWhatAHangUpOfAllWritersEnds) {
  Scenario scenario;
  const int in = scenario.peer("keyboard").at(1s).closes().pipe_to_program();
  scenario.run([&] {
    EXPECT_EQ(read_from(in), "");
    EXPECT_EQ(steady_time(), 1s);
  });
}

TEST(PipeFromTheProgram, CarriesWhatTheProgramWrites) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.receives("hello").at(1s).receives("!");
  scenario.run([&] {
    EXPECT_EQ(out, 3);
    EXPECT_EQ(selected({.write = {out}}), "1, write {3}");
    EXPECT_EQ(written(out, "hello"), "5");
    EXPECT_EQ(read_from(out), "-1 EBADF");
    char mark = '!';
    const iovec part{&mark, 1};
    EXPECT_EQ(outcome(::writev(out, &part, 1)), "1");
  });
  scenario.finish();
  EXPECT_EQ(screen.received(), "hello!");
  EXPECT_FALSE(screen.saw_the_end());
}

TEST(PipeFromTheProgram, HoldsAsMuchAsItsWindow) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.stops_reading().at(1300ms).reads(1).at(2s).reads(4095).at(5s).resumes_reading();
  scenario.run([&] {
    EXPECT_EQ(selected({.write = {out}}), "1, write {3}");
    EXPECT_EQ(written(out, std::string(65'536, 'x')), "65536");
    EXPECT_EQ(selected({.write = {out}}, 1500ms), "0");  // one byte is not enough
    EXPECT_EQ(selected({.write = {out}}), "1, write {3}");
    EXPECT_EQ(steady_time(), 2s);
    EXPECT_EQ(written(out, std::string(4096, 'y')), "4096");
    EXPECT_EQ(steady_time(), 2s);
    EXPECT_EQ(written(out, "z"), "1");
    EXPECT_EQ(steady_time(), 5s);
  });
  scenario.finish();
  EXPECT_EQ(screen.received().size(), 65'536U + 4096 + 1);
}

TEST(PipeFromTheProgram, TakesSmallWritesWholeAndLargeOnesInPart) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.window(10'000).stops_reading();
  scenario.run([&] {
    make_nonblocking(out);
    EXPECT_EQ(written(out, std::string(9'000, 'x')), "9000");
    EXPECT_EQ(written(out, std::string(4'096, 'y')), "-1 EAGAIN");
    EXPECT_EQ(written(out, std::string(4'097, 'y')), "1000");
    EXPECT_EQ(written(out, "z"), "-1 EAGAIN");
  });
}

TEST(PipeFromTheProgram, KeepsAWriteWaitingUntilAllIsTaken) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.stops_reading().at(1s).reads(30'000).at(2300ms).resumes_reading();
  scenario.run([&] {
    EXPECT_EQ(written(out, std::string(100'000, 'x')), "100000");
    EXPECT_EQ(steady_time(), 2300ms);
  });
}

TEST(PipeFromTheProgram, BreaksWhenNobodyReads) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.at(1s).closes();
  scenario.run([&] {
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(written(out, "x"), "1");
    EXPECT_EQ(selected({.read = {out}}), "1, read {3}");  // fact 40
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(selected({.read = {out}, .write = {out}}), "2, read {3}, write {3}");
    EXPECT_EQ(polled(out, POLLOUT, -1), "1, out err");
    EXPECT_EQ(written(out, "x"), "-1 EPIPE");
    EXPECT_EQ(written(out, "x"), "-1 EPIPE");
  });
  EXPECT_EQ(screen.received(), "x");
}

// As the kernel: room is one thing and readers are another (pipe_poll() in fs/pipe.c).
TEST(PipeFromTheProgram, TellsAnErrorAloneWhenItIsFull) {
  Scenario scenario;
  Peer& full = scenario.peer("full").window(0);
  const int a = full.at(1s).closes().pipe_from_program();
  const int b = scenario.peer("empty").at(1s).closes().pipe_from_program();
  scenario.run([&] {
    EXPECT_EQ(polled(a, POLLOUT, 5000), "1, err");
    EXPECT_EQ(polled(b, POLLOUT, 0), "1, out err");
    EXPECT_EQ(selected({.write = {a, b}}, 0us), "2, write {3 4}");
  });
}

TEST(PipeFromTheProgram, BreaksUnderAWriteThatWaits) {
  Scenario scenario;
  Peer& screen = scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.stops_reading().at(1s).closes();
  scenario.run([&] {
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(written(out, std::string(70'000, 'x')), "65536");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(written(out, "x"), "-1 EPIPE");
  });
}

TEST(Files, AreAlwaysReadyAndHaveAnEnd) {
  Scenario scenario;
  const int in = scenario.file("hello");
  const int out = scenario.output_file();
  const int null = scenario.null_device();
  scenario.run([&] {
    struct stat status {};
    EXPECT_EQ(::fstat(in, &status), 0);
    EXPECT_TRUE(S_ISREG(status.st_mode));
    EXPECT_EQ(::fcntl(in, F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(selected({.read = {in}, .write = {in}}), "2, read {3}, write {3}");  // fact 28
    EXPECT_EQ(read_from(in, 3), "hel");
    EXPECT_EQ(read_from(in, 3), "lo");
    EXPECT_EQ(read_from(in), "");
    EXPECT_EQ(selected({.read = {in}}), "1, read {3}");
    EXPECT_EQ(received(in), "-1 ENOTSOCK");
    EXPECT_EQ(written(out, "HEL"), "3");
    EXPECT_EQ(written(out, "LO"), "2");
    EXPECT_EQ(selected({.read = {null}, .write = {null}}), "2, read {5}, write {5}");
    EXPECT_EQ(written(null, "x"), "1");
    EXPECT_EQ(read_from(null), "");
  });
  EXPECT_EQ(scenario.contents_of(out), "HELLO");
}

TEST(Files, MayBeReadByStdio) {
  Scenario scenario;
  const int in = scenario.file("one\ntwo\n");
  scenario.run([&] {
    FILE* file = ::fdopen(in, "r");
    char line[10] = "";
    EXPECT_STREQ(std::fgets(line, sizeof line, file), "one\n");
    EXPECT_STREQ(std::fgets(line, sizeof line, file), "two\n");
    EXPECT_EQ(std::fgets(line, sizeof line, file), nullptr);
    // Not closed: the descriptor is borrowed.
  });
}

TEST(Numbers, MayBeThoseOfStandardInputAndOutput) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  Peer& screen = scenario.peer("screen");
  const int in = scenario.lend_at(keyboard.pipe_to_program(), 0);
  const int out = scenario.lend_at(screen.pipe_from_program(), 1);
  keyboard.at(1s).sends("hello");
  screen.receives("hello");
  scenario.run([&] {
    EXPECT_EQ(in, 0);
    EXPECT_EQ(out, 1);
    EXPECT_EQ(selected({.read = {0}}), "1, read {0}");
    EXPECT_EQ(read_from(0), "hello");
    EXPECT_EQ(written(1, "hel"), "3");
    std::cout << "lo" << std::flush;
  });
}

TEST(Numbers, OfStandardInputMayBeReadPastStdio) {
  Scenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  scenario.lend_at(keyboard.pipe_to_program(), 0);
  keyboard.at(1s).sends("hello\n").closes();
  scenario.run([&] {
    EXPECT_EQ(read_from(STDIN_FILENO), "hello\n");
    EXPECT_EQ(read_from(STDIN_FILENO), "");
  });
}

TEST(Numbers, MayBeHigh) {
  for (const int number : {1023, 1024, 1500, 4095}) {
    Scenario scenario;
    Peer& alice = scenario.peer("alice");
    const int fd = scenario.lend_at(alice.connected(), number);
    alice.at(1s).sends("x").receives("y");
    scenario.run([&] {
      EXPECT_EQ(new_socket(), 3);
      EXPECT_EQ(polled(fd, POLLIN, -1), "1, in");
      if (fd < FD_SETSIZE) {
        EXPECT_EQ(selected({.read = {fd}}), "1, read {1023}");
      }
      EXPECT_EQ(received(fd), "x");
      EXPECT_EQ(sent(fd, "y"), "1");
      ::close(3);
    });
    EXPECT_EQ(alice.received(), "y");
  }
}

TEST(Numbers, MayBeginAnywhere) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.next_descriptor_is(1022);
  Peer& bob = scenario.peer("bob");
  bob.connects().sends("x");
  scenario.run([&] {
    EXPECT_EQ(fd, 3);
    const int listener = listening_socket();
    EXPECT_EQ(listener, 1022);
    EXPECT_EQ(outcome(::accept(listener, nullptr, nullptr)), "1023");
    EXPECT_EQ(new_socket(), 1024);
    EXPECT_EQ(received(1023), "x");
    ::close(1024);
    ::close(1023);
    ::close(1022);
  });
}

TEST(Numbers, OntoThemselvesOpenNothing) {
  Scenario scenario;
  const int lent = scenario.peer("alice").connected();
  scenario.faults().fail("dup", EMFILE);  // kept for a call that opens something
  scenario.run([&] {
    EXPECT_EQ(outcome(::dup2(lent, lent)), "3");
    EXPECT_EQ(outcome(::dup2(63, 63)), "-1 EBADF");
    EXPECT_EQ(outcome(::dup2(-1, -1)), "-1 EBADF");
    EXPECT_EQ(outcome(::dup3(lent, lent, 0)), "-1 EINVAL");
    const int own = new_socket();
    EXPECT_EQ(outcome(::dup2(own, own)), "4");
    EXPECT_EQ(outcome(::dup2(lent, 5)), "-1 EMFILE");
    ::close(own);
  });
  EXPECT_TRUE(scenario.open_descriptors().empty());
}
