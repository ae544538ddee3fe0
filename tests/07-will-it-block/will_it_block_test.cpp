// The graded checks of lesson 07: what is ready, and for what.
#include "07-will-it-block/will_it_block.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "asking.hpp"
#include "given/endpoint.hpp"

using namespace grader;
using namespace asking;

LESSON("07-will-it-block");

namespace {

// A socket that listens on a port of 127.0.0.1; for use inside a run.
int listening_socket() {
  const auto where = course::Endpoint::numeric("127.0.0.1", 0);
  const int fd = ::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(fd, where.data(), where.length());
  ::listen(fd, 8);
  return fd;
}

// A non-blocking socket whose connect to `host`, port 7007, is in progress; for use inside a run.
int connecting_socket(const char* host) {
  const auto to = course::Endpoint::numeric(host, 7007);
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::connect(fd, to.data(), to.length());
  return fd;
}

// How the program's next recv on `fd` ends: "hello", "ECONNRESET".
std::string received_by_program(Scenario& scenario, int fd) {
  std::array<char, 64> buffer{};
  return scenario.run([&] {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return got < 0 ? error_name(errno) : std::string(buffer.data(), static_cast<std::size_t>(got));
  });
}

// What the next client in the queue has sent: "hello"; "no client" when there is none.
std::string received_by_next_client(Scenario& scenario, int listener) {
  const int client = scenario.run([&] {
    ::fcntl(listener, F_SETFL, O_NONBLOCK);
    return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  });
  return client < 0 ? "no client" : received_by_program(scenario, client);
}

int bytes_in(Scenario& scenario, int pipe) {
  int bytes = 0;
  scenario.run([&] { ::ioctl(pipe, FIONREAD, &bytes); });
  return bytes;
}

off_t position_of(Scenario& scenario, int file) {
  return scenario.run([&] { return ::lseek(file, 0, SEEK_CUR); });
}

}  // namespace

// ---- ready for reading

// Rule: readable: a receive would not wait (select(2)).
TEST(WaitReadable, WakesUpWhenDataComes) {
  explain({.rule =
               "wait_readable() says true as soon as bytes are there: at once if they are, else "
               "when they come.",
           .why = "Whoever is told late answers late, and whoever is told too early waits in recv.",
           .read = "Readable: a receive would return something"});
  AskingScenario scenario;
  (void)scenario.peer("bob").connected();  // says nothing
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int carol = scenario.peer("carol").at(347ms).sends("hello").connected();
  Peer& peer = scenario.peer("dave").at(900ms).sends_urgent('!');
  const int dave = peer.at(1219ms).sends("hello").connected();

  expect_ready_at(scenario.ask(readable, alice, 1min), 0s, "alice's data was there already, and",
                  "Say so at once when it is there.") &&
      expect_ready_at(scenario.ask(readable, carol, 1min), 347ms, "carol sent at 0.347 s, and",
                      "Say true when it has come, neither earlier nor later.") &&
      expect_ready_at(scenario.ask(readable, dave, 1min), 1219ms,
                      "dave sent an urgent byte at 0.9 s, which an ordinary receive does not "
                      "return, and ordinary ones at 1.219 s;",
                      "Say true when those have come, neither earlier nor later.");
}

