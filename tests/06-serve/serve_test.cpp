// The graded checks of lesson 06, in the order of the stub. Each function is graded by itself.
#include "06-serve/serve.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "scenario/check.hpp"
#include "server.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("06-serve");

namespace {

// What listen_on() leaves open is one check's subject; the others look away.
class TolerantScenario : public Scenario {
 public:
  TolerantScenario() { allow_open_descriptors(); }
};

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }
bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

bool has_timeout(int fd) {
  timeval timeout{};
  socklen_t length = sizeof timeout;
  ::getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &length);
  return timeout.tv_sec != 0 || timeout.tv_usec != 0;
}

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

bool has_said(const Scenario& scenario, const char* function, int error) {
  const auto calls = scenario.calls(function);
  return std::any_of(calls.begin(), calls.end(),
                     [error](const Call& call) { return call.error == error; });
}

}  // namespace

// ---- listen_on

// Rule: a listening socket is reached at the address that it is bound to, and at no other.
TEST(ListenOn, ListensOnTheGivenAddress) {
  explain({.rule = "listen_on() makes a socket of the address's family, binds it to exactly that "
                   "address, and listens.",
           .why = "A server meant for this machine alone must not be reached from elsewhere; and "
                  "many of the addresses that people give it are IPv6.",
           .read = "Two kinds of socket"});
  TolerantScenario scenario;
  const std::pair<const char*, const char*> wanted[] = {{"127.0.0.1", "127.0.0.1:40001"},
                                                        {"::1", "[::1]:40002"}};
  for (const auto& [host, address] : wanted) {
    const auto where = course::Endpoint::numeric(host, 0);
    course::Fd listener;

    const Ending ending = ending_of(scenario, [&] { listener = course::listen_on(where, 8); });

    if (where.family() == AF_INET6 && (ending.error == EAFNOSUPPORT || ending.error == EINVAL))
      return fail(
          format("bind said %s: the address is IPv6. The socket has to be of its family, "
                 "and bind needs its length; the Endpoint knows both.",
                 error_name(ending.error).c_str()));
    if (!ending.has_returned)
      return fail(
          format("listen_on() was to take any port of %s, and %s.", host, ending.told().c_str()));
    const std::string bound =
        scenario.run([&] { return bound_address(listener.get()).to_string(); });
    if (!expect_equal(bound, address,
                      "Clients also reach you at addresses that nobody asked for. Bind the address "
                      "that you were given.") ||
        !expect_that(is_listening(listener.get()),
                     format("The socket is bound to %s, but it does not listen.", address)))
      return;
  }
}

// Rule: on Linux, a backlog of n lets n + 1 connections wait (listen(2)).
TEST(ListenOn, LetsAsManyWaitAsTheBacklogSays) {
  explain({.rule = "Give listen the backlog: the caller knows how many may wait.",
           .why = "Whoever is in the queue thinks that he is connected; a full queue at least "
                  "tells the next one that you are busy.",
           .read = "The kernel does the connecting"});
  TolerantScenario scenario;
  std::array<std::vector<Peer*>, 2> clients;  // of the two listeners
  for (const char* name : {"alice", "bob", "carol", "dave", "erin", "frank"})
    clients[0].push_back(&scenario.peer(name).at(31ms).connects(40001));
  for (const char* name : {"grace", "heidi", "ivan", "judy"})
    clients[1].push_back(&scenario.peer(name).at(31ms).connects(40002));

  const auto listeners = scenario.run([] {
    return std::pair{course::listen_on(loopback(0), 3), course::listen_on(loopback(0), 1)};
  });
  scenario.finish();

  const std::pair<int, std::ptrdiff_t> wanted[] = {{3, 4}, {1, 2}};
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto [backlog, may_connect] = wanted[i];
    const auto connected = std::count_if(clients[i].begin(), clients[i].end(),
                                         [](const Peer* client) { return client->is_connected(); });
    if (!expect_that(connected == may_connect,
                     format("The caller asked for a backlog of %d. On Linux that lets %td of %zu "
                            "clients connect while nobody is accepted; with you it was %td. Give "
                            "listen the backlog.",
                            backlog, may_connect, clients[i].size(), connected)))
      return;
  }
}

