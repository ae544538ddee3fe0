// Timers and the phases of a client as classes with virtual functions; the wait by a look first and
// then a second wait. A repeated timer arms itself again, after its call.
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "17-timers/timers.hpp"

namespace course {
namespace {

using Point = TimerQueue::Point;

class Timer {
 public:
  Timer(Point due, TimerQueue::Id id, TimerQueue::Function function)
      : due_(due), id_(id), function_(std::move(function)) {}
  virtual ~Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  [[nodiscard]] Point due() const { return due_; }
  [[nodiscard]] TimerQueue::Id id() const { return id_; }
  void call() { function_(); }
  /// Moves on to the next time; false: there is none.
  virtual bool moves_on(Point) { return false; }

 protected:
  Point due_;

 private:
  TimerQueue::Id id_;
  TimerQueue::Function function_;
};

class Repeated : public Timer {
 public:
  Repeated(Point first, TimerQueue::Id id, TimerQueue::Function function, Duration interval)
      : Timer(first, id, std::move(function)), interval_(interval) {}
  bool moves_on(Point now) override {
    if (now - due_ >= interval_) due_ += (now - due_) / interval_ * interval_;
    if (Point::max() - due_ < interval_) return false;
    due_ += interval_;
    return true;
  }

 private:
  Duration interval_;
};

using TimerPtr = std::shared_ptr<Timer>;

struct Sooner {
  bool operator()(const TimerPtr& a, const TimerPtr& b) const {
    if (a->due() != b->due()) return a->due() < b->due();
    return a->id() < b->id();
  }
};

}  // namespace

struct TimerQueue::State {
  std::set<TimerPtr, Sooner> waiting;
  std::unordered_map<Id, TimerPtr> known;  // those that will run, or run again
  Id count = 0;

  template <class Kind, class... More>
  Id make(Point when, Function function, More... more) {
    auto timer = std::make_shared<Kind>(when, ++count, std::move(function), more...);
    waiting.insert(timer);
    known[count] = timer;
    return count;
  }

  struct Running {  // whatever becomes of the call, the timer moves on
    State& state;
    TimerPtr timer;
    bool goes_on;
    ~Running() {
      if (goes_on && state.known.contains(timer->id())) state.waiting.insert(timer);
    }
  };

  void run(const TimerPtr& timer, Point now) {
    waiting.erase(timer);
    const bool goes_on = timer->moves_on(now);
    if (!goes_on) known.erase(timer->id());
    const Running running{*this, timer, goes_on};
    timer->call();
  }
};

TimerQueue::TimerQueue() : state_(std::make_unique<State>()) {}
TimerQueue::~TimerQueue() = default;
TimerQueue::TimerQueue(TimerQueue&&) noexcept = default;
TimerQueue& TimerQueue::operator=(TimerQueue&&) noexcept = default;

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  return state_->make<Timer>(when, std::move(function));
}

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval <= Duration::zero()) throw std::invalid_argument("every: interval");
  return state_->make<Repeated>(first, std::move(function), interval);
}

bool TimerQueue::cancel(Id id) {
  const auto found = state_->known.find(id);
  if (found == state_->known.end()) return false;
  state_->waiting.erase(found->second);
  state_->known.erase(found);
  return true;
}

std::optional<Duration> TimerQueue::until_next(Point now) const {
  if (state_->waiting.empty()) return std::nullopt;
  const Point due = (*state_->waiting.begin())->due();
  if (due <= now) return Duration::zero();
  return due - now;
}

std::size_t TimerQueue::run_due(Point now) {
  std::vector<TimerPtr> due;
  for (const TimerPtr& timer : state_->waiting) {
    if (timer->due() > now) break;
    due.push_back(timer);
  }
  std::size_t ran = 0;
  for (const TimerPtr& timer : due) {
    if (!state_->known.contains(timer->id())) continue;
    ++ran;
    state_->run(timer, now);
  }
  return ran;
}

std::size_t TimerQueue::size() const noexcept { return state_->known.size(); }

namespace {

struct House;

/// What a client is just now.
class Phase {
 public:
  explicit Phase(Deadline end) : end_(end) {}
  virtual ~Phase() = default;
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;
  [[nodiscard]] Deadline end() const { return end_; }
  virtual void time_is_up(House& house, ClientId id) = 0;
  [[nodiscard]] virtual bool has_left() const { return false; }

 private:
  Deadline end_;
};

struct Client {
  std::unique_ptr<Phase> phase;
  std::optional<Deadline> line_end{};
};

struct House {
  ChatTimes times;
  LineClients lines;
  Room room{};
  std::map<ClientId, Client> clients{};

