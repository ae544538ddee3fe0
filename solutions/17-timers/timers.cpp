#include "17-timers/timers.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace course {

// ---- TimerQueue

namespace {

using Point = TimerQueue::Point;

}  // namespace

struct TimerQueue::State {
  struct Timer {
    Id id;
    Function function;
    Duration interval{};  ///< zero: it runs once
  };
  using Key = std::pair<Point, std::uint64_t>;  // the order of those of one time

  std::map<Key, Timer> timers{};
  std::map<Id, Key> keys{};
  std::uint64_t last_order = 0;
  Id last_id = 0;

  void put(Point when, Timer timer) {
    const Key key{when, ++last_order};
    keys[timer.id] = key;
    timers.emplace(key, std::move(timer));
  }

  Timer take(std::map<Key, Timer>::iterator at) {
    Timer timer = std::move(at->second);
    keys.erase(timer.id);
    timers.erase(at);
    return timer;
  }

  /// The first of its times that is still to come. An interval too long for the clock: never.
  static std::optional<Point> next_time(Point was_due, Duration interval, Point now) {
    const auto steps = (now - was_due) / interval + 1;
    if (steps > (Point::max() - was_due) / interval) return std::nullopt;
    return was_due + steps * interval;
  }
};

TimerQueue::TimerQueue() : state_(std::make_unique<State>()) {}
TimerQueue::~TimerQueue() = default;
TimerQueue::TimerQueue(TimerQueue&&) noexcept = default;
TimerQueue& TimerQueue::operator=(TimerQueue&&) noexcept = default;

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  state_->put(when, {++state_->last_id, std::move(function)});
  return state_->last_id;
}

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval <= Duration::zero())
    throw std::invalid_argument("TimerQueue: the interval must be more than zero");
  state_->put(first, {++state_->last_id, std::move(function), interval});
  return state_->last_id;
}

bool TimerQueue::cancel(Id id) {
  const auto key = state_->keys.find(id);
  if (key == state_->keys.end()) return false;
  state_->timers.erase(key->second);
  state_->keys.erase(key);
  return true;
}

std::optional<Duration> TimerQueue::until_next(Point now) const {
  if (state_->timers.empty()) return std::nullopt;
  return std::max(Duration::zero(), state_->timers.begin()->first.first - now);
}

std::size_t TimerQueue::run_due(Point now) {
  std::vector<State::Key> due;  // what the functions add waits for the next call
  for (const auto& [key, timer] : state_->timers) {
    if (key.first > now) break;
    due.push_back(key);
  }
  std::size_t called = 0;
  for (const State::Key& key : due) {
    const auto at = state_->timers.find(key);
    if (at == state_->timers.end()) continue;  // one of the functions has cancelled it
    State::Timer timer = state_->take(at);
    const Function function = timer.function;
    if (timer.interval > Duration::zero()) {  // before the call, which may cancel it
      if (const auto next = State::next_time(key.first, timer.interval, now))
        state_->put(*next, std::move(timer));
    }
    ++called;
    function();
  }
  return called;
}

std::size_t TimerQueue::size() const noexcept { return state_->timers.size(); }

// ---- TimedChat

namespace {

Point now() { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }

}  // namespace

struct TimedChat::State {
  using Timer = std::optional<TimerQueue::Id>;
  struct Guest {
    Timer presence{};         ///< until it must have a name; then until it must have said something
    Timer line{};             ///< until the line that it has begun must be finished
    Timer closing{};          ///< until it is dropped
    bool is_leaving = false;  ///< it is only sent what waits for it
  };

  ChatTimes times;
  LineClients clients;
  Room room{};
  TimerQueue timers{};
  std::map<ClientId, Guest> guests{};

  void start(Timer& timer, Duration time, TimerQueue::Function function) {
    stop(timer);
    if (const Point began = now(); time < Point::max() - began)
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
    start(guests[id].presence, times.naming,
          [this, id] { dismiss(id, "! no name: goodbye", "no name"); });
  }

  void handle(const Event& event) {
    const auto found = guests.find(event.client);
    if (found == guests.end() || found->second.is_leaving) return;
    send_all(room.handle(event));
    if (event.kind == Event::Kind::left) leave(event.client, found->second);
    if (event.kind != Event::Kind::line) return;
    stop(found->second.line);
    if (!room.name_of(event.client)) return;
    start(found->second.presence, times.idle,
          [this, id = event.client] { dismiss(id, "! idle: goodbye", "idle"); });
  }

  /// It has left the room; its connection may have to stay for a while.
  void leave(ClientId id, Guest& guest) {
    stop(guest.presence);
    stop(guest.line);
    guest.is_leaving = true;
    start(guest.closing, times.line, [this, id] { clients.drop(id); });
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
      if (guest.is_leaving) continue;
      clients.send(id, last_line);
      clients.disconnect(id);
      leave(id, guest);
    }
    forget_the_gone();
  }

  void watch_lines() {
    for (auto& [id, guest] : guests) {
      if (guest.is_leaving || guest.line || clients.unfinished(id) == 0) continue;
      start(guest.line, times.line, [this, id = id] {
        dismiss(id, "! a line takes too long: goodbye", "line takes too long");
      });
    }
  }

  /// No timer may wake anybody for the sake of a client that is closed.
  void forget_the_gone() {
    for (auto it = guests.begin(); it != guests.end();) {
      const bool is_gone = it->second.is_leaving && clients.unsent(it->first) == 0;
      if (is_gone) stop(it->second.closing);
      it = is_gone ? guests.erase(it) : std::next(it);
    }
  }

  [[nodiscard]] Deadline nearest(Deadline deadline) const {
    const auto left = deadline.remaining();
    const auto next = timers.until_next(now());
    if (!next || (left && *left < *next)) return deadline;
    return Deadline::after(*next);
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
  state_->timers.run_due(now());
  state_->forget_the_gone();
  return std::move(turn.readable);
}

void TimedChat::announce(std::string_view line) {
  for (const auto& [id, guest] : state_->guests)
    if (!guest.is_leaving) state_->clients.send(id, line);
}

void TimedChat::end(std::string_view line) { state_->end(line); }

void TimedChat::drop_all() {
  for (const auto& [id, guest] : state_->guests) state_->clients.drop(id);
  state_->guests.clear();
  state_->room = Room();
  state_->timers = TimerQueue();
}

std::size_t TimedChat::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
