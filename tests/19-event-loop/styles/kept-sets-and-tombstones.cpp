// The sets are kept from turn to turn, and counted by descriptor; watches stay in a vector until
// the turn is over, dead or alive; timers in a sorted vector; posts in a stack without a lock.
#include <fcntl.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "19-event-loop/event_loop.hpp"

namespace course {
namespace {

using Point = std::chrono::time_point<std::chrono::steady_clock, Duration>;

Point now() { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::system_category(), call);
}

/// Those who are asked about, for one kind of readiness.
class KeptSet {
 public:
  KeptSet() { FD_ZERO(&asked_); }

  void change(int fd, bool was_wanted, bool is_wanted) {
    std::size_t& count = counts_.at(static_cast<std::size_t>(fd));
    count = count + (is_wanted ? 1 : 0) - (was_wanted ? 1 : 0);
    if (count > 0)
      FD_SET(fd, &asked_);
    else
      FD_CLR(fd, &asked_);
  }

  [[nodiscard]] fd_set copy() const { return asked_; }

  [[nodiscard]] int highest() const {
    for (int fd = FD_SETSIZE - 1; fd >= 0; --fd)
      if (counts_[static_cast<std::size_t>(fd)] > 0) return fd;
    return -1;
  }

 private:
  fd_set asked_{};
  std::array<std::size_t, FD_SETSIZE> counts_{};
};

struct Watch {
  Loop::Token token;
  int fd;
  Interest interest;
  Loop::Watcher watcher;
  bool is_dead = false;
};

struct Timer {
  Loop::Token token;
  Point when;
  Loop::Function function;
};

struct Post {
  Loop::Function function;
  Post* next = nullptr;
};

}  // namespace

struct Loop::State {
  Fd read_end{}, write_end{};
  std::atomic<Post*> newest_post = nullptr;
  std::atomic<bool> is_stopped = false;
  std::vector<std::unique_ptr<Watch>> watches{};  // in the order of their tokens
  std::size_t living = 0;
  std::vector<Timer> timers{};    // the next one last
  std::vector<Function> posts{};  // taken, the next one last
  Token last = 0;
  KeptSet readers{}, writers{};

