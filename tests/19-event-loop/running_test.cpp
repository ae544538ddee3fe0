// The graded checks of lesson 19: how run() ends, and how it goes on.
#include <array>
#include <string>
#include <vector>

#include "19-event-loop/event_loop.hpp"
#include "looping.hpp"
#include "scenario/check.hpp"

using namespace grader;

// Rule: a wait that nothing can end is no wait.
TEST(Loop, ReturnsWhenThereIsNothingToWaitFor) {
  explain({.rule = "run() returns when there is no watch with an interest, no timer, and nothing "
                   "posted; what it opened for itself does not count.",
           .why = "A program whose work is done ends by itself, and one that waits for nothing "
                  "hangs.",
           .read = "Your task"});
  Looping s;
  const int alice = s.peer("alice").at(97ms).sends("a").connected();
  std::vector<Called> so_far;
  const auto expect_return = [&](Called last, const std::string& start) {
    if (!last.who.empty()) so_far.push_back(last);
    s.wants(so_far);
    s.run_loop();
    return expect_equal(s.now(), last.at, start + " run() returned at:") &&
           s.expect_called(start + " Then run() returned.");
  };
  Loop::Token token{};

  if (!expect_return({0s, ""}, "The loop was new.")) return;
  s.run([&] { s.loop().post([&] { s.loop().post(s.notes("post")); }); });
  if (!expect_return({0s, "post"}, "There were two posts, one made by the other.")) return;
  s.first([&] { s.loop().after(53ms, s.notes("timer")); });
  if (!expect_return({53ms, "timer"}, "The only timer ran at 0.053 s.")) return;
  s.first([&] { s.loop().cancel(s.loop().after(1h, s.notes("never"))); });
  if (!expect_return({53ms, ""}, "The only timer was cancelled.")) return;
  token = s.watch_reader(alice, "alice", [&] { (void)s.loop().unwatch(token); });
  if (!expect_return({97ms, "alice"}, "The only watch ended at 0.097 s.")) return;
  token = s.watch_reader(alice, "alice");
  s.first([&] {
    s.loop().after(34ms, [&] {
      s.note("pause");
      s.loop().modify(token, nothing);
    });
  });
  expect_return({131ms, "pause"}, "The only watch was for nothing from 0.131 s on.");
}

// Rule: a flag alone wakes nobody (lesson 14); a flag that is never taken back stops for ever.
TEST(Loop, StopsFromAnywhere) {
  explain({.rule = "stop() makes run() return at once, whoever calls it, and run() can be called "
                   "again: then what was left is called.",
           .why = "Who asks to stop asks once, from wherever it is.",
           .read = "Stop"});
  enum Place { watcher, timer, post, thread, gap, places };
  const std::array<const char*, places> names = {"a watcher", "a timer", "a posted function",
                                                 "another thread",
                                                 "another thread, just before select waited,"};
  for (int place = watcher; place < places; ++place) {
    Looping s;
    const auto stop = [&] { s.loop().stop(); };
    const int alice = s.peer("alice").at(31ms).sends("a").at(583ms).sends("b").connected();
    s.watch_reader(alice, "alice", [&] {
      if (place == watcher && s.times_called("alice") == 1) stop();
    });
    s.first([&] {
      s.loop().after(31ms, [&] {
        s.note("timer");
        if (place == timer) stop();
      });
      s.loop().after(1219ms, stop);
    });
    s.thread_at(31ms, [&] {
      s.loop().post([&] {
        s.note("post");
        if (place == post) stop();
      });
      s.loop().post(s.notes("second post"));
    });
    const Time stopped_at = place == thread ? Time(347ms) : Time(31ms);
    if (place == thread) s.thread_at(347ms, stop);
    if (place == gap) s.thread_after("select", [&] { s.thread_before("select", stop); });

    s.wants({{31ms, "alice"},
             {31ms, "timer"},
             {31ms, "post"},
             {31ms, "second post"},
             {583ms, "alice"}});

    s.run_loop();

    const std::string start =
        format("stop() was called by %s at %s", names.at(static_cast<std::size_t>(place)),
               shown(stopped_at).c_str());
    if (!expect_that(s.now() == stopped_at,
                     start + ", and run() returned at " + shown(s.now()) + "."))
      return;
    s.run_loop();
    if (!expect_equal(s.now(), Time(1219ms),
                      start + ". Then run() was called again, and stop() at 1.219 s. It returned "
                              "at:") ||
        !s.expect_called_in_any_order(
            start + ", and run() was called again. Whatever was still to be called then, nothing "
                    "is lost, and nothing comes twice."))
      return;
  }
}

