// The graded checks of lesson 19: what is posted, by other threads and by the loop's own.
#include <string>
#include <thread>
#include <vector>

#include "19-event-loop/event_loop.hpp"
#include "looping.hpp"
#include "scenario/check.hpp"

using namespace grader;

namespace {

// Before run(), and from each kind of function.
void posts_of_its_own() {
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("a").connected();
  Loop::Token watch{};
  const auto post = [&](const std::string& who) { s.loop().post(s.notes(who)); };
  s.first([&] {
    post("one");
    post("two");
    watch = s.watch_reader(alice, "alice", [&] {
      (void)s.loop().unwatch(watch);
      post("by a watcher");
    });
    s.loop().after(347ms, [&] {
      s.note("timer");
      post("by a timer");
      s.loop().post([&] {
        s.note("poster");
        post("by a post");
        s.note("poster ends");
      });
    });
    s.loop().after(583ms, [] {});
  });

  s.wants({{0s, "one"},
           {0s, "two"},
           {31ms, "alice"},
           {31ms, "by a watcher"},
           {347ms, "timer"},
           {347ms, "by a timer"},
           {347ms, "poster"},
           {347ms, "poster ends"},
           {347ms, "by a post"}});

  s.run_loop();

  s.expect_called(
      "One and two were posted before run(); alice's watcher posted at 0.031 s; a "
      "timer posted two functions at 0.347 s, the second of which posted another.");
}

// Another thread's, then the loop's own.
void posts_of_both() {
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("a").connected();
  Loop::Token watch{};
  s.thread_at(53ms, [&] { s.loop().post(s.notes("the other's post")); });
  watch = s.watch_reader(alice, "alice", [&] {
    s.be_busy(100ms);
    s.loop().post(s.notes("the watcher's post"));
    (void)s.loop().unwatch(watch);
  });

  s.wants({{31ms, "alice"}, {131ms, "the other's post"}, {131ms, "the watcher's post"}});

  s.run_loop();

  s.expect_called(
      "alice's watcher ran from 0.031 s on. Another thread posted a function at 0.053 s, and the "
      "watcher one itself at 0.131 s, at its end. Both go through one door, in the order in which "
      "they came.");
}

// Another thread posts while a function of this kind runs, which takes its time.
void post_meanwhile(const std::string& busy) {
  Looping s;
  const int alice = s.peer("alice").at(31ms).sends("a").connected();
  const auto work = [&] {
    s.note(busy);
    s.be_busy(100ms);
  };
  Loop::Token watch{};
  if (busy == "a watcher")
    watch = s.run([&] {
      return s.loop().watch(alice, reading, [&](Interest) {
        work();
        (void)s.loop().unwatch(watch);
      });
    });
  s.first([&] {
    s.loop().after(1219ms, [] {});
    if (busy == "a timer") s.loop().after(31ms, work);
    if (busy == "a posted function") s.loop().after(31ms, [&] { s.loop().post(work); });
  });
  s.thread_at(53ms, [&] { s.loop().post(s.notes("the other's post")); });

  s.wants({{31ms, busy}, {131ms, "the other's post"}});

  s.run_loop();

  s.expect_called("At 0.031 s " + busy +
                  " ran, for 0.1 s. Meanwhile, at 0.053 s, another thread posted a function, to "
                  "be called when the loop comes round.");
}

// From another thread, just before or after such a call of the loop. (One that holds a lock then is
// given time to let go of it.)
void post_beside(bool is_before, const char* family, int skip) {
  Looping s;
  Time posted_at{-1};
  const auto post = [&] {
    posted_at = s.now();
    s.loop().post([&] {
      s.note("the post");
      s.loop().stop();
    });
  };
  if (is_before) s.thread_before(family, post, skip);
  if (!is_before) s.thread_after(family, post, skip);
  const int alice = s.peer("alice").at(31ms).sends("a").at(53ms).sends("b").connected();
  s.watch_reader(alice, "alice");
  s.thread_at(97ms, [&] { s.loop().post([] {}); });
  s.first([&] {
    s.loop().after(131ms, [] {});
    s.loop().after(1h, [&] { s.loop().stop(); });
  });

  s.run_loop();

  if (posted_at < Time{} || posted_at >= 1h) return;  // it never came, or with the stop
  const bool is_called = s.times_called("the post") == 1;
  const Time called_at = is_called ? s.diary().back().at : Time{-1};
  expect_that(is_called && called_at == posted_at,
              format("Another thread posted a function at %s, just %s a call of %s. It was called "
                     "%s. Take the wake-up first, and look for posts then: what comes in between "
                     "wakes you again.",
                     shown(posted_at).c_str(), is_before ? "before" : "after",
                     family == std::string("recv") ? "read" : "select",
                     is_called ? ("at " + shown(called_at)).c_str() : "never"));
}

}  // namespace