  State() {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == -1) fail("pipe2");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    readers.change(ends[0], false, true);
  }

  ~State() {
    while (Post* const post = newest_post) {
      newest_post = post->next;
      delete post;
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void wake() const noexcept { (void)!::write(write_end.get(), "!", 1); }

  Watch* find(Token token) {
    const auto at = std::lower_bound(
        watches.begin(), watches.end(), token,
        [](const std::unique_ptr<Watch>& watch, Token wanted) { return watch->token < wanted; });
    return at != watches.end() && (*at)->token == token && !(*at)->is_dead ? at->get() : nullptr;
  }

  void set_interest(Watch& watch, Interest interest) {
    readers.change(watch.fd, watch.interest.read, interest.read);
    writers.change(watch.fd, watch.interest.write, interest.write);
    watch.interest = interest;
  }

  // Those who ended in the turn before.
  void bury() {
    std::erase_if(watches, [](const std::unique_ptr<Watch>& watch) { return watch->is_dead; });
  }

  // The newest post is on top of the stack, and so the oldest comes last.
  void take_posts() {
    std::vector<Function> taken;
    for (Post* post = newest_post.exchange(nullptr); post != nullptr;) {
      const std::unique_ptr<Post> owner(post);
      post = post->next;
      taken.push_back(std::move(owner->function));
    }
    posts.insert(posts.begin(), std::make_move_iterator(taken.begin()),
                 std::make_move_iterator(taken.end()));
  }

  [[nodiscard]] bool has_work() const {
    return !timers.empty() || !posts.empty() || newest_post != nullptr ||
           std::any_of(watches.begin(), watches.end(), [](const std::unique_ptr<Watch>& watch) {
             return !watch->is_dead && watch->interest != Interest{};
           });
  }

  void turn() {
    fd_set readable = readers.copy(), writable = writers.copy();
    const int nfds = std::max(readers.highest(), writers.highest()) + 1;
    std::optional<Duration> left;
    if (!timers.empty()) left = std::max(Duration::zero(), timers.back().when - now());
    if (!posts.empty() || newest_post != nullptr) left = Duration::zero();
    timeval time{};
    if (left) {
      const auto all = std::chrono::ceil<std::chrono::microseconds>(*left);
      time = {.tv_sec = all / std::chrono::seconds(1),
              .tv_usec = (all % std::chrono::seconds(1)).count()};
    }
    const std::size_t asked = watches.size();
    if (::select(nfds, &readable, &writable, nullptr, left ? &time : nullptr) == -1) {
      if (errno == EINTR) return;
      fail("select");
    }
    std::array<char, 64> bytes;
    if (FD_ISSET(read_end.get(), &readable))
      while (::read(read_end.get(), bytes.data(), bytes.size()) > 0) continue;
    for (std::size_t i = 0; i < asked; ++i) {
      Watch& watch = *watches[i];
      const Interest ready = {.read = watch.interest.read && FD_ISSET(watch.fd, &readable),
                              .write = watch.interest.write && FD_ISSET(watch.fd, &writable)};
      if (!watch.is_dead && ready != Interest{}) watch.watcher(ready);
    }
    call_timers();
    take_posts();
    for (std::size_t count = posts.size(); count > 0; --count) {
      const Function function = std::move(posts.back());
      posts.pop_back();
      function();
    }
  }

  void call_timers() {
    const Token newest = last;
    const Point began = now();
    const auto is_to_run = [&](const Timer& timer) {
      return timer.when <= began && timer.token <= newest;
    };
    while (true) {
      const auto at = std::find_if(timers.rbegin(), timers.rend(), is_to_run);
      if (at == timers.rend()) return;
      const Function function = std::move(at->function);
      timers.erase(std::next(at).base());
      function();
    }
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

Loop::Token Loop::watch(int fd, Interest interest, Watcher watcher) {
  if (fd < 0 || fd >= FD_SETSIZE)
    throw std::system_error(EINVAL, std::system_category(), "Loop::watch");
  state_->watches.push_back(
      std::make_unique<Watch>(Watch{++state_->last, fd, {}, std::move(watcher)}));
  state_->set_interest(*state_->watches.back(), interest);
  ++state_->living;
  return state_->last;
}

bool Loop::modify(Token token, Interest interest) {
  Watch* const watch = state_->find(token);
  if (watch == nullptr) return false;
  state_->set_interest(*watch, interest);
  return true;
}

bool Loop::unwatch(Token token) {
  Watch* const watch = state_->find(token);
  if (watch == nullptr) return false;
  state_->set_interest(*watch, {});
  watch->is_dead = true;
  --state_->living;
  return true;
}

Loop::Token Loop::after(Duration time, Function function) {
  const Point began = now();
  const Point when = began + std::clamp(time, Duration::zero(), Point::max() - began);
  const auto at = std::find_if(state_->timers.begin(), state_->timers.end(),
                               [&](const Timer& timer) { return timer.when <= when; });
  state_->timers.insert(at, Timer{++state_->last, when, std::move(function)});
  return state_->last;
}

bool Loop::cancel(Token timer) {
  return std::erase_if(state_->timers, [&](const Timer& each) { return each.token == timer; }) > 0;
}

void Loop::post(Function function) {
  auto post = std::make_unique<Post>(Post{std::move(function)});
  post->next = state_->newest_post;
  while (!state_->newest_post.compare_exchange_weak(post->next, post.get())) continue;
  (void)post.release();
  state_->wake();
}

void Loop::run() {
  while (!state_->is_stopped.exchange(false)) {
    state_->bury();
    if (!state_->has_work()) return;
    state_->turn();
  }
}

void Loop::stop() noexcept {
  state_->is_stopped = true;
  state_->wake();
}

std::size_t Loop::watches() const noexcept { return state_->living; }

}  // namespace course
