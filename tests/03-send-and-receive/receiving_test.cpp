// The graded checks of lesson 03: receiving, and at last what holds for all three functions.
#include "03-send-and-receive/send_and_receive.hpp"

#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <span>
#include <string>

#include "conversation.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace conversation;
using namespace std::string_literals;

namespace {

// The memory of `text`, to receive into.
course::bytes room(std::string& text) { return std::as_writable_bytes(std::span(text)); }

// "ok, 5 bytes", "error ECONNRESET, 0 bytes".
std::string told(const course::IoResult& result) {
  static constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  const bool has_reason = result.status == course::IoStatus::error || result.error;
  return names[static_cast<int>(result.status)] + (has_reason ? " " + errno_of(result.error) : "") +
         ", " + byte_count(result.bytes);
}

}  // namespace

// ---- recv_some

// Rule: recv(2) returns how many bytes came; nothing else tells.
TEST(RecvSome, SaysHowManyBytesCame) {
  explain({.rule = "recv_some waits until something is there, and returns as many bytes as came.",
           .why = "What lies behind them in the buffer is from some earlier time.",
           .read = "recv gives what is there"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(1300ms).sends("he\0lo"s).at(2700ms).finishes_sending();
  std::string buffer(64, '.');

  const auto result = scenario.run([&] { return course::recv_some(fd, room(buffer)); });

  if (scenario.took() > 1300ms)
    fail("alice sent 5 bytes at 1.3 s, and recv_some waited for a full buffer until " +
         shown(scenario.took()) + ". Return what is there.");
  else if (told(result) == "ok, 2 bytes")
    fail(
        "5 bytes came, and recv_some said 2: it stopped at a zero byte. Zeros are data, and recv "
        "adds none. Use the count that it returned.");
  else if (expect_equal(told(result), "ok, 5 bytes",
                        "alice sent 5 bytes, into a buffer of 64. Only the count that recv returns "
                        "tells how many came."))
    expect_equal(buffer.substr(0, 5), "he\0lo"s, "5 bytes came, but not those that alice sent.");
}

// Rule: recv(2) returns 0 when the peer has finished, from then on every time.
TEST(RecvSome, ReportsTheEnd) {
  explain({.rule = "0 from recv is the end: first come the last bytes, then eof, and eof it stays.",
           .why = "A program that overlooks the end asks again for ever.",
           .read = "recv gives what is there"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends("bye").finishes_sending();
  std::string buffer(8, '.');
  std::string answers;

  scenario.run([&] {
    for (const char* separator : {"", "; ", "; "})
      answers += separator + told(course::recv_some(fd, room(buffer)));
    (void)::send(fd, "good night", 10, MSG_NOSIGNAL);  // the caller's
  });

  if (has_closed(scenario, fd))
    fail(
        "alice finished sending, and recv_some closed the descriptor, which it was only lent: "
        "the caller could not answer any more. Closing is the caller's business.");
  else if (expect_equal(answers, "ok, 3 bytes; eof, 0 bytes; eof, 0 bytes",
                        "alice sent 3 bytes and finished, and recv_some was called three times. "
                        "When recv returns 0, return eof and 0 bytes."))
    if (expect_equal(alice.received(), "good night",
                     "alice has finished sending, but still reads, and after recv_some the caller "
                     "could not answer any more. Leave the socket as it is."))
      expect_that(is_blocking(fd),
                  "recv_some left the socket in non-blocking mode. The mode belongs to the socket, "
                  "so the caller's next send will not wait. Leave it as it was.");
}

// Rule: recv(2) returns -1 for errors and 0 for the end; errno belongs to -1.
TEST(RecvSome, TellsAResetFromTheEnd) {
  explain({.rule = "-1 from recv is an error, and errno says which.",
           .why = "After an end all has come; after a reset, something may be missing.",
           .read = "errno belongs to a failure"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(1300ms).resets();
  Peer& bob = scenario.peer("bob");
  const int from_bob = bob.connected_and_handed_over();
  bob.at(2700ms).sends("late");
  std::string buffer(8, '.');

  const auto result = scenario.run([&] { return course::recv_some(fd, room(buffer)); });
  scenario.faults().fail("recv", ETIMEDOUT);
  const auto silence = scenario.run([&] { return course::recv_some(from_bob, room(buffer)); });

  const std::string start = "alice reset the connection, and recv said -1 and ECONNRESET. ";
  if (result.status == course::IoStatus::ok)
    fail(start + "recv_some made a count of the -1: " + told(result) +
         ". Look for -1 before you count, in a type that can hold it.");
  else if (result.status == course::IoStatus::eof)
    fail(start + "recv_some said eof; a reset is not an end. Tell -1 from 0.");
  else if (expect_equal(
               told(result), "error ECONNRESET, 0 bytes",
               start + (scenario.calls("getsockopt").empty()
                            ? "Take errno straight after the call."
                            : "The reason is in errno; SO_ERROR has forgotten it by then.")) &&
           expect_equal(told(silence), "error ETIMEDOUT, 0 bytes",
                        "recv from bob said -1 and ETIMEDOUT. Any errno but EINTR is the answer: "
                        "return it."))
    expect_that(is_blocking(fd) && !has_closed(scenario, fd) && !has_closed(scenario, from_bob),
                "recv said -1, and recv_some closed the descriptor or changed its mode; it was "
                "only lent. Closing is the caller's business.");
}

// Rule: EINTR says that nothing was received (recv(2), signal(7)).
TEST(RecvSome, GoesOnAfterASignal) {
  explain({.rule = "A signal does not end the wait, however many come.",
           .why = "A timer, a resized window or a child that ended says nothing about the peer.",
           .read = "EINTR is no failure"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(2600ms).sends("hello").at(3100ms).resets();
  twenty_signals(scenario);
  std::string buffer(5, '.');

  const auto result = scenario.run([&] { return course::recv_some(fd, room(buffer)); });

  const auto calls = scenario.calls();
  const bool asked_again =
      std::any_of(calls.begin(), calls.end(), [](const Call& call) { return call.value == 5; });
  if (result.status != course::IoStatus::ok && asked_again)
    return fail(
        "recv had returned 5 bytes, and the program called it again: errno was still EINTR, from "
        "an earlier call. Look at errno only when recv said -1.");
  expect_equal(told(result), "ok, 5 bytes",
               "A signal interrupted recv at " + shown(scenario.took()) +
                   ", and recv_some returned. Nothing was lost: ask again, however often.");
}

// Rule: a blocking recv waits as long as the connection lives.
TEST(RecvSome, WaitsAsLongAsItTakes) {
  explain({.rule = "While nothing is there, recv_some waits.",
           .why = "A peer that thinks for two hours has neither finished nor failed.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(133min + 700ms).sends("hello");
  std::string buffer(5, '.');

  const auto result = scenario.run([&] { return course::recv_some(fd, room(buffer)); });

  expect_equal(told(result), "ok, 5 bytes",
               "alice was silent, and recv_some gave up at " + shown(scenario.took()) +
                   ". Silence is not an answer: wait until something comes.");
}

// Rule: what was not received was not written.
TEST(RecvSome, WritesOnlyTheBytesThatCame) {
  explain({.rule = "recv_some writes the bytes that it counts, and not one behind them.",
           .why = "Behind the buffer lies memory that belongs to something else.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends("hello, world").after(600ms).finishes_sending();
  // In the middle of each a buffer of 8.
  std::string full(24, '.'), half_full(24, '.'), ended(24, '.'), failed(24, '.');

  const auto second = scenario.run([&] {
    (void)course::recv_some(fd, room(full).subspan(8, 8));
    return course::recv_some(fd, room(half_full).subspan(8, 8));
  });
  scenario.run([&] { (void)course::recv_some(fd, room(ended).subspan(8, 8)); });
  scenario.faults().fail("recv", ETIMEDOUT);
  scenario.run([&] { (void)course::recv_some(fd, room(failed).subspan(8, 8)); });

  const std::size_t came = std::min<std::size_t>(second.bytes, 8);
  if (full[16] == '\0')
    fail(
        "The buffer was full, and the byte past its end is 0 now, as if to end a string. The "
        "count is enough: write nothing after what came.");
  else if (expect_equal(full.substr(16), "........",
                        "The bytes past the end of the buffer have changed. Offer recv only the "
                        "room there is."))
    if (expect_equal(half_full.substr(8 + came), std::string(16 - came, '.'),
                     byte_count(came) +
                         " came, and the room behind them has changed. Write nothing "
                         "after what came."))
      expect_that(ended == std::string(24, '.') && failed == std::string(24, '.'),
                  "At the end, and after a failure, no byte came, and the buffer has changed. "
                  "Write nothing then.");
}

// ---- recv_exact

// Rule: a stream has no boundaries; whatever was sent may come in any pieces.
TEST(RecvExact, FillsTheBufferFromEveryPiece) {
  explain({.rule = "recv_exact asks again until its buffer is full.",
           .why = "The stream keeps no boundaries: what was sent at once may come in any pieces.",
           .read = "recv gives what is there"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  const std::string message = "hello,\nworld";
  const std::string some = many_bytes(300, '\0'), many = many_bytes(70'000, '\0');
  for (const char c : message) alice.after(100ms).sends({c});
  for (std::size_t cut = 1; cut <= 11; ++cut)
    alice.after(300ms).sends(message.substr(0, cut)).after(400ms).sends(message.substr(cut));
  alice.after(300ms).sends(some).after(300ms).sends(many).finishes_sending();

  for (int i = 1; i <= 12; ++i) {
    std::string buffer(12, '.');

    const auto result = scenario.run([&] { return course::recv_exact(fd, room(buffer)); });

    if (result.bytes < 12)
      return fail(
          format("recv_exact returned with %zu of 12 bytes, and more was still to come. "
                 "Ask again, for what is missing, until the buffer is full.",
                 result.bytes));
    if (!expect_equal(buffer, "hello,\nworld",
                      "All 12 bytes came, but not to their places. Each piece belongs after the "
                      "one before.") ||
        !expect_equal(told(result), "ok, 12 bytes", "The buffer is full."))
      return;
  }

  for (const std::string& payload : {some, many}) {
    if (payload.size() > 300 && goes_byte_by_byte(scenario)) break;
    std::string buffer(payload.size(), '.');

    const auto result = scenario.run([&] { return course::recv_exact(fd, room(buffer)); });

    if (!expect_equal(told(result), "ok, " + byte_count(payload.size()),
                      "alice sent that many bytes, and finished after the last. A full buffer is "
                      "ok, whatever comes after it; count in a std::size_t.") ||
        !expect_that(buffer == payload, "All bytes came, but not to their places."))
      return;
  }
}

// Rule: a signal can leave a short count, even with MSG_WAITALL (recv(2)).
TEST(RecvExact, GoesOnAfterASignalInTheMiddle) {
  explain({.rule = "A signal in the middle neither ends recv_exact nor loses what has come.",
           .why = "One byte lost or read twice, and everything after it is read wrongly.",
           .read = "EINTR is no failure"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(400ms).sends("hello").at(2600ms).sends(", world").at(3100ms).finishes_sending();
  scenario.signal_at(900ms, SIGUSR1);
  scenario.signal_at(1700ms, SIGUSR2, Handler::restarting);
  std::string buffer(12, '.');

  const auto result = scenario.run([&] { return course::recv_exact(fd, room(buffer)); });

  if (expect_that(told(result) == "ok, 12 bytes",
                  "5 of 12 bytes had come when a signal interrupted the wait at 0.9 s, and "
                  "recv_exact returned \"" +
                      told(result) + "\" at " + shown(scenario.took()) +
                      ". Keep the 5, and ask for the other 7."))
    expect_equal(buffer, "hello, world", "A signal came between two pieces. Keep the first.");
}

// Rule: what is taken from the stream is gone from it.
TEST(RecvExact, TakesNotOneByteMore) {
  explain({.rule = "recv_exact takes from the stream what fits into its buffer, and not one byte "
                   "more.",
           .why = "What comes after it belongs to the next call, and that may be another "
                  "function's.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(400ms).sends("+21").at(1300ms).sends(".5 C\n+2");
  std::string memory(24, '.');  // the first 8 bytes are the buffer
  std::string rest(8, '.');

  const auto result = scenario.run([&] {
    const auto exact = course::recv_exact(fd, room(memory).first(8));
    const ssize_t left = ::recv(fd, rest.data(), rest.size(), MSG_DONTWAIT);  // the caller's
    rest.resize(left > 0 ? static_cast<std::size_t>(left) : 0);
    return exact;
  });

  if (result.bytes > 8)
    fail(
        format("recv_exact had room for 8 bytes, and received %zu, the last of them past the end "
               "of its buffer. After a piece, ask only for what is missing.",
               result.bytes));
  else if (expect_equal(memory.substr(0, 8), "+21.5 C\n", "The 8 bytes are not the first 8 sent."))
    expect_equal(rest, "+2",
                 "recv_exact had room for 8 of the 10 bytes, and took more: the others belong to "
                 "the next call. Never ask recv for more than is missing.");
}

// Rule: an end between two messages is good news, one in the middle is not; the count tells.
TEST(RecvExact, SaysWhatCameWhenItEndsEarly) {
  explain({.rule = "Whatever ends recv_exact early, it says how, and how many bytes had come: eof "
                   "with 0 is an end between messages, eof with 3 is a message cut in two.",
           .why = "A file that is cut off looks like a whole one to a program that does not ask.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  Peer& carol = scenario.peer("carol");
  const int from_alice = alice.connected_and_handed_over();
  const int from_bob = bob.connected_and_handed_over();
  const int from_carol = carol.connected_and_handed_over();
  alice.at(400ms).finishes_sending();
  bob.at(700ms).sends("hel").at(1300ms).finishes_sending();
  carol.at(1900ms).sends("hel").at(2100ms).resets();
  Peer& dave = scenario.peer("dave");
  const int from_dave = dave.connected_and_handed_over();
  dave.at(2400ms).resets();
  std::string buffer(5, '.'), of_bob(5, '.'), of_carol(5, '.');
  course::IoResult between, in_the_middle, reset, alone;

  scenario.run([&] {
    between = course::recv_exact(from_alice, room(buffer));
    in_the_middle = course::recv_exact(from_bob, room(of_bob));
    reset = course::recv_exact(from_carol, room(of_carol));
    alone = course::recv_some(from_dave, room(buffer));  // what it says of a reset, right or wrong
  });

  if (expect_equal(told(between), "eof, 0 bytes",
                   "alice finished before the first byte. That is an end between messages.") &&
      expect_equal(told(in_the_middle), "eof, 3 bytes",
                   "bob finished after 3 of 5 bytes: the message was cut off. Say eof, and how "
                   "many bytes had come.") &&
      expect_that(reset.status == course::IoStatus::error && reset.bytes == 3 &&
                      (reset.error == alone.error || errno_of(reset.error) == "ECONNRESET"),
                  "carol reset the connection after 3 of 5 bytes, and recv_exact returned \"" +
                      told(reset) + "\". Say error, the errno, and how many bytes had come."))
    expect_that(
        of_bob.substr(0, 3) + of_bob[4] == "hel." && of_carol.substr(0, 3) + of_carol[4] == "hel.",
        "3 bytes came, and recv_exact changed the room behind them, or the 3 themselves. "
        "Write what came and nothing else.");
}

// ---- all three

// Rule: asked for 0 bytes, recv(2) answers 0, and that means something else already.
TEST(EmptyBuffers, AskNothingOfTheKernel) {
  explain({.rule = "With nothing to send, or no room to receive into, the work is done already.",
           .why = "Asked for 0 bytes, recv waits all the same, and then answers 0, which means "
                  "the end.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(1300ms).sends("hello");
  std::string answers, called;
  std::size_t seen = 0;
  const auto watch = [&](const char* function) {
    auto calls = scenario.calls();
    std::erase_if(calls, [](const Call& call) { return call.fd < 0; });  // those about signals
    if (calls.size() > seen)
      called += (called.empty() ? "" : ", and ") + (function + (" called " + calls[seen].text));
    seen = calls.size();
  };

  scenario.run([&] { course::send_all(fd, {}); });
  watch("send_all");
  scenario.run([&] { answers = told(course::recv_some(fd, {})); });
  watch("recv_some");
  scenario.run([&] { answers += "; " + told(course::recv_exact(fd, {})); });
  watch("recv_exact");

  if (!called.empty())
    return fail("There was nothing to send or receive, and " + called +
                ". Look first whether anything is left to do.");
  expect_equal(answers, "ok, 0 bytes; ok, 0 bytes",
               "recv_some and recv_exact had no room to fill, so they have done all that was "
               "asked.");
}
