// The graded checks of lesson 13: what is asked of connect_until() and connect_race() alike.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "13-connect-in-time/connect_in_time.hpp"
#include "attempts.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

// What is in the socket, to the end of the stream or as far as it has come.
std::string all_there(int fd) {
  std::string text;
  char piece[64];
  ssize_t got = 0;
  while ((got = ::recv(fd, piece, sizeof piece, MSG_DONTWAIT)) > 0)
    text.append(piece, static_cast<std::size_t>(got));
  return text + (got == 0 ? " and the end" : "");
}

bool has_timeout(int fd, int option) {
  timeval time{};
  socklen_t length = sizeof time;
  return ::getsockopt(fd, SOL_SOCKET, option, &time, &length) == 0 &&
         (time.tv_sec != 0 || time.tv_usec != 0);
}

bool expect_blocking(const Outcome& outcome) {
  return expect_that(
      (::fcntl(outcome.socket.get(), F_GETFL) & O_NONBLOCK) == 0,
      outcome.function + " handed over a non-blocking socket. Take O_NONBLOCK off again.");
}

bool expect_nothing_left(const Outcome& outcome, const std::string& situation) {
  return expect_that(
      outcome.left_open == 0,
      situation + format(" %s left %zu of its sockets open%s. Close every other one first, "
                         "however you leave.",
                         outcome.function.c_str(), outcome.left_open,
                         outcome.has_returned ? " besides the one that it returned" : ""));
}

}  // namespace

// Rule: connect(2) need not say EINPROGRESS: an attempt may be over when it returns.
TEST(Connecting, TakesAnAnswerThatComesAtOnce) {
  explain({.rule = "When connect on a non-blocking socket returns 0, it is connected; any errno "
                   "but EINPROGRESS is a failure.",
           .why = "Other systems than Linux answer at once when the server is on the same machine.",
           .read = "It may be over at once"});
  for (const Function function : both) {
    ConnectScenario scenario;
    scenario.faults().connect_may_end_at_once();
    scenario.refuses("192.0.2.10");
    Peer& second = scenario.accepts("192.0.2.20");

    const auto outcome = scenario.connect(function, {"192.0.2.10", "192.0.2.20"}, 1min);

    const bool has_named_it = outcome.what.find("192.0.2.20") != std::string::npos;
    if (!expect_connected(outcome, second, 0s,
                          "connect told at once that 192.0.2.10 refused (ECONNREFUSED), and that "
                          "192.0.2.20 accepted (0).",
                          has_named_it ? "0 is success, as always."
                                       : "Go on after the failure, and take the 0 for success.") ||
        !expect_blocking(outcome))
      return;
  }
}

// Rule: an expired deadline ends the waiting, not the trying.
TEST(Connecting, TriesOnceWhenTheDeadlineHasPassed) {
  explain({.rule = "When the deadline has passed already, make one attempt and look once whether "
                   "it has been answered.",
           .why = "On the same machine the answer is there at once; with no time at all, the "
                  "caller wants to know just that.",
           .read = "One deadline for all"});
  for (const Function function : both)
    for (const auto limit : {0s, -1s}) {
      ConnectScenario scenario;
      Peer& host = scenario.accepts("192.0.2.10");
      scenario.refuses("192.0.2.20");
      scenario.is_silent("192.0.2.30");

      const std::string start = "The deadline had passed, and the only address ";
      const std::string advice = "Begin all the same, and look once, without waiting.";
      if (!expect_connected(scenario.connect(function, {"192.0.2.10"}, limit), host, 0s,
                            start + "accepts at once.", advice) ||
          !expect_failure(scenario.connect(function, {"192.0.2.20"}, limit), ECONNREFUSED,
                          {"192.0.2.20:7967"}, 0s, start + "refuses at once.", advice) ||
          !expect_failure(scenario.connect(function, {"192.0.2.30"}, limit), ETIMEDOUT,
                          {"192.0.2.30:7967"}, 0s, start + "does not answer.", advice))
        return;
    }
}

