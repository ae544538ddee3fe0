// The graded checks of lesson 12: the queue. Those of the relay are in relay_test.cpp and
// ending_test.cpp.
#include "12-write-when-ready/write_when_ready.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

using namespace grader;
using course::IoResult;
using course::IoStatus;
using course::OutQueue;

LESSON("12-write-when-ready");

namespace {

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

  // What a caller does while it has nothing else to do.
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

  // "flush returned ..., size() 7 and wants_write() true".
  std::string told_with_state(const IoResult& result) {
    return format("flush returned %s, size() %zu, and wants_write() %s", told(result).c_str(),
                  size(), wants_write() ? "true" : "false");
  }
};

bool is(const IoResult& result, IoStatus status, std::size_t bytes) {
  return result.status == status && result.bytes == bytes;
}

// Waits as the loop of a program would: until alice has made room.
void wait_for_room(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  ::poll(&entry, 1, -1);
}

}  // namespace

// Rule: the order of the stream is the order of the pushes, wherever the sends are cut.
TEST(OutQueue, SendsAllInOrder) {
  explain({.rule = "Send from the front and append at the back, wherever the kernel cuts.",
           .why = "The kernel takes what fits, and that is never where your messages end.",
           .read = "Your task"});
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
    const IoResult rest = s.flush_while_something_waits();

    if (s.alice.received() == first + second) continue;
    return fail(
        format("%s and %s were pushed; the first send took %zu of them, the next said "
               "EAGAIN, and after that there was room. alice got %s, and the last flush "
               "returned %s. What is not sent stays in front, as a copy of your own; new "
               "bytes go behind it.",
               quoted(first).c_str(), quoted(second).c_str(), taken,
               quoted(s.alice.received()).c_str(), told(rest).c_str()));
  }

  Sending roomy;
  roomy.push("dinner ");
  roomy.push("is ready");

  const IoResult all = roomy.flush();

  expect_that(is(all, IoStatus::ok, 15) && roomy.alice.received() == "dinner is ready",
              "7 and 8 bytes were pushed, and there was room for all: " +
                  roomy.told_with_state(all) + "; alice got " + quoted(roomy.alice.received()) +
                  ". Go on until the queue is empty or no more fits.");
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

  if (!expect_that(s.took() == 0ms,
                   "12 bytes waited, and 5 of them fitted. flush returned only at " +
                       shown(s.now()) +
                       ", when alice had made room. Return would_block: waiting is the caller's."))
    return;
  const std::string start = "12 bytes waited, and 5 of them fitted: ";
  if (!expect_that(is(first, IoStatus::would_block, 5) && s.size() == 7 && s.wants_write(),
                   start + s.told_with_state(first) +
                       ". 5 are sent, 7 stay, and something wants to be written."))
    return;
  const IoResult none = s.flush();
  if (!expect_that(is(none, IoStatus::would_block, 0) && s.size() == 7 && s.wants_write(),
                   "7 bytes waited, and none fitted: " + s.told_with_state(none) +
                       ". EAGAIN changes nothing: would_block, and all 7 stay."))
    return;
  const IoResult some = s.run([&] {
    wait_for_room(s.fd);
    return s.queue.flush(s.fd);
  });
  if (!expect_that(is(some, IoStatus::would_block, 2) && s.size() == 5,
                   "7 bytes waited, and alice read 2, so 2 fitted: " + s.told_with_state(some) +
                       ". 2 are sent, and 5 stay."))
    return;
  const IoResult last = s.run([&] {
    wait_for_room(s.fd);
    return s.queue.flush(s.fd);
  });
  expect_that(is(last, IoStatus::ok, 5) && s.size() == 0 && !s.wants_write() &&
                  s.alice.received() == "hello, world",
              "5 bytes waited, and alice read on: " + s.told_with_state(last) + "; alice got " +
                  quoted(s.alice.received()) + ". The queue is empty now: ok.");
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

  if (!expect_that(!wants_when_new && !wants_after_nothing && s.size() == 0,
                   format("Of a new queue wants_write() said %s, after a push of no bytes %s, and "
                          "size() %zu. Nothing waits.",
                          wants_when_new ? "true" : "false", wants_after_nothing ? "true" : "false",
                          s.size())))
    return;
  const auto calls = s.calls();
  if (!expect_that(calls.empty(), "The queue was empty, and flush called " +
                                      (calls.empty() ? "" : calls.front().text) +
                                      ". Nothing waits: leave the kernel alone.") ||
      !expect_that(is(nothing, IoStatus::ok, 0),
                   "The queue was empty: " + s.told_with_state(nothing) +
                       ". Whatever has become of the socket: ok with 0 bytes."))
    return;

  Sending healthy;
  healthy.push("hello");
  const bool wants_after_push = healthy.wants_write();
  const std::size_t size_after_push = healthy.size();
  const IoResult all = healthy.flush();
  expect_that(wants_after_push && size_after_push == 5,
              format("After a push of 5 bytes wants_write() said %s and size() %zu. They wait to "
                     "be sent.",
                     wants_after_push ? "true" : "false", size_after_push));
  expect_that(is(all, IoStatus::ok, 5) && healthy.size() == 0 && !healthy.wants_write(),
              "5 bytes waited, and all were taken: " + healthy.told_with_state(all) +
                  ". Now nothing waits.");
}

