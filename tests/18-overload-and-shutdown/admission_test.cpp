// The graded checks of lesson 18: who gets in.
#include <cerrno>
#include <string>

#include "guarded.hpp"

using namespace grader;

namespace {
constexpr const char* no_reason_to_throw =
    ". It is a shortage, which may be over in a moment: let the listener rest, and throw nothing.";
}

// Rule: a limit that is told is kinder than one that is met.
TEST(Admission, SaysNoWhenItIsFull) {
  explain(
      {.rule = "When clients_max connections are open, a new client gets the line that says so, "
               "and is closed. Whoever is there does not notice.",
       .why = "Somebody who is told can go elsewhere; somebody who waits in silence cannot know.",
       .read = "Say no early"});
  Guarded s({.clients_max = 2});
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  Peer& carol = s.peer("carol").at(347ms).connects();
  alice.at(1219ms).sends("who is here?\n");

  s.serve_until(1900ms);

  if (!expect_received(carol, full, "There was room for two, and carol came third. She got this."))
    return;
  if (!expect_that(
          carol.end_at() == Time(347ms),
          "carol was told no at 0.347 s, and her connection was not closed then. Close it: "
          "it holds a descriptor.") ||
      !expect_that(s.connections() == 2, format("Two clients are connected, and connections() says "
                                                "%zu.",
                                                s.connections())))
    return;
  expect_received(bob, welcome(" alice") + "alice: who is here?\n",
                  "carol was refused, and bob got this.") &&
      expect_received(alice, welcome() + "* bob joined\n",
                      "carol was refused, and alice got this.");
}

// Rule: the limit is about how many are here, not about how many have ever come.
TEST(Admission, TakesTheNextWhenSomebodyHasLeft) {
  explain({.rule = "As soon as a connection is closed there is room for another.",
           .why = "A server that counts comers but not goers is full for ever after a busy day.",
           .read = "Say no early"});
  Guarded s({.clients_max = 2});
  s.guest("alice", 31ms).at(700ms).closes();
  s.guest("bob", 53ms);
  Peer& carol = s.peer("carol").at(347ms).connects();
  Peer& dave = s.guest("dave", 1219ms);
  Peer& erin = s.peer("erin").at(1300ms).connects();

  s.serve_until(1900ms);

  expect_received(carol, full, "alice and bob were there, and carol got this.") &&
      expect_received(dave, welcome(" bob"), "alice had left, and dave got this.") &&
      expect_received(erin, full, "bob and dave were there, and erin got this.");
}

// Rule: when a crowd comes, the refusal is the ordinary case.
TEST(Admission, RefusesManyInOneTurn) {
  explain({.rule = "Everybody who is waiting gets an answer at once, yes or no, and there is a yes "
                   "for as many as there is room for.",
           .why = "When many come at once, each one left in the queue keeps the listener busy.",
           .read = "Say no early"});
  Guarded s({.clients_max = 2});
  s.guest("alice", 31ms);
  std::vector<Peer*> crowd;
  for (int i = 1; i <= 12; ++i)
    crowd.push_back(&s.peer(format("guest %d", i)).at(347ms).connects());

  s.serve_until(900ms);

  const std::string story = "There was room for one more, and twelve came at 0.347 s. ";
  const auto was_let_in = [](const Peer* guest) { return guest->received() == prompt; };
  const auto let_in = std::count_if(crowd.begin(), crowd.end(), was_let_in);
  if (!expect_that(let_in <= 1, story + format("%td of them were let in. Count anew for each that "
                                               "you accept: the one before it has taken a place.",
                                               let_in)))
    return;
  for (const Peer* guest : crowd) {
    const std::string start = story + guest->name();
    if (!expect_that(guest->received_at(0) == Time(347ms),
                     start + " was not answered then. Accept all who wait, one after the other."))
      return;
    if (was_let_in(guest)) continue;
    if (!expect_received(*guest, full, start + " got this.") ||
        !expect_that(guest->end_at() == Time(347ms),
                     start + " was not closed when that had been said."))
      return;
  }
  expect_that(let_in == 1, story + "Nobody was let in.");
}