// Rule: that nobody runs it yet does not make a request to stop void.
TEST(Loop, StopsBeforeItBegins) {
  explain({.rule = "A stop() while run() does not run makes the next run() return without waiting, "
                   "and only that one.",
           .why = "A signal may come while the program still prepares itself.",
           .read = "Stop"});
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("a").connected();
  s.watch_reader(alice, "alice", [&] { s.loop().stop(); });
  s.first([&] { s.loop().after(1h, s.notes("timer")); });
  for (const int times : {1, 2}) {
    s.run([&] {
      for (int i = 0; i < times; ++i) s.loop().stop();
    });
    s.run_loop();
    if (!expect_equal(s.now(), Time(0s),
                      format("stop() was called %d times before run(), which returned at:", times)))
      return;
  }
  s.wants({{31ms, "alice"}});

  s.run_loop();

  s.expect_called(
      "run() returned twice because of a stop() before it, and was called a third "
      "time; alice sent at 0.031 s.");
}

// Rule: an exception leaves through run(), and leaves behind what can go on.
TEST(Loop, LosesNothingWhenAFunctionThrows) {
  explain({.rule = "An exception of a function comes out of run() as it is; when run() is called "
                   "again, all that was still to be called is called, once.",
           .why = "A program that handles the failure of one client has others to serve.",
           .read = "When a function throws"});
  struct Failure {
    std::string who;
  };
  const std::vector<std::string> all = {"alice",      "bob",         "timer",     "second timer",
                                        "first post", "second post", "third post"};
  for (const std::string& thrower : all) {
    Looping s;
    const auto act = [&](const std::string& who) {
      s.note(who);
      if (who == thrower) throw Failure{who};
    };
    for (const std::string who : {"alice", "bob"}) {
      const int fd = s.peer(who).at(31ms).sends("x").at(583ms).sends("y").connected();
      s.run([&] {
        s.loop().watch(fd, reading, [&, who, fd](Interest) {
          (void)take_all(fd);
          s.now() < 500ms ? act(who) : s.note(who);
        });
      });
    }
    s.thread_at(31ms, [&] {
      for (const std::string who : {"first post", "second post", "third post"})
        s.loop().post([&, who] { act(who); });
    });
    s.first([&] {
      for (const std::string who : {"timer", "second timer"})
        s.loop().after(31ms, [&, who] { act(who); });
      s.loop().after(1219ms, [&] { s.loop().stop(); });
    });

    std::vector<Called> wanted = {{583ms, "alice"}, {583ms, "bob"}};
    for (const std::string& who : all) wanted.push_back({31ms, who});
    s.wants(wanted);

    std::string thrown = "nothing";
    for (int runs = 0; runs < 2 && s.now() < 1s; ++runs) try {
        s.run_loop();
      } catch (const Failure& failure) {
        thrown = failure.who;
      } catch (...) {
        thrown = "something else";
      }

    const std::string start = thrower + " threw at 0.031 s";
    if (!expect_that(thrown == thrower, start + ", and run() threw " + thrown + ".") ||
        !expect_equal(s.now(), Time(1219ms),
                      start + ". run() was called again, and stop() at 1.219 s. It returned at:"))
      return;
    if (!s.expect_called_in_any_order(
            start + ", and run() was called again. Whoever was still to be called is called then, "
                    "and nobody twice."))
      return;
  }
}
