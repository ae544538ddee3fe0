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

#include "conversation.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;

LESSON("05-endings");

// ---- finish_sending

// Rule: the two directions of a connection end one by one, and for all descriptors of the socket.
TEST(FinishSending, EndsOnlyItsOwnDirection) {
  explain({.rule = "finish_sending() ends the stream to the peer at once, whatever copies of the "
                   "descriptor there are, and leaves the stream from the peer open.",
           .why = "Many programs answer only when they have seen the end of what you send.",
           .read = "Two streams, two ends"});
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
                 "alice saw the end and is about to answer, but you cannot hear her. Receiving has "
                 "been shut down as well. End only the direction that you send in.");
}

// Rule: shutdown(2) fails with ENOTCONN when the connection is over.
TEST(FinishSending, ReportsAConnectionThatIsOver) {
  explain({.rule = "When shutdown fails, finish_sending() throws a std::system_error with errno.",
           .why = "The peer will see no orderly end; only the caller can decide what that means.",
           .read = "After a reset"});
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
           .read = "Four endings"});
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
           .read = "Four endings"});
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
           .read = "Silence is not an event"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  Peer& bob = scenario.peer("bob");
  const int to_bob = bob.connected();
  const long timeout_us = set_receive_timeout(fd);
  set_receive_timeout(to_bob);
  alice.sends("well, ").at(1300ms).closes();
  std::string received, from_bob;

  const auto results = scenario.run([&] {
    const auto first = course::read_to_eof(fd, received);
    return std::pair(first, course::read_to_eof(fd, received));
  });
  const Time took = scenario.took();
  scenario.spurious_readiness(to_bob);
  scenario.faults().fail("recv", ETIMEDOUT);
  const auto dead = scenario.run([&] { return course::read_to_eof(to_bob, from_bob); });

  const auto status = results.first.status;
  const std::string sentence =
      took >= 1300ms ? "The receive timeout of 0.083 s ran out and you went on waiting until alice "
                       "closed. Return timed_out."
      : status == course::IoStatus::eof
          ? "alice said 6 bytes, fell silent, and you returned eof. Silence is not the end: EAGAIN "
            "here means that the receive timeout ran out."
      : status == course::IoStatus::error
          ? "EAGAIN here means that the receive timeout ran out. That is timed_out, not an error."
      : results.first.error
          ? "IoResult::error stays empty unless the status is error."
          : "alice said 6 bytes and fell silent. Count what came before the silence.";
  expect_equal(outcome(results.first), "timed_out after 6 bytes", sentence) &&
      expect_equal(outcome(results.second), "timed_out after 0 bytes",
                   "The second time you listened, alice said nothing. Silence is not the end, "
                   "however little came before it.") &&
      expect_equal(received, "well, ", "What came before the silence belongs into the string.") &&
      expect_that(receive_timeout_us(fd) == timeout_us,
                  "read_to_eof() changed the receive timeout of a socket that it had only "
                  "borrowed. It is the caller's: leave it as it was.") &&
      expect_equal(outcome(dead), "error ETIMEDOUT after 0 bytes",
                   "ETIMEDOUT is not your receive timeout, which shows as EAGAIN: the kernel has "
                   "given up the connection to bob. That is an error.");
}

