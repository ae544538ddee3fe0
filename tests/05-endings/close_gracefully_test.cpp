// The graded checks of close_gracefully(). One millisecond either way is free: see
// endings_test.cpp.
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

// ---- close_gracefully

// Rule: a close with unread input is a reset (RFC 1122 section 4.2.2.13).
TEST(CloseGracefully, LetsTheReplyArriveDespiteUnreadInput) {
  explain({.rule = "Drop all that the peer sends until it finishes, and only then close.",
           .why = "Input that meets a closed socket, or is unread in it, turns the close into a "
                  "reset, and a reset can destroy the last reply on its way.",
           .read = "close is not a way to finish"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends(std::string(20'000, 'x')).after(23ms).sends("one more line\n");
  for (int i = 0; i < 17; ++i) alice.after(1ms).sends(std::string(65'000, 'y'));
  alice.after(23ms).sends("and another\n").sees_the_end().after(9ms).closes();

  scenario.run([&] {
    send_text(fd, "the last reply");
    course::close_gracefully(course::Fd(fd), 800ms);
  });
  scenario.finish();

  const std::size_t dropped = bytes_taken(scenario, fd);
  if (!alice.saw_a_reset())
    expect_equal(alice.received(), "the last reply", "The last reply has not arrived.");
  else if (const std::string reason = other_reason_of_a_reset(scenario); !reason.empty())
    fail(reason);
  else if (dropped == 0)
    fail(
        "Unread input turned your close into a reset: nothing was dropped. Finish sending, drop "
        "all that comes until alice finishes, then close.");
  else
    fail(
        format("You dropped %zu bytes and closed; alice was still sending, and that turned your "
               "close into a reset. Within the linger there is no limit: drop all that comes "
               "until she finishes.",
               dropped));
}

// Rule: with no time left there is still something to do that takes none.
TEST(CloseGracefully, DropsWhatIsThereWhenTheTimeIsUp) {
  explain({.rule = "When no time is left, and with a linger of 0 none is, drop the input that is "
                   "there without waiting, and close.",
           .why = "Even who cannot wait need not destroy the reply. (A receive timeout of 0 means "
                  "no limit: that would wait for ever.)",
           .read = "Silence is not an event"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  Peer& bob = scenario.peer("bob");
  const int to_alice = alice.connected_and_handed_over();
  const int to_bob = bob.connected_and_handed_over();
  alice.sends(std::string(30'000, 'x')).at(60s).closes();
  bob.at(250ms).sends(std::string(30'000, 'x')).at(60s).closes();

  scenario.run([&] {
    send_text(to_alice, "the last reply");
    course::close_gracefully(course::Fd(to_alice), 0ms);
  });
  const Time took = scenario.took();
  scenario.run([&] { course::close_gracefully(course::Fd(to_bob), 250ms); });

  if (took > tolerance) {
    fail("With a linger of 0 you came back after " + shown(took) +
         (took >= 60s ? ", when alice closed. A receive timeout of 0 means no limit." : ".") +
         " Do not wait.");
    return;
  }
  const bool is_alice = alice.saw_a_reset();
  const std::size_t dropped = bytes_taken(scenario, is_alice ? to_alice : to_bob);
  const std::string whose = is_alice ? "alice's" : "bob's",
                    reason = other_reason_of_a_reset(scenario);
  if (!is_alice && !bob.saw_a_reset())
    expect_equal(alice.received(), "the last reply", "The last reply has not arrived.");
  else if (!reason.empty())
    fail(reason);
  else if (dropped == 0)
    fail(whose +
         " 30000 bytes were there and unread, so your close was a reset. With no time left, still "
         "drop what is there.");
  else
    fail(
        format("%s 30000 bytes were there, and you dropped %zu. The rest turned your close into "
               "a reset. With no time left, still drop all that is there.",
               whose.c_str(), dropped));
}

// Rule: when both sides have finished there is nothing left to wait for.
TEST(CloseGracefully, ReturnsAsSoonAsThePeerFinishes) {
  explain({.rule = "Finish sending first; when the peer finishes too, close at once.",
           .why = "A server that sits out every linger keeps a descriptor for each of them.",
           .read = "Hints"});
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
           .read = "Silence is not an event"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(60s).closes();

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 1530ms); });

  bool is_refused = false;
  for (const Call& call : scenario.calls("setsockopt")) is_refused |= call.error == EDOM;
  const Time took = scenario.took();
  const std::string refused =
      "setsockopt refused the receive timeout (EDOM): tv_usec must stay below 1000000, and whole "
      "seconds go into tv_sec. ";
  if (took >= 1530ms - tolerance && took <= 1530ms + tolerance) return;
  if (took >= 60s)
    fail((is_refused ? refused : std::string()) +
         "alice was silent and you waited until she closed, after 60 s; the linger was 1.53 s.");
  else if (is_refused)
    fail(refused + "So you came back after " + shown(took) + " of 1.53 s.");
  else if (took < 1530ms)
    fail("alice was silent and you came back after " + shown(took) +
         " of 1.53 s. Wait for all of the linger.");
  else
    fail("alice was silent and you came back after " + shown(took) + "; the linger was 1.53 s.");
}

// Rule: the linger is one deadline, fixed at the beginning.
TEST(CloseGracefully, KeepsOneDeadlineWhateverWakesIt) {
  explain({.rule =
               "The linger is counted once, from the beginning. Neither a byte nor a signal nor "
               "the wall clock ends it or starts it anew.",
           .why = "A peer that sends a byte now and then would hold you for ever.",
           .read = "Hints"});
  Scenario scenario;
  scenario.allow_open_descriptors();
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  for (const Time time : {33'000us, 66'000us, 99'000us, 165'000us, 249'500us})
    alice.at(time).sends(".");
  alice.at(60s).closes();
  scenario.signal_at(120ms, SIGUSR1);
  scenario.wall_clock_jumps_at(80ms, 1h);

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 250ms); });

  const Time took = scenario.took();
  const auto is_at = [took](Time time) { return took >= time && took <= time + tolerance; };
  const std::string back = "You came back after " + shown(took) + "; the linger was 0.25 s. ";
  if (took >= 250ms - tolerance && took <= 250ms + tolerance) return;
  if (took >= 60s && has_called(scenario, "setsockopt", "SO_RCVTIMEO, 0 s"))
    fail(back +
         "alice's last byte came when 0.0005 s were left, and you made that a receive timeout of "
         "0, which means no limit. Round up.");
  else if (is_at(99ms))
    fail(back +
         "The wall clock was set forward before alice's third byte. Measure a duration with "
         "steady_clock, which nobody sets.");
  else if (is_at(120ms))
    fail(back + "A signal woke you then. Work out what is left of the linger, and wait on.");
  else if (is_at(120ms + 250ms))
    fail(back +
         "The signal after 0.12 s started it anew. Keep one deadline, and wait for what is left "
         "until then.");
  else if (is_at(249'500us + 250ms))
    fail(back +
         "Each byte started it anew, the last one after 0.2495 s. Keep one deadline, and wait for "
         "what is left until then.");
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
           .read = "After a reset"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.resets();

  scenario.run([&] { course::close_gracefully(course::Fd(fd), 900ms); });

  expect_that(scenario.open_descriptors().empty(),
              "The conversation was over, and its descriptor stayed open. Close it all the same.");
}
