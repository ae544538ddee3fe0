// The graded checks of lesson 19: watches. What functions change while they run is in
// same_turn_test.cpp; timers, posts, and how run() ends have files of their own.
#include "19-event-loop/event_loop.hpp"

#include <map>
#include <string>
#include <vector>

#include "looping.hpp"
#include "scenario/check.hpp"

using namespace grader;

LESSON("19-event-loop");

// Rule: readiness is level-triggered; whoever does not take what is there is called again.
TEST(Loop, CallsWhoIsReady) {
  explain({.rule = "A watcher is called once in every turn in which its descriptor is ready, and "
                   "in no other.",
           .why = "It is the only way in which the rest of the program learns that something is "
                  "there.",
           .read = "Turned inside-out"});
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("a").at(347ms).sends("bc").connected();
  const int bob = s.peer("bob").at(97ms).sends("b").at(1219ms).closes().connected();
  const int carol = s.peer("carol").at(583ms).sends("xyz").connected();
  const int dave = s.peer("dave").at(719ms).closes().pipe_to_program();
  std::map<std::string, int> counted;
  const auto watch_bytewise = [&](int fd, const std::string& who) {
    const auto token = std::make_shared<Loop::Token>();
    *token = s.loop().watch(fd, reading, [&, fd, who, token, calls = 0](Interest) mutable {
      s.note(who);
      counted[who] = ++calls;
      char byte;
      if (::read(fd, &byte, 1) == 0) (void)s.loop().unwatch(*token);
    });
  };
  s.first([&] { s.loop().after(1301ms, [&] { s.loop().stop(); }); });
  s.watch_reader(alice, "alice");
  watch_bytewise(bob, "bob");
  watch_bytewise(carol, "carol");
  watch_bytewise(dave, "dave");
  s.wants({{31ms, "alice"},
           {97ms, "bob"},
           {347ms, "alice"},
           {583ms, "carol"},
           {583ms, "carol"},
           {583ms, "carol"},
           {719ms, "dave"},
           {1219ms, "bob"}});

  s.run_loop();

  s.expect_called(
      "alice sent at 0.031 and 0.347 s, bob at 0.097 s and ended at 1.219 s; carol "
      "sent three bytes at 0.583 s, and her watcher takes one at a time; dave's pipe ended at "
      "0.719 s.") &&
      expect_equal(counted["carol"], 3,
                   "carol's watcher was called three times. It counts its calls in what it holds "
                   "itself, as a mutable lambda can: call it, and not a copy that is new each "
                   "time. So far it has counted:") &&
      expect_that((::fcntl(alice, F_GETFL) & O_NONBLOCK) == 0,
                  "alice's descriptor has become non-blocking. It is borrowed: whoever reads from "
                  "it counts on the mode that he has given it.");
}

// Rule: select answers two questions at once, and a watcher gets the whole answer.
TEST(Loop, TellsWhatItIsReadyFor) {
  explain({.rule = "A watcher is told all that its descriptor is ready for, in one call, and "
                   "nothing that it is not watched for.",
           .why = "Who is called twice may have closed the descriptor after the first time; who "
                  "is told too much reads what is not there.",
           .read = "Turned inside-out"});
  Looping s;
  Peer& peer = s.peer("alice");
  const int alice = peer.window(0).at(31ms).sends("a").opens_window(100).connected();
  std::vector<Loop::Token> tokens;
  const auto watch_once = [&](Interest interest, const std::string& who) {
    const std::size_t number = tokens.size();
    tokens.push_back(s.loop().watch(alice, interest, [&, who, number](Interest ready) {
      s.note(who + " to " + told(ready));
      s.loop().unwatch(tokens.at(number));
    }));
  };
  s.run([&] {
    watch_once(both, "one");
    watch_once(reading, "two");
    watch_once(writing, "three");
    watch_once(both, "four");
    watch_once(nothing, "five");
  });

  s.wants({{31ms, "one to read and write"},
           {31ms, "two to read"},
           {31ms, "three to write"},
           {31ms, "four to read and write"}});

  s.run_loop();

  s.expect_called_in_any_order(
      "alice's socket became readable and writable at 0.031 s. It had "
      "five watches: one and four for both, two for reading, three for "
      "writing, and five for nothing; each ended itself when it was "
      "called.") &&
      s.expect_watches(1, "Four of five watches have ended. watches():");
}

