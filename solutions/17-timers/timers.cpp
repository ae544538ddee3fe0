#include "17-timers/timers.hpp"

#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

namespace course {

// ---- TimerQueue

struct TimerQueue::State {
  struct Timer {
    std::shared_ptr<Function> function;  ///< shared with its call, which may cancel the timer
    Duration interval;                   ///< zero: it runs once
  };
  using Key = std::pair<Point, Id>;

  std::map<Key, Timer> timers{};          // in the order in which they will run
  std::unordered_map<Id, Point> times{};  // the other half of the key
  Id last = 0;

  Id put(Point when, Function function, Duration interval) {
    const Id id = ++last;
    put(id, when, {std::make_shared<Function>(std::move(function)), interval});
    return id;
  }

  void put(Id id, Point when, Timer timer) {
    timers.emplace(Key(when, id), std::move(timer));
    times[id] = when;
  }

  Timer take(std::map<Key, Timer>::iterator at) {
    times.erase(at->first.second);
    return std::move(timers.extract(at).mapped());
  }

  /// The first of its times after `now`; nothing when the clock ends before that.
  static std::optional<Point> next_time(Point was_due, Duration interval, Point now) {
    // Point::min() may lie further back than a Duration reaches; an unsigned number does.
    const auto late = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                      static_cast<std::uint64_t>(was_due.time_since_epoch().count());
    const auto rest = late % static_cast<std::uint64_t>(interval.count());
    const Duration step = interval - Duration(static_cast<Duration::rep>(rest));
    if (step > Point::max() - now) return std::nullopt;
    return now + step;
  }
};

TimerQueue::TimerQueue() : state_(std::make_unique<State>()) {}
TimerQueue::~TimerQueue() = default;
TimerQueue::TimerQueue(TimerQueue&&) noexcept = default;
TimerQueue& TimerQueue::operator=(TimerQueue&&) noexcept = default;

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  return state_->put(when, std::move(function), Duration::zero());
}

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval <= Duration::zero())
    throw std::invalid_argument("TimerQueue: the interval must be more than zero");
  return state_->put(first, std::move(function), interval);
}

bool TimerQueue::cancel(Id id) {
  const auto time = state_->times.find(id);
  if (time == state_->times.end()) return false;
  state_->timers.erase({time->second, id});
  state_->times.erase(time);
  return true;
}

std::optional<Duration> TimerQueue::until_next(Point now) const {
  if (state_->timers.empty()) return std::nullopt;
  const Point next = state_->timers.begin()->first.first;
  return next > now ? next - now : Duration::zero();
}

std::size_t TimerQueue::run_due(Point now) {
  std::vector<State::Key> due;  // what the functions add waits for the next call
  for (const auto& [key, timer] : state_->timers) {
    if (key.first > now) break;
    due.push_back(key);
  }
  std::size_t called = 0;
  for (const auto& key : due) {
    const auto at = state_->timers.find(key);
    if (at == state_->timers.end()) continue;  // one of the functions has cancelled it
    const State::Timer timer = state_->take(at);
    if (timer.interval > Duration::zero())  // before the call, which may cancel it
      if (const auto next = State::next_time(key.first, timer.interval, now))
        state_->put(key.second, *next, timer);
    ++called;
    (*timer.function)();
  }
  return called;
}

std::size_t TimerQueue::size() const noexcept { return state_->timers.size(); }

// ---- TimedChat

namespace {

using Point = TimerQueue::Point;

Point now() { return std::chrono::steady_clock::now(); }

}  // namespace

struct TimedChat::State {
  using Timer = std::optional<TimerQueue::Id>;
  struct Guest {
    Timer patience{};       ///< until it must have a name; then a line; then taken its last bytes
    Timer line{};           ///< until the line that it has begun must be finished
    bool has_left = false;  ///< it is only sent what waits for it
  };

  ChatTimes times;
  LineClients clients;
  Room room{};
  TimerQueue timers{};
  std::map<ClientId, Guest> guests{};

  /// Begins anew if it was running.
  void start(Timer& timer, Duration time, TimerQueue::Function function) {
    stop(timer);
    if (const Point began = now(); time <= Point::max() - began)
      timer = timers.add(began + time, std::move(function));
  }

