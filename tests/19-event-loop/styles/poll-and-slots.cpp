// poll(2), a vector of slots with generation numbers for the watches, a set of timers, and posts in
// two vectors of which one is locked.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <deque>
#include <mutex>
#include <set>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "14-wake-ups/wake_ups.hpp"
#include "19-event-loop/event_loop.hpp"

namespace course {
namespace {

using Point = std::chrono::time_point<std::chrono::steady_clock, Duration>;

Point now() { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }

struct Slot {
  std::uint32_t generation = 1;
  int fd = -1;
  Interest interest{};
  std::shared_ptr<Loop::Watcher> watcher{};
};

short events_of(Interest interest) {
  return static_cast<short>((interest.read ? POLLIN : 0) | (interest.write ? POLLOUT : 0));
}

// As select would answer.
Interest ready_in(short revents) {
  return {.read = (revents & (POLLIN | POLLHUP | POLLERR)) != 0,
          .write = (revents & (POLLOUT | POLLERR)) != 0};
}

}  // namespace

struct Loop::State {
  std::vector<Slot> slots{};
  std::vector<std::uint32_t> free_slots{};
  std::size_t used = 0;
  std::vector<pollfd> entries{};
  std::vector<Token> asked{};

  Token last_timer = 0;
  std::set<std::pair<Point, Token>> times{};
  std::unordered_map<Token, std::pair<Point, Function>> timers{};

  Wakeup wakeup{};
  std::atomic<bool> is_stopped = false;
  std::mutex mutex{};
  std::vector<Function> incoming{};  // guarded by mutex
  std::deque<Function> taken{};      // the loop's own

  Slot* find(Token token) {
    const std::size_t index = token & UINT32_MAX;
    if (index >= slots.size()) return nullptr;
    Slot& slot = slots[index];
    return slot.watcher && slot.generation == token >> 32 ? &slot : nullptr;
  }

  Token put(int fd, Interest interest, Watcher watcher) {
    if (free_slots.empty()) {
      free_slots.push_back(static_cast<std::uint32_t>(slots.size()));
      slots.emplace_back();
    }
    const std::uint32_t index = free_slots.back();
    free_slots.pop_back();
    Slot& slot = slots[index];
    slot.fd = fd;
    slot.interest = interest;
    slot.watcher = std::make_shared<Watcher>(std::move(watcher));
    ++used;
    return (static_cast<Token>(slot.generation) << 32) | index;
  }

  bool remove(Token token) {
    Slot* const slot = find(token);
    if (!slot) return false;
    ++slot->generation;
    --used;
    free_slots.push_back(static_cast<std::uint32_t>(token & UINT32_MAX));
    const auto gone = std::exchange(slot->watcher, nullptr);
    return true;
  }

  void take_posts() {
    const std::lock_guard lock(mutex);
    for (Function& function : incoming) taken.push_back(std::move(function));
    incoming.clear();
  }

  bool prepare() {
    take_posts();
    entries.assign(1, {wakeup.fd(), POLLIN, 0});
    asked.assign(1, 0);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Slot& slot = slots[i];
      if (!slot.watcher || slot.interest == Interest{}) continue;
      entries.push_back({slot.fd, events_of(slot.interest), 0});
      asked.push_back((static_cast<Token>(slot.generation) << 32) | i);
    }
    return entries.size() > 1 || !timers.empty() || !taken.empty();
  }

  [[nodiscard]] int timeout() const {
    if (!taken.empty()) return 0;
    if (times.empty()) return -1;
    const Duration left = std::max(Duration::zero(), times.begin()->first - now());
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(
        std::min<Duration>(left, std::chrono::hours(24)));
    return static_cast<int>(std::min<std::int64_t>(whole.count(), INT_MAX));
  }

  void wait() {
    if (::poll(entries.data(), entries.size(), timeout()) == -1) {
      const int error = errno;
      for (pollfd& entry : entries) entry.revents = 0;
      if (error != EINTR) throw std::system_error(error, std::system_category(), "poll");
    }
    if (entries[0].revents != 0) (void)wakeup.drain();
    for (const pollfd& entry : entries)
      if ((entry.revents & POLLNVAL) != 0)
        throw std::system_error(EBADF, std::system_category(), "poll");
  }

  void call_watchers() {
    for (std::size_t i = 1; i < asked.size(); ++i) {
      const Slot* const slot = find(asked[i]);
      if (!slot) continue;
      Interest ready = ready_in(entries[i].revents);
      ready.read = ready.read && slot->interest.read;
      ready.write = ready.write && slot->interest.write;
      if (ready == Interest{}) continue;
      const auto watcher = slot->watcher;
      (*watcher)(ready);
    }
  }

  void call_timers() {
    std::vector<Token> due;
    for (const auto& [when, token] : times) {
      if (when > now()) break;
      due.push_back(token);
    }
    for (const Token token : due) {
      const auto found = timers.extract(token);
      if (!found) continue;
      times.erase({found.mapped().first, token});
      found.mapped().second();
    }
  }

  void call_posts() {
    take_posts();
    for (std::size_t left = taken.size(); left > 0; --left) {
      const Function function = std::move(taken.front());
      taken.pop_front();
      function();
    }
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

Loop::Token Loop::watch(int fd, Interest interest, Watcher watcher) {
  if (fd < 0 || fd >= FD_SETSIZE)
    throw std::system_error(EINVAL, std::system_category(), "Loop::watch");
  return state_->put(fd, interest, std::move(watcher));
}

bool Loop::modify(Token token, Interest interest) {
  Slot* const slot = state_->find(token);
  if (slot) slot->interest = interest;
  return slot != nullptr;
}

bool Loop::unwatch(Token token) { return state_->remove(token); }

Loop::Token Loop::after(Duration time, Function function) {
  const Point began = now();
  time = std::clamp(time, Duration::zero(), Point::max() - began);
  const Token token = ++state_->last_timer;
  state_->times.emplace(began + time, token);
  state_->timers.emplace(token, std::pair(began + time, std::move(function)));
  return token;
}

bool Loop::cancel(Token timer) {
  const auto found = state_->timers.extract(timer);
  return found && state_->times.erase({found.mapped().first, timer}) > 0;
}

void Loop::post(Function function) {
  const std::lock_guard lock(state_->mutex);
  state_->incoming.push_back(std::move(function));
  if (state_->incoming.size() == 1) state_->wakeup.notify();
}

void Loop::run() {
  while (!state_->is_stopped.exchange(false)) {
    if (!state_->prepare()) return;
    state_->wait();
    state_->call_watchers();
    state_->call_timers();
    state_->call_posts();
  }
}

void Loop::stop() noexcept {
  state_->is_stopped = true;
  state_->wakeup.notify();
}

std::size_t Loop::watches() const noexcept { return state_->used; }

}  // namespace course