// Rule: SO_REUSEADDR before bind, in this run and in the one before (socket(7)).
TEST(ListenOn, TakesThePortBackAtOnce) {
  explain({.rule = "Set SO_REUSEADDR before bind.",
           .why = "A server that is restarted would have to wait for its port, for a minute.",
           .read = "A port remembers"});
  TolerantScenario scenario;
  scenario.peer("alice").at(31ms).connects().sees_the_end().closes();
  std::uint16_t port = 0;
  scenario.run([&] {  // an earlier server, which closes its conversation first
    const course::Fd listener = course::listen_on(loopback(0), 8);
    port = bound_address(listener.get()).port();
    pollfd arrival{listener.get(), POLLIN, 0};
    ::poll(&arrival, 1, -1);
    ::close(::accept(listener.get(), nullptr, nullptr));
  });
  course::Fd listener;

  const Ending ending =
      ending_of(scenario, [&] { listener = course::listen_on(loopback(port), 8); });

  if (ending.has_returned) return;
  if (ending.error != EADDRINUSE)
    fail(format("Nobody listened on port %d any more, and listen_on() %s.", port,
                ending.told().c_str()));
  else if (has_set(scenario, "SO_REUSEADDR"))
    fail(
        "The old connection keeps the port in TIME_WAIT. SO_REUSEADDR came after bind, where it "
        "cannot help. Move it up.");
  else
    fail(
        "The old connection keeps the port in TIME_WAIT, so bind said EADDRINUSE. Set "
        "SO_REUSEADDR before bind.");
}

// Rule: SO_REUSEADDR does not let two listen; SO_REUSEPORT would (socket(7)).
TEST(ListenOn, RefusesAPortThatSomebodyListensOn) {
  explain({.rule = "A port that is being listened on is refused with EADDRINUSE.",
           .why = "Of two servers on one port each gets some of the clients, and each seems to "
                  "lose the others.",
           .read = "A port remembers"});
  TolerantScenario scenario;
  const course::Fd first = scenario.run([] { return course::listen_on(loopback(0), 8); });
  course::Fd second;
  std::string address;

  const Ending ending = ending_of(scenario, [&] {
    second = course::listen_on(bound_address(first.get()), 8);
    address = bound_address(second.get()).to_string();
  });

  if (!ending.has_returned)
    expect_equal(
        error_name(ending.error), "EADDRINUSE",
        format("The port was being listened on, and listen_on() %s.", ending.told().c_str()));
  else if (has_set(scenario, "SO_REUSEPORT"))
    fail(
        format("Now two listen on %s. SO_REUSEPORT lets two servers share a port, and deals the "
               "clients out between them. Do without it.",
               address.c_str()));
  else if (has_failed(scenario, "bind"))
    fail(
        format("The port was being listened on: bind failed and you went on. Now you listen on "
               "%s, where nobody looks for you. Throw.",
               address.c_str()));
  else
    fail(format("Two sockets are bound to %s, and nobody was refused. Does the first one listen?",
                address.c_str()));
}

// Rule: an error is an errno, a call and a subject; who throws has cleaned up.
TEST(ListenOn, SaysWhatFailedAndLeavesNothingOpen) {
  explain({.rule = "When a call fails, throw a std::system_error with its errno that names the "
                   "call and the address; no descriptor stays open.",
           .why = "\"Permission denied\" alone sends people searching, and who tries again every "
                  "second runs out of descriptors.",
           .read = "Your task"});
  TolerantScenario scenario;
  scenario.faults().clean_up_overwrites_errno_with(EIO);
  const std::pair<std::string, int> failures[] = {
      {"socket", EMFILE}, {"setsockopt", ENOMEM}, {"bind", EACCES}, {"listen", EADDRINUSE}};
  for (const auto& [call, error] : failures) {
    scenario.faults().fail(call, error);
    course::Fd listener;

    const Ending ending =
        ending_of(scenario, [&] { listener = course::listen_on(loopback(7006), 8); });

    const std::string name = error_name(error);
    const std::string told = call + " said " + name + ", but listen_on() " + ending.told();
    if (!has_failed(scenario, call.c_str())) continue;  // never called: another check's subject
    if (ending.has_returned)
      return fail(call + " failed and you went on; its " + name + " is lost. Throw.");
    if (ending.error == EIO)
      return fail(told + ". A later call changed errno. Save it straight after the failure.");
    if (!expect_that(ending.error == error, told + ". Look at what each call returned, there.") ||
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
           .why = "accept on a non-blocking one fails with EAGAIN instead of waiting, and an "
                  "inherited one keeps the port taken after your end.",
           .read = "Your task"});
  TolerantScenario scenario;

  const course::Fd listener = scenario.run([] { return course::listen_on(loopback(0), 8); });

  expect_that(is_blocking(listener.get()),
              "The listening socket does not block: accept on it fails with EAGAIN instead of "
              "waiting. Leave O_NONBLOCK off.") &&
      expect_that(closes_on_exec(listener.get()),
                  "The listening socket would survive an exec. Ask socket for SOCK_CLOEXEC, as in "
                  "lesson 01.");
}