// Rule: whoever is refused costs a turn as much as whoever is let in.
TEST(Admission, AcceptsABoundedNumberInATurn) {
  explain({.rule = "Accept no more than 64 clients in a turn, those who are refused included.",
           .why = "Otherwise whoever knocks quickly enough keeps those inside waiting for ever.",
           .read = "Say no early"});
  constexpr std::size_t count = 150, turn_max = 64;
  Guarded s({.clients_max = 2});
  Peer& alice = s.guest("alice", 31ms);
  s.serve_until(300ms);
  for (std::size_t i = 1; i <= count; ++i) s.peer(format("guest %zu", i)).at(347ms).connects();

  const std::string story = "There was room for one more, and 150 came at once. ";
  for (std::size_t before = 1, turn = 0; before < count + 1 && turn < 2 * count; ++turn) {
    s.step(900ms - s.now());
    const std::size_t accepted = s.accepted() - before;
    if (!expect_that(accepted <= turn_max,
                     story + format("You accepted %zu in one turn. Take at most 64, refused or "
                                    "not, serve those who are ready, and ask again.",
                                    accepted)))
      return;
    before += accepted;
  }
  s.serve_until(900ms);

  expect_that(
      s.accepted() == count + 1,
      story + format("You accepted %zu. Accept the others in the next turns.", s.accepted() - 1)) &&
      expect_received(alice, welcome(), story + "alice was there before, and got this.");
}

// Rule: a limit that nobody hands on is no limit.
TEST(Admission, HandsOnTheLimitsOfTheChat) {
  explain({.rule = "limits.times and limits.lines are the limits of the chat behind the door.",
           .why = "Who sets a limit relies on it; a default in its place shows on the day on which "
                  "it matters.",
           .read = "Your task"});
  Guarded s({.times = {.naming = 700ms}, .lines = {.line_max = 10}});
  s.guest("alice", 31ms).at(347ms).sends("eleven byte\n");
  Peer& bob = s.guest("bob", 53ms);
  Peer& carol = s.peer("carol").at(97ms).connects();

  s.serve_until(1900ms);

  expect_received(bob, welcome(" alice") + "* alice left (line too long)\n",
                  "limits.lines.line_max was 10, alice said a line of 11 bytes, and bob got this. "
                  "Give the chat the limits' lines.") &&
      expect_received(carol, prompt + std::string("! no name: goodbye\n"),
                      "limits.times.naming was 0.7 s, carol said no name in it, and got this. Give "
                      "the chat the limits' times.");
}

// Rule: an fd_set is an array of 1,024 bits. FD_SET beyond it writes somewhere else (select(2)).
TEST(Admission, RefusesWhatDoesNotFitIntoAnFdSet) {
  explain({.rule = "A client whose descriptor is FD_SETSIZE or more is told no and closed.",
           .why = "FD_SET with such a number writes past the set: no error, but anything else.",
           .read = "The wall at 1024"});
  Guarded s({.clients_max = 5000});
  Peer& alice = s.guest("alice", 31ms);
  s.serve_until(40ms);
  s.next_descriptor_is(1024);
  Peer& bob = s.peer("bob").at(53ms).connects();
  alice.at(97ms).sends("is that all?\n").closes();
  Peer& carol = s.guest("carol", 347ms);  // gets alice's number

  const TurnOutcome outcome = s.try_serve_until(1900ms);

  expect_that(outcome.has_returned,
              "bob's descriptor was 1024. 1023 is the last that fits into an fd_set, and step() " +
                  outcome.told() + ". Refuse him: throw nothing.") &&
      expect_received(bob, full,
                      "bob's descriptor was 1024, which does not fit into an fd_set. He got "
                      "this.") &&
      expect_end(bob, "Close the connection when he has been told.") &&
      expect_received(alice, welcome(), "alice was there before bob. She got this.") &&
      expect_received(carol, welcome(), "alice had left, and carol came. She got this.");
}

// Rule: 1023 is the last bit of the set.
TEST(Admission, TakesTheLastThatFits) {
  explain({.rule = "A client whose descriptor is 1023 fits, and is served like any other.",
           .why = "Off by one costs a client here, and at 1024 the memory beside the set.",
           .read = "The wall at 1024"});
  Guarded s({.clients_max = 5000});
  s.next_descriptor_is(1023);
  Peer& alice = s.guest("alice", 31ms);

  s.serve_until(900ms);

  expect_received(alice, welcome(), "alice's descriptor was 1023. She got this.");
}

