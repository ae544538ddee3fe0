// The graded checks of lesson 19: how run() ends, and how it goes on.
#include <array>
#include <stdexcept>
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

namespace {

// A watcher that stops, and leaves there what it was called for.
bool stops_in_this_turn() {
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("a").connected();
  s.run([&] {
    s.loop().watch(alice, reading, [&](Interest) {
      s.note("alice");
      s.loop().stop();
    });
  });

  s.run_loop();

  return expect_equal(s.times_called("alice"), 1,
                      "alice sent at 0.031 s. Her watcher called stop(), and left the byte where "
                      "it was. When that turn is over, run() returns. So often was she called:");
}

// What was posted before run(), or by the very function that stops.
bool keeps_the_posts(bool is_before) {
  Looping s;
  s.first([&] {
    s.loop().after(31ms, [] {});
    if (is_before) s.loop().post(s.notes("the post"));
    if (is_before) return s.loop().stop();
    s.loop().post([&] {
      s.loop().post(s.notes("the post"));
      s.loop().stop();
    });
  });
  s.run_loop();
  s.run_loop();
  return expect_equal(
      s.times_called("the post"), 1,
      std::string(is_before ? "A function was posted, then stop() was called, "
                            : "A posted function posted another and called stop(), ") +
          (is_before ? "and then run(), twice." : "and run() was called again.") +
          " What has not been called when run() returns is called by the next one. So often was it "
          "called:");
}

// A stop() that finds nothing to stop has been seen all the same.
void stop_is_over() {
  for (const bool is_before : {true, false}) {
    Looping s;
    s.first(
        [&] { is_before ? s.loop().stop() : (void)s.loop().after(0s, [&] { s.loop().stop(); }); });
    s.run_loop();
    s.first([&] { s.loop().after(53ms, s.notes("timer")); });
    s.wants({{53ms, "timer"}});
    s.run_loop();
    if (!s.expect_called(
            std::string("stop() was called ") +
            (is_before ? "before run(), which had nothing to wait for" : "by the only timer") +
            ", and run() returned. That stop is over: then a timer was set for "
            "0.053 s, and run() called again."))
      return;
  }
}

}  // namespace

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
  stops_in_this_turn() && keeps_the_posts(true) && keeps_the_posts(false);
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
                      format("stop() was called %s before run(), which returned at:",
                             times == 1 ? "once" : "twice")))
      return;
  }
  s.wants({{31ms, "alice"}});

  s.run_loop();

  if (s.expect_called("run() returned twice because of a stop() before it, and was called a third "
                      "time; alice sent at 0.031 s."))
    s.end(), stop_is_over();
}

// Rule: an exception leaves through run(), and leaves behind what can go on.
TEST(Loop, LosesNothingWhenAFunctionThrows) {
  explain({.rule = "An exception of a function comes out of run() as it is; when run() is called "
                   "again, all that was still to be called is called, once.",
           .why = "A program that handles the failure of one client has others to serve.",
           .read = "When a function throws"});
  struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  const std::vector<std::string> all = {"alice",      "bob",         "timer",     "second timer",
                                        "first post", "second post", "third post"};
  for (const std::string& thrower : all) {
    Looping s;
    const auto act = [&](const std::string& who) {
      s.note(who);
      if (who != thrower) return;
      if (who.ends_with("post")) s.loop().post(s.notes("last post"));
      throw Failure(who);
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

    std::vector<Called> wanted;
    for (const std::string& who : all) wanted.push_back({31ms, who});
    std::vector<std::string> posts = {"first post", "second post", "third post"};
    if (thrower.ends_with("post")) posts.push_back("last post");
    if (thrower.ends_with("post")) wanted.push_back({31ms, "last post"});
    for (const std::string who : {"alice", "bob"}) wanted.push_back({583ms, who});
    s.wants(wanted);

    std::string thrown = "nothing";
    for (int runs = 0; runs < 2 && s.now() < 1s; ++runs) try {
        s.run_loop();
      } catch (const Failure& failure) {
        thrown = failure.what();
      } catch (...) {
        thrown = "something else: throw it on as it is, or do not catch it";
      }

    const std::string start =
        thrower +
        (thrower.ends_with("post") ? " posted another function, the last post, and" : "") +
        " threw at 0.031 s";
    if (!expect_that(thrown == thrower, start + ", and run() threw " + thrown + ".") ||
        !expect_equal(s.now(), Time(1219ms),
                      start + ". run() was called again, and stop() at 1.219 s. It returned at:"))
      return;
    if (!s.expect_called_in_any_order(
            start + ", and run() was called again. Whoever was still to be called is called then, "
                    "without waiting, and nobody twice.") ||
        !s.expect_order(posts,
                        start + ", and run() was called again. What was still to be called comes "
                                "in the order in which it was posted."))
      return;
  }
}