// ---- local_port

// Rule: getsockname(2) tells what the kernel chose, in network byte order.
TEST(LocalPort, SaysWhichPortTheKernelChose) {
  explain({.rule = "local_port() is the port that the socket itself is bound to, in host order.",
           .why = "Who asked for port 0 has to tell others where to connect.",
           .read = "Two kinds of socket"});
  TolerantScenario scenario;
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
  if (!ending.has_returned)
    return fail(format("The socket has a port, and local_port() %s.", ending.told().c_str()));
  const char* sentence =
      port_v4 == 16796
          ? "That is the right port with its two bytes swapped. Swap them once: ntohs does, and "
            "Endpoint::port() has done so already."
          : "That is not the port. getsockname fills the address in, as far as you give it room.";
  expect_equal(port_v4, 40001, sentence) &&
      expect_equal(port_v6, 40002,
                   "That is not the port of the IPv6 socket. Give getsockname room "
                   "for either kind of address.");
}

// Rule: what is no socket, or not open, has no port.
TEST(LocalPort, ThrowsWhenThereIsNone) {
  explain({.rule = "When getsockname fails, local_port() throws a std::system_error with errno.",
           .why = "A port 0 looks like an answer, and gets printed as one.",
           .read = "Your task"});
  TolerantScenario scenario;
  std::array<int, 2> ends{};
  scenario.run([&] { return ::pipe(ends.data()); });
  int port = -1;

  const Ending of_pipe = ending_of(scenario, [&] { port = course::local_port(ends[0]); });
  const Ending of_none = ending_of(scenario, [&] { port = course::local_port(-1); });

  if (of_pipe.has_returned || of_none.has_returned)
    return fail(
        format("getsockname failed and you went on: local_port() said %d of a descriptor "
               "that has no port. Throw.",
               port));
  expect_equal(error_name(of_pipe.error), "ENOTSOCK", "local_port() was asked about a pipe.") &&
      expect_equal(error_name(of_none.error), "EBADF", "local_port() was asked about -1.");
}

// ---- serve

// Rule: accept waits, so the server is there when a client comes; and then again.
TEST(Serve, ServesClientsAsTheyCome) {
  explain({.rule = "serve() waits in accept and serves each client when it comes, until stop(), "
                   "asked before every accept, says true.",
           .why = "A server that looks only now and then keeps everybody waiting for its naps.",
           .read = "Two kinds of socket"});
  ServerScenario server;
  const std::array<Time, 3> coming = {31ms, 347ms, 1219ms};
  server.caller("alice", coming[0]);
  server.caller("bob", coming[1]);
  server.caller("carol", coming[2]);
  server.peer("dave").at(7300ms).connects().closes();
  std::vector<Time> served;

  const Ending ending = server.serve([&](int client) {
    if (server.is_stopping)
      return fail(
          "stop() has said true since 1.219 s, and you accepted dave. Ask it before every "
          "accept.");
    served.push_back(server.now());
    server.is_stopping = served.size() == 3;
    answer_once(client);
  });

  if (server.accepts(EINVAL) > 0)
    return fail(
        "accept said EINVAL: it was not told how much room there is for the address. Set "
        "the length to sizeof the address before every accept.");
  if (served.size() < 3)
    return fail(format("serve() %s after %zu of 3 clients, and stop() had not said true. Go on.",
                       ending.told().c_str(), served.size()));
  for (std::size_t i = 0; i < 3; ++i)
    if (!expect_that(served[i] == coming[i],
                     format("A client came at %s and was served at %s, although you had nothing "
                            "else to do. accept waits by itself, and no longer than needed.",
                            shown(coming[i]).c_str(), shown(served[i]).c_str())))
      return;
}