// Rule: a reset is an error, and takes nothing back that has arrived.
TEST(ReadToEof, KeepsWhatCameBeforeAReset) {
  explain({.rule = "A reset is an error, ECONNRESET; what came before it is kept and counted.",
           .why = "The peer may have said in its last words why it hangs up.",
           .read = "Four endings"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  Peer& bob = scenario.peer("bob");
  const int to_bob = bob.connected();
  alice.sends("last words").at(57ms).resets();
  bob.resets();
  std::string received, from_bob;

  const auto results = scenario.run([&] {
    const auto from_alice = course::read_to_eof(fd, received);
    return std::pair(from_alice, course::read_to_eof(to_bob, from_bob));
  });

  if (results.first.status != course::IoStatus::error)
    expect_equal(outcome(results.first), "error ECONNRESET after 10 bytes",
                 "alice reset the connection, and you called that a proper end.");
  else
    expect_equal(received, "last words",
                 "alice said 10 bytes before the reset, and they are lost. Keep them.") &&
        expect_equal(outcome(results.first), "error ECONNRESET after 10 bytes",
                     "alice said 10 bytes before she reset the connection. Count them, and say "
                     "what ended them.") &&
        expect_equal(outcome(results.second), "error ECONNRESET after 0 bytes",
                     "bob reset the connection without a word. A reset is an error, however "
                     "little came before it.");
}

// ---- ask

// Rule: a peer that reads to the end cannot answer before there is one.
TEST(Ask, FinishesSoThatThePeerCanAnswer) {
  explain({.rule = "Send the request, finish sending, and then read the answer.",
           .why = "alice reads to the end before she answers; without an end both of you wait.",
           .read = "Two streams, two ends"});
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
  explain({.rule = "Send the whole request and its end, to a peer that has finished sending, too.",
           .why = "A FIN says \"nothing more from me\", never \"I am gone\".",
           .read = "Four endings"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  Peer& bob = scenario.peer("bob");
  const int to_bob = bob.connected();
  alice.finishes_sending();
  bob.finishes_sending();
  scenario.faults().send_takes_at_most(5);
  std::string reply;

  scenario.run([&] {
    (void)ask_whatever_happens(fd, "pear, apple, fig, quince", reply);
    (void)ask_whatever_happens(to_bob, "", reply);
  });

  const std::size_t count = alice.received().size();
  expect_equal(
      alice.received(), "pear, apple, fig, quince",
      count == 0 ? "alice had finished sending and still listened; you sent her nothing. Her end "
                   "is not yours."
                 : format("send took %zu of 24 bytes, and the other %zu were never sent. Offer the "
                          "rest.",
                          count, 24 - std::min<std::size_t>(count, 24))) &&
      // Who never finishes is another check's business.
      expect_that(bob.saw_the_end() || !alice.saw_the_end(),
                  "The request to bob was empty, and he never saw the end of it. An empty request "
                  "has an end too.");
}

// Rule: a failure is an answer too, and is returned.
TEST(Ask, ReportsWhatWentWrong) {
  explain({.rule = "ask() returns what went wrong: error with errno when the request could not be "
                   "sent whole, timed_out when the receive timeout ran out. It throws for neither.",
           .why = "Otherwise a request that never arrived looks like one that was answered.",
           .read = "Your task"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  Peer& carol = scenario.peer("carol");
  const int to_alice = alice.connected(), to_bob = bob.connected(), to_carol = carol.connected();
  const long timeout_us = set_receive_timeout(to_carol);
  alice.resets();
  bob.sends("go away").resets();
  carol.sends("well, ").at(1300ms).closes();
  std::string reply;
  std::optional<course::IoResult> from_alice, from_bob, from_carol;

  scenario.run([&] {
    from_alice = ask_whatever_happens(to_alice, "2 + 2", reply);
    from_bob = ask_whatever_happens(to_bob, "2 + 2", reply);
    from_carol = ask_whatever_happens(to_carol, "2 + 2", reply);
  });

  const auto says_so = [](const course::IoResult& result) {
    const int error = result.error.value();
    return result.status == course::IoStatus::error && (error == ECONNRESET || error == EPIPE);
  };
  if (!from_alice || !from_bob)
    fail("The request could not be sent, and ask() threw. Put the error into what it returns.");
  else if (!from_carol)
    fail("carol fell silent until the receive timeout ran out, and ask() threw. Return timed_out.");
  else if (!says_so(*from_alice))
    expect_equal(outcome(*from_alice), "error ECONNRESET after 0 bytes",
                 "Not a byte of the request to alice was sent, and the result does not say so.");
  else if (!says_so(*from_bob))
    expect_equal(outcome(*from_bob), "error ECONNRESET after 7 bytes",
                 "bob answered before he reset the connection, and not a byte of your request was "
                 "sent. Return what he said, and that error.");
  else
    expect_equal(outcome(*from_carol), "timed_out after 6 bytes",
                 scenario.took() >= 1300ms
                     ? "carol fell silent. Her receive timeout of 0.083 s ran out, and you went on "
                       "waiting until she closed. Return timed_out."
                     : "carol said 6 bytes and fell silent until the receive timeout ran out.") &&
        expect_that(receive_timeout_us(to_carol) == timeout_us,
                    "ask() changed the receive timeout of a socket that it had only borrowed. It "
                    "is the caller's: leave it as it was.");
}

// Rule: the first send to a peer that has closed succeeds; the next says EPIPE, and raises SIGPIPE
// unless it is told not to.
TEST(Ask, RaisesNoSigpipe) {
  explain({.rule = "ask() never raises SIGPIPE, and leaves the handling of SIGPIPE as it was.",
           .why = "SIGPIPE ends the whole process, because of one peer that hung up.",
           .read = "Your task"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.closes();
  std::string reply;

  scenario.run([&] {
    send_text(fd, "are you there?");
    (void)ask_whatever_happens(fd, "2 + 2", reply);
  });

  expect_that(sigpipe_is_at_its_default(),
              "ask() changed what the process does on SIGPIPE, and left it so. Other parts of the "
              "process have their own plans for it: ask for no signal in the call itself.") &&
      expect_that(!sigpipe_is_blocked(),
                  "SIGPIPE is blocked now, and was not before the call. Put the mask back.");
}

// Rule: that nothing can be sent says nothing about what has been received.
TEST(Ask, KeepsAnAnswerThatCameEarly) {
  explain({.rule = "What the peer said before it left is appended and counted, though the request "
                   "could not be sent or finished.",
           .why = "A server that refuses a request says so and hangs up before it has read it all.",
           .read = "After a reset"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  Peer& carol = scenario.peer("carol");
  const int to_alice = alice.connected(), to_bob = bob.connected(), to_carol = carol.connected();
  alice.sends("busy").closes();
  bob.sends("go away").resets();
  carol.sends("too long").closes();
  scenario.faults().send_takes_at_most(5);
  scenario.faults().recv_gives_at_most(5);
  ::signal(SIGPIPE, SIG_IGN);  // another check's business
  std::string from_alice, from_bob, from_carol;
  std::optional<course::IoResult> alices, bobs, carols;

  scenario.run([&] {
    alices = ask_whatever_happens(to_alice, "2 + 2", from_alice);
    bobs = ask_whatever_happens(to_bob, "2 + 2", from_bob);
    carols = ask_whatever_happens(to_carol, "2 + 2 + 2", from_carol);
  });

  const auto counts = [](const std::optional<course::IoResult>& result, const std::string& said) {
    return !result || expect_equal(result->bytes, said.size(),
                                   format("%s was appended, and the result counts %s of it. Count "
                                          "what was appended, however it ended.",
                                          quoted(said).c_str(), byte_count(result->bytes).c_str()));
  };
  const std::string cut = " answer came in two pieces, and you have read one. Read on to the end.";
  expect_equal(from_alice, "busy",
               "alice answered and closed. The send still worked, then shutdown said ENOTCONN, and "
               "her answer was not read. It had arrived: read it.") &&
      expect_equal(from_bob, "go away",
                   !from_bob.empty() ? "bob's" + cut
                                     : "bob answered and reset the connection. The send failed, "
                                       "and his answer was not read. It had arrived: read it.") &&
      expect_equal(from_carol, "too long",
                   !from_carol.empty() ? "carol's" + cut
                                       : "carol answered and closed. The second send said EPIPE, "
                                         "and her answer was not read. It had arrived: read it.") &&
      counts(bobs, from_bob) && counts(carols, from_carol) &&
      (!alices || expect_equal(outcome(*alices), "eof after 4 bytes",
                               "alice had finished, so that shutdown said ENOTCONN. That alone is "
                               "no error: her answer came whole, to its end."));
}