// Rule: an interest in nothing is not asked about.
TEST(Loop, KeepsAWatchWithoutInterest) {
  explain({.rule = "A watch for nothing stays, is not called whatever happens, and does not keep "
                   "run() going.",
           .why = "A client that is to wait its turn is not forgotten, only left alone.",
           .read = "Your task"});
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("early").connected();
  const int bob = s.peer("bob").at(53ms).resets().connected();
  const Loop::Token first = s.watch_reader(alice, "alice");
  const Loop::Token second = s.run([&] {
    return s.loop().watch(bob, nothing, [&](Interest ready) { s.note("bob to " + told(ready)); });
  });
  s.first([&] {
    s.loop().modify(first, nothing);
    s.loop().after(347ms, [&] {
      s.note("timer");
      s.loop().modify(first, reading);
      s.loop().after(34ms, [&] { s.loop().modify(first, nothing); });
    });
  });

  s.wants({{347ms, "timer"}, {347ms, "alice"}});

  s.run_loop();

  s.expect_called(
      "alice and bob were watched for nothing while she sent and he reset; a timer at "
      "0.347 s watched her for reading again, and another ended that.") &&
      s.expect_watches(2, "Nobody has ended a watch, and one is for nothing. watches():") &&
      expect_that(s.run([&] { return s.loop().unwatch(second); }),
                  "unwatch() of the watch without interest said false.");
}

// Rule: an fd_set has room for the numbers 0 to FD_SETSIZE - 1, and FD_SET does not look
// (select(2)).
TEST(Loop, RefusesWhatDoesNotFit) {
  explain({.rule = "watch() of a descriptor that does not fit into an fd_set throws "
                   "std::system_error with EINVAL, and nothing is watched.",
           .why = "FD_SET of such a number writes somewhere else into your memory.",
           .read = "Your task"});
  Looping s;
  for (const int fd : {-1, INT_MIN, FD_SETSIZE, FD_SETSIZE + 1, 4095, INT_MAX}) {
    const Thrown thrown =
        thrown_by([&] { s.run([&] { s.loop().watch(fd, nothing, [](Interest) {}); }); });
    const std::string start = format("watch(%d) ", fd);
    if (!expect_that(thrown.error == EINVAL,
                     start + thrown.told() + ". Throw std::system_error with EINVAL.") ||
        !s.expect_watches(0, start + "threw. watches():"))
      return;
  }
  const int last = s.lend_at(s.peer("alice").at(31ms).sends("a").connected(), FD_SETSIZE - 1);
  const Thrown thrown = thrown_by([&] { s.watch_reader(last, "alice", [&] { s.loop().stop(); }); });
  if (!expect_that(thrown.error == 0, "watch(1023) " + thrown.told() +
                                          ". 1,023 is the highest number that fits: "
                                          "FD_SETSIZE is how many there are."))
    return;

  s.wants({{31ms, "alice"}});

  s.run_loop();

  s.expect_called("alice is descriptor 1,023, which does fit, and sent at 0.031 s.");
}