// Rule: connected is not accepted. The kernel connects; accept takes one from the queue.
TEST(Serve, LetsTheSecondClientWait) {
  explain({.rule = "Accept the next client when the conversation with the one before it has ended.",
           .why = "Whom you accept holds a descriptor of yours, and thinks that somebody listens.",
           .read = "The kernel does the connecting"});
  ServerScenario server;
  server.peer("alice").connects().at(1300ms).closes();
  Peer& bob = server.peer("bob").connects().sends("anybody?").receives("anybody?").closes();
  std::size_t accepted = 0;
  Time answered{};

  const Ending ending = server.serve([&](int client) {
    const std::string text = receive_text(client);
    if (text.empty()) {  // alice has left
      accepted = server.open_clients();
      return;
    }
    answered = server.now();
    send_text(client, text);
    server.is_stopping = true;
  });

  if (has_said(server, "recv", EAGAIN))
    return fail(
        "recv on the client's socket said EAGAIN instead of waiting: that socket does not block, "
        "or has a timeout. Leave both alone.");
  expect_that(accepted <= 1,
              format("You accepted the next client before the first had left: while alice was "
                     "there you had %zu. Accept one, serve it, close it; then the next.",
                     accepted)) &&
      expect_that(bob.received() == "anybody?" && answered == 1300ms,
                  format("alice left at 1.3 s, and bob, who had been waiting, was not answered "
                         "then: serve() %s.",
                         ending.told().c_str()));
}

// Rule: a FIN says that the client sends no more, not that it has gone.
TEST(Serve, AnswersAClientThatHasFinishedSending) {
  explain({.rule = "A client that has finished sending is served like any other.",
           .why = "Many programs send their question, finish, and then read the answer; nc -N is "
                  "one.",
           .read = "Your task"});
  ServerScenario server;
  Peer& alice = server.peer("alice").connects().sends("2 + 2").finishes_sending();
  alice.sees_the_end().closes();
  server.caller("bob", 900ms);

  const Ending ending = server.serve([&](int client) {
    const std::string question = receive_text(client);
    server.is_stopping = question == "hello";
    send_text(client, question);
  });

  if (!ending.has_returned)
    return fail(format("alice awaited your reply, and serve() %s.", ending.told().c_str()));
  expect_equal(alice.received(), "2 + 2",
               "alice had finished sending but still awaited your reply. Answer, then close.");
}

// Rule: a close with unread input is a reset, which can destroy the reply on its way.
TEST(Serve, EndsEveryConversationGracefully) {
  explain({.rule = "Every conversation ends with close_gracefully(), also when the handler throws.",
           .why = "A plain close with unread input is a reset: it can destroy the last reply on "
                  "its way.",
           .read = "Your task"});
  ServerScenario server;
  Peer& alice = server.peer("alice").connects().sends("hello, and so on");
  alice.at(900ms).sends("and on").at(1400ms).finishes_sending().closes();
  Peer& bob = server.peer("bob").connects().sends("hello, and so on").at(1700ms).closes();
  Peer& carol = server.peer("carol").connects().sends("hello, and so on").at(2300ms).closes();
  int served = 0;

  const Ending ending = server.serve([&](int client) {
    (void)receive_text(client, 5);
    send_text(client, "go away");
    server.is_stopping = ++served == 3;
    if (served == 2) throw std::runtime_error("too much talk");
    if (served == 3) throw 42;
  });

  if (alice.saw_a_reset())
    return fail(
        *alice.reset_at() < 900ms
            ? "Unread input turned your close into a reset. Shut down writing, drain, close: that "
              "is close_gracefully()."
            : "alice was reset while she was still sending. The linger is 2 s.");
  for (const Peer* client : {&bob, &carol}) {
    if (client == &carol && !ending.has_returned) return;  // the next check's subject
    const std::string name = client->name();
    const std::string threw = name + "'s handler threw" + (client == &bob ? "" : " an int");
    if (!expect_that(!client->saw_a_reset(),
                     threw + ", and " + name +
                         " was reset although there was a reply to read. End the conversation "
                         "gracefully after an exception too.") ||
        !expect_that(client->received() != "go away" || client->saw_the_end(),
                     threw + ", and the conversation was never ended. End it gracefully, too.") ||
        !expect_equal(
            client->received(), "go away",
            format("%s did not read the reply: serve() %s.", name.c_str(), ending.told().c_str())))
      return;
  }
  expect_equal(alice.received(), "go away", "alice did not read the reply.");
}

