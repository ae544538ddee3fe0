// The graded checks of lesson 12: the queue. Those of the relay are in relay_test.cpp and
// ending_test.cpp.
#include "12-write-when-ready/write_when_ready.hpp"

#include <sys/select.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

using namespace grader;
using course::IoResult;
using course::IoStatus;
using course::OutQueue;

LESSON("12-write-when-ready");

namespace {

// Waits as the loop of a program would: until alice has made room.
void wait_for_room(int fd) {
  fd_set writing;
  FD_ZERO(&writing);
  FD_SET(fd, &writing);
  ::select(fd + 1, nullptr, &writing, nullptr, nullptr);
}

// A queue of what is to be sent to alice, whose socket is descriptor 3.
class Sending : public Scenario {
 public:
  Peer& alice = peer("alice");
  int fd = made_nonblocking(alice.connected());
  OutQueue queue;

  void push(std::string_view text) {
    run([&] { queue.push(course::as_bytes(text)); });
  }
  IoResult flush() {
    return run([&] { return queue.flush(fd); });
  }
  std::size_t size() {
    return run([&] { return queue.size(); });
  }
  bool wants_write() {
    return run([&] { return queue.wants_write(); });
  }

  // What the loop of a caller does.
  IoResult flush_when_there_is_room() {
    return run([&] {
      wait_for_room(fd);
      return queue.flush(fd);
    });
  }

  // What a caller does who has nothing else to do.
  IoResult flush_while_something_waits() {
    constexpr int flushes_max = 20;
    IoResult all{};
    for (int i = 0; i < flushes_max && (i == 0 || wants_write()); ++i) {
      const IoResult one = flush();
      all = {one.status, all.bytes + one.bytes, one.error};
      if (one.status == IoStatus::error) break;
    }
    return all;
  }

  // A flush that returned `result` should have returned `status` with `bytes`, and left `left`.
  bool expect(const IoResult& result, IoStatus status, std::size_t bytes, std::size_t left,
              const std::string& sentence, int error = 0) {
    const IoResult wanted{status, bytes, std::error_code(error, std::system_category())};
    const bool is_right = result.status == status && result.bytes == bytes &&
                          (status != IoStatus::error || is_errno(result.error, error)) &&
                          size() == left && wants_write() == (left > 0);
    return expect_that(is_right, sentence + "\n  wanted: " + state(wanted, left, left > 0) +
                                     "\n  got:    " + state(result, size(), wants_write()));
  }

  // alice should have got just this by now.
  bool expect_received(const std::string& wanted, const std::string& sentence) {
    return expect_that(alice.received() == wanted, sentence + " alice got " +
                                                       quoted(alice.received()) + " instead of " +
                                                       quoted(wanted) + ".");
  }

 private:
  static std::string state(const IoResult& result, std::size_t size, bool wants_write) {
    return format("%s; size() %zu, wants_write() %s", told(result).c_str(), size,
                  wants_write ? "true" : "false");
  }
};

}  // namespace

// Rule: the order of the stream is the order of the pushes, wherever the sends are cut.
TEST(OutQueue, SendsAllInOrder) {
  explain({.rule = "Send from the front and append at the back, wherever the kernel cuts.",
           .why = "The kernel takes what fits, and that is never where your messages end.",
           .read = "Keep the rest"});
  const std::string first = std::string("dinner\0", 7) + "\xff ", second = "is ready";
  for (std::size_t taken = 1; taken < first.size() + second.size(); ++taken) {
    Sending s;
    s.faults().next_sends_take({taken});
    s.faults().fail("send", EAGAIN, 1, 1);
    std::string reused = first;
    s.push(reused);
    if (taken > first.size()) s.push(second);
    s.flush();
    reused.assign(first.size(), '?');
    if (taken <= first.size()) s.push(second);
    s.flush_while_something_waits();

    if (!s.expect_received(
            first + second,
            format("%s and %s were pushed; the first send took %zu of them, the next said EAGAIN, "
                   "and after that there was room. What is not sent stays in front, as a copy of "
                   "your own, and new bytes go behind it.",
                   quoted(first).c_str(), quoted(second).c_str(), taken)))
      return;
  }

  Sending roomy;
  roomy.push("dinner ");
  roomy.push("is ready");

  const IoResult all = roomy.flush();

  if (roomy.expect(
          all, IoStatus::ok, 15, 0,
          "7 and 8 bytes were pushed, and there was room for all. Go on until the queue is "
          "empty or no more fits."))
    roomy.expect_received("dinner is ready", "7 and 8 bytes were pushed.");
}

