// The graded checks of lesson 05, in the order of the stub.
//
// Where time counts, one millisecond either way is free: a right solution may round to what poll(2)
// can wait for.
#include "05-endings/endings.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("05-endings");

namespace {

constexpr Time tolerance = 1ms;

// "error ECONNRESET after 10 bytes"
std::string outcome(const course::IoResult& result) {
  static constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  return names[static_cast<int>(result.status)] +
         (result.error ? " " + error_name(result.error.value()) : "") + " after " +
         byte_count(result.bytes);
}

// What comes on `fd` until its end, at most 64 bytes.
std::string receive_text(int fd) {
  std::string text(64, '\0');
  const ssize_t got = ::recv(fd, text.data(), text.size(), MSG_WAITALL);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

void send_text(int fd, const std::string& text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

// ask() where an exception is another check's business.
void ask_whatever_happens(int fd, const std::string& request, std::string& reply) {
  try {
    (void)course::ask(fd, course::as_bytes(request), reply);
  } catch (const std::exception&) {
  }
}

bool sigpipe_is_at_its_default() {
  struct sigaction action {};
  sigaction(SIGPIPE, nullptr, &action);
  return action.sa_handler == SIG_DFL;
}

bool sigpipe_is_blocked() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, SIGPIPE) == 1;
}

}  // namespace

// ---- finish_sending

