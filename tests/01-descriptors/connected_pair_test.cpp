// The graded checks of connected_pair(). Like those of Fd, each judges one thing only.
#include "01-descriptors/descriptors.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

using namespace grader;

// Rule: a stream has two directions, and no message boundaries (socket(2), SOCK_STREAM).
TEST(ConnectedPair, CarriesAStreamBothWays) {
  explain({.rule = "connected_pair() makes two blocking stream sockets: what is sent into one "
                   "comes out of the other.",
           .why = "The lessons to come talk over streams, in both directions.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  const auto pair = scenario.run([] { return course::connected_pair(); });
  const int first = pair.first.get(), second = pair.second.get();
  std::string beginning, rest, answer;

  scenario.run([&] {
    send_text(first, "hello");
    beginning = receive_text(second, 2);
    rest = receive_text(second, 8);
    send_text(second, "yes?");
    answer = receive_text(first, 8);
  });

  if (beginning.empty())
    fail(
        format("\"hello\" was sent into the first socket, %d, and nothing came out of the second, "
               "%d. Return both sockets of one socketpair.",
               first, second));
  else if (rest.empty())
    fail(
        "recv took 2 bytes of \"hello\", and the other 3 were thrown away: these sockets keep "
        "message boundaries. Ask for SOCK_STREAM, where what is left unread stays.");
  else if (expect_equal(beginning + rest, "hello", "Other bytes came out than were sent.") &&
           expect_equal(answer, "yes?", "The second socket cannot send to the first.") &&
           expect_that(is_blocking(first) && is_blocking(second),
                       "O_NONBLOCK is set: recv would not wait for bytes, but fail with EAGAIN. "
                       "Leave the sockets blocking, as socketpair makes them."))
    for (const char* function : {"recv", "send"})
      for (const int fd : {first, second})
        if (const std::string fault = impatience(scenario, function, fd); !fault.empty())
          return fail(fault);
}

// Rule: descriptors survive an exec unless they carry FD_CLOEXEC (execve(2)).
TEST(ConnectedPair, ClosesBothOnExec) {
  explain({.rule = "Both sockets are close-on-exec (FD_CLOEXEC).",
           .why = "A program started later would inherit them without knowing it, and keep the "
                  "conversation open until it ends.",
           .read = "The rule"});
  Scenario scenario;
  scenario.allow_open_descriptors();

  const auto pair = scenario.run([] { return course::connected_pair(); });

  for (const int fd : {pair.first.get(), pair.second.get()})
    if (!is_open(fd))
      return fail(format(
          "connected_pair() returned descriptor %d, and %d is not open. Return both sockets, "
          "open.",
          fd, fd));
  const bool first = closes_on_exec(pair.first.get()), second = closes_on_exec(pair.second.get());
  const char* which = first ? "The second socket" : second ? "The first socket" : "Both sockets";
  bool used_setfl = false;
  for (const Call& call : scenario.calls("fcntl"))
    used_setfl |= call.text.find("F_SETFL") != std::string::npos;
  expect_that(first && second,
              format("%s would survive an exec: FD_CLOEXEC is not set. %s", which,
                     used_setfl ? "F_SETFL cannot set it, and says nothing; F_SETFD can."
                                : "Ask for it when you make the pair."));
}

// Rule: an error says what failed and why: the call and its errno.
TEST(ConnectedPair, SaysWhichCallFailedAndWhy) {
  explain({.rule = "When socketpair fails, connected_pair() throws a std::system_error with the "
                   "errno and the name of the call.",
           .why = "The caller acts upon the code, and whoever reads the log looks for the call.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.allow_bad_closes();

  for (const int error : {EMFILE, ENFILE, ENOBUFS}) {
    const std::string failed = "socketpair failed with " + error_name(error);
    scenario.faults().fail("socketpair", error);
    std::optional<std::system_error> thrown;
    std::string other;
    scenario.run([&] {
      try {
        (void)course::connected_pair();
        other = "nothing";
      } catch (const std::system_error& caught) {
        thrown = caught;
      } catch (const std::exception& caught) {
        other = std::string("\"") + caught.what() + "\", without a code to act upon";
      }
    });

    if (!thrown)
      return fail(failed + ", and connected_pair() threw " + other +
                  ". Look at what socketpair returns, and throw a std::system_error.");
    if (thrown->code() != std::error_condition(error, std::generic_category()))
      return fail(failed + ", but code() of the exception says " +
                  error_name(thrown->code().value()) +
                  ". Take errno straight after the call: a call between them, perhaps perror, may "
                  "change errno.");
    if (std::string(thrown->what()).find("socketpair") == std::string::npos)
      return fail(failed + ", and what() says \"" + thrown->what() +
                  "\", which does not contain \"socketpair\". Name the call that failed, spelled "
                  "like that.");
  }
}

// Rule: a function that fails leaves everything as it was.
TEST(ConnectedPair, OpensTwoDescriptorsOrNone) {
  explain({.rule = "connected_pair() opens two descriptors, or none when it throws, and changes "
                   "nothing else.",
           .why = "Who calls a function that throws has nothing to close afterwards.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  scenario.allow_bad_closes();
  bool is_whole = false;
  const auto throws = [&] {
    try {
      const auto pair = course::connected_pair();
      is_whole = pair.first.get() != -1 && pair.second.get() != -1;
      return false;
    } catch (...) {
      return true;
    }
  };

  const int before = open_count();
  const bool was_ignored = is_sigpipe_ignored();
  {
    const auto pair = scenario.run([] { return course::connected_pair(); });
    if (const int opened = open_count() - before; opened > 2)
      return fail(
          format("connected_pair() opened %d descriptors, and only two have an owner. Close what "
                 "you do not return.",
                 opened));
    if (is_sigpipe_ignored() != was_ignored)
      return fail(
          "connected_pair() changed what SIGPIPE does in the whole process. Leave that to the "
          "program.");
  }

  const std::size_t closes_before = scenario.calls("close").size();
  scenario.faults().fail("socketpair", EMFILE);
  const bool threw = scenario.run(throws);
  const auto closes = scenario.calls("close");
  for (std::size_t i = closes_before; i < closes.size(); ++i)
    if (threw && closes[i].fd >= 0)
      return fail(
          format("socketpair failed, and descriptor %d was closed, which connected_pair() had not "
                 "opened. The two numbers mean nothing until the call has worked.",
                 closes[i].fd));

  const int open = open_count();
  const std::pair<const char*, int> second_steps[] = {{"fcntl", ENOMEM}, {"dup", EMFILE}};
  for (const auto& [function, error] : second_steps)
    for (const int skip : {0, 1}) {  // for the first socket, then for the second
      scenario.faults().fail(function, error, 1, skip);
      const std::size_t calls_before = scenario.calls().size();
      const bool threw_again = scenario.run(throws);
      const std::string failed = first_failure(scenario, calls_before);
      if (failed.empty()) continue;  // no such step
      if (const int left = open_count() - open; threw_again && left > 0)
        return fail(
            format("%s, and %d of the descriptors that connected_pair() had opened stayed open. "
                   "Give them owners before anything can throw.",
                   failed.c_str(), left));
      if (!threw_again && !is_whole)
        return fail(
            failed +
            ", and connected_pair() returned an Fd that owns nothing. Look at the result of "
            "each call, and throw.");
    }
}
