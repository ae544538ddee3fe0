// The graded checks of lesson 08: what the three lists answer, and what is left as it was.
#include "08-three-lists/three_lists.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "asking.hpp"
#include "given/endpoint.hpp"

using namespace grader;
using namespace asking;

LESSON("08-three-lists");

namespace {

// A socket on its way to `host`; for use inside a run.
int connecting_to(const char* host) {
  const auto to = course::Endpoint::numeric(host, 7008);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::connect(fd, to.data(), to.length());
  return fd;
}

// A socket that listens; for use inside a run.
int listening_socket() {
  const auto any = course::Endpoint::numeric("127.0.0.1", 0);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(fd, any.data(), any.length());
  ::listen(fd, 8);
  return fd;
}

// Fills an empty pipe, behind the program's back.
void fill(int pipe) {
  const std::string data(static_cast<std::size_t>(::fcntl(pipe, F_GETPIPE_SZ)), 'x');
  expect_equal(::write(pipe, data.data(), data.size()), static_cast<ssize_t>(data.size()),
               "The check could not fill its pipe.");
}

// What a program could change for all who use `fd`.
std::vector<long> modes_of(int fd) {
  std::vector<long> modes{::fcntl(fd, F_GETFL), ::fcntl(fd, F_GETFD)};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    timeval time{};
    socklen_t size = sizeof time;
    ::getsockopt(fd, SOL_SOCKET, option, &time, &size);
    modes.insert(modes.end(), {time.tv_sec, time.tv_usec});
  }
  return modes;
}

}  // namespace

// Rule: select(2) leaves in each set those that are ready.
TEST(SelectOn, ReturnsASubsetOfEachList) {
  explain({.rule = "Each of the three lists returned holds those of the list asked about that are "
                   "ready for just that: all of them, and nobody else.",
           .why = "Whoever is missing waits for you, and on whoever is there by mistake you wait.",
           .read = "Three lists in, three subsets out"});
  AskingScenario scenario;
  const int full = scenario.peer("dave").window(0).connected();
  const int healthy = scenario.peer("erin").connected();
  const int urgent = scenario.peer("frank").sends_urgent('!').connected();
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int bob = scenario.peer("bob").connected();
  const int carol = scenario.peer("carol").sends("hi").connected();

  const auto answer = scenario.ask(
      {.readers = {alice, bob, carol}, .writers = {full, healthy}, .exceptional = {urgent, bob}},
      2s);

  expect_ready(answer, {{alice, carol}, {healthy}, {urgent}}, "");
}

// Rule: the caller's order is kept; a set knows no duplicates.
TEST(SelectOn, KeepsTheOrderAndNamesEachOnce) {
  explain({.rule = "Each list returned is in the order of the list asked about, and names each "
                   "descriptor once.",
           .why = "Who is named twice is served twice, and the second receive finds nothing.",
           .read = "Your task"});
  AskingScenario scenario;
  const int frank = scenario.peer("frank").sends_urgent('!').connected();
  const int grace = scenario.peer("grace").sends_urgent('!').connected();
  const int dave = scenario.peer("dave").connected();
  const int erin = scenario.peer("erin").connected();
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int bob = scenario.peer("bob").sends("hi").connected();
  const int carol = scenario.peer("carol").sends("hey").connected();

  const auto answer = scenario.ask({.readers = {carol, alice, bob, alice, carol},
                                    .writers = {erin, dave, erin},
                                    .exceptional = {grace, frank, grace}},
                                   2s);

  expect_ready(answer, {{carol, alice, bob}, {erin, dave}, {grace, frank}}, "");
}