// Rule: nothing but a descriptor ends a select; a thread that wants to be heard writes a byte.
TEST(Loop, WakesForAnotherThread) {
  explain({.rule = "A function that another thread posts is called at once by the thread of run(), "
                   "in the order of the posts, each once.",
           .why = "It is the only door through which other threads may come: everything else "
                  "belongs to the loop's own thread.",
           .read = "The one door for other threads"});
  Looping s;
  const int silent = s.peer("alice").connected();
  s.watch_reader(silent, "alice");
  const std::thread::id own = std::this_thread::get_id();
  bool is_own = true;
  const auto post = [&](const std::string& who) {
    s.loop().post([&s, &is_own, own, who] {
      s.note(who);
      is_own = is_own && std::this_thread::get_id() == own;
      if (who == "six") s.loop().stop();
    });
  };
  s.thread_at(31ms, [&] {
    post("one");
    post("two");
  });
  s.thread_at(347ms, [&] { post("three"); });
  s.thread_at(
      347ms, [&] { post("four"); }, "a third");
  s.thread_at(1219ms, [&] { post("five"); });
  s.thread_at(7min, [&] { post("six"); });

  s.wants({{31ms, "one"},
           {31ms, "two"},
           {347ms, "three"},
           {347ms, "four"},
           {1219ms, "five"},
           {7min, "six"}});

  s.run_loop();

  if (s.expect_called(
          "Other threads posted one and two at 0.031 s, three and four at 0.347 s, five at "
          "1.219 s and six at 7 min, while the loop waited for alice, who says nothing.") &&
      expect_that(is_own,
                  "What was posted was called by the thread that posted it. It belongs into the "
                  "thread of run(), which is the only one that may touch the loop."))
    s.end(), posts_of_both();
}

// Rule: between the last look and the wait there is room for another thread.
TEST(Loop, LosesNoPost) {
  explain({.rule = "A post is called without waiting, whenever it comes: before run(), from a "
                   "function that runs, or from another thread at any moment.",
           .why = "Whoever has posted does not ask again.",
           .read = "The one door for other threads"});
  posts_of_its_own();
  for (const bool is_before : {true, false})
    for (const char* family : {"select", "recv"})
      for (int skip = 0; skip < 5 && !has_failed(); ++skip) post_beside(is_before, family, skip);
}

// Rule: a pipe that is full is readable (pipe(7)); it need not hold a byte for each post.
TEST(Loop, TakesManyPosts) {
  explain({.rule = "post() never waits, however many there are, and whether run() runs or not; all "
                   "are called, in order.",
           .why = "The loop may be busy for a second, and a thread that waits for it is one that "
                  "does no work.",
           .read = "The one door for other threads"});
  constexpr int many = 5000;
  Looping s;
  s.run([&] { s.loop().post([] {}); });
  s.run_loop();  // now it has opened what it needs
  s.shrink_buffers();
  int called = 0, first_wrong = -1;
  s.diagnoses([&] {
    if (called % many == 0) return std::string();
    return format(
        "By then %d of %d posts had been called. Those that are there when the loop comes "
        "to them are all called in that turn.",
        called, called < many ? many : 2 * many);
  });
  const auto post_many = [&](int first) {
    for (int i = first; i < first + many; ++i)
      s.loop().post([&, i] {
        if (called++ != i && first_wrong < 0) first_wrong = i;
      });
  };
  s.first([&] {
    post_many(0);
    s.loop().after(347ms, [] {});
  });
  s.thread_at(31ms, [&] { post_many(many); });

  s.run_loop();

  expect_equal(called, 2 * many,
               "5,000 functions were posted before run(), and 5,000 by another thread while it "
               "waited. Called were:") &&
      expect_that(first_wrong < 0,
                  format("Post number %d was not called in its turn.", first_wrong));
  s.end();
  for (const char* busy : {"a watcher", "a timer", "a posted function"})
    if (!has_failed()) post_meanwhile(busy);
}
