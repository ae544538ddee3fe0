#include "19-event-loop/event_loop.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include "14-wake-ups/wake_ups.hpp"
#include "17-timers/timers.hpp"
#include "given/wait_set.hpp"

namespace course {
namespace {

TimerQueue::Point now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

}  // namespace

struct Loop::State {
  struct Watch {
    int fd;
    Interest interest;
    std::shared_ptr<const Watcher> watcher;  // which may end its own watch while it runs
  };

  std::map<Token, Watch> watched{};
  Token last = 0;
  TimerQueue timers{};
  WaitSet waits{};
  Wakeup wakeup{};
  std::atomic<bool> is_stopped = false;
  std::mutex mutex{};
  std::deque<Function> posted{};  // guarded by mutex

  [[nodiscard]] std::size_t posts() {
    const std::lock_guard lock(mutex);
    return posted.size();
  }

  /// Asks for everybody, and says whether there was anybody to ask for.
  bool ask() {
    bool has_work = timers.size() > 0 || posts() > 0;
    waits.clear();
    waits.add_reader(wakeup.fd());
    for (const auto& [token, watch] : watched) {
      if (watch.interest.read) waits.add_reader(watch.fd);
      if (watch.interest.write) waits.add_writer(watch.fd);
      has_work |= watch.interest != Interest{};
    }
    return has_work;
  }

  void wait() {
    const auto left = posts() > 0 ? Duration::zero() : timers.until_next(now());
    waits.wait(left ? Deadline::after(*left) : Deadline::never());
    if (waits.is_readable(wakeup.fd())) (void)wakeup.drain();
  }

  [[nodiscard]] Interest found(const Watch& watch) const {
    return {.read = watch.interest.read && waits.is_readable(watch.fd),
            .write = watch.interest.write && waits.is_writable(watch.fd)};
  }

  // What a watcher holds is released here at the latest, and may unwatch others as it goes.
  static void call(const Watch& watch, Interest ready) {
    const std::shared_ptr<const Watcher> watcher = watch.watcher;
    (*watcher)(ready);
  }

  // Watchers may watch, modify and unwatch: after a call only the token still says where we are.
  void call_watchers() {
    const Token newest = last;  // whoever comes later has not been asked for
    for (auto at = watched.begin(); at != watched.end() && at->first <= newest;) {
      const Token token = at->first;
      const Interest ready = found(at->second);
      if (ready == Interest{}) {
        ++at;
        continue;
      }
      call(at->second, ready);
      at = watched.upper_bound(token);
    }
  }

  void call_posted() {
    for (std::size_t count = posts(); count > 0; --count) {
      Function function;
      {
        const std::lock_guard lock(mutex);
        function = std::move(posted.front());
        posted.pop_front();
      }
      function();
    }
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {
  if (!WaitSet::fits(state_->wakeup.fd()))
    throw std::system_error(EINVAL, std::system_category(), "Loop");
}
Loop::~Loop() = default;

Loop::Token Loop::watch(int fd, Interest interest, Watcher watcher) {
  if (!WaitSet::fits(fd)) throw std::system_error(EINVAL, std::system_category(), "watch");
  auto shared = std::make_shared<const Watcher>(std::move(watcher));
  state_->watched.emplace(++state_->last, State::Watch{fd, interest, std::move(shared)});
  return state_->last;
}

bool Loop::modify(Token token, Interest interest) {
  const auto found = state_->watched.find(token);
  if (found == state_->watched.end()) return false;
  found->second.interest = interest;
  return true;
}

bool Loop::unwatch(Token token) {
  const auto taken = state_->watched.extract(token);  // what it holds may call us as it goes
  return !taken.empty();
}

Loop::Token Loop::after(Duration time, Function function) {
  const TimerQueue::Point began = now();
  const Duration left = TimerQueue::Point::max() - began;
  return state_->timers.add(began + std::min(std::max(time, Duration::zero()), left),
                            std::move(function));
}

bool Loop::cancel(Token timer) { return state_->timers.cancel(timer); }

void Loop::post(Function function) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->posted.push_back(std::move(function));
  }
  state_->wakeup.notify();
}

void Loop::run() {
  while (!state_->is_stopped.exchange(false) && state_->ask()) {
    state_->wait();
    state_->call_watchers();
    state_->timers.run_due(now());
    state_->call_posted();
  }
}

void Loop::stop() noexcept {
  state_->is_stopped = true;
  state_->wakeup.notify();
}

std::size_t Loop::watches() const noexcept { return state_->watched.size(); }

}  // namespace course