// Rule: a client that says nothing more is waited for, and not for ever.
TEST(Serve, LingersForTwoSeconds) {
  explain({.rule = "The linger is 2 s: so long you wait for a client that does not finish.",
           .why = "Everybody else waits meanwhile; without a limit one silent client ends the "
                  "service.",
           .read = "Your task"});
  ServerScenario server;
  server.peer("alice").connects().sends("hello").at(5300ms).closes();
  server.peer("bob").at(100ms).connects().sends("hello").at(9700ms).closes();
  std::vector<Time> served;

  const Ending ending = server.serve([&](int client) {
    served.push_back(server.now());
    server.is_stopping = served.size() == 2;
    answer_once(client);
  });

  if (served.size() < 2)
    return fail(
        format("alice had her answer, bob was waiting, and serve() %s.", ending.told().c_str()));
  const std::string told = format(
      "alice had her answer at 0 s and stayed, silent. bob was "
      "accepted at %s. ",
      shown(served[1]).c_str());
  expect_that(served[1] >= 1999ms, told + "Wait for her end, for up to 2 s.") &&
      expect_that(served[1] <= 2100ms, told +
                                           "One client that does not leave keeps all the others "
                                           "out: 2 s and no more.") &&
      expect_that(server.took() >= served[1] + 1999ms,
                  format("stop() had said true, and bob's conversation ended %s after his answer. "
                         "The last client is a client like the others: linger for 2 s.",
                         shown(server.took() - served[1]).c_str()));
}

// Rule: what goes wrong with one client is that client's affair.
TEST(Serve, OutlivesWhateverTheHandlerThrows) {
  explain({.rule = "Neither a client that resets nor a handler that throws, whatever it throws, "
                   "ends the server.",
           .why = "Otherwise any client can end the service for all.",
           .read = "Your task"});
  ServerScenario server;
  server.peer("alice").connects().resets();
  Peer& bob = server.peer("bob").connects().sends("throw").at(300ms).closes();
  server.peer("erin").connects().sends("no memory").at(700ms).closes();
  Peer& carol = server.peer("carol").connects().sends("hello").at(1100ms).closes();

  const Ending ending = server.serve([&](int client) {
    const std::string text = receive_text(client);  // from alice: throws ECONNRESET
    if (text == "throw") throw 42;
    if (text == "no memory") throw std::bad_alloc();
    server.is_stopping = true;
    send_text(client, text);
  });

  if (ending.has_returned)
    expect_that(bob.saw_the_end(),
                "bob's handler threw, and his conversation was never ended. Close every client, "
                "whatever happens in its handler.") &&
        expect_equal(carol.received(), "hello", "carol never got her answer.");
  else if (ending.error == ECONNRESET)
    fail(
        "One client's reset ended the whole server: the handler threw, and so did serve(). Close "
        "that client and go on.");
  else if (ending.error != 0)
    fail(
        format("alice had reset before you accepted her, and serve() %s. That client was gone: "
               "take the next.",
               ending.told().c_str()));
  else if (!ending.what.empty())
    fail(
        format("The handler threw std::bad_alloc, and serve() %s. That is one conversation's "
               "trouble like any other: catch (...), and go on.",
               ending.told().c_str()));
  else
    fail(
        "The handler threw, and your server ended with it. It was an int this time; anything can "
        "be thrown, and catch (...) catches it.");
}

