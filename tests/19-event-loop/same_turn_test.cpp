// The graded checks of lesson 19: what functions change in the turn in which they run.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "19-event-loop/event_loop.hpp"
#include "looping.hpp"
#include "scenario/check.hpp"

using namespace grader;

namespace {

/// Says whether it is still there.
struct Witness {
  explicit Witness(bool& is_there) : is_there_(is_there) { is_there = true; }
  ~Witness() { is_there_ = false; }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

 private:
  bool& is_there_;
};

/// alice and bob, who both send at 31 ms.
class Pair : public Looping {
 public:
  int alice = peer("alice").at(31ms).sends("a").connected();
  int bob = peer("bob").at(31ms).sends("b").connected();
};

/// Does something when it goes.
struct Leaving {
  explicit Leaving(std::function<void()> what) : what_(std::move(what)) {}
  ~Leaving() { what_(); }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;

 private:
  std::function<void()> what_;
};

// What a posted function holds posts as it goes.
bool lets_what_goes_post() {
  Looping s;
  s.first([&] {
    s.loop().after(31ms, [] {});
    s.loop().post(
        [held = std::make_shared<Leaving>([&] { s.loop().post(s.notes("the post")); })] {});
  });

  s.run_loop();

  return expect_equal(s.times_called("the post"), 1,
                      "What a posted function held was released when that had run, and posted a "
                      "function as it went. So often was that one called:");
}

}  // namespace

// Rule: a function that is destroyed while it runs has lost its captures under its feet.
TEST(Loop, LetsAWatcherEndItself) {
  explain({.rule =
               "A watcher may unwatch itself: it runs to its end with all that it holds, and is "
               "not called again.",
           .why = "It is the first thing that a client's watcher does when the client has gone.",
           .read = "The list changes while you walk along it"});
  Pair s;
  struct Ending {
    bool is_there = false, was_there = false;
    std::size_t left = 9;
    Loop::Token token{};
  } ending;
  s.watch_reader(s.bob, "bob's first watcher");
  s.run([&] {
    ending.token = s.loop().watch(
        s.alice, reading,
        [&s, &ending, witness = std::make_shared<Witness>(ending.is_there)](Interest) {
          Ending& still = ending;  // when the watcher has gone, so have its captures
          Loop& loop = s.loop();
          s.note("alice");
          (void)loop.unwatch(still.token);
          still.was_there = still.is_there;
          still.left = loop.watches();
        });
  });
  s.watch_reader(s.bob, "bob's second watcher");
  s.first([&] { s.loop().after(97ms, [&] { s.loop().stop(); }); });

  s.run_loop();

  expect_that(s.times_called("alice") == 1,
              "alice's watcher ended its own watch, left her byte unread, and was called again.") &&
      expect_equal(ending.left, std::size_t{2},
                   "alice's watcher ended its own watch, one of three. watches() then:") &&
      expect_that(ending.was_there,
                  "alice's watcher ended its own watch, and what it holds was destroyed while it "
                  "was still running. Let go of it when it has returned.");
  for (const char* who : {"bob's first watcher", "bob's second watcher"})
    expect_that(s.times_called(who) <= 1,
                format("bob had sent once and has two watchers, one made before alice's and one "
                       "after. alice's ended its own watch, and %s was called %d times in that "
                       "turn.",
                       who, s.times_called(who)));
}

// Rule: that it was ready once is no reason to call somebody who is not watched any more.
TEST(Loop, CallsNobodyWhoWasUnwatchedInThisTurn) {
  explain({.rule = "From unwatch() on a watcher is not called any more, though its descriptor was "
                   "found ready in the same turn.",
           .why = "It would work on a client that has been destroyed.",
           .read = "The list changes while you walk along it"});
  Pair s;
  std::vector<Loop::Token> tokens;
  s.first([&] {
    for (const int fd : {s.alice, s.bob, s.alice, s.bob, s.alice})
      tokens.push_back(s.loop().watch(fd, reading, [&](Interest) {
        s.note("the first");
        for (const Loop::Token token : tokens) (void)s.loop().unwatch(token);
      }));
    s.loop().after(97ms, [&] { s.loop().stop(); });
  });

  s.wants({{31ms, "the first"}});

  s.run_loop();

  s.expect_called(
      "Five watchers were found ready at 0.031 s; whoever is called first ends all "
      "five watches.") &&
      s.expect_watches(0, "All watches have ended. watches():") &&
      expect_that(!s.run([&] { return s.loop().unwatch(tokens[1]); }),
                  "unwatch() of a watch that has ended said true.") &&
      expect_that(!s.run([&] { return s.loop().modify(tokens[2], reading); }),
                  "modify() of a watch that has ended said true.");
}

