// The graded checks of lesson 10: how a conversation ends, and what is left behind.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "10-two-sources/two_sources.hpp"
#include "desk.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

namespace {

void handle_sigpipe(int) {}

auto handler_of_sigpipe() {
  struct sigaction action {};
  ::sigaction(SIGPIPE, nullptr, &action);
  return action.sa_handler;
}

std::set<int> blocked_signals() {
  sigset_t mask;
  ::sigprocmask(SIG_BLOCK, nullptr, &mask);
  std::set<int> blocked;
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&mask, signal) == 1) blocked.insert(signal);
  return blocked;
}

bool sigpipe_is_pending() {
  sigset_t pending;
  ::sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

// Whether a call has failed with one of these.
bool has_happened(const Desk& desk, const std::vector<int>& errors) {
  if (is_real_time()) return true;  // nobody records the calls
  const auto made = desk.calls();
  return std::any_of(made.begin(), made.end(), [&](const Call& call) {
    return std::find(errors.begin(), errors.end(), call.error) != errors.end();
  });
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool has_timeout(int sock, int option) {
  timeval time{};
  socklen_t length = sizeof time;
  return ::getsockopt(sock, SOL_SOCKET, option, &time, &length) == 0 &&
         (time.tv_sec != 0 || time.tv_usec != 0);
}

// How the conversation of a run ends.
enum class Ending { screen_gone, alice_gone, well };

// A run in which SIGPIPE has this handler before, and `held_back` is blocked as well.
bool leaves_sigpipe_as_it_was(Ending ending, void (*handler)(int), std::optional<int> held_back) {
  Desk desk;
  handle_sigpipe_with(handler);
  sigset_t blocked;
  sigemptyset(&blocked);
  if (held_back) sigaddset(&blocked, *held_back);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  const auto blocked_before = blocked_signals();
  if (ending == Ending::screen_gone) desk.screen.at(31ms).closes();
  if (ending == Ending::alice_gone) {
    desk.faults().send_takes_at_most(3);
    desk.keyboard.at(31ms).sends("good morning\n");
    desk.alice.receives("goo").closes();
  } else {
    desk.alice.at(347ms).sends("hello").closes();
  }
  desk.keyboard.at(2900ms).closes();

  const Outcome outcome = desk.netcat();

  const std::string start = "netcat " + outcome.told() + ", and ";
  if (!expect_that(handler_of_sigpipe() == handler,
                   start + "SIGPIPE is not handled as it was before the call. Ask sigaction what "
                           "it was, and give it that back, whichever way you return.") ||
      !expect_that(blocked_signals() == blocked_before,
                   start + "other signals are blocked than before" +
                       (held_back ? ", when " + signal_name(*held_back) + " was" : "") +
                       ". Give the mask back as it was.") ||
      !expect_that(!sigpipe_is_pending(),
                   start + "a SIGPIPE that a write caused is pending. Take it (sigtimedwait)."))
    return false;
  ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
  return true;
}

}  // namespace

// Rule: 0 from the socket is the end of the conversation, whatever the keyboard does.
TEST(Netcat, EndsWhenThePeerEnds) {
  explain({.rule = "When the peer has finished and all is written, return 0 at once.",
           .why = "Nobody wants to press Enter to be told that the conversation is over.",
           .read = "Two ends"});
  for (const bool closes : {true, false}) {
    Desk desk;
    const std::string words(3'000, 'x');
    desk.alice.at(347ms).sends(words);
    if (closes) desk.alice.closes();
    if (!closes) desk.alice.finishes_sending();
    desk.keyboard.at(5300ms).sends("\n").at(8100ms).closes();

    const Outcome outcome = desk.netcat();

    const std::string start = format("alice sent 3000 bytes at 0.347 s and %s, and netcat ",
                                     closes ? "closed" : "finished sending");
    if (outcome.is(0) && desk.took() == 347ms && desk.screen.received() == words) continue;
    if (desk.screen.received() != words)
      return fail(
          start +
          format("%s with %zu bytes on the screen. ", outcome.told().c_str(),
                 desk.screen.received().size()) +
          desk.advice_about(outcome, "Write all that came, as it came, before you return."));
    if (!outcome.is(0))
      return fail(
          start + outcome.told() + ". " +
          desk.advice_about(outcome, "This is how a conversation ends when all is well: 0."));
    return fail(start + "returned at " + shown(desk.took()) +
                ". The keyboard may be silent for ever: when receiving gives 0, return.");
  }
}

// Rule: the end of one direction is told with a half-close; the other goes on.
TEST(Netcat, TellsThePeerWhenInEnds) {
  explain({.rule = "When in ends, finish sending, and go on with what the peer sends.",
           .why = "Many a server answers only when it knows that the question is complete.",
           .read = "Two ends"});
  Desk desk;
  desk.keyboard.at(347ms).sends("how many?").closes();
  desk.alice.receives("how many?").sees_the_end(4s).sends("nine").closes();

  const Outcome outcome = desk.netcat_alone();

  if (!desk.alice.end_at() && outcome.is(0) && desk.took() == 347ms)
    return fail(
        "The keyboard ended at 0.347 s, and netcat returned 0 at once: alice was not told, and did "
        "not answer yet. Finish sending (shutdown), and go on until alice has finished.");
  if (!desk.alice.end_at())
    return desk.fails(outcome, "The keyboard ended at 0.347 s, and netcat " + outcome.told() +
                                   " at " + shown(desk.took()) +
                                   " without telling alice. Finish sending (shutdown), and go on "
                                   "until alice has finished.");
  desk.finish();
  const std::string said = desk.screen.received();
  const char* const advice =
      said.empty() ? "End only your half (SHUT_WR), and go on until alice has finished."
                   : "Pass on the bytes as they came, and return 0 when alice has finished.";
  expect_that(said == "nine" && outcome.is(0),
              "The keyboard ended at 0.347 s, alice saw it and answered \"nine\", but netcat " +
                  outcome.told() + ", and the screen got " + quoted(said) + ". " +
                  desk.advice_about(outcome, advice));
}

// Rule: the two directions fail one by one; what has arrived can still be read.
TEST(Netcat, WritesWhatCameBeforeASendFailed) {
  explain({.rule = "When a send fails, write what the peer sent before that, and then return.",
           .why = "A server that hangs up on you has usually said why.",
           .read = "When something fails"});
  const std::string reason = "Too long! " + std::string(2'990, '!');
  for (const bool is_slow : {true, false}) {
    Desk desk;
    if (is_slow) desk.faults().recv_gives_at_most(100);
    desk.alice.at(347ms).sends(reason).resets();
    desk.keyboard.at(347ms).sends("once upon a time\n").at(583ms).closes();

    const Outcome outcome = desk.netcat();

    if (desk.screen.received() == reason) continue;
    const bool has_failed = desk.has_failed(sends, desk.alice);
    return fail(
        format("alice sent %zu bytes and reset the connection%s, and netcat %s with %zu "
               "bytes on the screen. ",
               reason.size(), has_failed ? ", so a send failed" : "", outcome.told().c_str(),
               desk.screen.received().size()) +
        desk.advice_about(outcome, desk.screen.received().size() < reason.size()
                                       ? "What has come is still there: receive and write it first."
                                       : "Pass on the bytes as they came, and no others."));
  }

  Desk silent;  // alice is still there
  silent.faults().send_takes_at_most(3);
  silent.faults().fail("send", ENOBUFS, 1, 1);
  silent.keyboard.at(347ms).sends("good morning\n").at(2900ms).closes();
  silent.alice.receives("g").sends("bye").at(2700ms).closes();

  const Outcome outcome = silent.netcat();

  const std::string start = format(
      "alice sent \"bye\" and stayed, sending said ENOBUFS at 0.347 s, "
      "and netcat %s at %s with %s on the screen. ",
      outcome.told().c_str(), shown(silent.took()).c_str(),
      quoted(silent.screen.received()).c_str());
  // The fault may have hit a write to out instead, or nothing at all.
  const bool has_failed = silent.has_failed(sends, silent.alice, ENOBUFS);
  if (!has_failed && silent.took() != 347ms)
    return silent.fails(
        outcome, "netcat " + outcome.told() + " at " + shown(silent.took()) +
                     format(". Of the 13 bytes that were typed at 0.347 s %zu went to alice.",
                            silent.alice.received().size()));
  if (!expect_that(silent.took() == 347ms,
                   start + "Take what is there without waiting for more, and return at once."))
    return;
  expect_that(silent.screen.received() == "bye" || !has_failed,
              start + "Whatever the errno is: what has come is still there.");
}

// Rule: -1 is an error, 0 is the end, and the caller wants to know which.
TEST(Netcat, SaysWhyTheConversationFailed) {
  explain({.rule = "When a read, a receive, a send or a wait fails, return 1 with its errno.",
           .why = "After an end all has come; after a failure something may be missing.",
           .read = "When something fails"});
  struct Case {
    const char* what;
    void (*arrange)(Desk&);
    std::vector<int> errors;  // each of them is right
  };
  const Case cases[] = {
      {"alice reset the connection",
       [](Desk& desk) { desk.alice.at(347ms).resets(); },
       {ECONNRESET}},
      {"alice reset the connection just when something was typed",
       [](Desk& desk) {
         desk.alice.at(347ms).resets();
         desk.keyboard.at(347ms).sends("hello\n");
       },
       {ECONNRESET, EPIPE}},
      {"Reading in said EIO",
       [](Desk& desk) {
         desk.faults().fail("recv", EIO);
         desk.keyboard.at(347ms).sends("hello\n");
       },
       {EIO}},
      {"Sending said ETIMEDOUT",
       [](Desk& desk) {
         desk.faults().fail("send", ETIMEDOUT);
         desk.keyboard.at(347ms).sends("hello\n");
       },
       {ETIMEDOUT}},
      {"Receiving said ETIMEDOUT",
       [](Desk& desk) {
         desk.faults().fail("recv", ETIMEDOUT);
         desk.alice.at(347ms).sends("hello\n");
       },
       {ETIMEDOUT}},
      {"Waiting said ENOMEM", [](Desk& desk) { desk.faults().fail("select", ENOMEM); }, {ENOMEM}}};
  for (const auto& [what, arrange, errors] : cases) {
    Desk desk;
    arrange(desk);
    desk.alice.at(2700ms).closes();
    desk.keyboard.at(2900ms).closes();

    const Outcome outcome = desk.netcat();

    const bool is_right = std::any_of(errors.begin(), errors.end(),
                                      [&](int error) { return outcome.is_failure(error); });
    if (is_right && desk.took() <= 347ms) continue;
    const std::string start = std::string(what) + ", and netcat " + outcome.told() +
                              (is_right ? " at " + shown(desk.took()) : "") + ". ";
    if (is_right) return fail(start + "After a failure wait for nobody any more: return at once.");
    if (!has_happened(desk, errors)) return desk.fails(outcome, start);
    const std::string keep =
        outcome.is(1) ? "Keep errno from the call that failed, before another one changes it."
                      : "That is no end, but a failure: return 1, and leave errno as it was.";
    return fail(start + (outcome.thrown.empty() ? keep : desk.advice_about(outcome, keep)));
  }
}

// Rule: a write that fails will not work the next time either.
TEST(Netcat, EndsWhenOutFails) {
  explain({.rule = "When writing to out fails, return 1 with its errno.",
           .why = "`| head -n 1` has what it wanted: whoever goes on, works for nobody.",
           .read = "When something fails"});
  for (const int error : {EPIPE, ENOSPC}) {
    Desk desk;
    handle_sigpipe_with(SIG_IGN);  // another check's subject
    if (error == ENOSPC) desk.faults().fail("send", ENOSPC, 1'000);
    if (error == EPIPE) desk.screen.at(31ms).closes();
    desk.alice.at(347ms).sends("hello").at(1219ms).sends(", world").at(2700ms).closes();
    desk.keyboard.at(2900ms).closes();

    const Outcome outcome = desk.netcat();

    const std::string start = format("Writing \"hello\" to out said %s at 0.347 s, and netcat %s",
                                     error_name(error).c_str(), outcome.told().c_str());
    if (!desk.has_failed(sends, desk.screen, error) && !is_real_time())
      return desk.fails(outcome,
                        std::string(error == EPIPE ? "Nobody read out any more" : "out was full") +
                            " when alice sent \"hello\" at 0.347 s, and netcat " + outcome.told() +
                            ". Write it at once, and return 1 with the errno of write(2).");
    if (!outcome.is_failure(error))
      return fail(start + ". Return 1, with errno as write(2) left it.");
    if (!expect_that(desk.took() == 347ms,
                     start + " at " + shown(desk.took()) + ". Return at once."))
      return;
  }
}

// Rule: write(2) has no MSG_NOSIGNAL, and what SIGPIPE does is one setting of the whole process.
TEST(Netcat, LeavesSigpipeAsItWas) {
  explain({.rule = "No SIGPIPE ends the process, and on return its disposition and the signal mask "
                   "are as before, and none that you caused is pending.",
           .why = "A pipeline whose reader leaves is everyday business, and the rest of the "
                  "program has plans of its own for the signal.",
           .read = "When something fails"});
  for (const Ending ending : {Ending::screen_gone, Ending::alice_gone, Ending::well})
    for (auto* const handler : {SIG_DFL, &handle_sigpipe, SIG_IGN})
      if (!leaves_sigpipe_as_it_was(ending, handler, {})) return;
  leaves_sigpipe_as_it_was(Ending::screen_gone, SIG_DFL, SIGUSR1);
}

// Rule: O_NONBLOCK belongs to the open file, which the shell has open too (fcntl(2)).
TEST(Netcat, LeavesTheFlagsAlone) {
  explain({.rule = "Never set O_NONBLOCK on in, out or sock, not even for a moment, and leave no "
                   "option changed.",
           .why =
               "Your standard input is your shell's as well: if the program is killed meanwhile, "
               "the shell keeps it.",
           .read = "What is lent"});
  Desk desk;
  desk.alice.at(31ms).sends("hello").at(2700ms).closes();
  desk.keyboard.at(347ms).sends("bye\n").at(583ms).closes();

  desk.netcat();

  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    if (!expect_that(!has_timeout(desk.sock, option),
                     "netcat left the socket with a timeout of its own (SO_RCVTIMEO, SO_SNDTIMEO), "
                     "and it is only lent. One wait for both needs none."))
      return;

  for (const char* function : {"fcntl", "ioctl"})
    for (const Call& call : desk.calls(function))
      if (!call.who.empty() &&
          (says(call.text, "O_NONBLOCK") ||
           says(call.text, format("%#lx", static_cast<unsigned long>(FIONBIO)))))
        return fail(
            format("%s put %s into non-blocking mode. Everyone who has it open shares that, "
                   "your shell among them. select has told you that a read will not wait: "
                   "leave the flags alone.",
                   call.text.c_str(),
                   call.who == "alice"      ? "the socket"
                   : call.who == "keyboard" ? "in"
                                            : "out"));
  for (const int fd : {desk.in, desk.out, desk.sock})
    if (!expect_that((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0,
                     "netcat left a descriptor in non-blocking mode that it was only lent."))
      return;
}