// Rule: a socket that is connected may be readable as well, and what is in it is the caller's.
TEST(Connecting, LeavesTheTalkingToTheCaller) {
  explain({.rule = "A socket that is writable and readable at once is connected, when SO_ERROR is "
                   "0; receive nothing from it, and send nothing.",
           .why = "Many servers speak first, and some say goodbye in the same breath.",
           .read = "Writable is not connected"});
  for (const Function function : both)
    for (const bool closes : {false, true}) {
      ConnectScenario scenario;
      Peer& host = scenario.accepts("192.0.2.10", 347ms).sends("welcome");
      if (closes) host.closes();

      const auto outcome = scenario.connect(function, {"192.0.2.10"}, 1219ms);

      const std::string situation =
          closes ? "The server accepted, said \"welcome\" and closed, all in one instant."
                 : "The server accepted and said \"welcome\", both in one instant.";
      if (!expect_connected(outcome, host, std::nullopt, situation,
                            "Readable and writable at once is no failure: SO_ERROR says.") ||
          !expect_equal(all_there(outcome.socket.get()),
                        std::string(closes ? "welcome and the end" : "welcome"),
                        situation + " What it said belongs to the caller: receive nothing.") ||
          !expect_that(host.received().empty(),
                       situation + " You sent it " + byte_count(host.received().size()) +
                           ". What is said is the caller's affair: send nothing."))
        return;
    }
}