// Rule: a refusal is a courtesy: it may cost one attempt, and nobody's time.
TEST(Admission, DoesNotWaitForWhomItRefuses) {
  explain({.rule = "The refusal is sent as far as it fits at once; a client that does not take it, "
                   "is gone already, or talks without end keeps nobody waiting.",
           .why = "Whoever wants to harm you would come by the thousand and read nothing.",
           .read = "Say no early"});
  Guarded s({.clients_max = 2});
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  s.peer("mallory").window(0).at(347ms).connects();
  s.peer("carol").at(353ms).connects().finishes_sending().resets();
  Peer& trudy = s.peer("trudy").at(359ms).connects().sends(std::string(1 << 20, 'x'));
  bob.at(700ms).sends("still here\n");

  s.serve_until(1900ms);

  expect_received(alice, welcome() + "* bob joined\nbob: still here\n",
                  "Somebody was refused who did not wait for it, and alice got this.") &&
      expect_that(trudy.connection().program_read <= 65'536,
                  format("trudy was refused while she talked without end, and you received %s of "
                         "hers. Discard no more than 65536 bytes, and close.",
                         byte_count(trudy.connection().program_read).c_str())) &&
      expect_that(s.open_clients() == 2,
                  format("Three were refused, and later you had %zu of all five connections open. "
                         "A refused one holds a descriptor until you close it.",
                         s.open_clients()));
}