// Rule: an end and an error are answers too: recv returns (select(2)).
TEST(WaitReadable, CountsTheEndAndAnErrorAsReady) {
  explain({.rule = "When the peer has finished, or the connection has failed, wait_readable() says "
                   "true: a receive would return, with 0 or an error.",
           .why = "Whoever is not told of the end keeps a dead client, and waits for it.",
           .read = "Readable: a receive would return something"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(347ms).finishes_sending().connected();
  const int bob = scenario.peer("bob").at(1219ms).resets().connected();
  const char* advice =
      "Say true: a receive would not wait, and it is the receive that tells what happened.";

  expect_ready_at(scenario.ask(readable, alice, 1min), 347ms,
                  "alice finished sending at 0.347 s, and", advice) &&
      expect_ready_at(scenario.ask(readable, alice, 1min), 347ms,
                      "alice had finished sending, and asked once more", advice) &&
      expect_ready_at(scenario.ask(readable, bob, 1min), 1219ms,
                      "bob reset the connection at 1.219 s, and", advice);
}

// Rule: a listening socket is readable when accept would not wait (accept(2), NOTES).
TEST(WaitReadable, SeesAPendingConnection) {
  explain({.rule = "A listening socket is readable when a connection waits to be accepted, which "
                   "it still does afterwards.",
           .why = "So a server can look for the next client without waiting for it.",
           .read = "Readable: a receive would return something"});
  AskingScenario scenario;
  scenario.allow_open_descriptors();
  const int listener = scenario.run(listening_socket);
  scenario.peer("alice").at(1219ms).connects().sends("hello");
  const char* advice =
      "Nobody receives on a listening socket: it is readable when accept would not wait.";

  expect_no(scenario.ask(readable, listener, 0s), 0s,
            "Nobody had connected to the listening socket, and", advice) &&
      expect_ready_at(scenario.ask(readable, listener, 1min), 1219ms,
                      "alice connected at 1.219 s, and", advice) &&
      expect_equal(received_by_next_client(scenario, listener), "hello",
                   "alice was in the queue of the listening socket, and the caller's accept did "
                   "not get her: you took her.");
}

// ---- ready for writing

// Rule: a healthy socket is writable: there is room in its send buffer (select(2)).
TEST(WaitWritable, FindsAHealthySocketReady) {
  explain({.rule = "A healthy socket is writable at once, whatever its peer does or does not do.",
           .why = "Writable says that the kernel has room, and nothing about the peer.",
           .read = "Writable: a send would take something"});
  AskingScenario scenario;
  const int bob = scenario.peer("bob").finishes_sending().connected();
  const int alice = scenario.peer("alice").window(8).stops_reading().connected();
  scenario.run([&] { (void)::send(alice, "hello", 5, MSG_NOSIGNAL); });
  const char* advice = "Say true when a send would take at least one byte.";

  expect_ready_at(scenario.ask(writable, alice, 1min), 0s,
                  "alice was silent and had read nothing, but there was room for 3 bytes more, and",
                  advice) &&
      expect_ready_at(scenario.ask(writable, bob, std::nullopt), 0s,
                      "bob had finished sending, but one could still send to him, and", advice);
}

// Rule: not writable: a send would wait for room.
TEST(WaitWritable, WaitsForRoom) {
  explain({.rule = "A socket whose send buffer is full is writable when there is room again, and "
                   "not before; what there is to read does not matter.",
           .why = "Whoever believes that it is writable waits in send.",
           .read = "Writable: a send would take something"});
  AskingScenario scenario;
  (void)scenario.peer("bob").connected();  // has room
  Peer& peer = scenario.peer("alice").window(8).stops_reading().sends("hello");
  const int alice = peer.at(1219ms).resumes_reading().connected();
  scenario.run([&] { (void)::send(alice, "8 bytes.", 8, MSG_NOSIGNAL); });

  expect_no(
      scenario.ask(writable, alice, 0s), 0s,
      "The send buffer was full. There was something to receive, but nobody asked about that;",
      "A send would wait: say false.") &&
      expect_ready_at(scenario.ask(writable, alice, 1min), 1219ms,
                      "The send buffer was full until alice read on at 1.219 s, and",
                      "Say true as soon as a send would take one byte.");
}

// Rule: a send that would fail does not wait either; a failed connect has ended (connect(2)).
TEST(WaitWritable, CountsAFailureAsReady) {
  explain({.rule = "When a send would fail at once, or a connect has ended, however it ended, "
                   "wait_writable() says true.",
           .why = "Nothing better will come, and the send tells the error.",
           .read = "Writable: a send would take something"});
  AskingScenario scenario;
  scenario.allow_open_descriptors();
  Peer& peer = scenario.peer("alice").window(0);
  const int alice = peer.at(347ms).resets().connected();
  scenario.peer("bob").refuses_at("192.0.2.7", 7007, 1219ms);
  scenario.peer("carol").listens_at("192.0.2.8", 7007, 2347ms);
  const int to_bob = scenario.run([] { return connecting_socket("192.0.2.7"); });
  const int to_carol = scenario.run([] { return connecting_socket("192.0.2.8"); });

  expect_ready_at(scenario.ask(writable, alice, 1min), 347ms,
                  "The send buffer was full when alice reset the connection at 0.347 s, and",
                  "Say true: a send would not wait, and it tells what happened.") &&
      expect_ready_at(scenario.ask(writable, to_bob, 1min), 1219ms,
                      "bob refused the connection at 1.219 s, and",
                      "Say true: the connect has ended, and the caller will look how.") &&
      expect_ready_at(scenario.ask(writable, to_carol, 1min), 2347ms,
                      "carol accepted the connection at 2.347 s, and",
                      "Say true when the connect has ended, and not before.");
}

// ---- both

// Rule: on Unix select works with every kind of descriptor (select(2)); a file never waits.
TEST(Waiting, WorksOnPipesAndFiles) {
  explain({.rule = "Pipes and files are asked about like sockets. A file is always ready; a pipe "
                   "when it has bytes or room, or when the other end is gone.",
           .why = "The keyboard is no socket either.",
           .read = "Any descriptor will do"});
  AskingScenario scenario;
  const int typed = scenario.peer("keyboard").at(347ms).sends("x").pipe_to_program();
  const int closed = scenario.peer("sensor").at(1219ms).closes().pipe_to_program();
  const int full = scenario.peer("printer").window(0).pipe_from_program();
  Peer& peer = scenario.peer("plotter").window(0).at(2347ms);
  const int orphaned = peer.closes().pipe_from_program();
  const int empty_file = scenario.file("");
  const int device = scenario.null_device();
  const char* advice = "select works with any descriptor: demand no more than that.";

  expect_ready_at(scenario.ask(readable, typed, 1min), 347ms,
                  "A byte came through the pipe at 0.347 s, and", advice) &&
      expect_ready_at(scenario.ask(readable, closed, 1min), 1219ms,
                      "The pipe's writer closed it at 1.219 s, and",
                      "That is its end: read would return 0, and not wait.") &&
      expect_ready_at(scenario.ask(readable, empty_file, 1min), 0s, "The file was empty, and",
                      "A file is always ready: read would return 0, and not wait.") &&
      expect_ready_at(scenario.ask(writable, device, 1min), 0s, "/dev/null takes everything, and",
                      advice) &&
      expect_no(scenario.ask(writable, full, 0s), 0s, "The pipe was full, and",
                "A write would wait: say false.") &&
      expect_ready_at(
          scenario.ask(writable, orphaned, 1min), 2347ms,
          "The full pipe's reader closed it at 2.347 s, and",
          "A write would fail, and not wait: say true. (poll says POLLERR alone then.)");
}

// Rule: select looks, and takes nothing.
TEST(Waiting, TakesNothingAndChangesNothing) {
  explain({.rule = "Whatever made a descriptor ready is still there afterwards, and the descriptor "
                   "blocks as before.",
           .why = "The caller receives, sends and accepts, and needs all of it: the bytes and the "
                  "error.",
           .read = "Readable: a receive would return something"});
  AskingScenario scenario;
  Peer& peer = scenario.peer("alice").sends("hello");
  const int alice = peer.connected();
  const int bob = scenario.peer("bob").resets().connected();
  const int mode = ::fcntl(alice, F_GETFL);
  const int typed = scenario.peer("keyboard").sends("hello").pipe_to_program();
  const int file = scenario.file("hello");

  for (const Function& function : {readable, writable, readable})
    if (!expect_ready_at(scenario.ask(function, alice, 1min), 0s,
                         "alice's data was there, and room as well. Asked in turn,",
                         "A question must not change the answer to the next."))
      return;
  for (const Function& function : {readable, writable}) (void)scenario.ask(function, bob, 1min);
  for (const int fd : {typed, file}) (void)scenario.ask(readable, fd, 1min);

  expect_equal(received_by_program(scenario, alice), "hello",
               "alice had sent 5 bytes, and after three questions the caller received less: you "
               "took what was only to be looked at.") &&
      expect_equal(peer.received(), "",
                   "wait_writable() sent something to find out whether that would wait.") &&
      expect_that(
          ::fcntl(alice, F_GETFL) == mode,
          "You left the socket in non-blocking mode. The mode belongs to the socket, so the "
          "caller's next recv will not wait. select needs no mode: leave it alone.") &&
      expect_equal(received_by_program(scenario, bob), "ECONNRESET",
                   "bob reset the connection, and the caller's recv did not tell that: you had "
                   "taken the error away. A socket tells it once, to whoever asks first.") &&
      expect_equal(
          bytes_in(scenario, typed), 5,
          "There were 5 bytes in the pipe, and the caller finds fewer: you read some of them.") &&
      expect_equal(position_of(scenario, file), 0,
                   "The file stood at its beginning, and now it does not: you read of it.");
}