// Rule: open(2): the lowest number that is free. Whoever is closed first lends his to the next.
TEST(Loop, DoesNotMistakeANewDescriptorForTheOld) {
  explain({.rule = "A watch that was made in this turn is not called before it has been waited "
                   "for, though its descriptor has the number of one that was found ready.",
           .why = "A client who has just come would be told what belonged to the one before.",
           .read = "Numbers come back"});
  Looping s;
  const int silent = s.peer("carol").at(347ms).sends("c").connected();
  std::vector<int> numbers = {s.peer("alice").at(31ms).sends("a").connected_and_handed_over(),
                              s.peer("bob").at(31ms).sends("b").connected_and_handed_over()};
  std::vector<Loop::Token> tokens;
  int replaced = -1;
  const auto replace = [&](std::size_t other) {
    s.note("the first");
    (void)s.loop().unwatch(tokens[other]);
    ::close(numbers[other]);
    replaced = ::dup(silent);
    const bool is_reused = replaced == numbers[other];
    numbers[other] = replaced;
    tokens[other] = s.watch_reader(replaced, is_reused ? "carol" : "carol under another number",
                                   [&] { s.loop().stop(); });
    (void)s.loop().unwatch(tokens[1 - other]);
  };
  s.run([&] {
    tokens.push_back(s.loop().watch(numbers[0], reading, [&](Interest) { replace(1); }));
    tokens.push_back(s.loop().watch(numbers[1], reading, [&](Interest) { replace(0); }));
  });

  s.wants({{31ms, "the first"}, {347ms, "carol"}});

  s.run_loop();

  s.expect_called(
      format("Two were found ready at 0.031 s. Whoever is called first unwatches and "
             "closes the other, whose number, %d, goes to carol; she is watched, and "
             "says nothing before 0.347 s.",
             replaced)) &&
      s.run([&] {
        for (const Loop::Token token : tokens) s.loop().unwatch(token);
        return expect_all_differ([&] { return s.loop().watch(silent, nothing, {}); },
                                 [&](Loop::Token token) { s.loop().unwatch(token); },
                                 "watches were made and ended");
      });
  s.run([&] {
    for (const int fd : numbers) ::close(fd);
  });
}

// Rule: what was asked before the wait is answered; what is wanted now may be less.
TEST(Loop, ReportsNothingThatIsNotWantedAnyMore) {
  explain({.rule = "modify() counts at once: what a descriptor was found ready for, and is not "
                   "watched for any more, is not reported.",
           .why = "A client whose queue has become full in this turn is not to be read from in "
                  "this turn either.",
           .read = "The list changes while you walk along it"});
  for (const Interest then : {writing, nothing}) {
    Pair s;
    std::vector<Loop::Token> tokens;
    const auto watch = [&](int fd, std::size_t self) {
      tokens.push_back(s.loop().watch(fd, reading, [&, self](Interest ready) {
        const bool is_first = s.diary().empty();
        s.note((is_first ? "the first to " : "the other to ") + told(ready));
        if (!is_first) return s.loop().stop();
        s.loop().modify(tokens[self], nothing);
        s.loop().modify(tokens[1 - self], then);
      }));
    };
    s.first([&] {
      watch(s.alice, 0);
      watch(s.bob, 1);
      s.loop().after(97ms, [&] { s.loop().stop(); });
    });

    s.wants(then == writing
                ? std::vector<Called>{{31ms, "the first to read"}, {31ms, "the other to write"}}
                : std::vector<Called>{{31ms, "the first to read"}});

    s.run_loop();

    if (!s.expect_called("alice and bob were both found readable at 0.031 s. Whoever is called "
                         "first wants nothing any more, and has the other watched for " +
                         told(then) + " instead."))
      return;
  }
}

