// A heap in which cancelled timers stay until they come up; and one timer for each client, which
// looks, when it comes, whether it is still right.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "17-timers/timers.hpp"

namespace course {

struct TimerQueue::State {
  struct Timer {
    Function function;
    Duration interval;
  };
  struct Entry {
    Point when;
    std::uint64_t order;
    Id id;
    bool operator>(const Entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap;
  std::unordered_map<Id, std::shared_ptr<Timer>> live;
  std::uint64_t orders = 0;

  Id insert(Point when, Function function, Duration interval) {
    const Id id = ++orders;
    live.emplace(id, std::make_shared<Timer>(Timer{std::move(function), interval}));
    heap.push({when, orders, id});
    return id;
  }

  void drop_cancelled() {
    while (!heap.empty() && !live.contains(heap.top().id)) heap.pop();
  }
};

TimerQueue::TimerQueue() : state_(new State) {}
TimerQueue::~TimerQueue() = default;
TimerQueue::TimerQueue(TimerQueue&&) noexcept = default;
TimerQueue& TimerQueue::operator=(TimerQueue&&) noexcept = default;

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  return state_->insert(when, std::move(function), {});
}

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval.count() <= 0) throw std::invalid_argument("interval");
  return state_->insert(first, std::move(function), interval);
}

bool TimerQueue::cancel(Id id) { return state_->live.erase(id) == 1; }

std::optional<Duration> TimerQueue::until_next(Point now) const {
  state_->drop_cancelled();
  if (state_->heap.empty()) return {};
  if (state_->heap.top().when <= now) return Duration(0);
  return state_->heap.top().when - now;
}

std::size_t TimerQueue::run_due(Point now) {
  State& s = *state_;
  std::deque<State::Entry> round;
  for (; !s.heap.empty() && s.heap.top().when <= now; s.heap.pop())
    if (s.live.contains(s.heap.top().id)) round.push_back(s.heap.top());
  std::size_t count = 0;
  try {
    while (!round.empty()) {
      const State::Entry entry = round.front();
      round.pop_front();
      const auto found = s.live.find(entry.id);
      if (found == s.live.end()) continue;
      const auto timer = found->second;
      if (timer->interval == Duration(0)) {
        s.live.erase(found);
      } else {
        const auto missed = (now - entry.when) / timer->interval;
        if ((Point::max() - entry.when) / timer->interval > missed)
          s.heap.push({entry.when + (missed + 1) * timer->interval, ++s.orders, entry.id});
        else
          s.live.erase(found);
      }
      ++count;
      timer->function();
    }
  } catch (...) {
    for (const State::Entry& entry : round) s.heap.push(entry);
    throw;
  }
  return count;
}

std::size_t TimerQueue::size() const noexcept { return state_->live.size(); }

struct TimedChat::State {
  using Point = TimerQueue::Point;
  struct Person {
    Point patience_ends = Point::max();
    Point line_ends = Point::max();
    std::optional<TimerQueue::Id> alarm;
    Point alarm_at = Point::max();
    bool gone = false;
  };
  ChatTimes times;
  LineClients clients;
  Room room;
  TimerQueue alarms;
  std::unordered_map<ClientId, Person> people;

  State(ChatTimes t, LineLimits limits) : times(t), clients(limits) {}

  static Point now() { return std::chrono::steady_clock::now(); }
  static Point in(Duration time) {
    const Point base = now();
    return time > Point::max() - base ? Point::max() : base + time;
  }

  // The alarm may come too early, never too late.
  void set_alarm(ClientId id) {
    Person& person = people.at(id);
    const Point first = std::min(person.patience_ends, person.line_ends);
    if (person.alarm && person.alarm_at <= first) return;
    if (person.alarm) alarms.cancel(*person.alarm);
    person.alarm.reset();
    if (first == Point::max()) return;
    person.alarm_at = first;
    person.alarm = alarms.add(first, [this, id] { look_at(id); });
  }

