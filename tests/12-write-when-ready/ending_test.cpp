// The graded checks of lesson 12: how a relay ends, and what it leaves behind.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "12-write-when-ready/write_when_ready.hpp"
#include "between.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

using namespace grader;

namespace {

std::string when(std::optional<Time> time) { return time ? "at " + shown(*time) : "never"; }

void handle_sigpipe(int) {}

auto handler_of_sigpipe() {
  struct sigaction action {};
  ::sigaction(SIGPIPE, nullptr, &action);
  return action.sa_handler;
}

bool sigpipe_is_blocked() {
  sigset_t mask;
  ::sigprocmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, SIGPIPE) == 1;
}

bool has_timeout(int fd, int option) {
  timeval time{};
  socklen_t length = sizeof time;
  return ::getsockopt(fd, SOL_SOCKET, option, &time, &length) == 0 &&
         (time.tv_sec != 0 || time.tv_usec != 0);
}

bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

}  // namespace

// Rule: a half-close behind unsent bytes would cut them off (shutdown(2)).
TEST(Relay, TellsTheEndWhenAllHasBeenPassedOn) {
  explain({.rule = "When one side has finished, half-close the other as soon as nothing waits for "
                   "it, and go on with the other direction.",
           .why = "The end is part of the stream: it comes after the last byte, and once.",
           .read = "The end waits too"});
  in_both_roles([](Between& s) {
    s.bob.window(30).stops_reading().at(1219ms).resumes_reading();
    s.alice.at(31ms).sends(letters(100)).at(347ms).finishes_sending();
    s.bob.at(1583ms).sends("thank you").finishes_sending();

    const Outcome outcome = s.relay();

    const std::string start = format(
        "alice sent 100 bytes and finished at 0.347 s, bob read on at 1.219 s, got %s, and "
        "saw the end %s; relay %s at %s. ",
        byte_count(s.bob.received().size()).c_str(), when(s.bob.end_at()).c_str(),
        outcome.told().c_str(), shown(s.took()).c_str());
    if (!expect_that(s.bob.received() == letters(100),
                     start + "What waits is sent first, and then comes the end.") ||
        !expect_that(s.bob.received_at(99) == 1219ms,
                     start + "The last byte " + arrival(s.bob, 99) +
                         ". Watch him for writing while something waits: select knows when he has "
                         "room.") ||
        !expect_that(s.bob.end_at() == 1219ms,
                     start + "When the last byte is sent, shut down for sending (SHUT_WR).") ||
        !expect_that(s.alice.received() == "thank you",
                     start + "He answered \"thank you\" at 1.583 s, and alice got " +
                         quoted(s.alice.received()) + ". The other direction goes on.") ||
        !expect_that(outcome.has_returned && s.alice.end_at() == 1583ms,
                     start + "He finished at 1.583 s, and alice saw it " + when(s.alice.end_at()) +
                         ". Tell her too, and return."))
      return;
  });
  if (has_failed()) return;
  Between s;
  s.faults().fail("shutdown", ENOTCONN, 1'000);
  s.alice.at(31ms).finishes_sending();
  s.bob.at(347ms).sends("anybody there?").at(583ms).closes();

  const Outcome outcome = s.relay();

  expect_that(outcome.has_returned && s.alice.received() == "anybody there?",
              "alice finished, and shutdown said ENOTCONN for bob, who then sent \"anybody "
              "there?\": alice got " +
                  quoted(s.alice.received()) + ", and relay " + outcome.told() +
                  ". Whether he can be told or not: what he says decides.");
}

// Rule: the two directions fail one by one; what has arrived can still be read.
TEST(Relay, PassesOnTheLastWords) {
  explain({.rule = "When a side fails, pass on what it had said, tell the other the end, and wait "
                   "for no more of it.",
           .why = "A server that hangs up on you has usually said why.",
           .read = "When something fails"});
  struct Case {
    const char* what;
    void (*arrange)(Between&);
    std::string words;
    Time ends;
    std::size_t from_bob;  // so much he had said when alice failed
  };
  const std::string much = letters(900);
  const Case cases[] = {
      {"alice sent 100 bytes and reset; bob, who had taken 30, asked at 0.583 s whether she was "
       "there, and read on at 1.219 s",
       [](Between& s) {
         s.bob.window(30).stops_reading().at(583ms).sends("are you there?");
         s.bob.at(1219ms).resumes_reading().at(1583ms).sends("hello?");
         s.alice.at(31ms).sends(letters(100)).at(347ms).resets();
       },
       letters(100), 1219ms, 0},
      {"alice sent 900 bytes and reset, just when bob said something to her",
       [](Between& s) {
         s.faults().recv_gives_at_most(100);
         s.alice.at(347ms).sends(letters(900)).resets();
         s.bob.at(347ms).sends("once upon a time");
       },
       much, 347ms, 16},
      {"alice sent 900 bytes and reset, just when bob said something to her; bob, who had taken "
       "150, read on at 1.219 s",
       [](Between& s) {
         s.bob.window(150).stops_reading().at(347ms).sends("once upon a time");
         s.alice.at(347ms).sends(letters(900)).resets();
         s.bob.at(1219ms).resumes_reading();
       },
       much, 1219ms, 16},
      {"alice sent 900 bytes and reset, and you had paused; bob, who had taken 150, said something "
       "to her and read on at 1.219 s",
       [](Between& s) {
         s.faults().recv_gives_at_most(200);
         s.bob.window(150).stops_reading().at(583ms).sends("once upon a time");
         s.alice.at(31ms).sends(letters(900)).at(347ms).resets();
         s.bob.at(1219ms).resumes_reading();
       },
       much, 1219ms, 16},
      {"Sending to alice said ENOBUFS, and she stayed and said nothing",
       [](Between& s) {
         s.faults().fail("send", ENOBUFS);
         s.alice.at(2700ms).closes();
         s.bob.at(347ms).sends("good morning");
       },
       "", 347ms, 12}};
  const auto check = [](const Case& c, Between& s) {
    const auto& [what, arrange, words, ends, from_bob] = c;
    arrange(s);
    s.bob.at(2900ms).closes();

    const Outcome outcome = s.relay_alone({.high = 300, .low = 100});

    const Time took = s.took();
    s.finish();
    const std::string start =
        format("%s: bob got %zu of %zu bytes and saw the end %s, and relay %s at %s. ", what,
               s.bob.received().size(), words.size(), when(s.bob.end_at()).c_str(),
               outcome.told().c_str(), shown(took).c_str());
    if (!expect_that(s.bob.received() == words,
                     start + "What has come is still there: receive it, and pass it on first.") ||
        !expect_that(
            s.bob.end_at() == ends,
            start + "Tell him the end when all that has come is sent, and wait for no more.") ||
        !expect_that(took == ends, start + "When all is passed on, wait for nothing any more.") ||
        !expect_that(!outcome.has_returned, start + "Then throw what had failed.") ||
        !expect_that(!s.bob.saw_a_reset(),
                     start + "What he said after that was answered with a reset, which takes the "
                             "last words with it if he has not read them yet. End your sending "
                             "only (SHUT_WR).") ||
        !expect_that(Between::received_from(s.bob) <= from_bob,
                     start + format("He said something after alice had failed, and you received "
                                    "%s of it. Nobody will get that: leave it in the kernel, "
                                    "which tells him so when his connection is closed.",
                                    byte_count(Between::received_from(s.bob) - from_bob).c_str())))
      return;
  };
  for (const Case& c : cases) in_both_roles([&](Between& s) { check(c, s); });
}

// Rule: an end is something, a failure something else, and the caller wants to know which.
TEST(Relay, ThrowsWhatFailed) {
  explain({.rule = "When a receive, a send or a wait fails, throw its errno, as soon as nothing is "
                   "left to pass on.",
           .why = "After an end all has come; after a failure something may be missing.",
           .read = "When something fails"});
  struct Case {
    const char* what;
    void (*arrange)(Between&);
    std::vector<int> errors;  // each of them is right
    Time ends;
    std::vector<std::string_view> calls;  // what() should have a word of these
  };
  const std::vector<std::string_view> receives = {"recv", "receiv", "read"},
                                      sends = {"send", "writ", "flush"},
                                      any = {"recv", "receiv", "read",     "send",
                                             "writ", "flush",  "SO_ERROR", "getsockopt"};
  const Case cases[] = {
      {"alice reset the connection",
       [](Between& s) { s.alice.at(347ms).resets(); },
       {ECONNRESET},
       347ms,
       any},
      {"bob reset the connection",
       [](Between& s) { s.bob.at(347ms).resets(); },
       {ECONNRESET},
       347ms,
       any},
      {"Receiving said ETIMEDOUT",
       [](Between& s) {
         s.looks_at(347ms, [&s] { s.faults().fail("recv", ETIMEDOUT); });  // whoever tries sooner
         s.alice.at(347ms).sends("hello");
       },
       {ETIMEDOUT},
       347ms,
       receives},
      {"Sending said EHOSTUNREACH",
       [](Between& s) {
         s.faults().fail("send", EHOSTUNREACH);
         s.bob.at(347ms).sends("hello");
       },
       {EHOSTUNREACH},
       347ms,
       sends},
      {"bob closed at 0.031 s, his kernel answered \"x\" with a reset, and \"y\" could not be sent "
       "(EPIPE)",
       [](Between& s) {
         s.bob.at(31ms).closes();
         s.alice.at(53ms).sends("x").at(347ms).sends("y");
       },
       {EPIPE, ECONNRESET},
       347ms,
       any},
      {"alice reset the connection, and bob, for whom 70 bytes still waited, did so later",
       [](Between& s) {
         s.bob.window(30).stops_reading().at(347ms).resets();
         s.alice.at(31ms).sends(letters(100)).at(53ms).resets();
       },
       {ECONNRESET, EPIPE},
       347ms,
       {""}},  // of two failures, either, and what to say of the second is left open
      {"alice finished at 0.031 s, and bob reset the connection later",
       [](Between& s) {
         s.alice.at(31ms).finishes_sending();
         s.bob.at(347ms).resets();
       },
       {ECONNRESET},
       347ms,
       any},
      {"Waiting said ENOMEM",
       [](Between& s) { s.faults().fail("select", ENOMEM); },
       {ENOMEM},
       0ms,
       {""}}};
  const auto check = [](const Case& c, Between& s) {
    const auto& [what, arrange, errors, ends, calls] = c;
    arrange(s);
    s.alice.at(2700ms).closes();
    s.bob.at(2900ms).closes();

    const Outcome outcome = s.relay_alone();

    const std::string start =
        format("%s, and relay %s at %s. ", what, outcome.told().c_str(), shown(s.took()).c_str());
    const bool is_right = std::any_of(errors.begin(), errors.end(),
                                      [&](int error) { return outcome.has_thrown(error); });
    if (!expect_that(!outcome.has_returned,
                     start + "That is no end, but a failure: throw a std::system_error.") ||
        !expect_that(is_right, start + "Throw a std::system_error with the errno of the call that "
                                       "failed.") ||
        !expect_that(s.took() >= ends,
                     start + "Something waited for the other side still: he might have taken it, "
                             "so wait for him.") ||
        !expect_that(s.took() == ends, start + "Nothing was left to pass on at " + shown(ends) +
                                           ": wait for nothing any more.") ||
        !expect_that(outcome.names(calls),
                     start + "what() said \"" + outcome.what +
                         "\", which does not name the call that failed. Add it."))
      return;
  };
  for (const Case& c : cases) in_both_roles([&](Between& s) { check(c, s); });
}

// Rule: the descriptors are lent, and what their caller has set up is his.
TEST(Relay, LeavesTheDescriptorsAsTheyAre) {
  explain({.rule =
               "Never change the mode of a or b, not even for the last bytes, and never wait in "
               "a send; leave SIGPIPE as it was.",
           .why = "A blocking send at the end hangs as well as one at the beginning.",
           .read = "Your task"});
  for (const bool fails : {false, true}) {
    Between s;
    struct sigaction action {};
    action.sa_handler = handle_sigpipe;
    ::sigaction(SIGPIPE, &action, nullptr);
    s.bob.window(30).stops_reading().at(583ms).sends("bye").at(1219ms).resumes_reading();
    s.alice.at(31ms).sends(letters(100));
    bool was_changed = false;
    s.looks_at(600ms, [&] { was_changed = !is_nonblocking(s.a) || !is_nonblocking(s.b); });
    if (fails) s.alice.at(347ms).resets();
    if (!fails) s.alice.at(347ms).closes();
    s.bob.at(2900ms).closes();

    s.relay();

    for (const Call& call : s.calls())
      if (!call.who.empty() && call.returned > call.began)
        return fail(
            format("%s waited for %s from %s to %s, and alice and bob with it. Only select "
                   "is there to wait.",
                   call.text.c_str(), call.who.c_str(), shown(call.began).c_str(),
                   shown(call.returned).c_str()));
    if (!expect_that(
            !was_changed,
            "At 0.6 s bytes waited for bob, and a or b was in blocking mode. They were lent "
            "in non-blocking mode. Leave the flags alone."))
      return;
    for (const int fd : {s.a, s.b}) {
      if (!expect_that(is_nonblocking(fd),
                       format("relay left %d in blocking mode, and it was lent in non-blocking "
                              "mode. Leave the flags alone.",
                              fd)))
        return;
      for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
        if (!expect_that(
                !has_timeout(fd, option),
                format("relay left %d with a timeout of its own (SO_RCVTIMEO, SO_SNDTIMEO), "
                       "and it was lent without one. One wait for both needs none.",
                       fd)))
          return;
    }
    if (!expect_that(handler_of_sigpipe() == handle_sigpipe && !sigpipe_is_blocked(),
                     "After relay SIGPIPE is not handled as it was before. MSG_NOSIGNAL leaves it "
                     "alone."))
      return;
  }
}