// Rule: a walk along a container does not outlive what is put into it (vector) or taken from it.
TEST(Loop, LetsWatchersWatch) {
  explain({.rule = "A watcher may make as many watches as it likes; they are called when they have "
                   "been waited for, and not before.",
           .why = "A listener's watcher does this for every client that it accepts.",
           .read = "The list changes while you walk along it"});
  constexpr int many = 4;
  Looping s;
  std::vector<Called> wanted;
  for (const std::string who : {"alice", "bob"}) {
    const int fd = s.peer(who).at(31ms).sends("a").at(347ms).sends("b").connected();
    const auto own = std::make_shared<Loop::Token>();
    *own = s.loop().watch(fd, reading, [&s, who, fd, own](Interest) {
      s.note(who);
      if (s.now() > 31ms) return (void)s.loop().unwatch(*own);
      (void)take_all(fd);
      for (int i = 0; i < many; ++i) {
        const auto token = std::make_shared<Loop::Token>();
        *token = s.loop().watch(fd, reading, [&s, who, token](Interest) {
          s.note("new " + who);
          (void)s.loop().unwatch(*token);
        });
      }
    });
    for (const Time at : {31ms, 347ms}) wanted.push_back({at, who});
    wanted.insert(wanted.end(), many, {347ms, "new " + who});
  }

  s.wants(wanted);

  s.run_loop();

  s.expect_called_in_any_order(
      format("alice and bob sent at 0.031 s. Their watchers took it, and each made %d new "
             "watches of the same descriptor. Both sent again at 0.347 s, and each watcher "
             "ended its own watch.",
             many));
}

// Rule: what a function holds lives as long as the function.
TEST(Loop, LetsGoOfWhatItNoLongerNeeds) {
  explain({.rule = "What a function holds is released soon after its watch has ended, its timer "
                   "has run or was cancelled, or the post has been done; the rest with the loop. "
                   "What a posted function holds may post as it goes.",
           .why = "It may hold the client, and with it the descriptor: what is never released "
                  "stays open for ever.",
           .read = "The list changes while you walk along it"});
  Pair s;
  enum Holder { itself, other, ran, cancelled, posted, watching, waiting, late, holders };
  const std::array<const char*, holders> names = {"a watcher that had ended itself",
                                                  "a watcher whose watch another had ended",
                                                  "a timer that had run",
                                                  "a timer that was cancelled",
                                                  "a posted function that had run",
                                                  "a watcher of a living watch",
                                                  "a timer that was still to run",
                                                  "a function posted after run()"};
  std::array<bool, holders> is_there{};
  std::string kept, lost;
  const auto held_by = [&](Holder holder) {
    return std::make_shared<Witness>(is_there.at(static_cast<std::size_t>(holder)));
  };
  const auto look = [&](std::size_t from, std::size_t end, bool wanted, std::string& into) {
    for (std::size_t i = from; i < end; ++i)
      if (is_there.at(i) != wanted && into.empty()) into = names.at(i);
  };
  s.first([&] {
    Loop& loop = s.loop();
    const auto own = std::make_shared<Loop::Token>();
    const Loop::Token living =
        loop.watch(s.bob, nothing, [&, held = held_by(watching)](Interest) {});
    const Loop::Token ended = loop.watch(s.bob, nothing, [held = held_by(other)](Interest) {});
    const Loop::Token stopped = loop.after(1h, [held = held_by(cancelled)] {});
    *own = loop.watch(s.alice, reading, [&, own, ended, stopped, held = held_by(itself)](Interest) {
      (void)loop.unwatch(*own);
      (void)loop.unwatch(ended);
      (void)loop.cancel(stopped);
    });
    loop.post([held = held_by(posted)] {});
    loop.after(53ms, [held = held_by(ran)] {});
    loop.after(97ms, [] {});
    loop.after(131ms, [&] {
      look(itself, watching, false, kept);
      look(watching, late, true, lost);
      loop.stop();
    });
    loop.after(1h, [held = held_by(waiting)] {});
    (void)living;
  });

  s.run_loop();
  s.run([&] { s.loop().post([&, held = held_by(late)] { s.note("a post"); }); });
  s.end();

  if (!expect_that(s.diary().empty(),
                   "A function was posted when run() had returned, and called when the loop was "
                   "destroyed. Nobody is called any more then.") ||
      !expect_that(kept.empty(), "Two turns later " + kept + " still held what it had captured.") ||
      !expect_that(lost.empty(), "What " + lost + " holds was released too early."))
    return;
  look(itself, holders, false, kept);
  expect_that(kept.empty(),
              "When the loop had gone, " + kept + " still held what it had captured.") &&
      lets_what_goes_post();
}
