// By descriptor; the wait makes a list of events, which are looked at again before each call; an
// eventfd that is read under the lock; pselect(2); timers in a multimap.
#include <sys/eventfd.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <unordered_map>
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

Fd made_eventfd() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd == -1) fail("eventfd");
  return Fd(fd);
}

struct Watch {
  int fd;
  Interest interest;
  Loop::Watcher watcher;
  bool is_over = false;
};

struct Event {
  std::shared_ptr<Watch> watch;
  Interest ready;
};

}  // namespace

struct Loop::State {
  std::array<std::list<std::shared_ptr<Watch>>, FD_SETSIZE> by_fd{};
  std::unordered_map<Token, std::shared_ptr<Watch>> by_token{};
  Token last = 0;
  std::multimap<Point, std::pair<Token, Function>> timers{};
  std::unordered_map<Token, std::multimap<Point, std::pair<Token, Function>>::iterator> times{};
  Fd bell = made_eventfd();
  std::mutex mutex{};
  std::list<Function> posted{};  // these two guarded by mutex
  bool is_stopped = false;
  std::list<Function> batch{};  // what is left of the posts of this turn

  void ring() const noexcept {
    const std::uint64_t one = 1;
    (void)!::write(bell.get(), &one, sizeof one);
  }

  bool take_stop() {
    const std::lock_guard lock(mutex);
    return std::exchange(is_stopped, false);
  }

  // Silences the bell, and takes what it rang for: nobody can come in between.
  void answer() {
    const std::lock_guard lock(mutex);
    std::uint64_t rung;
    (void)!::read(bell.get(), &rung, sizeof rung);
    batch.splice(batch.end(), posted);
  }

  [[nodiscard]] bool has_posts() {
    const std::lock_guard lock(mutex);
    return !batch.empty() || !posted.empty();
  }

  /// Waits, and returns what has happened to the watched; nothing: there is nobody to wait for.
  std::optional<std::vector<Event>> wait() {
    const bool has_post = has_posts();
    fd_set readers, writers;
    FD_ZERO(&readers);
    FD_ZERO(&writers);
    FD_SET(bell.get(), &readers);
    int highest = bell.get();
    bool has_work = has_post || !timers.empty();
    for (const auto& [token, watch] : by_token) {
      if (watch->interest.read) FD_SET(watch->fd, &readers);
      if (watch->interest.write) FD_SET(watch->fd, &writers);
      highest = std::max(highest, watch->fd);
      has_work = has_work || watch->interest.read || watch->interest.write;
    }
    if (!has_work) return std::nullopt;
    std::optional<Duration> left;
    if (!timers.empty()) left = std::max(timers.begin()->first - now(), Duration::zero());
    if (has_post) left = Duration::zero();
    const auto whole = std::chrono::floor<std::chrono::seconds>(left.value_or(Duration::zero()));
    const timespec time = {whole.count(), (left.value_or(Duration::zero()) - whole).count()};
    if (::pselect(highest + 1, &readers, &writers, nullptr, left ? &time : nullptr, nullptr) ==
        -1) {
      if (errno == EINTR) return std::vector<Event>{};
      fail("pselect");
    }
    return events_in(readers, writers);
  }

  [[nodiscard]] std::vector<Event> events_in(const fd_set& readers, const fd_set& writers) const {
    std::vector<Event> events;
    for (int fd = 0; fd < FD_SETSIZE; ++fd)
      for (const auto& watch : by_fd[static_cast<std::size_t>(fd)]) {
        const Interest ready = {.read = FD_ISSET(fd, &readers) != 0,
                                .write = FD_ISSET(fd, &writers) != 0};
        if (ready.read || ready.write) events.push_back({watch, ready});
      }
    return events;
  }

  static void handle(std::vector<Event> events) {
    for (const auto& [watch, ready] : events) {
      if (watch->is_over) continue;
      const Interest wanted = {.read = ready.read && watch->interest.read,
                               .write = ready.write && watch->interest.write};
      if (wanted.read || wanted.write) watch->watcher(wanted);
    }
  }

  void call_timers() {
    const Point began = now();
    const Token newest = last;
    for (auto at = timers.begin(); at != timers.end() && at->first <= began;) {
      if (at->second.first > newest) {
        ++at;
        continue;
      }
      const Function function = std::move(at->second.second);
      times.erase(at->second.first);
      timers.erase(at);
      function();
      at = timers.begin();
    }
  }

  void call_posts() {
    answer();
    for (std::size_t count = batch.size(); count > 0; --count) {
      std::list<Function> one;
      one.splice(one.end(), batch, batch.begin());
      one.front()();
    }
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

Loop::Token Loop::watch(int fd, Interest interest, Watcher watcher) {
  if (fd < 0 || fd >= FD_SETSIZE)
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), "watch");
  const auto watch = std::make_shared<Watch>(Watch{fd, interest, std::move(watcher)});
  state_->by_fd.at(static_cast<std::size_t>(fd)).push_back(watch);
  state_->by_token[++state_->last] = watch;
  return state_->last;
}

bool Loop::modify(Token token, Interest interest) {
  const auto found = state_->by_token.find(token);
  return found != state_->by_token.end() && (found->second->interest = interest, true);
}

bool Loop::unwatch(Token token) {
  const auto found = state_->by_token.find(token);
  if (found == state_->by_token.end()) return false;
  const std::shared_ptr<Watch> watch = found->second;
  watch->is_over = true;
  state_->by_fd.at(static_cast<std::size_t>(watch->fd)).remove(watch);
  state_->by_token.erase(token);
  return true;
}

Loop::Token Loop::after(Duration time, Function function) {
  const Point began = now();
  const Duration longest = Point::max() - began;
  const Token token = ++state_->last;
  state_->times[token] = state_->timers.emplace(began + std::clamp(time, Duration::zero(), longest),
                                                std::pair(token, std::move(function)));
  return token;
}

bool Loop::cancel(Token timer) {
  const auto found = state_->times.find(timer);
  if (found == state_->times.end()) return false;
  state_->timers.erase(found->second);
  state_->times.erase(found);
  return true;
}

void Loop::post(Function function) {
  const std::lock_guard lock(state_->mutex);
  state_->posted.push_back(std::move(function));
  state_->ring();
}

void Loop::run() {
  while (!state_->take_stop()) {
    std::optional<std::vector<Event>> events = state_->wait();
    if (!events) return;
    State::handle(*std::move(events));
    state_->call_timers();
    state_->call_posts();
  }
}

void Loop::stop() noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->is_stopped = true;
  state_->ring();
}

std::size_t Loop::watches() const noexcept { return state_->by_token.size(); }

}  // namespace course
