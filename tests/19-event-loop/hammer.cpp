// Real threads post to a loop, and stop it, for about a second: nothing may be lost, and nothing
// called twice. Graded checks have a virtual clock and one thread at a time; this has neither, and
// is no check. Built with ThreadSanitizer as well (.ci/run).
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "19-event-loop/event_loop.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto time_for_each = std::chrono::milliseconds(400);
constexpr auto lost_after = std::chrono::seconds(20);  // on a busy machine

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "hammer: %s\n", what);
  std::_Exit(1);  // others still run
}

/// Ends the program when the loop does not come round in time.
class Watchdog {
 public:
  explicit Watchdog(const char* what) : thread_([this, what] { watch(what); }) {}
  ~Watchdog() {
    is_over_ = true;
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch(const char* what) const {
    const auto until = Clock::now() + lost_after;
    while (!is_over_) {
      if (Clock::now() > until) give_up(what);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

/// What one thread posts, in order. `called` belongs to the loop's thread.
struct Posts {
  unsigned posted = 0, called = 0;
  std::atomic<unsigned> seen = 0;
};

// Posts, and every now and then waits until all of it has been called: from then on nothing but its
// last post can have woken the loop.
void keep_posting(course::Loop& loop, Posts& posts, const std::atomic<bool>& is_over) {
  while (!is_over) {
    const unsigned number = ++posts.posted;
    loop.post([&posts, number] {
      if (++posts.called != number) give_up("a post was lost, called twice or out of order");
      posts.seen = number;
      posts.seen.notify_all();
    });
    if (number % 7 != 3) continue;
    for (unsigned now; (now = posts.seen) < number;) posts.seen.wait(now);
  }
}

/// A descriptor that is watched beside the posts, and always ready.
struct Busy {
  std::pair<course::Fd, course::Fd> pair = course::connected_pair();
  unsigned long calls = 0;
  void watch(course::Loop& loop) {
    loop.watch(pair.first.get(), {.write = true}, [this](course::Interest) { ++calls; });
  }
};

void hammer_posts(bool is_busy) {
  const Watchdog watchdog("a post was lost");
  course::Loop loop;
  Busy busy;
  if (is_busy) busy.watch(loop);
  std::array<Posts, 4> posts;
  std::atomic<bool> is_over = false;
  std::atomic<unsigned> running = posts.size();
  std::vector<std::thread> threads;
  for (Posts& each : posts)
    threads.emplace_back([&] {
      keep_posting(loop, each, is_over);
      loop.post([&] {
        if (--running == 0) loop.stop();
      });
    });
  loop.after(time_for_each, [&] { is_over = true; });
  loop.after(std::chrono::hours(1), [] {});
  loop.run();
  for (std::thread& thread : threads) thread.join();
  unsigned called = 0;
  for (const Posts& each : posts) {
    if (each.called != each.posted) give_up("run() ended before all posts were called");
    called += each.called;
  }
  std::printf("%u posts from %zu threads, %lu calls of a watcher\n", called, posts.size(),
              busy.calls);
}

// The loop runs in another thread than the one that has made it, which posts and waits for each.
void hammer_from_the_maker() {
  const Watchdog watchdog("a post of the thread that had made the loop was lost");
  course::Loop loop;
  Posts posts;
  loop.after(std::chrono::hours(1), [] {});
  std::thread runner([&] { loop.run(); });
  for (const auto until = Clock::now() + time_for_each; Clock::now() < until;) {
    const unsigned number = ++posts.posted;
    loop.post([&posts, number] {
      posts.seen = number;
      posts.seen.notify_all();
    });
    for (unsigned now; (now = posts.seen) < number;) posts.seen.wait(now);
  }
  loop.stop();
  runner.join();
  std::printf("%u posts from outside\n", posts.posted);
}

// Another thread stops the loop again and again, whether it runs or not.
void hammer_stop() {
  const Watchdog watchdog("a stop() was lost");
  course::Loop loop;
  std::atomic<bool> is_over = false;
  std::atomic<unsigned> asked = 0, done = 0;
  loop.after(std::chrono::hours(1), [] {});
  std::thread stopper([&] {
    for (unsigned number = 1; !is_over; ++number) {
      asked = number;
      loop.stop();
      for (unsigned now; (now = done) < number;) done.wait(now);
    }
  });
  unsigned runs = 0;
  for (const auto until = Clock::now() + time_for_each; Clock::now() < until; ++runs) {
    loop.run();
    done = asked.load();
    done.notify_all();
  }
  is_over = true;
  done = asked + 1;
  done.notify_all();
  stopper.join();
  std::printf("%u times stopped\n", runs);
}

}  // namespace

int main() {
  hammer_posts(false);
  hammer_posts(true);
  hammer_from_the_maker();
  hammer_stop();
}