  void say(const std::vector<Outgoing>& all) {
    for (const Outgoing& one : all) lines.send(one.to, one.line);
  }
  template <class Next>
  void enter(ClientId id, Duration time) {
    Client& client = clients[id];
    client.phase = std::make_unique<Next>(Deadline::after(time));
    if (client.phase->has_left()) client.line_end.reset();
  }
  void show_out(ClientId id, std::string_view last, const char* why);
};

class Going : public Phase {
 public:
  using Phase::Phase;
  void time_is_up(House& house, ClientId id) override { house.lines.drop(id); }
  [[nodiscard]] bool has_left() const override { return true; }
};

class Stranger : public Phase {
 public:
  using Phase::Phase;
  void time_is_up(House& house, ClientId id) override {
    house.show_out(id, "! no name: goodbye", "");
  }
};

class Member : public Phase {
 public:
  using Phase::Phase;
  void time_is_up(House& house, ClientId id) override {
    house.show_out(id, "! idle: goodbye", "idle");
  }
};

void House::show_out(ClientId id, std::string_view last, const char* why) {
  say(room.handle({Event::Kind::left, id, why}));
  lines.send(id, last);
  lines.disconnect(id);
  enter<Going>(id, times.line);
}

bool is_sooner(Deadline a, Deadline b) {
  const auto left = a.remaining(), other = b.remaining();
  return left && (!other || *left < *other);
}

}  // namespace

struct TimedChat::State : House {
  State(ChatTimes t, LineLimits limits) : House{t, LineClients(limits)} {}

  [[nodiscard]] Deadline nearest(Deadline deadline) const {
    for (const auto& [id, client] : clients) {
      if (is_sooner(client.phase->end(), deadline)) deadline = client.phase->end();
      if (client.line_end && is_sooner(*client.line_end, deadline)) deadline = *client.line_end;
    }
    return deadline;
  }

  void take(const std::vector<Event>& events) {
    for (const Event& event : events) {
      const auto found = clients.find(event.client);
      if (found == clients.end() || found->second.phase->has_left()) continue;
      say(room.handle(event));
      if (event.kind == Event::Kind::left) enter<Going>(event.client, times.line);
      if (event.kind != Event::Kind::line) continue;
      found->second.line_end.reset();
      if (room.name_of(event.client)) enter<Member>(event.client, times.idle);
    }
  }

  void look_at_the_clock() {
    for (auto& [id, client] : clients) {
      if (client.phase->has_left() || lines.unfinished(id) == 0) continue;
      if (!client.line_end) client.line_end = Deadline::after(times.line);
      if (client.line_end->has_passed())
        show_out(id, "! a line takes too long: goodbye", "line takes too long");
    }
    for (auto& [id, client] : clients)
      if (client.phase->end().has_passed()) client.phase->time_is_up(*this, id);
    std::erase_if(clients, [this](const auto& entry) {
      return entry.second.phase->has_left() && lines.unsent(entry.first) == 0;
    });
  }
};

TimedChat::TimedChat(ChatTimes times, LineLimits limits)
    : state_(std::make_unique<State>(times, limits)) {}
TimedChat::~TimedChat() = default;
TimedChat::TimedChat(TimedChat&&) noexcept = default;
TimedChat& TimedChat::operator=(TimedChat&&) noexcept = default;

void TimedChat::admit(Fd fd) {
  const ClientId id = state_->lines.admit(std::move(fd));
  state_->enter<Stranger>(id, state_->times.naming);
}

std::vector<int> TimedChat::step(Deadline deadline, std::span<const int> others) {
  LineClients::Turn turn = state_->lines.step(Deadline::after(Duration::zero()), others);
  if (turn.events.empty() && turn.readable.empty())
    turn = state_->lines.step(state_->nearest(deadline), others);
  state_->take(turn.events);
  state_->look_at_the_clock();
  return turn.readable;
}

void TimedChat::announce(std::string_view line) {
  for (const auto& entry : state_->clients) state_->lines.send(entry.first, line);
}

void TimedChat::end(std::string_view line) {
  for (const auto& entry : state_->clients) {
    if (entry.second.phase->has_left()) continue;
    state_->lines.send(entry.first, line);
    state_->lines.disconnect(entry.first);
    state_->enter<Going>(entry.first, state_->times.line);
  }
  state_->room = Room();
  state_->look_at_the_clock();
}

void TimedChat::drop_all() {
  for (const auto& entry : state_->clients) state_->lines.drop(entry.first);
  state_->clients.clear();
  state_->room = Room();
}

std::size_t TimedChat::connections() const noexcept { return state_->lines.connections(); }

}  // namespace course
