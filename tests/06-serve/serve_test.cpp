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
