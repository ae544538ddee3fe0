// The graded checks of lesson 09: read_line(), and what holds for both functions that receive.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "09-deadlines/deadlines.hpp"
#include "in_time.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace in_time;
using namespace std::string_literals;

// Rule: the line ends with LF; what follows belongs to whoever reads next.
TEST(ReadLine, TakesTheLineAndNotOneByteMore) {
  explain(
      {.rule = "read_line() appends the line without its LF, every byte of it, and takes nothing "
               "that follows.",
       .why = "What you take too much is missing where it belongs, and the next wait is in vain.",
       .read = "Where to stop"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  const std::string long_line(4321, 'x');
  alice.sends("hello\r\n\nz\xc3\xa9\0r\xff\nrest"s)
      .at(1219ms)
      .sends(" of it\n" + long_line + "\n!");
  std::string line = "> ", rest(1, '.');
  const struct {
    const char* ending;
    std::string line;
    Time at;
  } lines[] = {{"ok, 7 bytes", "> hello\r", 0s},
               {"ok, 1 byte", "> hello\r", 0s},
               {"ok, 7 bytes", "> hello\rz\xc3\xa9\0r\xff"s, 0s},
               {"ok, 11 bytes", "> hello\rz\xc3\xa9\0r\xffrest of it"s, 1219ms}};

  for (const auto& wanted : lines) {
    const auto received = scenario.read_line(fd, line, 2s, 1min);

    if (!expect_received(
            received, wanted.ending, wanted.at,
            R"(alice sent "hello\r\n\nz\xc3\xa9\0r\xff\nrest", and after 1.219 s " of it\n".)",
            "Return ok with the LF, count it, and leave what follows it.") ||
        !expect_equal(line, wanted.line,
                      "The line is appended to what the string held before, without its LF and "
                      "with all else, be it a CR, a zero byte or what is no ASCII."))
      return;
  }
  std::string long_got;
  const auto received = scenario.read_line(fd, long_got, 2s, 1min);
  scenario.run([&] { (void)::recv(fd, rest.data(), 1, MSG_DONTWAIT); });  // whoever is next
  expect_received(received, "ok, 4322 bytes", 0s, "alice sent a line of 4321 bytes and its LF.",
                  "A line has no length that you could know beforehand.") &&
      expect_that(long_got == long_line, "All bytes of the long line came, but not those sent.") &&
      expect_equal(rest, "!",
                   "alice sent one byte after the last LF. It belongs to whoever receives next.");
}

// Rule: idle is the longest silence: it begins anew with every byte.
TEST(ReadLine, WaitsNoLongerThanIdleForAnyByte) {
  explain({.rule =
               "idle limits each silence: from the call to the first byte, and from each byte to "
               "the next.",
           .why = "A slow peer that is alive may go on; one that has vanished is found out early.",
           .read = "Two limits"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(900ms);
  for (const char c : "hello\n"s) alice.sends({c}).after(900ms);  // the last at 5.4 s
  alice.at(7300ms).sends("by").at(9s).sends("e\n");
  std::string line, silence, cut;
  const auto read = [&](std::string& text) { return scenario.read_line(fd, text, 1s, 1min); };

  expect_received(read(line), "ok, 6 bytes", 5400ms,
                  "alice sent a byte every 900 ms, and idle was 1 s.",
                  "Each byte begins a new silence, and idle begins anew with it.") &&
      expect_equal(line, "hello", "All of the line came in time.") &&
      expect_received(read(silence), "timed_out, 0 bytes", 1s,
                      "alice was silent from the call on, and idle was 1 s.",
                      "The first byte is waited for no longer than any other.") &&
      expect_received(
          read(cut), "timed_out, 2 bytes", 1900ms,
          "alice sent 2 bytes 900 ms after the call, and then nothing for 1.7 s; idle was 1 s.",
          "idle limits each silence, not only the first.") &&
      expect_equal(cut, "by", "Two bytes came before the silence.");
}

// Rule: total limits the whole, however alive the peer is.
TEST(ReadLine, TakesNoLongerThanTotalForTheLine) {
  explain({.rule =
               "total limits the whole line; whichever of the two limits is over first ends the "
               "wait.",
           .why = "One byte every nine tenths of a second satisfies idle for ever.",
           .read = "Two limits"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(900ms);
  for (const char c : "hello, world\n"s) alice.sends({c}).after(900ms);  // the last at 11.7 s
  Peer& bob = scenario.peer("bob");
  const int dripping = bob.connected();
  for (int i = 0; i <= 140; ++i) bob.at(11700ms + i * 1500us).sends("x");
  std::string line;

  const auto trickle = scenario.read_line(fd, line, 1s, 5s);
  expect_received(trickle, "timed_out, 5 bytes", 5s,
                  "alice sent a byte every 900 ms; idle was 1 s and total 5 s.",
                  trickle.took == 5900ms
                      ? "total began at 0.9 s with the first byte; it begins with the call."
                      : "Before each wait ask which limit is nearer.") &&
      expect_received(scenario.read_line(fd, line, 1min, 219ms), "timed_out, 0 bytes", 219ms,
                      "idle was a minute, total 219 ms, and alice's next byte came later.",
                      "The shorter limit counts, whichever it is.") &&
      expect_received(scenario.read_line(fd, line, 1s, course::Duration::max()), "ok, 8 bytes",
                      6481ms,
                      "The rest came within 6.481 s; total was the longest Duration there is.",
                      "Mind the overflow when you add.") &&
      expect_equal(line, "hello, world", "The line came in two parts.") &&
      expect_received(scenario.read_line(dripping, line, 1s, 219ms), "timed_out, 141 bytes", 219ms,
                      "bob sent a byte every 1.5 ms, 141 in all, and total was 219 ms.",
                      "Small errors add up: compute the end of total once.") &&
      expect_received(scenario.read_line(fd, line, 1s, course::Duration::max()),
                      "timed_out, 0 bytes", 1s,
                      "alice was silent, idle was 1 s and total the longest Duration there is.",
                      "Mind the overflow when you add.") &&
      expect_received(scenario.read_line(fd, line, course::Duration::max(), 1s),
                      "timed_out, 0 bytes", 1s,
                      "alice was silent, total was 1 s and idle the longest Duration there is.",
                      "Mind the overflow when you add.");
}

// Rule: limits are measured by the clock, and only by the steady one.
TEST(ReadLine, MeasuresBothLimitsByTheSteadyClock) {
  explain({.rule = "Neither a signal nor a new wall-clock time moves a limit.",
           .why = "A signal is no byte, and what time people say it is, is no measure of time.",
           .read = "Two clocks"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  for (const Time time : {4500ms, 6500ms, 8500ms}) alice.at(time).sends("a");
  const int fd = alice.at(20s).sends("late\n").connected();
  fifteen_signals(scenario, 219ms);
  fifteen_signals(scenario, 2400ms);
  for (const Time start : {6s, 8s, 10s, 12s}) {
    scenario.wall_clock_jumps_at(start + 200ms, start % 4s == 2s ? 1h : -1h);
    scenario.signal_at(start + 700ms, SIGUSR1);
  }
  std::string line;
  const std::string signals = "Fifteen signals came, and no byte. ";

  if (!expect_received(scenario.read_line(fd, line, 2s, 1min), "timed_out, 0 bytes", 2s,
                       signals + "idle was 2 s.", "A signal is no byte: the silence goes on.") ||
      !expect_received(scenario.read_line(fd, line, 1min, 2s), "timed_out, 0 bytes", 2s,
                       signals + "total was 2 s.", "Wait for what is left.") ||
      !expect_received(scenario.read_line(fd, line, 1min, 2s), "timed_out, 1 byte", 2s,
                       "A byte came after 500 ms, and total was 2 s.",
                       "A byte begins idle anew, and not total."))
    return;
  const struct {
    const char* limit;
    course::Duration idle, total;
    const char* ending;
  } cases[] = {{"total", 1min, 2s, "timed_out, 1 byte"}, {"idle", 2s, 1min, "timed_out, 0 bytes"}};
  for (const auto& wanted : cases) {
    for (const char* direction : {"forward", "back"}) {
      if (!expect_received(scenario.read_line(fd, line, wanted.idle, wanted.total), wanted.ending,
                           2s,
                           format("Somebody set the wall clock %s by an hour while you waited, and "
                                  "%s was 2 s.",
                                  direction, wanted.limit),
                           "Measure time by the steady clock only."))
        return;
    }
  }
}

// Rule: whatever ends the line early, what came of it is kept.
TEST(ReadLine, TellsSilenceFromTheEnd) {
  explain({.rule =
               "timed_out, eof and error are three answers, and what came before them is in the "
               "line and counted.",
           .why = "Half a line is no line, but it may be all that you ever get.",
           .read = "Silence is not the end"});
  InTimeScenario scenario;
  const int alice = scenario.peer("alice").sends("hel").at(9s).sends("lo\n").connected();
  Peer& to_bob = scenario.peer("bob").at(1519ms).sends("hel");
  const int bob = to_bob.after(300ms).finishes_sending().connected();
  Peer& to_carol = scenario.peer("carol").at(2119ms).sends("hel");
  const int carol = to_carol.after(300ms).resets().connected();
  const int dave = scenario.peer("dave").at(9s).sends("hello\n").connected();
  Peer& to_erin = scenario.peer("erin").sends("hel").at(2519ms).sends_urgent('!');
  const int erin = to_erin.at(9s).sends("lo\n").connected();
  const struct {
    int fd;
    const char* ending;
    Time after;
    const char *situation, *advice;
  } cases[] = {
      {alice, "timed_out, 3 bytes", 1219ms, "alice sent 3 bytes and fell silent.",
       "She has not finished: timeout and end are different answers."},
      {bob, "eof, 3 bytes", 600ms, "bob sent 3 bytes, no LF, and finished.",
       "Without its LF it is no line: that is eof, and at once."},
      {carol, "error ECONNRESET, 3 bytes", 600ms, "carol sent 3 bytes and reset the connection.",
       "Return error with the errno, and count what came before."},
      {erin, "timed_out, 3 bytes", 1219ms, "erin sent 3 bytes and then only an urgent one.",
       "It is no part of the stream: nobody is readable by it."}};
  for (const auto& wanted : cases) {
    std::string line = "> ";
    const auto received = scenario.read_line(wanted.fd, line, 1min, 1219ms);
    if (!expect_received(received, wanted.ending, wanted.after, wanted.situation, wanted.advice) ||
        !expect_equal(line, "> hel", std::string(wanted.situation) + " Keep what came."))
      return;
  }

  std::string line;
  scenario.faults().fail("select", ENOMEM);
  const auto no_memory = scenario.read_line(dave, line, 1min, 1219ms);
  const auto calls = scenario.calls();
  if (std::any_of(calls.begin(), calls.end(), [](const Call& c) { return c.error == ENOMEM; }))
    expect_no_memory(no_memory, "read_line()");
}

// Rule: a limit that is over ends the waiting, not the taking.
TEST(ReadLine, TakesWhatIsThereWhenNoTimeIsLeft) {
  explain({.rule =
               "With no time left, read_line() takes what is there, up to the LF, and waits for "
               "nothing.",
           .why = "A line that lies there is a line that came in time.",
           .read = "No time left is not nothing there"});
  InTimeScenario scenario;
  const int alice =
      scenario.peer("alice").sends("one\ntwo\nthree\nfo").at(9s).sends("ur\n").connected();
  const int bob = scenario.peer("bob").finishes_sending().connected();
  const int dave = scenario.peer("dave").sends("th").at(9s).sends("ree\n").connected();
  const struct {
    int fd;
    course::Duration idle, total;
    const char *ending, *line;
  } cases[] = {
      {alice, 0s, 1min, "ok, 4 bytes", "one"},      {alice, 1min, 0s, "ok, 4 bytes", "two"},
      {alice, -1s, -1h, "ok, 6 bytes", "three"},    {alice, 0s, 0s, "timed_out, 2 bytes", "fo"},
      {alice, -1s, 1min, "timed_out, 0 bytes", ""}, {bob, 1min, -1s, "eof, 0 bytes", ""},
      {alice, 0s, 1min, "timed_out, 0 bytes", ""},  {alice, 1min, 0s, "timed_out, 0 bytes", ""},
      {dave, 1min, 0s, "timed_out, 2 bytes", "th"}};
  for (const auto& wanted : cases) {
    std::string line;
    const auto received = scenario.read_line(wanted.fd, line, wanted.idle, wanted.total);
    const std::string situation =
        format("idle was %s and total %s, so that no time was left.", to_text(wanted.idle).c_str(),
               to_text(wanted.total).c_str());
    if (!expect_received(received, wanted.ending, 0s, situation,
                         "Take what is there, up to the LF, and do not wait for more.") ||
        !expect_equal(line, wanted.line, situation))
      return;
  }
}

namespace {

// What of a socket outlives a call.
std::string state_of(int fd) {
  timeval timeout{};
  int low_water = 0;
  socklen_t timeout_size = sizeof timeout, low_water_size = sizeof low_water;
  ::getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &timeout_size);
  ::getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, &low_water_size);
  const bool is_blocking = (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
  return format(
      "%s, SO_RCVTIMEO %s, SO_RCVLOWAT %d", is_blocking ? "blocking" : "O_NONBLOCK",
      to_text(std::chrono::seconds(timeout.tv_sec) + std::chrono::microseconds(timeout.tv_usec))
          .c_str(),
      low_water);
}

}  // namespace

// Rule: mode and options belong to the socket, and the socket to the caller.
TEST(Receiving, LeavesTheSocketAsItWas) {
  explain({.rule =
               "However it ends, the socket has the mode and the options that it had before, and "
               "is open.",
           .why = "Whoever uses it next expects a recv that waits.",
           .read = "Your task"});
  InTimeScenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("hello\nhello").at(9s).finishes_sending();
  const std::string before = "blocking, SO_RCVTIMEO 0 s, SO_RCVLOWAT 1";
  std::string buffer(5, '.'), line;
  const auto judge = [&](const char* what, const Received& received) {
    return expect_that(received.has_returned, what + " "s + received.told() + ".") &&
           expect_equal(state_of(fd), before,
                        what + " had "s +
                            (received.result.status == course::IoStatus::ok
                                 ? "all it wanted"
                                 : "ended early (" + told(received) + ")") +
                            ", and the socket is not as it was. Restore what you change, on every "
                            "way out.");
  };
  judge("recv_exact()", scenario.recv_exact(fd, room(buffer), 347ms)) &&
      judge("read_line()", scenario.read_line(fd, line, 219ms, 1min)) &&
      judge("read_line()", scenario.read_line(fd, line, 1min, 1min)) &&
      judge("recv_exact()", scenario.recv_exact(fd, room(buffer), 1min)) &&
      judge("read_line()", scenario.read_line(fd, line, 1min, 1min)) &&
      judge("recv_exact()", scenario.recv_exact(fd, room(buffer), 1min));
}
