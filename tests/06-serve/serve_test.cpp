// The graded checks of lesson 06, in the order of the stub. Each function is graded by itself.
#include "06-serve/serve.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "scenario/check.hpp"
#include "server.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("06-serve");

namespace {

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }
bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

bool is_listening(int fd) {
  int listens = 0;
  socklen_t length = sizeof listens;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0;
}

bool has_set(const Scenario& scenario, const char* option) {
  const auto calls = scenario.calls("setsockopt");
  return std::any_of(calls.begin(), calls.end(),
                     [option](const Call& call) { return says(call.text, option); });
}

bool has_failed(const Scenario& scenario, const char* function) {
  const auto calls = scenario.calls(function);
  return std::any_of(calls.begin(), calls.end(), [](const Call& call) { return call.error != 0; });
}

}  // namespace

// ---- listen_on

// Rule: a listening socket is reached at the address that it is bound to, and at no other.
TEST(ListenOn, ListensOnTheGivenAddress) {
  explain({.rule = "listen_on() makes a socket of the address's family, binds it to exactly that "
                   "address, and listens.",
           .why = "A server for this machine alone must not be reached from elsewhere; and half of "
                  "the addresses that people give it are IPv6.",
           .read = "Two kinds of socket"});
  Scenario scenario;
  scenario.allow_open_descriptors();

  for (const std::string host : {"127.0.0.1", "::1"}) {
    course::Fd listener;
    const Ending ending = ending_of(
        scenario, [&] { listener = course::listen_on(course::Endpoint::numeric(host, 0), 8); });

    if (ending.error == EAFNOSUPPORT || ending.error == EINVAL)
      return fail("bind said " + error_name(ending.error) +
                  ": the address is IPv6. The socket has "
                  "to be of its family, and bind has to be told its length; the Endpoint knows "
                  "both.");
    if (!ending.has_returned)
      return fail("listen_on() was asked for port 0 of " + host + ", and it " + ending.told() +
                  ".");
    const std::string bound =
        scenario.run([&] { return bound_address(listener.get()).to_string(); });
    if (!expect_equal(bound, host == "::1" ? "[::1]:40002" : "127.0.0.1:40001",
                      "Clients also reach you at addresses that nobody asked for. Bind the address "
                      "that you were given.") ||
        !expect_that(is_listening(listener.get()),
                     "The socket at " + bound + " is bound, but nobody listens on it."))
      return;
  }
}