// Rule: mode and options belong to the socket, and the socket to the caller.
TEST(Connecting, HandsOverABlockingSocketClosedOnExec) {
  explain({.rule = "Hand over a socket in blocking mode, with FD_CLOEXEC and without time limits.",
           .why = "The caller expects recv to wait, and no program started later to hold the line.",
           .read = "Your task"});
  for (const Function function : both) {
    ConnectScenario scenario;
    scenario.refuses("192.0.2.10", 31ms);
    Peer& second = scenario.accepts("192.0.2.20", 347ms);

    const auto outcome = scenario.connect(function, {"192.0.2.10", "192.0.2.20"}, 1219ms);

    const int fd = outcome.socket.get();
    if (!expect_connected(outcome, second, std::nullopt,
                          "192.0.2.10 refused, and 192.0.2.20 accepts 347 ms after it is asked.",
                          "Hand it over when it has accepted.") ||
        !expect_blocking(outcome) ||
        !expect_that((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
                     outcome.function + " handed over a socket without FD_CLOEXEC. Ask socket for "
                                        "SOCK_CLOEXEC.") ||
        !expect_that(!has_timeout(fd, SO_SNDTIMEO) && !has_timeout(fd, SO_RCVTIMEO),
                     outcome.function +
                         " handed over a socket with a time limit (SO_SNDTIMEO or SO_RCVTIMEO): "
                         "the caller's own calls would end with EAGAIN. Take it off."))
      return;
  }
}

// Rule: both ends of a connection may be one socket (RFC 9293, 3.5, simultaneous open).
TEST(Connecting, RefusesItself) {
  explain({.rule = "When both ends of the connection have one address and one port, the address "
                   "has refused.",
           .why = "Whoever asks again and again for a server that is down meets itself one day, "
                  "and keeps the port from the server.",
           .read = "You may meet yourself"});
  struct Case {
    const char* host;
    std::uint16_t port;
    bool is_itself;
    const char* advice;
    bool is_at_once = false;  // connect returns 0
  };
  const Case cases[] = {
      {"127.0.0.1", 45678, true, "Compare what getsockname and getpeername say."},
      {"::1", 45678, true, "Compare what getsockname and getpeername say, for IPv6 too."},
      {"127.0.0.1", 45678, true,
       "That connect returned 0 says that there is a connection, not with whom: compare what "
       "getsockname and getpeername say.",
       true},
      {"127.0.0.1", 7967, false, "A server on the same machine has another port: compare both."},
      {"192.0.2.10", 40001, false, "A server at the same port has another address: compare both."},
  };
  for (const Function function : both)
    for (const Case& one : cases) {
      ConnectScenario scenario;
      const auto there = course::Endpoint::numeric(one.host, one.port);
      const auto next = course::Endpoint::numeric("192.0.2.20", port);
      Peer& host = scenario.host(one.host);
      Peer& second = scenario.accepts("192.0.2.20", 347ms);
      if (one.is_at_once) scenario.faults().connect_may_end_at_once();
      if (one.is_itself) host.is_the_socket_itself_at(one.host, one.port);
      if (!one.is_itself) host.listens_at(one.host, one.port, 31ms);

      const auto outcome = scenario.connect_at(function, {there, next}, 1219ms);

      const std::string met = "Nobody listened at " + there.to_string() +
                              ", and the socket's own port was the same: it met itself.";
      const bool is_right =
          one.is_itself
              ? expect_connected(outcome, second, std::nullopt, met, one.advice)
              : expect_connected(outcome, host, std::nullopt,
                                 "A server accepted at " + there.to_string() +
                                     (one.port == port ? ", on the same machine."
                                                       : "; the socket's own port was 40001, too."),
                                 one.advice);
      if (!is_right) return;
      if (!one.is_itself || one.is_at_once || there.family() != AF_INET) continue;
      if (!expect_failure(scenario.connect_at(function, {there}, 1219ms), ECONNREFUSED,
                          {there.to_string()}, 0s, met, "That is as good as refused."))
        return;
    }
}

// Rule: what was opened on the way is closed, however the function is left.
TEST(Connecting, ClosesEveryOtherSocket) {
  explain({.rule = "Close the socket of every attempt that failed or was given up, also when you "
                   "throw.",
           .why = "A program that tries once a second runs out of descriptors within the hour.",
           .read = "Your task"});
  for (const Function function : both) {
    ConnectScenario scenario;
    scenario.fails("192.0.2.10", ENETUNREACH);
    scenario.refuses("192.0.2.20", 31ms);
    scenario.accepts("192.0.2.30", 347ms);
    scenario.is_silent("192.0.2.40");

    const auto connected =
        scenario.connect(function, {"192.0.2.10", "192.0.2.20", "192.0.2.30"}, 1219ms);
    const auto failed = scenario.connect(function, {"192.0.2.10", "192.0.2.20"}, 1219ms);
    const auto timed_out = scenario.connect(function, {"192.0.2.20", "192.0.2.40"}, 1219ms);
    scenario.faults().fail("select", ENOMEM, 1'000);
    const auto no_memory = scenario.connect(function, {"192.0.2.40"}, 1219ms);

    const bool has_waited = !scenario.waits_of_last_run().empty();
    if (!expect_nothing_left(connected, "Two addresses failed, and the third accepted.") ||
        !expect_nothing_left(failed, "Both addresses failed.") ||
        !expect_nothing_left(timed_out, "The deadline passed while an address was silent."))
      return;
    if (!has_waited) continue;
    if (!expect_that(no_memory.error == ENOMEM,
                     "The waiting call failed with ENOMEM, and what came of it was " +
                         no_memory.told() +
                         ". Throw that errno: only EINTR means to wait again.") ||
        !expect_nothing_left(no_memory, "The waiting call failed with ENOMEM."))
      return;
  }
}

// Rule: nothing to try is a mistake of the caller's.
TEST(Connecting, RefusesAnEmptyList) {
  explain({.rule = "Without addresses, throw std::invalid_argument.",
           .why = "There is no errno to report, and no address to name.",
           .read = "Your task"});
  for (const Function function : both) {
    ConnectScenario scenario;
    const auto outcome = scenario.connect(function, Hosts{}, 1219ms);
    if (!expect_that(outcome.is_invalid_argument && outcome.took == Time{},
                     "There were no addresses, and " + outcome.told() +
                         ". Throw std::invalid_argument, at once."))
      return;
  }
}

// Rule: a wait costs nothing, however long it is.
TEST(Connecting, WaitsWithoutUsingTheProcessor) {
  explain({.rule = "Until something can happen, wait in the kernel, in one call.",
           .why = "A program that looks ten times a second keeps a laptop awake for nothing.",
           .read = "One wait for all"});
  constexpr std::size_t calls_max = 100;
  for (const Function function : both) {
    ConnectScenario scenario;
    scenario.is_silent("192.0.2.10");
    scenario.is_silent("192.0.2.20");
    scenario.is_silent("192.0.2.30");

    const auto outcome =
        scenario.connect(function, {"192.0.2.10", "192.0.2.20", "192.0.2.30"}, 120s);

    const std::size_t calls = scenario.calls_of_last_run().size();
    if (!expect_failure(outcome, ETIMEDOUT,
                        {"192.0.2.10:7967", "192.0.2.20:7967", "192.0.2.30:7967"}, 120s,
                        "Nobody answered, and the deadline was in two minutes.",
                        "Wait until then, or until somebody answers.") ||
        !expect_that(calls < calls_max,
                     format("Nobody answered for two minutes, and %s made %zu calls. ",
                            outcome.function.c_str(), calls) +
                         "Let one call wait until somebody answers or something is due."))
      return;
  }
}