  void look_at(ClientId id) {
    Person& person = people.at(id);
    person.alarm.reset();
    const Point time = now();
    if (person.gone && person.patience_ends <= time)
      clients.drop(id);
    else if (!person.gone && person.line_ends <= time)
      send_away(id, "! a line takes too long: goodbye", "line takes too long");
    else if (!person.gone && person.patience_ends <= time)
      send_away(id, room.name_of(id) ? "! idle: goodbye" : "! no name: goodbye", "idle");
    else
      set_alarm(id);
  }

  void deliver(const std::vector<Outgoing>& lines) {
    for (const auto& line : lines) clients.send(line.to, line.line);
  }

  void goes(ClientId id) {
    Person& person = people.at(id);
    person.gone = true;
    person.line_ends = Point::max();
    person.patience_ends = in(times.line);
    set_alarm(id);
  }

  void send_away(ClientId id, const char* line, const char* why) {
    deliver(room.handle(Event{Event::Kind::left, id, why}));
    clients.send(id, line);
    clients.disconnect(id);
    goes(id);
  }

  void clean() {
    std::vector<ClientId> closed;
    for (auto& [id, person] : people)
      if (person.gone && clients.unsent(id) == 0) closed.push_back(id);
    for (const ClientId id : closed) {
      if (people.at(id).alarm) alarms.cancel(*people.at(id).alarm);
      people.erase(id);
    }
  }
};

TimedChat::TimedChat(ChatTimes times, LineLimits limits)
    : state_(std::make_unique<State>(times, limits)) {}
TimedChat::~TimedChat() = default;
TimedChat::TimedChat(TimedChat&&) noexcept = default;
TimedChat& TimedChat::operator=(TimedChat&&) noexcept = default;

void TimedChat::admit(Fd client) {
  const ClientId id = state_->clients.admit(std::move(client));
  state_->people[id].patience_ends = State::in(state_->times.naming);
  state_->set_alarm(id);
}

std::vector<int> TimedChat::step(Deadline deadline, std::span<const int> others) {
  State& s = *state_;
  const auto alarm = s.alarms.until_next(State::now());
  const auto left = deadline.remaining();
  if (alarm && (!left || *alarm < *left)) deadline = Deadline::after(*alarm);
  auto turn = s.clients.step(deadline, others);
  for (const Event& event : turn.events) {
    const auto found = s.people.find(event.client);
    if (found == s.people.end() || found->second.gone) continue;
    s.deliver(s.room.handle(event));
    if (event.kind == Event::Kind::left) s.goes(event.client);
    if (event.kind != Event::Kind::line) continue;
    found->second.line_ends = State::Point::max();
    if (s.room.name_of(event.client)) found->second.patience_ends = State::in(s.times.idle);
    s.set_alarm(event.client);
  }
  for (auto& [id, person] : s.people)
    if (!person.gone && s.clients.unfinished(id) > 0 && person.line_ends == State::Point::max()) {
      person.line_ends = State::in(s.times.line);
      s.set_alarm(id);
    }
  s.alarms.run_due(State::now());
  s.clean();
  return turn.readable;
}

void TimedChat::announce(std::string_view line) {
  for (const auto& entry : state_->people) state_->clients.send(entry.first, line);
}

void TimedChat::end(std::string_view line) {
  state_->room = {};
  std::vector<ClientId> all;
  for (const auto& entry : state_->people)
    if (!entry.second.gone) all.push_back(entry.first);
  for (const ClientId id : all) {
    state_->clients.send(id, line);
    state_->clients.disconnect(id);
    state_->goes(id);
  }
  state_->clean();
}

void TimedChat::drop_all() {
  for (const auto& entry : state_->people) state_->clients.drop(entry.first);
  state_->people.clear();
  state_->alarms = {};
  state_->room = {};
}

std::size_t TimedChat::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