// Rule: on Linux, a backlog of n lets n + 1 connections wait (listen(2)).
TEST(ListenOn, LetsAsManyWaitAsTheBacklogSays) {
  explain({.rule = "The backlog goes to listen: it is the caller who knows how many may wait.",
           .why = "Whoever waits thinks that he is connected; a full queue at least tells him that "
                  "you are busy.",
           .read = "The kernel does the connecting"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  std::vector<Peer*> clients;
  for (const char* name : {"alice", "bob", "carol", "dave", "erin", "frank"})
    clients.push_back(&scenario.peer(name).at(31ms).connects());

  const course::Fd listener = scenario.run([] { return course::listen_on(loopback(0), 3); });
  scenario.finish();

  const auto connected = std::count_if(clients.begin(), clients.end(),
                                       [](const Peer* client) { return client->is_connected(); });
  expect_that(connected == 4,
              format("The caller asked for a backlog of 3. That lets 4 connect (on Linux, one more "
                     "than it says) before anybody is accepted; with you %td of 6 were connected. "
                     "Give listen the backlog.",
                     connected));
}

// Rule: SO_REUSEADDR before bind, in this run and in the one before (socket(7)).
TEST(ListenOn, TakesThePortBackAtOnce) {
  explain({.rule = "Set SO_REUSEADDR before bind.",
           .why = "A server that is restarted would have to wait for its port, for a minute.",
           .read = "A port remembers"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.peer("alice").at(31ms).connects().sees_the_end().closes();
  std::uint16_t port = 0;
  scenario.run([&] {
    const course::Fd listener = course::listen_on(loopback(0), 8);
    port = bound_address(listener.get()).port();
    pollfd arrival{listener.get(), POLLIN, 0};
    ::poll(&arrival, 1, -1);
    ::close(::accept(listener.get(), nullptr, nullptr));
  });

  course::Fd listener;
  const Ending ending =
      ending_of(scenario, [&] { listener = course::listen_on(loopback(port), 8); });

  expect_that(ending.has_returned,
              ending.error != EADDRINUSE
                  ? "A port that had been used before could not be used again: listen_on() " +
                        ending.told() + "."
              : has_set(scenario, "SO_REUSEADDR")
                  ? "SO_REUSEADDR came after bind, where it cannot help: the old connection keeps "
                    "the port in TIME_WAIT, and bind is who asks. Move it up."
                  : "The old connection keeps the port in TIME_WAIT, and bind said EADDRINUSE. Set "
                    "SO_REUSEADDR before bind.");
}

// Rule: SO_REUSEADDR does not let two listen; SO_REUSEPORT would (socket(7)).
TEST(ListenOn, RefusesAPortThatSomebodyListensOn) {
  explain({.rule = "A port that is being listened on is refused with EADDRINUSE.",
           .why = "Two servers on one port each get some of the clients, and each seems to lose "
                  "the others.",
           .read = "A port remembers"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  course::Fd first = scenario.run([] { return course::listen_on(loopback(0), 8); });
  course::Fd second;
  std::string shared;

  const Ending ending = ending_of(scenario, [&] {
    const auto where = bound_address(first.get());
    second = course::listen_on(where, 8);
    shared = bound_address(second.get()).to_string();
  });

  if (ending.has_returned)
    fail(has_failed(scenario, "bind")
             ? "Somebody listened on the port already: bind failed and you went on, so now you "
               "listen on " +
                   shared + ", where nobody looks for you."
             : "Now two listen on " + shared +
                   ". SO_REUSEPORT lets two servers share a port, and "
                   "deals the clients out between them. Do without it.");
  else
    expect_equal(error_name(ending.error), "EADDRINUSE",
                 "Somebody listened on the port already, and listen_on() " + ending.told() + ".");
}

// Rule: an error is an errno, a call and a subject; who throws has cleaned up.
TEST(ListenOn, SaysWhatFailedAndLeavesNothingOpen) {
  explain({.rule = "When listen_on() fails, the std::system_error has the errno of the call that "
                   "failed and names the call and the address, and no descriptor stays open.",
           .why = "\"Permission denied\" alone sends people searching; and who tries again every "
                  "second runs out of descriptors.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.faults().clean_up_overwrites_errno_with(EIO);

  const std::pair<std::string, int> failures[] = {
      {"socket", EMFILE}, {"bind", EACCES}, {"listen", EADDRINUSE}};
  for (const auto& [call, error] : failures) {
    scenario.faults().fail(call, error);
    course::Fd listener;

    const Ending ending =
        ending_of(scenario, [&] { listener = course::listen_on(loopback(7006), 8); });

    const std::string told =
        call + " said " + error_name(error) + ", but listen_on() " + ending.told();
    if (ending.has_returned)
      return fail(call + " failed and you went on: " + error_name(error) +
                  " is lost, and the caller thinks that you listen.");
    if (!expect_that(ending.error == error,
                     told + (ending.error == EIO ? ". A later call changed errno. Save it straight "
                                                   "after the failure."
                                                 : ". Take errno straight after the call.")) ||
        !expect_that(says(ending.what, "127.0.0.1:7006"),
                     told + ", which does not name the address. Add it: Endpoint::to_string().") ||
        !expect_that(says(ending.what, call), told + ", which does not name the call. Add it.") ||
        !expect_that(scenario.open_descriptors().empty(),
                     call + " failed, and listen_on() threw and left a descriptor open that nobody "
                            "knows any more. Give it an owner from the start."))
      return;
  }
}

// Rule: a listening socket is for waiting at, and belongs to this program.
TEST(ListenOn, MakesABlockingSocketThatNoExecInherits) {
  explain({.rule = "The listening socket blocks, and has FD_CLOEXEC.",
           .why = "accept on a non-blocking one fails with EAGAIN instead of waiting; and an "
                  "inherited one keeps the port taken after your end.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();

  const course::Fd listener = scenario.run([] { return course::listen_on(loopback(0), 8); });

  expect_that(is_blocking(listener.get()),
              "accept on it would fail with EAGAIN: the socket does not wait. Leave O_NONBLOCK "
              "off.") &&
      expect_that(closes_on_exec(listener.get()),
                  "The listening socket would survive an exec. Ask socket for SOCK_CLOEXEC, as in "
                  "lesson 01.");
}

// ---- local_port

// Rule: getsockname(2) tells what the kernel chose, in network byte order.
TEST(LocalPort, SaysWhichPortTheKernelChose) {
  explain({.rule = "local_port() is the port that the socket itself is bound to, in host order.",
           .why = "Who asks for port 0 has to tell others where to connect.",
           .read = "Two kinds of socket"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const int v4 = scenario.run([] { return bound_socket("127.0.0.1", true); });
  const int v6 = scenario.run([] { return bound_socket("::1", true); });
  int port_v4 = 0, port_v6 = 0;

  const Ending ending = ending_of(scenario, [&] {
    port_v4 = course::local_port(v4);
    port_v6 = course::local_port(v6);
  });

  if (has_failed(scenario, "getpeername"))
    return fail(
        "getpeername asks about the other side, and a listening socket has none. "
        "getsockname asks about yours.");
  if (!ending.has_returned) return fail("The socket has a port, but local_port() " + ending.told());
  expect_equal(port_v4, 40001,
               port_v4 == 16796 ? "That is the right port with its two bytes swapped. Endpoint has "
                                  "swapped them already; otherwise use ntohs once."
                                : "That is not the port. getsockname fills an address in, as far "
                                  "as you give it room.") &&
      expect_equal(port_v6, 40002,
                   "That is not the port of the IPv6 socket. Give getsockname room for either "
                   "kind of address.");
}

// Rule: what is no socket, or not open, has no port.
TEST(LocalPort, ThrowsWhenThereIsNone) {
  explain({.rule = "When getsockname fails, local_port() throws std::system_error with the errno.",
           .why = "A port 0 looks like an answer, and gets printed as one.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  std::array<int, 2> ends{};
  scenario.run([&] { return ::pipe(ends.data()); });
  int port = -1;

  const Ending of_pipe = ending_of(scenario, [&] { port = course::local_port(ends[0]); });
  const Ending of_none = ending_of(scenario, [&] { port = course::local_port(-1); });

  if (of_pipe.has_returned || of_none.has_returned)
    return fail(
        format("getsockname failed and you went on: local_port() said %d of what has no "
               "port. Throw.",
               port));
  expect_equal(error_name(of_pipe.error), "ENOTSOCK", "A pipe has no port.") &&
      expect_equal(error_name(of_none.error), "EBADF", "No descriptor, no port.");
}

// ---- serve

// Rule: accept waits, so the server is there when the client comes; and then again.
TEST(Serve, ServesClientsAsTheyCome) {
  explain({.rule = "serve() waits in accept and serves each client when it comes, until stop() "
                   "says true.",
           .why = "A server that looks only now and then keeps everybody waiting for its naps.",
           .read = "Two kinds of socket"});
  ServerScenario server;
  const std::array<Time, 3> coming = {31ms, 347ms, 1219ms};
  for (std::size_t i = 0; i < 3; ++i)
    server.peer(std::array{"alice", "bob", "carol"}[i])
        .at(coming[i])
        .connects()
        .sends("hello")
        .sees_the_end()
        .closes();
  std::vector<Time> served;

  const Ending ending = server.serve([&](int client) {
    served.push_back(server.now());
    server.is_stopping = served.size() == 3;
    answer_once(client);
  });

  if (server.accepts(EINVAL) > 0)
    return fail(
        "accept said EINVAL, because nobody had told it how much room there is for the "
        "address. Set the length to sizeof the address before every accept.");
  if (served.size() < 3)
    return fail(format("You served %zu of 3 clients, and serve() ", served.size()) + ending.told() +
                ". stop() had not said true: go on.");
  for (std::size_t i = 0; i < 3; ++i)
    if (!expect_that(served[i] == coming[i],
                     "A client came at " + shown(coming[i]) + " and was served at " +
                         shown(served[i]) +
                         ", although you had nothing else to do. accept waits "
                         "by itself, and no longer than needed."))
      return;
}

// Rule: connected is not accepted. The kernel connects; accept takes one from the queue.
TEST(Serve, LetsTheSecondClientWait) {
  explain({.rule = "Accept the next client when the conversation with the one before it has ended.",
           .why = "Whom you accept thinks that somebody listens, and holds a descriptor of yours.",
           .read = "The kernel does the connecting"});
  ServerScenario server;
  server.peer("alice")
      .connects()
      .sends("hello")
      .at(1300ms)
      .finishes_sending()
      .sees_the_end()
      .closes();
  Peer& bob = server.peer("bob").connects().sends("anybody?").sees_the_end().closes();
  std::size_t accepted = 0;
  Time answered{};

  server.serve([&](int client) {
    const std::string text = receive_text(client);
    send_text(client, text);
    if (text == "hello") {
      (void)receive_text(client);
      accepted = server.open_clients();
    } else {
      answered = server.now();
      server.is_stopping = true;
    }
  });

  expect_that(accepted <= 1,
              format("You accepted the next client before the first had left: with alice still "
                     "there you had %zu. Accept one, serve it, close it, and only then the next.",
                     accepted)) &&
      expect_that(bob.received() == "anybody?" && answered == 1300ms,
                  "alice left at 1.3 s, and bob, who had been waiting, was not answered then.");
}

// Rule: a FIN says that the client sends no more, not that it has gone.
TEST(Serve, AnswersAClientThatHasFinishedSending) {
  explain({.rule = "A client that has finished sending is served like any other.",
           .why = "Many programs send their question, finish, and then read the answer: nc -N, for "
                  "one.",
           .read = "Your task"});
  ServerScenario server;
  Peer& alice = server.peer("alice").connects().sends("2 + 2").finishes_sending();
  alice.sees_the_end().closes();
  server.peer("bob").at(900ms).connects().sends("bye").sees_the_end().closes();

  server.serve([&](int client) {
    const std::string question = receive_text(client);
    server.is_stopping = question == "bye";
    send_text(client, question);
  });

  expect_equal(alice.received(), "2 + 2",
               "alice had finished sending but still awaited your reply. Answer, then close.");
}

// Rule: a close with unread input is a reset, which can destroy the reply on its way.
TEST(Serve, EndsEveryConversationGracefully) {
  explain({.rule = "Every conversation ends with close_gracefully(), also that of a handler that "
                   "throws.",
           .why = "A plain close with unread input is a reset: it can destroy the last reply on "
                  "its way.",
           .read = "Your task"});
  ServerScenario server;
  Peer& alice = server.peer("alice").connects().sends("hello, and so on");
  alice.at(900ms).sends("and on").at(1400ms).finishes_sending().sees_the_end().closes();
  Peer& bob = server.peer("bob").connects().sends("hello, and so on").sees_the_end().closes();
  int served = 0;

  server.serve([&](int client) {
    (void)receive_text(client, 5);
    send_text(client, "go away");
    server.is_stopping = ++served == 2;
    if (server.is_stopping) throw std::runtime_error("too much talk");
  });

  const Time reset_at = alice.reset_at().value_or(Time{});
  if (alice.saw_a_reset())
    fail(reset_at < 900ms
             ? "Unread input turned your close into a reset. Shut down writing, drain, "
               "close: that is close_gracefully()."
             : "alice was reset while she was still sending. The linger is 2 s.");
  else if (bob.saw_a_reset())
    fail(
        "The handler of bob's conversation threw, and bob was reset although he had a reply to "
        "read. End the conversation gracefully after an exception as well.");
  else
    expect_equal(alice.received() + ", " + bob.received(), "go away, go away",
                 "alice or bob never read the reply.");
}

// Rule: a client that says nothing more is waited for, and not for ever.
TEST(Serve, LingersForTwoSeconds) {
  explain({.rule = "The linger is 2 s: so long you wait for a client that does not finish.",
           .why = "Everybody else waits meanwhile; with no limit one silent client ends the "
                  "service.",
           .read = "Your task"});
  ServerScenario server;
  server.peer("alice").connects().sends("hello").at(5300ms).closes();
  server.peer("bob").at(100ms).connects().sends("hello").sees_the_end().closes();
  std::vector<Time> served;

  const Ending ending = server.serve([&](int client) {
    served.push_back(server.now());
    server.is_stopping = served.size() == 2;
    answer_once(client);
  });

  if (served.size() < 2)
    return fail("alice had her answer and bob was waiting, and serve() " + ending.told() + ".");
  const std::string told = "alice had her answer at 0 s and stayed, silent. bob was accepted at " +
                           shown(served[1]) + ". ";
  expect_that(served[1] >= 1999ms, told + "Wait for her end, for up to 2 s.") &&
      expect_that(served[1] <= 2100ms,
                  told +
                      "One client that does not leave keeps all the others out: 2 s and no "
                      "more.");
}

// Rule: what goes wrong with one client is that client's affair.
TEST(Serve, OutlivesWhateverTheHandlerThrows) {
  explain({.rule = "Neither a client that resets nor a handler that throws, whatever it throws, "
                   "ends the server.",
           .why = "Otherwise any client can end the service for all.",
           .read = "Your task"});
  ServerScenario server;
  server.peer("alice").connects().resets();
  server.peer("bob").connects().sends("throw").sees_the_end().closes();
  Peer& carol = server.peer("carol").connects().sends("hello").sees_the_end().closes();

  const Ending ending = server.serve([&](int client) {
    const std::string text = receive_text(client);
    if (text == "throw") throw 42;
    server.is_stopping = true;
    send_text(client, text);
  });

  if (has_failed(server, "getpeername"))
    fail("alice had reset before you accepted her, so getpeername said ENOTCONN, and serve() " +
         ending.told() + ": that client was gone. Take the next.");
  else if (!ending.has_returned)
    fail(ending.error == ECONNRESET
             ? "One client's reset ended the whole server: the handler threw, and so did serve(). "
               "Close that client and go on."
             : "The handler threw, and your server ended with it. It was an int this time; "
               "anything can be thrown, and catch (...) catches it.");
  else
    expect_equal(carol.received(), "hello", "carol never got her answer.");
}

// Rule: errors of one connection are passed over (accept(2), "Error handling").
TEST(Serve, PassesOverAConnectionThatFailed) {
  explain({.rule = "An error of accept that concerns one connection is passed over: accept again.",
           .why = "A client that hung up early has left the queue; the next one is still in it.",
           .read = "accept fails for three kinds of reason"});
  ServerScenario server;
  server.faults().reset_before_accept_aborts();
  int skip = 1;
  for (const int error :
       {ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH})
    server.faults().fail("accept", error, 1, std::exchange(skip, 0));
  server.peer("alice").connects().resets();
  Peer& bob = server.peer("bob").connects().sends("hello").sees_the_end().closes();
  bool is_no_client = false;

  const Ending ending = server.serve([&](int client) {
    if (client < 0) {
      is_no_client = true;
      return;
    }
    server.is_stopping = true;
    answer_once(client);
  });

  if (is_no_client)
    fail(
        "accept returned -1 and you used it as a socket: the handler was called with it. Look at "
        "what accept returned first.");
  else if (ending.error == ECONNABORTED)
    fail(
        "One caller hung up early and your server stopped: accept said ECONNABORTED. Accept the "
        "next.");
  else if (!ending.has_returned)
    fail("accept said " + error_name(ending.error) +
         ", and your server stopped. That error was "
         "about one connection; the next may be fine. Accept again.");
  else
    expect_equal(bob.received(), "hello", "bob never got his answer.");
}

// Rule: who is asked to stop accepts nobody any more.
TEST(Serve, AsksStopBeforeEveryAccept) {
  explain({.rule = "Ask stop() before every accept, the first one too.",
           .why = "A client that is accepted at the last moment is a client that is let down.",
           .read = "Your task"});
  ServerScenario server;
  server.signal_at(7300ms, SIGUSR1);  // ends a wait in accept
  server.peer("alice")
      .connects()
      .sends("hello")
      .at(900ms)
      .finishes_sending()
      .sees_the_end()
      .closes();
  server.peer("bob").at(400ms).connects().sends("hello");

  server.is_stopping = true;
  server.serve([](int) {});
  if (!expect_that(server.accepts(0) == 0,
                   "You were asked to stop before the first accept, and accepted alice. Ask stop() "
                   "before every accept, the first one too."))
    return;
  server.is_stopping = false;
  server.serve([&](int client) {
    if (server.is_stopping) return;
    while (!receive_text(client).empty()) {
    }
    server.is_stopping = true;
  });

  expect_that(server.accepts(0) == 1,
              "You were asked to stop and accepted one more: bob. Ask stop() before every accept.");
}

// Rule: a signal that ends a wait is the way to ask a waiting server to stop.
TEST(Serve, AsksStopAfterASignal) {
  explain({.rule = "EINTR from accept means: ask stop(), and if it says false, accept again.",
           .why = "Ctrl-C has to end a server that waits, and a signal about something else must "
                  "not.",
           .read = "A signal ends a waiting accept"});
  ServerScenario server;
  server.signal_at(430ms, SIGUSR1);
  server.signal_at(1710ms, SIGUSR1);
  server.peer("alice").at(5300ms).connects().closes();

  const Ending ending = server.serve(
      server.listener, [](int) {}, [&] { return server.now() >= 1710ms; });

  const Time took = server.took();
  if (took < 1710ms)
    fail("A signal came and your server stopped: serve() " + ending.told() + " at " + shown(took) +
         ". It is stop() that decides, and it said false. Accept again.");
  else
    expect_that(took == 1710ms && ending.has_returned,
                "A signal came at 1.71 s, and you waited again without asking: serve() " +
                    ending.told() + " only at " + shown(took) +
                    ", when a client came. On EINTR ask stop() first.");
}

// Rule: an error of the listener or of the process comes again at once.
TEST(Serve, ThrowsWhenAcceptWouldOnlyFailAgain) {
  explain({.rule = "An error of the listener itself (EBADF, EINVAL, ENOTSOCK), or no descriptor to "
                   "be had (EMFILE), ends serve() with a std::system_error.",
           .why = "Nothing has changed when you ask again at once: that keeps a processor busy and "
                  "serves nobody.",
           .read = "accept fails for three kinds of reason"});
  ServerScenario server;
  const int never_opened = 57;
  const int bound_only = server.run([] { return bound_socket("127.0.0.1", false); });
  const int no_socket = server.run([] { return ::open("/dev/null", O_RDONLY); });
  server.peer("alice").at(1ms).connects();

  const std::pair<int, int> unusable[] = {{never_opened, EBADF},
                                          {bound_only, EINVAL},
                                          {no_socket, ENOTSOCK},
                                          {server.listener, EMFILE}};
  for (const auto& [fd, error] : unusable) {
    if (error == EMFILE) server.faults().fail("accept", EMFILE, 1000);
    int asked = 0;

    const Ending ending = server.serve(
        fd, [](int) {}, [&] { return ++asked > 50; });

    if (ending.error == error) continue;
    const std::string name = error_name(error);
    return fail(asked <= 50
                    ? "accept said " + name + ", and serve() " + ending.told() +
                          (ending.has_returned ? ": you returned as if all were well." : ".") +
                          " Throw a std::system_error with that errno."
                : error == EMFILE ? "No descriptor is free, so you spin on accept: it had said "
                                    "EMFILE 50 times when you were stopped. Throw."
                                  : "accept had said " + name +
                                        " 50 times when you were stopped, and would say so for "
                                        "ever. Throw.");
  }
}

// Rule: serve() owns the clients; the listener is lent.
TEST(Serve, ClosesTheClientsAndNothingElse) {
  explain({.rule = "serve() closes every client exactly once, and leaves the listener open.",
           .why = "A server that forgets one descriptor per client ends after a thousand clients.",
           .read = "Your task"});
  ServerScenario server(Closes::judged);
  for (const char* name : {"alice", "bob", "carol"})
    server.peer(name).connects().sends("hello").sees_the_end().closes();
  int served = 0;

  server.serve([&](int client) {
    server.is_stopping = ++served == 3;
    answer_once(client);
  });

  const std::size_t open = server.open_descriptors().size();
  expect_that(is_listening(server.listener),
              "The listener was only lent to you, and now it is closed.") &&
      expect_that(open == 1,
                  format("You have served 3 clients, and %zu descriptors of theirs are still open. "
                         "Close each, duplicates too.",
                         open - 1));
}

// Rule: a client's socket is like the listener's.
TEST(Serve, LendsBlockingSocketsThatNoExecInherits) {
  explain({.rule = "Client sockets block, and have FD_CLOEXEC; neither comes from the listener.",
           .why = "A program started meanwhile would inherit the conversation, and the client "
                  "would not see its end.",
           .read = "Your task"});
  ServerScenario server;
  server.peer("alice").connects().sends("hello").sees_the_end().closes();
  bool blocks = true, closes = true;

  server.serve([&](int client) {
    blocks = is_blocking(client);
    closes = closes_on_exec(client);
    server.is_stopping = true;
  });

  expect_that(blocks,
              "The handler was lent a non-blocking socket: recv on it says EAGAIN instead "
              "of waiting.") &&
      expect_that(closes,
                  "The client's socket would survive an exec: accept does not copy FD_CLOEXEC from "
                  "the listener. Ask accept4 for SOCK_CLOEXEC.");
}