// Rule: EAGAIN is no failure: the rest stays, and the caller asks select when to go on.
TEST(OutQueue, KeepsWhatDoesNotFit) {
  explain({.rule = "When no more fits, keep the rest and say so: would_block, at once.",
           .why = "Whoever waits here waits for one peer, and everybody else waits too.",
           .read = "Keep the rest"});
  Sending s;
  s.alice.window(5).stops_reading().at(347ms).reads(2).at(583ms).resumes_reading();
  s.push("hello, world");

  const IoResult first = s.flush();

  if (!expect_that(
          s.now() == 0ms,
          "12 bytes waited, and 5 of them fitted. flush returned only at " + shown(s.now()) +
              ", when alice had made room. Return would_block: waiting is the caller's.") ||
      !s.expect(first, IoStatus::would_block, 5, 7,
                "12 bytes waited, and 5 of them fitted: those are sent, the others stay."))
    return;
  const IoResult none = s.flush();
  if (!s.expect(none, IoStatus::would_block, 0, 7,
                "7 bytes waited, and none fitted. EAGAIN is no failure, and all 7 stay."))
    return;
  const IoResult some = s.flush_when_there_is_room();
  if (!s.expect(some, IoStatus::would_block, 2, 5,
                "7 bytes waited, and alice read 2, so 2 fitted: those are sent, the others stay."))
    return;
  const IoResult last = s.flush_when_there_is_room();
  if (s.expect(last, IoStatus::ok, 5, 0, "5 bytes waited, and alice read on: all are sent."))
    s.expect_received("hello, world", "Then alice had read all.");
}

// Rule: a healthy socket is always writable, so who has nothing to write must not ask.
TEST(OutQueue, WantsToWriteOnlyWhileSomethingWaits) {
  explain({.rule = "wants_write() is true exactly while bytes wait; an empty queue asks the kernel "
                   "for nothing.",
           .why = "A socket with room is always ready for writing: to watch it for nothing is a "
                  "busy loop.",
           .read = "Ask only while something waits"});
  Sending s;
  s.alice.resets();
  s.run([] {});  // until she has

  const bool wants_when_new = s.wants_write();
  s.push("");
  const bool wants_after_nothing = s.wants_write();
  const IoResult nothing = s.flush();

  if (!expect_that(
          !wants_when_new && !wants_after_nothing,
          format("Of a new queue wants_write() said %s, and after a push of no bytes %s. "
                 "Nothing waits: false.",
                 wants_when_new ? "true" : "false", wants_after_nothing ? "true" : "false")))
    return;
  const auto calls = s.calls();
  if (!expect_that(calls.empty(), "The queue was empty, and flush called " +
                                      (calls.empty() ? "" : calls.front().text) +
                                      ". Nothing waits: leave the kernel alone.") ||
      !s.expect(nothing, IoStatus::ok, 0, 0,
                "The queue was empty. Whatever has become of the socket, that is ok."))
    return;

  Sending healthy;
  healthy.push("hello");
  const bool wants_after_push = healthy.wants_write();
  const std::size_t size_after_push = healthy.size();
  const IoResult all = healthy.flush();
  if (expect_that(wants_after_push && size_after_push == 5,
                  format("After a push of 5 bytes wants_write() said %s, and size() %zu. They wait "
                         "to be sent.",
                         wants_after_push ? "true" : "false", size_after_push)))
    healthy.expect(all, IoStatus::ok, 5, 0,
                   "5 bytes waited, and all were taken: nothing waits any more.");
}

// Rule: what was sent before a send failed is sent, and what was not is not.
TEST(OutQueue, KeepsTheRestWhenASendFails) {
  explain({.rule = "When a send fails, return its errno and how much went before, keep the rest, "
                   "and let no SIGPIPE end the process.",
           .why = "The caller decides what becomes of the connection, and has others to serve.",
           .read = "When something fails"});
  Sending full;
  full.faults().next_sends_take({5});
  full.faults().fail("send", ENOBUFS, 1, 1);
  full.push("hello, world");

  const IoResult failed = full.flush_while_something_waits();

  const std::size_t went = full.alice.received().size();
  if (!full.expect(failed, IoStatus::error, went, 12 - went,
                   format("Of 12 bytes %zu were sent, and then send said ENOBUFS: an error, after "
                          "that many, and the other %zu stay.",
                          went, 12 - went),
                   ENOBUFS))
    return;
  full.flush_while_something_waits();
  if (!full.expect_received("hello, world", "A send failed once, and worked the next time."))
    return;

  for (const bool resets : {false, true}) {
    Sending gone;
    if (resets) gone.alice.resets();
    if (!resets) gone.alice.closes();
    gone.run([] {});
    gone.push("hello");
    if (!resets) gone.flush();  // succeeds; she answers with a reset
    gone.run([] {});
    if (!resets) gone.push("again");

    const IoResult result = gone.flush();

    const int wanted = resets ? ECONNRESET : EPIPE;
    if (!gone.expect(result, IoStatus::error, 0, 5,
                     format("alice has %s, so send says %s: return that, and keep the 5 bytes.",
                            resets ? "reset" : "closed", error_name(wanted).c_str()),
                     wanted))
      return;
  }
}

