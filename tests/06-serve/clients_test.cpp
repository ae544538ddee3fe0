// The graded checks of serve().
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
        fd, [](int) {}, [&, wanted = error] { return server.accepts(wanted) >= 50; });

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