// Rule: errors of one connection are passed over (accept(2), "Error handling").
TEST(Serve, PassesOverAConnectionThatFailed) {
  explain({.rule = "An error of accept that concerns one connection is passed over: accept again.",
           .why = "A client that hung up early has left the queue; the next one is still in it.",
           .read = "accept fails for three kinds of reason"});
  ServerScenario server;
  server.faults().reset_before_accept_aborts();
  int working = 1;  // alice's accept needs no fault
  for (const int error :
       {ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH})
    server.faults().fail("accept", error, 1, std::exchange(working, 0));
  server.peer("alice").connects().resets();
  Peer& bob = server.caller("bob");
  bool was_lent_nothing = false;
  std::size_t asked = 0;

  const Ending ending = server.serve(
      server.listener,
      [&](int client) {
        server.is_stopping = true;
        was_lent_nothing = client < 0;
        if (client >= 0) answer_once(client);
      },
      [&] {
        ++asked;
        return server.is_stopping;
      });

  if (was_lent_nothing)
    fail(
        "accept returned -1 and you used it as a socket: the handler was called with it. Look at "
        "what accept returned first.");
  else if (ending.error == ECONNABORTED)
    fail(
        "One caller hung up early and your server stopped: accept said ECONNABORTED. Accept the "
        "next.");
  else if (!ending.has_returned)
    fail(
        format("accept said %s and your server stopped. That error was about one connection; the "
               "next may be fine. Accept again.",
               error_name(ending.error).c_str()));
  else if (expect_equal(bob.received(), "hello", "bob never got his answer."))
    expect_that(server.accept_calls() <= asked + 1,
                format("accept failed for a connection, and you called it again without asking "
                       "stop(): %zu accepts, and stop() was asked %zu times. Ask before each.",
                       server.accept_calls(), asked));
}

// Rule: who is asked to stop accepts nobody any more.
TEST(Serve, AsksStopBeforeEveryAccept) {
  explain({.rule = "Ask stop() before every accept, the first one too.",
           .why = "A client that is accepted at the last moment is a client that is let down.",
           .read = "Your task"});
  ServerScenario server;
  Peer& alice = server.peer("alice").connects().sends("hello");
  alice.at(900ms).finishes_sending().sees_the_end().closes();
  Peer& bob = server.peer("bob").at(400ms).connects().sends("hello").at(2900ms).closes();

  bool is_told = false;
  const auto tell = [&](const char* sentence) {
    if (!std::exchange(is_told, true)) fail(sentence);
  };
  const char* one_more =
      "You were asked to stop and accepted one more: bob. Ask stop() before every accept.";
  const char* the_first =
      "You were asked to stop before the first accept, and accepted alice. Ask stop() before every "
      "accept, the first one too.";

  server.is_stopping = true;
  server.serve([&](int) { tell(the_first); });
  if (server.accepts(0) > 0) return tell(the_first);
  server.is_stopping = false;
  server.serve([&](int client) {
    if (server.is_stopping) tell(one_more);
    char text[64];
    while (!server.is_stopping) server.is_stopping = ::recv(client, text, sizeof text, 0) <= 0;
  });

  if (server.accepts(0) > 1) return tell(one_more);

  server.serve(
      server.listener, [](int client) { answer_once(client); },
      [&] { return server.accepts(0) > 1; });
  expect_equal(bob.received(), "hello",
               "stop() said true when bob had been accepted, and you left him without an answer. "
               "Whom you have accepted, you serve.");
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

  const std::string told =
      format("serve() %s at %s", ending.told().c_str(), shown(server.took()).c_str());
  if (server.took() < 1710ms)
    fail("A signal came and your server stopped: " + told +
         ". It is stop() that decides, and it said false. Accept again.");
  else
    expect_that(server.took() == 1710ms && ending.has_returned,
                "A signal came at 1.71 s, and you waited again without asking: " + told +
                    ". On EINTR ask stop() first.");
}