// Rule: a signal interrupts a send before it has taken anything (EINTR), and that is all.
TEST(OutQueue, PassesOverSignals) {
  explain({.rule = "After EINTR send again: it is no failure, and it says nothing about room.",
           .why = "A caller who is told would_block waits for room that is there already.",
           .read = "What you know already"});
  for (const int storm : {1, 7}) {
    Sending s;
    s.faults().fail("send", EINTR, storm);
    s.push("hello, world");

    const IoResult result = s.flush();

    if (!s.expect(result, IoStatus::ok, 12, 0,
                  format("send was interrupted %s (EINTR), and there was room for all. Nothing had "
                         "happened: send again.",
                         storm == 1 ? "once" : "seven times")) ||
        !s.expect_received("hello, world", "send was interrupted (EINTR)."))
      return;
  }
}

// Rule: what is moved to the front at every flush is moved thousands of times.
TEST(OutQueue, CostsWhatItSends) {
  explain({.rule = "A flush costs what it sends, however much stays in the queue.",
           .why = "Who moves 24 MiB about for every 8 bytes that a slow peer takes, keeps a "
                  "processor busy with one peer.",
           .read = "What it costs"});
  constexpr std::size_t waiting = 24 << 20, piece = 64 << 10, per_turn = 8;
  constexpr int turns = 4'000;
  Sending s;
  s.when_computing_too_long(
      "24 MiB waited in the queue, and each flush sent 8 bytes. Moving all the rest to the front "
      "each time moves 40 TB until it is empty. Remember how far you are, or keep pieces.");
  s.alice.window(per_turn).stops_reading();
  for (int i = 1; i <= turns; ++i) s.alice.at(i * 1ms).reads(per_turn);
  const std::string data = letters(piece);

  s.run([&] {
    for (std::size_t pushed = 0; pushed < waiting; pushed += piece)
      s.queue.push(course::as_bytes(data));
    for (int i = 0; i < turns; ++i) {
      wait_for_room(s.fd);
      s.queue.flush(s.fd);
    }
  });
  s.finish();

  const std::string beginning = data;
  const std::string& got = s.alice.received();
  expect_that(got.size() > turns * per_turn / 2 && beginning.compare(0, got.size(), got) == 0,
              format("24 MiB were pushed in pieces of 64 KiB, and alice made room for 8 bytes %d "
                     "times. She got %zu bytes, and they are not the beginning.",
                     turns, got.size()));
}

// Rule: the bytes that have been sent are needed by nobody.
TEST(OutQueue, UsesItsMemoryAgain) {
  explain({.rule = "Use the memory of sent bytes again, also in a queue that is never empty.",
           .why = "A connection that is always a little behind lives for weeks.",
           .read = "What it costs"});
  constexpr std::size_t per_turn = 2'000, memory_max = 512 << 10;
  constexpr int turns = 1'500;
  Sending s;
  s.alice.window(per_turn).stops_reading();
  for (int i = 1; i <= turns; ++i) s.alice.at(i * 1ms).reads(per_turn);
  const std::string data = letters(per_turn);

  s.run([&] {
    for (int i = 0; i < 5; ++i) s.queue.push(course::as_bytes(data));
    for (int i = 0; i < turns; ++i) {
      s.queue.push(course::as_bytes(data));
      s.queue.flush(s.fd);
      wait_for_room(s.fd);
    }
  });

  const std::size_t peak = s.allocated().peak_bytes;
  expect_that(peak <= memory_max,
              format("3 MB passed through a queue that never held more than 12000 bytes, and it "
                     "took %.1f MB of memory. Give the front back, or move the rest there, before "
                     "it has grown long.",
                     static_cast<double>(peak) / 1e6));
}