// Rule: asking costs; who asks the kernel once for each descriptor loses what select is for.
TEST(Loop, AsksOnceForAll) {
  explain({.rule = "A turn is one select, and no other call for those who are watched.",
           .why = "A thousand idle clients would cost a thousand calls whenever one says a word.",
           .read = "What a turn costs"});
  constexpr std::size_t turns = 20;
  const auto calls_with = [&](int pipes) {
    Looping s;
    std::vector<int> ends;
    for (int i = 0; i < pipes; ++i)
      s.run([&] {
        int two[2];
        if (::pipe(two) == -1) return;
        for (const int fd : two) ends.push_back(fd);
        s.loop().watch(two[0], reading, [](Interest) {});
        s.loop().watch(two[1], nothing, [](Interest) {});
      });
    Peer& peer = s.peer("alice");
    const int alice = peer.connected();
    for (std::size_t i = 0; i < turns; ++i) peer.after(31ms).sends("a");
    s.watch_reader(alice, "alice", [&] {
      if (s.times_called("alice") == turns) s.loop().stop();
    });
    const std::size_t before = s.calls().size();
    s.run_loop();
    const std::size_t waits = s.waits_of_last_run().size();
    expect_that(waits <= turns + 2,
                format("alice sent %zu times, and the loop waited %zu times. One select answers "
                       "for all who are watched, and waits as long as it takes.",
                       turns, waits));
    const std::size_t calls = s.calls().size() - before;
    s.end();
    s.run([&] {
      for (const int fd : ends) ::close(fd);
    });
    return calls;
  };

  const std::size_t few = calls_with(1);
  if (has_failed()) return;
  const std::size_t many = calls_with(61);

  expect_that(many <= few + 5,
              format("With 2 idle descriptors %zu turns were %zu calls, and with 122 idle ones "
                     "%zu. Ask for all in one call.",
                     turns, few, many));
}

// Rule: a wait that failed found nobody ready; what its sets hold says nothing (select(2)).
TEST(Loop, ThrowsWhenTheWaitFails) {
  explain({.rule = "run() throws std::system_error with errno when select fails, and can be "
                   "called again.",
           .why =
               "Whoever has closed a descriptor and not ended its watch has to be told; to go on "
               "is a busy loop.",
           .read = "Your task"});
  for (const int error : {EBADF, ENOMEM}) {
    Looping s;
    const int alice = s.peer("alice").sends("a").connected();
    const int bob = s.peer("bob").connected_and_handed_over();
    s.watch_reader(alice, "alice", [&] { s.loop().stop(); });
    const Loop::Token watch = s.watch_reader(bob, "bob");
    if (error == EBADF) s.run([&] { ::close(bob); });
    if (error == ENOMEM) s.faults().fail("select", ENOMEM);

    const Thrown thrown = thrown_by([&] { s.run_loop(); });

    const std::string start =
        format("%s, and run() %s. ",
               error == EBADF ? "bob's descriptor was closed and is still watched"
                              : "The call that waits said ENOMEM",
               thrown.told().c_str());
    if (!expect_that(thrown.error == error,
                     start + "Throw std::system_error with " + error_name(error) + ".") ||
        !expect_that(s.times_called("bob") == 0,
                     start + "bob's watcher was called all the same. After a failure the sets are "
                             "as you made them: nobody is known to be ready."))
      return;
    s.run([&] {
      s.loop().unwatch(watch);
      if (error != EBADF) ::close(bob);
    });
    s.run_loop();
    if (!expect_that(s.times_called("alice") > 0 && s.times_called("bob") == 0,
                     start + "Then bob's watch was ended, and run() called again; alice had sent, "
                             "and was not called."))
      return;
  }
}

// Rule: whoever throws in a constructor has to undo what it has done; its destructor will not run.
TEST(Loop, LeavesNothingOpenWhenItCannotBeMade) {
  explain({.rule = "Loop() throws std::system_error with errno when a call fails, and then nothing "
                   "stays open.",
           .why = "Descriptors are short just then, and whoever tries again would use up the rest.",
           .read = "Your task"});
  for (const char* family : {"pipe", "eventfd", "socketpair", "socket", "dup"})
    for (int skip = 0;; ++skip) {
      Scenario s;
      s.faults().fail(family, EMFILE, 1, skip);
      const Thrown thrown = thrown_by([&] { s.run([] { const Loop loop; }); });
      bool has_failed = false;
      for (const Call& call : s.calls()) has_failed |= call.error == EMFILE;
      if (!has_failed) break;
      const std::string start =
          format("%s said EMFILE, and Loop() %s. ", family, thrown.told().c_str());
      if (!expect_that(thrown.error == EMFILE,
                       start + "Throw std::system_error with that errno.") ||
          !expect_that(
              s.open_descriptors().empty(),
              start + "A descriptor is still open. Let an Fd own what is opened, at once."))
        return;
    }
}