// Rule: a close with unread input is a reset, which can destroy what was sent before (lesson 05).
TEST(Admission, RefusesByAnEndAndNotByAReset) {
  explain({.rule = "What a refused client has said already is taken before its connection is "
                   "closed.",
           .why = "A close with unread input is a reset: it can destroy the refusal on its way.",
           .read = "Say no early"});
  Guarded s({.clients_max = 1});
  s.guest("alice", 31ms);
  Peer& bob = s.peer("bob").at(347ms).connects();
  bob.sends("bob\nhello?\n" + std::string(30'000, 'x'));

  s.serve_until(1900ms);

  expect_received(bob, full, "bob had said 30011 bytes before he was refused. He got this.") &&
      expect_end(bob,
                 "Receive all that is there, up to 65536 bytes, before you close: a close with "
                 "unread input is a reset.");
}

// Rule: EMFILE leaves the client in the queue, and so the listener readable (accept(2)).
TEST(Shortage, LeavesTheListenerAlone) {
  explain({.rule = "When accept finds no descriptor, the listener is left alone for a while, and "
                   "those that are connected are served as ever.",
           .why =
               "The client stays in the queue and the listener readable: select returns at once, "
               "again and again.",
           .read = "No descriptor left"});
  Guarded s({.rest = 130ms});
  Peer& alice = s.guest("alice", 31ms);
  Peer& bob = s.guest("bob", 53ms);
  s.serve_until(60ms);
  s.faults().fail("accept", EMFILE, 1000);
  s.peer("carol").at(347ms).connects();
  alice.at(1219ms).sends("hello\n");

  const TurnOutcome outcome = s.try_serve_until(1647ms);

  if (!expect_that(outcome.has_returned, "accept said EMFILE at 0.347 s, and step() " +
                                             outcome.told() + no_reason_to_throw))
    return;
  const auto tries = s.failed_accepts(EMFILE);
  for (std::size_t i = 1; i < tries.size(); ++i)
    if (!expect_that(tries[i] - tries[i - 1] >= Time(130ms),
                     format("accept said EMFILE at %s, and was called again at %s; the rest is "
                            "0.13 s. Leave the listener out of the wait until then.",
                            shown(tries[i - 1]).c_str(), shown(tries[i]).c_str())))
      return;
  const std::size_t waits = s.waits_of_last_run().size();
  if (!expect_that(waits <= 3 * tries.size() + 6,
                   format("In 1.6 s you waited %zu times, though nearly nothing happened. One wait "
                          "until the rest is over is enough.",
                          waits)))
    return;
  expect_that(
      bob.received() == welcome(" alice") + "alice: hello\n" &&
          bob.received_at(bob.received().size() - 1) == Time(1219ms),
      "alice said something at 1.219 s, while there was no descriptor for carol, and bob got " +
          quoted(bob.received(), 80) + ". Those that are connected are served meanwhile.");
}

// Rule: nothing wakes select when a descriptor is free again. Only a timeout does.
TEST(Shortage, ComesBackByItself) {
  explain({.rule = "When the rest is over, accept is tried again, whether nothing else happens or "
                   "a great deal.",
           .why = "Nothing tells you that a descriptor is free again; a listener that waits to be "
                  "told is forgotten.",
           .read = "No descriptor left"});
  const auto comes_back = [](int error, bool is_lively) {
    Guarded s({.rest = 130ms});
    if (is_lively) {
      Peer& bob = s.guest("bob", 31ms);
      for (Time time = 353ms; time < 2s; time += 47ms) bob.at(time).sends("hello?\n");
      s.serve_until(300ms);
    }
    s.faults().fail("accept", error, 3);
    Peer& alice = s.guest("alice", 347ms);

    const TurnOutcome outcome = s.try_serve_until(5s);

    const std::string start =
        format("accept said %s three times, at 0.347 s first; the rest is 0.13 s%s. ",
               error_name(error).c_str(), is_lively ? ", and bob talked all the time" : "");
    const auto came = alice.received_at(0);
    return expect_that(outcome.has_returned,
                       start + "step() " + outcome.told() + no_reason_to_throw) &&
           expect_that(came.has_value(),
                       start + "alice, who waited in the queue, was never let in.") &&
           expect_that(
               is_lively ? *came < Time(900ms) : *came >= Time(737ms) && *came < Time(738ms),
               start + "It worked at 0.737 s, and alice was let in at " + shown(*came) +
                   (is_lively ? ". Note when the rest ends as it begins; nothing that "
                                "happens meanwhile puts it off."
                              : "."));
  };
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
    if (!comes_back(error, false)) return;
  comes_back(EMFILE, true);
}

// Rule: a rest ends; it is no habit.
TEST(Shortage, IsForgottenWhenItIsOver) {
  explain(
      {.rule = "When accept works again, the server waits as long as ever: for the listener, and "
               "without a timeout of its own.",
       .why = "A server that looks ten times a second for no reason never lets a processor sleep.",
       .read = "No descriptor left"});
  Guarded s({.rest = 130ms, .times = {.idle = course::Duration::max()}});
  s.faults().fail("accept", EMFILE, 1);
  s.guest("alice", 347ms);
  s.serve_until(2s);

  s.serve_until(1h);

  const std::size_t waits = s.waits_of_last_run().size();
  expect_that(waits <= 2, format("The shortage was over, nobody said anything for an hour, and you "
                                 "waited %zu times. Once is enough.",
                                 waits));
}

// Rule: the nearest end counts.
TEST(Shortage, DoesNotOutlastTheTurn) {
  explain({.rule = "step() returns at its deadline, or when wake_up is readable, whatever rests.",
           .why = "Who asks the server to stop must not have to wait until it has rested.",
           .read = "No descriptor left"});
  Guarded s({.rest = 20s});
  s.faults().fail("accept", EMFILE, 1000);
  s.peer("alice").at(347ms).connects();
  Peer& admin = s.peer("admin");
  const int wake_up = admin.pipe_to_program();
  admin.at(1219ms).sends("stop");
  s.serve_until(500ms);

  s.serve_until(800ms);
  const Time deadline_met = s.now();
  s.take_turns_of(1min, 1219ms, wake_up);

  expect_that(deadline_met == Time(800ms),
              "The listener rests for 20 s. step() had a deadline at 0.8 s, and returned at " +
                  shown(deadline_met) + ". Wait until whichever is first.") &&
      expect_that(
          s.now() == Time(1219ms),
          "The listener rests for 20 s. wake_up was readable at 1.219 s, and step() returned "
          "at " +
              shown(s.now()) + ".");
}

// Rule: ECONNABORTED is one client's misfortune; EINVAL is the listener's.
TEST(Shortage, IsToldApartFromOtherErrors) {
  explain({.rule = "An error that concerns one client is passed over without a rest; one that "
                   "concerns the listener is thrown.",
           .why = "Who rests for every error lets clients slow it down; who throws for every error "
                  "lets them end it.",
           .read = "No descriptor left"});
  Guarded s({.rest = 20s});
  s.faults().fail("accept", ECONNABORTED, 1);
  Peer& alice = s.guest("alice", 347ms);
  s.serve_until(900ms);
  if (!expect_received(
          alice, welcome(),
          "accept said ECONNABORTED, which is about one client that has gone. alice, who "
          "came then, got this within half a second."))
    return;

  s.faults().fail("accept", EINVAL, 1);
  Peer& bob = s.guest("bob", 1219ms);
  int thrown = 0;
  try {
    s.serve_until(1500ms);
  } catch (const std::system_error& error) {
    thrown = error.code().value();
  }
  s.serve_until(1900ms);

  expect_that(thrown == EINVAL, "accept said EINVAL, and step() did not throw it.") &&
      expect_received(bob, welcome(" alice"),
                      "step() was called again after it had thrown. bob got "
                      "this.");
}