// Rule: send(2) failed for one reason; what was sent before it is sent, and what was not is not.
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

  if (!expect_that(
          is(failed, IoStatus::error, 5) && is_errno(failed.error, ENOBUFS) && full.size() == 7 &&
              full.wants_write(),
          "Of 12 bytes 5 were sent, and then send said ENOBUFS: " + full.told_with_state(failed) +
              ". It is an error, after 5 bytes, and 7 are still in the queue."))
    return;
  full.flush_while_something_waits();
  if (!expect_that(full.alice.received() == "hello, world",
                   "A send failed once and worked the next time, and alice got " +
                       quoted(full.alice.received()) + ". What was not sent stays in the queue."))
    return;

  for (const bool resets : {false, true}) {
    Sending gone;
    if (resets) gone.alice.resets();
    if (!resets) gone.alice.closes();
    gone.run([] {});
    gone.push("hello");
    if (!resets) gone.flush();  // succeeds; she answers with a reset
    gone.run([] {});
    gone.push("hello");

    const IoResult result = gone.flush();

    const int wanted = resets ? ECONNRESET : EPIPE;
    if (is(result, IoStatus::error, 0) && is_errno(result.error, wanted)) continue;
    return fail(format("alice has %s, so send says %s: ", resets ? "reset" : "closed",
                       error_name(wanted).c_str()) +
                gone.told_with_state(result) + ". Return the error with errno.");
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

    if (is(result, IoStatus::ok, 12) && s.alice.received() == "hello, world") continue;
    return fail(format("send was interrupted %d time%s (EINTR), and there was room: ", storm,
                       storm == 1 ? "" : "s") +
                s.told_with_state(result) + "; alice got " + quoted(s.alice.received()) +
                ". Nothing had happened: send again.");
  }
}

// Rule: what is moved to the front at every flush is moved thousands of times.
TEST(OutQueue, CostsWhatItSends) {
  explain({.rule = "A flush costs what it sends, however much stays in the queue.",
           .why = "Who moves 24 MiB about for every 100 bytes that a slow peer takes, keeps a "
                  "processor busy with one peer.",
           .read = "What it costs"});
  constexpr std::size_t waiting = 24 << 20, piece = 64 << 10, per_turn = 100;
  constexpr int turns = 4'000;
  Sending s;
  s.when_computing_too_long(
      "24 MiB waited in the queue, and each flush sent 100 bytes. Moving all the rest to the front "
      "each time costs hours; remember how far you are, or keep pieces");
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

  const std::string beginning = data + data + data + data + data + data + data;
  const std::string& got = s.alice.received();
  expect_that(got.size() > turns * per_turn / 2 && beginning.compare(0, got.size(), got) == 0,
              format("24 MiB were pushed in pieces of 64 KiB, and alice made room for 100 bytes %d "
                     "times. She got %zu bytes, and they are not the beginning.",
                     turns, got.size()));
}

// Rule: the bytes that have been sent are needed by nobody.
TEST(OutQueue, UsesItsMemoryAgain) {
  explain({.rule = "Use the memory of sent bytes again, also in a queue that is never empty.",
           .why = "A connection that is always a little behind lives for weeks.",
           .read = "What it costs"});
  constexpr std::size_t per_turn = 10'000, memory_max = 1 << 20;
  constexpr int turns = 800;
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
              format("8 MB passed through a queue that never held more than 60000 bytes, and it "
                     "took %.1f MB of memory. Give the front back, or move the rest there, before "
                     "it has grown long.",
                     static_cast<double>(peak) / 1e6));
}