// Rule: select(2) counts bits; a descriptor may be ready for two things.
TEST(SelectOn, AnswersEachListByItself) {
  explain({.rule = "A descriptor may stand in several lists, and each list is answered by itself.",
           .why = "A client that has a question for you can take an answer at the same time.",
           .read = "Three lists in, three subsets out"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").sends("hello").connected();
  const int bob = scenario.peer("bob").window(0).sends("hi").connected();

  const auto both =
      scenario.ask({.readers = {alice}, .writers = {alice}, .exceptional = {alice}}, 2s);
  if (!expect_ready(both, {{alice}, {alice}, {}},
                    format("Descriptor %d stood in all three lists, and was ready for two things: "
                           "reading and writing.",
                           alice)))
    return;
  const auto one = scenario.ask({.readers = {bob}, .writers = {bob}, .exceptional = {bob}}, 2s);
  expect_ready(
      one, {{bob}, {}, {}},
      format("Descriptor %d stood in all three lists, and was ready for reading only.", bob));
}

// Rule: nfds is the highest descriptor of all three sets plus one (select(2)).
TEST(SelectOn, LooksAtTheHighestOfAllThree) {
  explain({.rule = "nfds is one more than the highest descriptor of all three lists.",
           .why = "The kernel looks at no descriptor from nfds on: it is forgotten without an "
                  "error.",
           .read = "nfds is the highest plus one"});
  AskingScenario scenario;
  const int low = scenario.peer("alice").connected();
  const int reader = scenario.peer("bob").sends("hello").connected();
  const int writer = scenario.peer("carol").connected();
  const int urgent = scenario.peer("dave").sends_urgent('!').connected();
  const std::pair<Lists, course::Ready> questions[] = {
      {{.readers = {reader}, .exceptional = {low}}, {{reader}, {}, {}}},
      {{.readers = {low}, .writers = {writer}}, {{}, {writer}, {}}},
      {{.readers = {low}, .exceptional = {urgent}}, {{}, {}, {urgent}}}};
  for (const auto& [lists, wanted] : questions) {
    const auto answer = scenario.ask(lists, 2s);

    if (!expect_ready(answer, wanted, "")) return;
  }
}

// Rule: one call waits for all; the first that is ready ends it.
TEST(SelectOn, WaitsForAllAtOnce) {
  explain({.rule = "Whoever is ready first ends the wait, in whichever list it stands.",
           .why = "If you ask one after the other, each waits for the timeouts of all before it.",
           .read = "One question about all"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").window(0).at(1219ms).opens_window(1000).connected();
  const int bob = scenario.peer("bob").at(347ms).sends("hello").connected();
  const int carol = scenario.peer("carol").connected();
  const auto judge = [](const Answer& answer, const course::Ready& wanted, const char* story,
                        Time time) {
    const std::string late =
        format("%s, and select_on() came back after %s. ", story, to_text(answer.took).c_str()) +
        (answer.waits.size() > 1 ? "You waited for one after the other. Ask about all in one call."
                                 : "Whoever is ready first ends the wait.");
    return expect_that(answer.took <= time + 1ms, late) &&
           expect_ready(answer, wanted, std::string(story) + ".");
  };

  const auto first =
      scenario.ask({.readers = {bob}, .writers = {alice}, .exceptional = {carol}}, 1min);
  if (!judge(first, {{bob}, {}, {}}, "bob sent something after 0.347 s", 347ms)) return;
  const auto second =
      scenario.ask({.readers = {carol}, .writers = {alice}, .exceptional = {bob}}, 1min);
  judge(second, {{}, {alice}, {}}, "alice had room again after 0.872 s", 872ms);
}

// Rule: the third set is for urgent data (tcp(7)); on Linux a reset is readable and writable.
TEST(SelectOn, TellsUrgentDataFromAReset) {
  explain({.rule = "Exceptional means urgent data; an end or an error is none.",
           .why = "Who waits in the third list for a broken connection waits for ever.",
           .read = "The third list is not for errors"});
  AskingScenario scenario;
  const int alice = scenario.peer("alice").at(347ms).resets().connected();
  const int bob = scenario.peer("bob").at(347ms).finishes_sending().connected();
  const int carol = scenario.peer("carol").at(5219ms).sends_urgent('!').connected();
  const std::string story =
      "alice reset her connection at 0.347 s, and bob finished his. Neither is exceptional. ";

  const auto ends = scenario.ask({.readers = {carol}, .exceptional = {alice, bob}}, 2s);
  if (!ends.has_returned || ends.ready != course::Ready{})
    return fail(story + "You " +
                (ends.has_returned ? "returned " + shown(ends.ready) : ends.told()) +
                ". The third list is for urgent data; a dead socket shows as readable.");
  if (ends.took < 2s)
    return fail(
        story +
        format("select_on() came back with nothing at %s, before its time was over. ",
               to_text(ends.took).c_str()) +
        (!ends.waits.empty() && ends.waits.back().is_poll()
             ? "poll reports POLLERR and POLLHUP whether you ask for them or not: wait on when "
               "nobody asked."
             : "Wait until somebody is ready for what was asked, or the time is over."));
  const auto urgent = scenario.ask({.readers = {carol}, .exceptional = {carol}}, 1min);
  expect_ready(urgent, {{}, {}, {carol}},
               "carol sent an urgent byte, which is exceptional and not readable.");
}

// Rule: ready means that the call would not wait, however it ends (select(2)).
TEST(SelectOn, CallsEveryEndReady) {
  explain({.rule = "Ready means that the call would not wait. An end and an error are answers too.",
           .why = "A program that is not told of an end keeps a dead client for ever.",
           .read = "Ready means: would not wait"});
  AskingScenario scenario;
  scenario.allow_open_descriptors();
  const int alice = scenario.peer("alice").finishes_sending().connected();
  const int bob = scenario.peer("bob").resets().connected();
  scenario.peer("carol").at(347ms).connects();
  scenario.peer("dave").refuses_at("192.0.2.7", 7008, 1219ms);
  scenario.peer("erin").listens_at("192.0.2.8", 7008, 1219ms);
  const int listener = scenario.run(listening_socket);
  const auto is_ready = [&](const Lists& lists, const course::Ready& wanted, const char* story) {
    return expect_ready(scenario.ask(lists, 2s), wanted, story);
  };

  if (!is_ready({.readers = {listener}, .writers = {listener}}, {{listener}, {}, {}},
                "carol has connected to the listening socket: accept would not wait.") ||
      !is_ready({.readers = {alice}}, {{alice}, {}, {}},
                "alice has finished sending (FIN): recv would not wait, it would return 0.") ||
      !is_ready({.readers = {bob}}, {{bob}, {}, {}},
                "bob has reset the connection: recv would not wait, it would say ECONNRESET."))
    return;
  const int to_dave = scenario.run([] { return connecting_to("192.0.2.7"); });
  if (!is_ready({.writers = {to_dave}}, {{}, {to_dave}, {}},
                "The connect was refused: it has ended, and that makes it writable. Whether it "
                "ended well is another question.") ||
      !is_ready({.writers = {bob}}, {{}, {bob}, {}},
                "bob has reset the connection: send would not wait, it would fail."))
    return;
  const int to_erin = scenario.run([] { return connecting_to("192.0.2.8"); });
  is_ready({.readers = {to_erin}, .writers = {to_erin}}, {{}, {to_erin}, {}},
           "The connect has succeeded: send would not wait.");
}

// Rule: a pipe has no error to give; without its other end it would not wait either (pipe(7)).
TEST(SelectOn, CallsABrokenPipeReady) {
  explain({.rule = "A pipe whose other end is closed is ready: a read gives 0, a write fails.",
           .why = "A program that reads from a pipe ends when the writer has ended.",
           .read = "Ready means: would not wait"});
  AskingScenario scenario;
  Peer& keyboard = scenario.peer("keyboard");
  const int input = keyboard.pipe_to_program();
  keyboard.at(347ms).closes();
  Peer& screen = scenario.peer("screen");
  const int output = screen.pipe_from_program();
  screen.stops_reading().at(1219ms).closes();
  const int silent = scenario.peer("alice").connected();
  const auto story = [](const Answer& answer, const char* what, const char* events) {
    const bool is_poll = !answer.waits.empty() && answer.waits.back().is_poll();
    return what + (is_poll ? format(" poll tells it by %s alone.", events) : std::string());
  };

  const auto at_the_end = scenario.ask({.readers = {input}}, 2s);
  if (!expect_ready(at_the_end, {{input}, {}, {}},
                    story(at_the_end,
                          "The writer of the pipe has closed it: a read would not wait, it would "
                          "return 0.",
                          "POLLHUP")))
    return;
  fill(output);
  const auto broken = scenario.ask({.readers = {silent}, .writers = {output}}, 2s);
  expect_ready(broken, {{}, {output}, {}},
               story(broken,
                     "The pipe was full, and then its reader closed it: a write would not wait, it "
                     "would fail.",
                     "POLLERR"));
}

// Rule: asking takes nothing.
TEST(SelectOn, ChangesNothing) {
  explain({.rule = "Nothing is received, sent or accepted, no error is taken, no mode is changed, "
                   "and the lists stay as they were.",
           .why = "The caller has yet to do all of that, and will ask again with the same lists.",
           .read = "Your task"});
  AskingScenario scenario;
  const int bob = scenario.peer("bob").resets().connected();
  const int carol = scenario.peer("carol").connected();
  const int alice = scenario.peer("alice").sends("hello").connected();
  const Lists asked{
      .readers = {alice, bob}, .writers = {carol}, .exceptional = {carol, bob, alice}};
  const Lists lent = asked;
  ::fcntl(alice, F_SETFD, 0);  // no FD_CLOEXEC
  const auto modes = modes_of(alice);
  const course::Ready wanted{{alice, bob}, {carol}, {}};

  const auto first = scenario.ask(lent, 2s);
  if (!expect_ready(first, wanted, "") ||
      !expect_that(lent.readers == asked.readers && lent.writers == asked.writers &&
                       lent.exceptional == asked.exceptional,
                   "The lists that you were lent have changed: the exceptional one is " +
                       shown(lent.exceptional) + " now, and was " + shown(asked.exceptional) +
                       ". Work on your own copy.") ||
      !expect_that(modes_of(alice) == modes,
                   "You changed the mode of a descriptor that was lent, or a timeout or flag of "
                   "it. They are the caller's: leave them as they were."))
    return;
  if (!expect_ready(scenario.ask(lent, 2s), wanted, "The same question was asked a second time.") ||
      !expect_ready(scenario.ask({.writers = {bob}}, 2s), {{}, {bob}, {}}, ""))
    return;
  const auto other = scenario.ask({.readers = {carol}}, 3s);
  if (!expect_ready(other, {}, "Only carol was asked about, who is silent.") ||
      !expect_took(other, 3s, "carol was silent, and select_on() came back early."))
    return;
  int error = 0;
  std::string data(16, '\0');
  const ssize_t got = scenario.run([&] {
    socklen_t size = sizeof error;
    ::getsockopt(bob, SOL_SOCKET, SO_ERROR, &error, &size);
    return ::recv(alice, data.data(), data.size(), MSG_DONTWAIT);
  });
  data.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  expect_equal(data, "hello",
               "alice sent \"hello\", and afterwards not all of it was there: something was "
               "taken. Only ask; receiving is the caller's business.") &&
      expect_that(error == ECONNRESET,
                  "bob's connection was reset, and the caller found no error: some call of yours "
                  "took it. A recv, a send and reading SO_ERROR do that. Only ask.");
}