  void stop(Timer& timer) {
    if (timer) timers.cancel(*timer);
    timer.reset();
  }

  void send_all(const std::vector<Outgoing>& lines) {
    for (const Outgoing& outgoing : lines) clients.send(outgoing.to, outgoing.line);
  }

  void admit(Fd fd) {
    const ClientId id = clients.admit(std::move(fd));
    start(guests[id].patience, times.naming,
          [this, id] { dismiss(id, "! no name: goodbye", "no name"); });
  }

  void handle(const Event& event) {
    const auto found = guests.find(event.client);
    if (found == guests.end() || found->second.has_left) return;  // not ours to tell any more
    send_all(room.handle(event));
    if (event.kind == Event::Kind::left) leave(event.client, found->second);
    if (event.kind == Event::Kind::line) hear(event.client, found->second);
  }

  void hear(ClientId id, Guest& guest) {
    stop(guest.line);
    if (room.name_of(id))
      start(guest.patience, times.idle, [this, id] { dismiss(id, "! idle: goodbye", "idle"); });
  }

  /// Out of the room; its connection may have to stay for a while.
  void leave(ClientId id, Guest& guest) {
    guest.has_left = true;
    stop(guest.line);
    start(guest.patience, times.line, [this, id] { clients.drop(id); });
  }

  void dismiss(ClientId id, std::string_view last_line, const std::string& why) {
    clients.send(id, last_line);
    clients.disconnect(id);
    send_all(room.handle({Event::Kind::left, id, why}));
    leave(id, guests[id]);
  }

  void end(std::string_view last_line) {
    room = Room();
    for (auto& [id, guest] : guests) {
      if (guest.has_left) continue;
      clients.send(id, last_line);
      clients.disconnect(id);
      leave(id, guest);
    }
    forget_the_gone();
  }

  void watch_lines() {
    for (auto& [id, guest] : guests) {
      if (guest.has_left || guest.line || clients.unfinished(id) == 0) continue;
      start(guest.line, times.line, [this, id = id] {
        dismiss(id, "! a line takes too long: goodbye", "line takes too long");
      });
    }
  }

  /// No timer may wake anybody for the sake of a client that is closed.
  void forget_the_gone() {
    for (auto it = guests.begin(); it != guests.end();) {
      const bool is_gone = it->second.has_left && clients.unsent(it->first) == 0;
      if (is_gone) stop(it->second.patience);
      it = is_gone ? guests.erase(it) : std::next(it);
    }
  }

  /// When the wait must end: the timeout of select is the time until the nearest of all deadlines.
  [[nodiscard]] Deadline nearest(Deadline deadline) const {
    const auto next = timers.until_next(now());
    const auto left = deadline.remaining();
    return next && (!left || *next < *left) ? Deadline::after(*next) : deadline;
  }
};

TimedChat::TimedChat(ChatTimes times, LineLimits limits)
    : state_(std::make_unique<State>(State{times, LineClients(limits)})) {}
TimedChat::~TimedChat() = default;
TimedChat::TimedChat(TimedChat&&) noexcept = default;
TimedChat& TimedChat::operator=(TimedChat&&) noexcept = default;

void TimedChat::admit(Fd client) { state_->admit(std::move(client)); }

std::vector<int> TimedChat::step(Deadline deadline, std::span<const int> others) {
  LineClients::Turn turn = state_->clients.step(state_->nearest(deadline), others);
  for (const Event& event : turn.events) state_->handle(event);
  state_->watch_lines();
  state_->timers.run_due(now());  // in every turn, and last: what was sent in time is in time
  state_->forget_the_gone();
  return std::move(turn.readable);
}

void TimedChat::announce(std::string_view line) {
  for (const auto& [id, guest] : state_->guests) state_->clients.send(id, line);
}

void TimedChat::end(std::string_view line) { state_->end(line); }

void TimedChat::drop_all() {
  for (const auto& [id, guest] : state_->guests) state_->clients.drop(id);
  state_->guests.clear();
  state_->timers = TimerQueue();
  state_->room = Room();
}

std::size_t TimedChat::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
