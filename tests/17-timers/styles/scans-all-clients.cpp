// The timers in a multimap, found by their iterators; the times of the clients in no timers at all:
// each turn looks at every client, as select does.
#include <list>
#include <map>
#include <stdexcept>
#include <unordered_map>

#include "17-timers/timers.hpp"

using namespace course;
using Point = TimerQueue::Point;

struct TimerQueue::State {
  struct Timer {
    Id id;
    std::shared_ptr<Function> function;
    Duration interval;
  };
  std::multimap<Point, Timer> timers;
  std::unordered_map<Id, std::multimap<Point, Timer>::iterator> where;
  Id next = 1000;

  Id insert(Point when, Timer timer) {
    const Id id = timer.id;
    where[id] = timers.emplace(when, std::move(timer));
    return id;
  }
};

TimerQueue::TimerQueue() : state_(std::make_unique<State>()) {}
TimerQueue::~TimerQueue() {}
TimerQueue::TimerQueue(TimerQueue&&) noexcept = default;
TimerQueue& TimerQueue::operator=(TimerQueue&&) noexcept = default;

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  return state_->insert(
      when, {state_->next++, std::make_shared<Function>(std::move(function)), Duration::zero()});
}

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval < Duration(1)) throw std::invalid_argument("TimerQueue::every");
  return state_->insert(
      first, {state_->next++, std::make_shared<Function>(std::move(function)), interval});
}

bool TimerQueue::cancel(Id id) {
  const auto found = state_->where.find(id);
  if (found == state_->where.end()) return false;
  state_->timers.erase(found->second);
  state_->where.erase(found);
  return true;
}

std::optional<Duration> TimerQueue::until_next(Point now) const {
  if (state_->timers.empty()) return std::nullopt;
  const Point first = state_->timers.begin()->first;
  return first <= now ? Duration::zero() : Duration(first - now);
}

std::size_t TimerQueue::run_due(Point now) {
  const Id end_of_round = state_->next;  // whoever is added now has a higher number
  std::size_t called = 0;
  std::map<Id, bool> repeated;
  auto it = state_->timers.begin();
  while (it != state_->timers.end() && it->first <= now) {
    if (it->second.id >= end_of_round || repeated[it->second.id]) {
      ++it;
      continue;
    }
    const Point due = it->first;
    State::Timer timer = it->second;
    repeated[timer.id] = true;
    state_->where.erase(timer.id);
    state_->timers.erase(it);
    if (timer.interval > Duration::zero()) {
      const Duration behind = (now - due) % timer.interval;
      if (timer.interval - behind <= Point::max() - now)
        state_->insert(now + (timer.interval - behind), timer);
    }
    ++called;
    (*timer.function)();
    it = state_->timers.begin();  // it may all be different now
  }
  return called;
}

std::size_t TimerQueue::size() const noexcept { return state_->where.size(); }

struct TimedChat::State {
  struct Client {
    enum { nameless, named, leaving } phase = nameless;
    ClientId id = 0;
    Deadline phase_ends = Deadline::never();
    std::optional<Deadline> line_ends{};
  };
  ChatTimes times;
  LineClients lines;
  Room room{};
  std::list<Client> clients{};

  Client* find(ClientId id) {
    for (Client& client : clients)
      if (client.id == id) return &client;
    return nullptr;
  }

  void tell(const std::vector<Outgoing>& all) {
    for (const auto& [to, line] : all) lines.send(to, line);
  }

  void leaves(Client& client) {
    client.phase = Client::leaving;
    client.phase_ends = Deadline::after(times.line);
    client.line_ends.reset();
  }

  void ends(Client& client, std::string_view last_line, const char* why) {
    lines.send(client.id, last_line);
    lines.disconnect(client.id);
    leaves(client);
    tell(room.handle({Event::Kind::left, client.id, why}));
  }

  Deadline nearest(Deadline deadline) const {
    const auto take = [&deadline](Deadline other) {
      const auto a = deadline.remaining(), b = other.remaining();
      if (b && (!a || *b < *a)) deadline = other;
    };
    for (const Client& client : clients) {
      take(client.phase_ends);
      if (client.line_ends) take(*client.line_ends);
    }
    return deadline;
  }

  void happens(const Event& event) {
    Client* const client = find(event.client);
    if (!client || client->phase == Client::leaving) return;
    tell(room.handle(event));
    switch (event.kind) {
      case Event::Kind::joined:
        break;
      case Event::Kind::left:
        leaves(*client);
        break;
      case Event::Kind::line:
        client->line_ends.reset();
        if (!room.name_of(client->id)) break;
        client->phase = Client::named;
        client->phase_ends = Deadline::after(times.idle);
        break;
    }
  }

  void look_at(Client& client) {
    if (client.phase != Client::leaving && !client.line_ends && lines.unfinished(client.id) > 0)
      client.line_ends = Deadline::after(times.line);
    if (client.line_ends && client.line_ends->has_passed())
      ends(client, "! a line takes too long: goodbye", "line takes too long");
    if (!client.phase_ends.has_passed()) return;
    if (client.phase == Client::nameless)
      ends(client, "! no name: goodbye", "");
    else if (client.phase == Client::named)
      ends(client, "! idle: goodbye", "idle");
    else
      lines.drop(client.id);
  }

  void forget_closed() {
    clients.remove_if([this](const Client& client) {
      return client.phase == Client::leaving && lines.unsent(client.id) == 0;
    });
  }
};

TimedChat::TimedChat(ChatTimes times, LineLimits limits)
    : state_(new State{times, LineClients(limits)}) {}
TimedChat::~TimedChat() {}
TimedChat::TimedChat(TimedChat&&) noexcept = default;
TimedChat& TimedChat::operator=(TimedChat&&) noexcept = default;

void TimedChat::admit(Fd client) {
  State::Client added;
  added.id = state_->lines.admit(std::move(client));
  added.phase_ends = Deadline::after(state_->times.naming);
  state_->clients.push_front(added);
}

std::vector<int> TimedChat::step(Deadline deadline, std::span<const int> others) {
  const LineClients::Turn turn = state_->lines.step(state_->nearest(deadline), others);
  for (const Event& event : turn.events) state_->happens(event);
  for (State::Client& client : state_->clients) state_->look_at(client);
  state_->forget_closed();
  return turn.readable;
}

void TimedChat::announce(std::string_view line) {
  for (const State::Client& client : state_->clients) state_->lines.send(client.id, line);
}

void TimedChat::end(std::string_view line) {
  for (State::Client& client : state_->clients) {
    if (client.phase == State::Client::leaving) continue;
    state_->lines.send(client.id, line);
    state_->lines.disconnect(client.id);
    state_->leaves(client);
  }
  state_->room = Room();
  state_->forget_closed();
}

void TimedChat::drop_all() {
  while (!state_->clients.empty()) {
    state_->lines.drop(state_->clients.front().id);
    state_->clients.pop_front();
  }
  state_->room = Room();
}

std::size_t TimedChat::connections() const noexcept { return state_->lines.connections(); }