// Rule: an error of the listener or of the process comes again at once.
TEST(Serve, ThrowsWhenAcceptWouldOnlyFailAgain) {
  explain({.rule =
               "An error of the listener itself (EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP), or that no "
               "descriptor can be had (EMFILE, ENFILE), ends serve() with a std::system_error.",
           .why = "Nothing has changed when you ask again at once: that keeps a processor busy and "
                  "serves nobody.",
           .read = "accept fails for three kinds of reason"});
  ServerScenario server;
  constexpr int never_opened = 57;
  const int only_bound = server.run([] { return bound_socket("127.0.0.1", false); });
  const int no_socket = server.run([] { return ::open("/dev/null", O_RDONLY); });
  server.peer("alice").at(1ms).connects();
  const std::pair<int, int> unusable[] = {{never_opened, EBADF},     {only_bound, EINVAL},
                                          {no_socket, ENOTSOCK},     {server.listener, EOPNOTSUPP},
                                          {server.listener, EMFILE}, {server.listener, ENFILE},
                                          {server.listener, ENOBUFS}};
  for (const auto& [fd, error] : unusable) {
    server.faults() = {};
    if (fd == server.listener) server.faults().fail("accept", error, 1000);
    const Ending ending = server.serve(
        fd, [](int) {}, [&] { return server.accepts(error) >= 50; });

    if (ending.error == error) continue;
    const std::string said = "accept said " + error_name(error);
    if (const std::size_t times = server.accepts(error); times >= 50)
      fail(error == EMFILE
               ? format("No descriptor is free, so you spin on accept: it said EMFILE %zu times "
                        "before you were stopped. Throw.",
                        times)
               : format("%s %zu times before you were stopped, and would say so for ever. Throw.",
                        said.c_str(), times));
    else if (ending.has_returned)
      fail(said + ", and you returned as if all were well. Throw a std::system_error.");
    else
      fail(said + ", and serve() " + ending.told() +
           ". Throw a std::system_error with that errno.");
    return;
  }
}

// Rule: serve() owns the clients; the listener is lent.
TEST(Serve, ClosesTheClientsAndNothingElse) {
  explain({.rule = "serve() closes every client exactly once, and leaves the listener open.",
           .why = "A server that forgets one descriptor per client ends after a thousand clients.",
           .read = "Your task"});
  ServerScenario server(Closes::judged);
  server.caller("alice", 31ms);
  server.caller("bob", 347ms);
  server.caller("carol", 1219ms);
  int served = 0;

  server.serve([&](int client) {
    server.is_stopping = ++served == 3;
    answer_once(client);
  });

  expect_that(is_listening(server.listener),
              "The listener was only lent to you, and now it is closed.") &&
      expect_that(server.run([&] { return !has_timeout(server.listener); }),
                  "The listener was only lent to you, and now it has a SO_RCVTIMEO. accept waits "
                  "for the next client, however long; leave the listener as it is.") &&
      expect_that(server.open_descriptors().size() == 1,
                  format("You have served 3 clients, and %zu descriptors of theirs are still open. "
                         "Close each, duplicates too.",
                         server.open_descriptors().size() - 1));
}

// Rule: the flags of a client's socket are its own; accept copies none on Linux (accept(2)).
TEST(Serve, LendsBlockingSocketsThatNoExecInherits) {
  explain({.rule = "Client sockets block, and have FD_CLOEXEC.",
           .why = "A program started meanwhile would inherit the conversation, and the client "
                  "would not see its end.",
           .read = "Your task"});
  ServerScenario server;
  server.peer("alice").connects().at(75300ms).sends("hello").closes();
  bool blocks = true, closes = true;
  std::optional<Time> gave_up;  // when recv did

  server.serve([&](int client) {
    blocks = is_blocking(client);
    closes = closes_on_exec(client);
    server.is_stopping = true;
    try {
      answer_once(client);
    } catch (const std::system_error&) {
      gave_up = server.now();
    }
  });

  expect_that(blocks,
              "The client's socket does not block: recv on it fails with EAGAIN instead of "
              "waiting. Leave O_NONBLOCK off.") &&
      expect_that(!gave_up,
                  format("alice was silent, and at %s recv on her socket said EAGAIN: it has a "
                         "timeout. How long to wait is the handler's affair; leave SO_RCVTIMEO "
                         "off.",
                         shown(gave_up.value_or(Time{})).c_str())) &&
      expect_that(closes,
                  "The client's socket would survive an exec: accept does not copy FD_CLOEXEC from "
                  "the listener. Ask accept4 for SOCK_CLOEXEC.");
}