// Rule: the two directions of a connection end one by one, and for all descriptors of the socket.
TEST(FinishSending, EndsOnlyItsOwnDirection) {
  explain({.rule = "finish_sending() ends the stream to the peer at once, whatever copies of the "
                   "descriptor there are, and leaves the stream from the peer open.",
           .why = "Many programs answer only when they have seen the end of what you send.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sees_the_end().after(31ms).sends("the answer").closes();

  const std::string answer = scenario.run([&] {
    const course::Fd copy(::dup(fd));
    course::finish_sending(fd);
    return receive_text(fd);
  });

  if (!alice.saw_the_end())
    fail("alice never saw an end of what you send. SHUT_WR ends the direction that you send in.");
  else
    expect_equal(answer, "the answer",
                 "alice saw the end and answered, but receiving had been shut down as well. End "
                 "only the direction that you send in.");
}

// Rule: shutdown(2) fails with ENOTCONN when the connection is over.
TEST(FinishSending, ReportsAConnectionThatIsOver) {
  explain({.rule = "When shutdown fails, finish_sending() throws a std::system_error with errno.",
           .why = "The peer will see no orderly end; only the caller can decide what that means.",
           .read = "Your task"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.resets();
  int error = 0;

  scenario.run([&] {
    try {
      course::finish_sending(fd);
    } catch (const std::system_error& thrown) {
      error = thrown.code().value();
    }
  });

  if (error == 0)
    fail(
        "alice had reset the connection, so shutdown said ENOTCONN, and finish_sending() said "
        "nothing. Throw a std::system_error with that errno.");
  else
    expect_equal(error_name(error), "ENOTCONN",
                 "shutdown failed and finish_sending() reported another error. Take errno straight "
                 "after the call.");
}

// ---- read_to_eof

// Rule: only a receive of 0 bytes is the end.
TEST(ReadToEof, ReadsOnUntilTheEnd) {
  explain({.rule = "Only a receive of 0 bytes is the end: not a short one, and not a signal.",
           .why = "A reply that is cut off looks just like a complete one.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  const std::string middle(10'000, 'x'), last(10'000, 'y');
  alice.at(33ms).sends("four\n").at(71ms).sends(middle).at(104ms).sends(last).closes();
  scenario.signal_at(50ms, SIGUSR1);
  std::string received;

  const auto result = scenario.run([&] { return course::read_to_eof(fd, received); });

  if (result.error.value() == EINTR)
    fail(format("A signal interrupted recv after %s, and nothing was lost. Receive again on EINTR.",
                byte_count(received.size()).c_str()));
  else if (received.size() < 20'005)
    fail(
        format("You stopped after the first %s; %zu more were on their way. Neither a short read "
               "nor a full buffer is the end.",
               byte_count(received.size()).c_str(), 20'005 - received.size()));
  else
    expect_equal(received, "four\n" + middle + last, "20005 bytes came, and you have others.") &&
        expect_equal(outcome(result), "eof after 20005 bytes",
                     "All 20005 bytes came, and the result says something else.");
}

// Rule: what comes is appended as it is; a zero byte is a byte like any other.
TEST(ReadToEof, AppendsByteForByte) {
  explain({.rule = "Every byte that comes is appended to the string, and those are counted.",
           .why = "The string can hold the beginning of the reply already, and a reply can hold "
                  "zero bytes.",
           .read = "Your task"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends(std::string("ne\0ws\xff", 6)).closes();
  std::string received = "old ";

  const auto result = scenario.run([&] { return course::read_to_eof(fd, received); });

  const std::string sentence =
      received.rfind("old ", 0) != 0
          ? "What the string held before is gone. Append to it."
          : "alice sent 6 bytes, one of them zero. Append as many as recv has counted; no byte "
            "marks the end of a piece.";
  expect_equal(received, std::string("old ne\0ws\xff", 10), sentence) &&
      expect_equal(outcome(result), "eof after 6 bytes",
                   "The result counts the bytes that this call appended, and only those.");
}

// Rule: after the end recv goes on saying 0.
TEST(ReadToEof, TheEndStaysTheEnd) {
  explain({.rule = "A peer that finishes without a word has finished: eof with 0 bytes, every time "
                   "you ask.",
           .why = "An empty reply is a reply.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.closes();
  std::string received;

  const auto results = scenario.run([&] {
    const auto first = course::read_to_eof(fd, received);
    return std::pair(first, course::read_to_eof(fd, received));
  });

  expect_equal(outcome(results.first), "eof after 0 bytes",
               "alice finished without a word. That is an end, not an error.") &&
      expect_equal(outcome(results.second), "eof after 0 bytes",
                   "The end was read before, and it stays: recv says 0 again.");
}

// Rule: a receive timeout shows as EAGAIN (socket(7), SO_RCVTIMEO).
TEST(ReadToEof, TellsSilenceFromTheEnd) {
  explain({.rule = "A receive timeout that runs out is timed_out: neither an end nor an error.",
           .why = "The peer may go on in a moment; who takes silence for the end loses the rest.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  const timeval timeout{0, 83'000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  alice.sends("well, ").at(1300ms).closes();
  std::string received;

  const auto result = scenario.run([&] { return course::read_to_eof(fd, received); });

  const std::string sentence =
      scenario.took() >= 1300ms
          ? "The receive timeout of 0.083 s ran out and you went on waiting until alice closed. "
            "Return timed_out."
      : result.status == course::IoStatus::eof
          ? "alice said 6 bytes, fell silent, and you returned eof. Silence is not the end: EAGAIN "
            "here means that the receive timeout ran out."
      : result.status == course::IoStatus::error
          ? "EAGAIN here means that the receive timeout ran out. That is timed_out, not an error."
          : "alice said 6 bytes and fell silent. Count what came before the silence.";
  expect_equal(outcome(result), "timed_out after 6 bytes", sentence) &&
      expect_equal(received, "well, ", "What came before the silence belongs into the string.");
}

// Rule: a reset is an error, and takes nothing back that has arrived.
TEST(ReadToEof, KeepsWhatCameBeforeAReset) {
  explain({.rule = "A reset is an error, ECONNRESET; what came before it is kept and counted.",
           .why = "The peer may have said in its last words why it hangs up.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("last words").at(57ms).resets();
  std::string received;

  const auto result = scenario.run([&] { return course::read_to_eof(fd, received); });

  if (result.status != course::IoStatus::error)
    expect_equal(outcome(result), "error ECONNRESET after 10 bytes",
                 "alice reset the connection, and you called that a proper end.");
  else
    expect_equal(received, "last words",
                 "alice said 10 bytes before the reset, and they are lost. Keep them.") &&
        expect_equal(outcome(result), "error ECONNRESET after 10 bytes",
                     "alice said 10 bytes before she reset the connection. Count them, and say "
                     "what ended them.");
}

// ---- ask

// Rule: a peer that reads to the end cannot answer before there is one.
TEST(Ask, FinishesSoThatThePeerCanAnswer) {
  explain({.rule = "Send the request, finish sending, and then read the answer.",
           .why = "alice reads to the end before she answers; without an end both of you wait.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sees_the_end().after(42ms).sends("four").closes();
  std::string reply = "2 + 2 = ";

  const auto result =
      scenario.run([&] { return course::ask(fd, course::as_bytes("2 + 2"), reply); });

  expect_equal(alice.received(), "2 + 2",
               "alice saw the end without the request. After the end nothing can be sent: the "
               "request goes first.") &&
      expect_equal(reply, "2 + 2 = four",
                   "alice answered and finished. Append all of it, until the end.") &&
      expect_equal(outcome(result), "eof after 4 bytes", "The result tells of the answer.");
}

// Rule: a peer that has finished sending can still receive, and all of it is meant for the peer.
TEST(Ask, SendsTheWholeRequest) {
  explain({.rule = "Send the whole request, to a peer that has finished sending, too.",
           .why = "A FIN says \"nothing more from me\", never \"I am gone\".",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.finishes_sending();
  scenario.faults().send_takes_at_most(5);
  std::string reply;

  scenario.run([&] { ask_whatever_happens(fd, "pear, apple, fig, quince", reply); });

  const std::size_t count = alice.received().size();
  expect_equal(
      alice.received(), "pear, apple, fig, quince",
      count == 0 ? "alice had finished sending and still listened; you sent her nothing. Her end "
                   "is not yours."
                 : format("send took %zu of 24 bytes, and the other %zu were never sent. Offer the "
                          "rest.",
                          count, 24 - std::min<std::size_t>(count, 24)));
}

// Rule: a failure to send is an answer too.
TEST(Ask, ReportsARequestThatCouldNotBeSent) {
  explain({.rule = "When the request cannot be sent, ask() returns error with errno. It does not "
                   "throw for that.",
           .why = "Otherwise a request that never arrived looks like one with an empty answer.",
           .read = "Your task"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.resets();
  std::string reply;
  std::optional<course::IoResult> result;

  scenario.run([&] {
    try {
      result = course::ask(fd, course::as_bytes("2 + 2"), reply);
    } catch (const std::system_error&) {
    }
  });

  if (!result)
    fail("The request could not be sent, and ask() threw. Put the error into what it returns.");
  else if (const int error = result->error.value();
           result->status != course::IoStatus::error || (error != ECONNRESET && error != EPIPE))
    expect_equal(outcome(*result), "error ECONNRESET after 0 bytes",
                 "Not a byte of the request was sent, and the result does not say so.");
}

// Rule: the first send to a peer that has closed succeeds; the next says EPIPE, and raises SIGPIPE
// unless it is told not to.
TEST(Ask, RaisesNoSigpipe) {
  explain({.rule = "ask() never raises SIGPIPE, and leaves the handling of SIGPIPE as it was.",
           .why = "SIGPIPE ends the whole process, because of one peer that hung up.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.closes();
  std::string reply;

  scenario.run([&] {
    send_text(fd, "are you there?");
    ask_whatever_happens(fd, "2 + 2", reply);
  });

  expect_that(sigpipe_is_at_its_default(),
              "ask() changed what the process does on SIGPIPE, and left it so. Other parts of the "
              "process have their own plans for it: ask for no signal in the call itself.") &&
      expect_that(!sigpipe_is_blocked(),
                  "SIGPIPE is blocked now, and was not before the call. Put the mask back.");
}

// Rule: that nothing can be sent says nothing about what has been received.
TEST(Ask, KeepsAnAnswerThatCameEarly) {
  explain({.rule = "What the peer said before it left is appended, though the request could not be "
                   "sent or finished.",
           .why = "A server that refuses a request says so and hangs up before it has read it all.",
           .read = "Your task"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int to_alice = alice.connected();
  const int to_bob = bob.connected();
  alice.sends("busy").closes();
  bob.sends("go away").resets();
  std::string from_alice, from_bob;

  scenario.run([&] {
    ask_whatever_happens(to_alice, "2 + 2", from_alice);
    ask_whatever_happens(to_bob, "2 + 2", from_bob);
  });

  expect_equal(from_alice, "busy",
               "alice answered and closed. The send still worked, then shutdown said ENOTCONN, and "
               "her answer was not read. It had arrived: read it.") &&
      expect_equal(from_bob, "go away",
                   "bob answered and reset the connection. The send failed, and his answer was not "
                   "read. It had arrived: read it.");
}

// ---- close_gracefully

// Rule: a close with unread input is a reset (RFC 1122 section 4.2.2.13).
TEST(CloseGracefully, LetsTheReplyArriveDespiteUnreadInput) {
  explain({.rule = "Drop all that the peer sends until it finishes, and only then close.",
           .why = "Input that meets a closed socket, or is unread in it, turns the close into a "
                  "reset, and a reset can destroy the last reply on its way.",
           .read = "The rule"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends(std::string(20'000, 'x')).after(23ms).sends("one more line\n");
  alice.after(23ms).sends("and another\n").sees_the_end().after(9ms).closes();

  scenario.run([&] {
    send_text(fd, "the last reply");
    course::close_gracefully(course::Fd(fd), 800ms);
  });
  scenario.finish();

  if (alice.saw_a_reset())
    fail(alice.reset_at() < 23ms
             ? "Unread input turned your close into a reset. Finish sending, drop all that comes "
               "until alice finishes, then close."
             : "More input came after what you dropped, and turned your close into a reset. Drop "
               "all that comes until alice finishes.");
  else
    expect_equal(alice.received(), "the last reply", "The last reply has not arrived.");
}

// Rule: with no time left there is still something to do that takes none.
TEST(CloseGracefully, DropsWhatIsThereEvenWithoutALinger) {
  explain({.rule = "With a linger of 0, finish sending, drop the input that is there without "
                   "waiting, and close.",
           .why = "Even who cannot wait need not destroy the reply. (A receive timeout of 0 means "
                  "none: that would wait for ever.)",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends("one more line\n");

  scenario.run([&] {
    send_text(fd, "the last reply");
    course::close_gracefully(course::Fd(fd), 0ms);
  });

  expect_that(!alice.saw_a_reset(),
              "alice's line was there and unread, so your close was a reset. With no time left, "
              "still drop what is there.") &&
      expect_equal(alice.received(), "the last reply", "The last reply has not arrived.") &&
      expect_that(scenario.took() <= tolerance, "With a linger of 0 you came back after " +
                                                    shown(scenario.took()) + ". Do not wait.");
}

// Rule: when both sides have finished there is nothing left to wait for.
TEST(CloseGracefully, ReturnsAsSoonAsThePeerFinishes) {
  explain({.rule = "Finish sending first; when the peer finishes too, close at once.",
           .why = "A server that sits out every linger keeps a descriptor for each of them.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sees_the_end().after(37ms).sends("bye").closes();

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 900ms); });

  const Time took = scenario.took(), end_at = alice.end_at().value_or(took);
  if (took <= 50ms) return;
  if (end_at > tolerance)
    fail("alice waited for your end, and you for hers, until " + shown(end_at) +
         " had passed. Finish sending first, then wait.");
  else
    fail("alice finished after 0.037 s; you came back after " + shown(took) +
         ". A receive of 0 bytes ends the wait.");
}

// Rule: silence is no event; only the clock ends it.
TEST(CloseGracefully, WaitsForTheLingerWhenThePeerIsSilent) {
  explain({.rule = "A silent peer is waited for as long as the linger says, and the descriptor is "
                   "closed then.",
           .why = "Too short a wait cuts off a slow peer; too long a one keeps your descriptor.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 1530ms); });

  bool is_refused = false;
  for (const Call& call : scenario.calls("setsockopt")) is_refused |= call.error == EDOM;
  const Time took = scenario.took();
  if (is_refused)
    fail("setsockopt refused the receive timeout (EDOM), and you came back after " + shown(took) +
         " of 1.53 s. tv_usec must stay below 1000000; whole seconds go into tv_sec.");
  else if (took < 1530ms - tolerance)
    fail("alice was silent and you came back after " + shown(took) +
         " of 1.53 s. Wait for all of the linger.");
  else
    expect_that(took <= 1530ms + tolerance, "alice was silent and you came back after " +
                                                shown(took) + "; the linger was 1.53 s.");
}

// Rule: the linger is one deadline, fixed at the beginning.
TEST(CloseGracefully, KeepsOneDeadlineWhateverWakesIt) {
  explain({.rule = "The linger is counted once, from the beginning. Neither a byte nor a signal "
                   "ends it or starts it anew.",
           .why = "A peer that sends a byte now and then would hold you for ever.",
           .read = "Your task"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  for (const Time time : {33ms, 66ms, 99ms, 132ms, 165ms}) alice.at(time).sends(".");
  scenario.signal_at(120ms, SIGUSR1);

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 250ms); });

  const Time took = scenario.took();
  const auto is_at = [took](Time time) { return took >= time && took <= time + tolerance; };
  const std::string back = "You came back after " + shown(took) + "; the linger was 0.25 s. ";
  if (took >= 250ms - tolerance && took <= 250ms + tolerance) return;
  if (is_at(120ms))
    fail(back + "A signal woke you then. Work out what is left of the linger, and wait on.");
  else if (is_at(120ms + 250ms))
    fail(back +
         "The signal after 0.12 s started it anew. Keep one deadline, and wait for what is "
         "left until then.");
  else if (is_at(165ms + 250ms))
    fail(back +
         "Each byte started it anew, the last one after 0.165 s. Keep one deadline, and "
         "wait for what is left until then.");
  else if (took < 250ms)
    fail(back + "alice had not finished. Drop what comes, and wait on.");
  else
    fail(back + "Keep one deadline, and wait for what is left until then.");
}

// Rule: after a reset there is nothing to shut down, and still a descriptor to close.
TEST(CloseGracefully, ClosesWhenThePeerHasReset) {
  explain({.rule = "Whatever happens, close_gracefully() closes the descriptor and throws nothing. "
                   "After a reset, shutdown says ENOTCONN.",
           .why = "An exception that leaves a noexcept function ends the whole process.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.resets();

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 900ms); });

  expect_that(scenario.open_descriptors().empty(),
              "The conversation was over, and its descriptor stayed open. Close it all the same.");
}
