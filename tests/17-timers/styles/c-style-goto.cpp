// A binary heap by hand, whose timers know their places; the clients in an array. In the manner of
// C.
#include <cstdlib>
#include <stdexcept>
#include <unordered_map>

#include "17-timers/timers.hpp"

using namespace course;

struct timer {
  TimerQueue::Id id;
  unsigned long long order;
  long long when, interval; /* nanoseconds */
  std::size_t place;        /* in the heap */
  int calls;                /* that are on */
  int is_dead;
  TimerQueue::Function function;
};

struct TimerQueue::State {
  std::vector<timer*> heap;
  std::unordered_map<Id, timer*> by_id;
  unsigned long long last_order = 0;
  Id last_id = 0;

  ~State() {
    for (timer* t : heap) delete t;
  }
};

static int is_before(const timer* a, const timer* b) {
  return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void put_at(std::vector<timer*>& heap, std::size_t i, timer* t) {
  heap[i] = t;
  t->place = i;
}

static void sift(std::vector<timer*>& heap, std::size_t i) {
  timer* const t = heap[i];
  while (i > 0 && is_before(t, heap[(i - 1) / 2])) {
    put_at(heap, i, heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  for (;;) {
    std::size_t child = 2 * i + 1;
    if (child >= heap.size()) break;
    if (child + 1 < heap.size() && is_before(heap[child + 1], heap[child])) ++child;
    if (!is_before(heap[child], t)) break;
    put_at(heap, i, heap[child]);
    i = child;
  }
  put_at(heap, i, t);
}

static void heap_add(std::vector<timer*>& heap, timer* t) {
  heap.push_back(t);
  t->place = heap.size() - 1;
  sift(heap, t->place);
}

static void heap_remove(std::vector<timer*>& heap, timer* t) {
  const std::size_t i = t->place;
  timer* const last = heap.back();
  heap.pop_back();
  if (last == t) return;
  put_at(heap, i, last);
  sift(heap, i);
}

static long long number(TimerQueue::Point when) { return when.time_since_epoch().count(); }

TimerQueue::TimerQueue() : state_(new State) {}
TimerQueue::~TimerQueue() {}
TimerQueue::TimerQueue(TimerQueue&& other) noexcept : state_(std::move(other.state_)) {}
TimerQueue& TimerQueue::operator=(TimerQueue&& other) noexcept {
  state_ = std::move(other.state_);
  return *this;
}

static timer* new_timer(TimerQueue::Point when, long long interval, TimerQueue::Function function) {
  return new timer{0, 0, number(when), interval, 0, 0, 0, std::move(function)};
}

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  timer* const t = new_timer(when, 0, std::move(function));
  t->id = ++state_->last_id;
  t->order = ++state_->last_order;
  state_->by_id[t->id] = t;
  heap_add(state_->heap, t);
  return t->id;
}

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval.count() <= 0) throw std::invalid_argument("the interval must be positive");
  const Id id = add(first, std::move(function));
  state_->by_id[id]->interval = interval.count();
  return id;
}

bool TimerQueue::cancel(Id id) {
  const auto found = state_->by_id.find(id);
  if (found == state_->by_id.end()) return false;
  timer* const t = found->second;
  state_->by_id.erase(found);
  heap_remove(state_->heap, t);
  t->is_dead = 1;
  if (t->calls == 0) delete t;
  return true;
}

std::optional<Duration> TimerQueue::until_next(Point now) const {
  if (state_->heap.empty()) return std::nullopt;
  const long long when = state_->heap[0]->when;
  return Duration(when <= number(now) ? 0 : when - number(now));
}

std::size_t TimerQueue::run_due(Point point) {
  State* const s = state_.get();
  const long long now = number(point);
  const unsigned long long round = s->last_order;
  std::vector<timer*> later; /* due, and added meanwhile */
  std::size_t count = 0;
  timer* t = nullptr;

next:
  if (s->heap.empty() || s->heap[0]->when > now) goto done;
  t = s->heap[0];
  if (t->order > round) {
    heap_remove(s->heap, t); /* nobody is called until it is back */
    later.push_back(t);
    goto next;
  }
  for (timer* back : later) heap_add(s->heap, back);
  later.clear();
  if (t->interval > 0) {
    const long long past = (now - t->when) % t->interval;
    if (t->interval - past > 9'223'372'036'854'775'807LL - now) goto forget;
    t->when = now + (t->interval - past);
    t->order = ++s->last_order;
    sift(s->heap, 0);
  } else {
  forget:
    s->by_id.erase(t->id);
    heap_remove(s->heap, t);
    t->is_dead = 1;
  }
  ++count;
  ++t->calls;
  try {
    t->function();
  } catch (...) {
    if (--t->calls == 0 && t->is_dead) delete t;
    throw;
  }
  if (--t->calls == 0 && t->is_dead) delete t;
  goto next;

done:
  for (timer* back : later) heap_add(s->heap, back);
  return count;
}

std::size_t TimerQueue::size() const noexcept { return state_->heap.size(); }

struct chat_client {
  ClientId id;
  int is_leaving;
  TimerQueue::Id general, line; /* 0: none */
};

struct TimedChat::State {
  ChatTimes times;
  LineClients lines;
  Room room;
  TimerQueue queue;
  std::vector<chat_client> clients;
};

static chat_client* find(std::vector<chat_client>& clients, ClientId id) {
  for (std::size_t i = 0; i < clients.size(); ++i)
    if (clients[i].id == id) return &clients[i];
  return nullptr;
}

/* The inside of TimedChat is private: no function can name its type. */
template <class S>
static void set_timer(S* s, TimerQueue::Id* which, Duration time, TimerQueue::Function deed) {
  const TimerQueue::Point begin = std::chrono::steady_clock::now();
  if (*which != 0) s->queue.cancel(*which);
  *which =
      time <= TimerQueue::Point::max() - begin ? s->queue.add(begin + time, std::move(deed)) : 0;
}

template <class S>
static void send_all(S* s, const std::vector<Outgoing>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) s->lines.send(all[i].to, all[i].line);
}

template <class S>
static void leave(S* s, chat_client* client) {
  const ClientId id = client->id;
  client->is_leaving = 1;
  if (client->line != 0) s->queue.cancel(client->line);
  client->line = 0;
  set_timer(s, &client->general, s->times.line, [s, id] { s->lines.drop(id); });
}

template <class S>
static void say_goodbye(S* s, ClientId id, const char* text, const char* why) {
  s->lines.send(id, text);
  s->lines.disconnect(id);
  send_all(s, s->room.handle({Event::Kind::left, id, why}));
  leave(s, find(s->clients, id));
}

template <class S>
static void sweep(S* s) {
  for (std::size_t i = 0; i < s->clients.size();) {
    const chat_client client = s->clients[i];
    if (!client.is_leaving || s->lines.unsent(client.id) > 0) {
      ++i;
      continue;
    }
    if (client.general != 0) s->queue.cancel(client.general);
    s->clients.erase(s->clients.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

TimedChat::TimedChat(ChatTimes times, LineLimits limits)
    : state_(new State{times, LineClients(limits), Room(), TimerQueue(), {}}) {}
TimedChat::~TimedChat() {}
TimedChat::TimedChat(TimedChat&&) noexcept = default;
TimedChat& TimedChat::operator=(TimedChat&&) noexcept = default;

void TimedChat::admit(Fd fd) {
  State* const s = state_.get();
  const ClientId id = s->lines.admit(std::move(fd));
  s->clients.push_back({id, 0, 0, 0});
  set_timer(s, &s->clients.back().general, s->times.naming,
            [s, id] { say_goodbye(s, id, "! no name: goodbye", ""); });
}

std::vector<int> TimedChat::step(Deadline deadline, std::span<const int> others) {
  State* const s = state_.get();
  const auto mine = s->queue.until_next(std::chrono::steady_clock::now());
  const auto left = deadline.remaining();
  const LineClients::Turn turn =
      s->lines.step(!mine || (left && *left < *mine) ? deadline : Deadline::after(*mine), others);
  for (std::size_t i = 0; i < turn.events.size(); ++i) {
    const Event& event = turn.events[i];
    chat_client* const who = find(s->clients, event.client);
    const ClientId id = event.client;
    if (who == nullptr || who->is_leaving) continue;
    send_all(s, s->room.handle(event));
    if (event.kind == Event::Kind::left) leave(s, who);
    if (event.kind != Event::Kind::line) continue;
    if (who->line != 0) s->queue.cancel(who->line);
    who->line = 0;
    if (s->room.name_of(id))
      set_timer(s, &who->general, s->times.idle,
                [s, id] { say_goodbye(s, id, "! idle: goodbye", "idle"); });
  }
  for (std::size_t i = 0; i < s->clients.size(); ++i) {
    chat_client* const who = &s->clients[i];
    const ClientId id = who->id;
    if (who->is_leaving || who->line != 0 || s->lines.unfinished(id) == 0) continue;
    set_timer(s, &who->line, s->times.line, [s, id] {
      say_goodbye(s, id, "! a line takes too long: goodbye", "line takes too long");
    });
  }
  s->queue.run_due(std::chrono::steady_clock::now());
  sweep(s);
  return turn.readable;
}

void TimedChat::announce(std::string_view line) {
  for (std::size_t i = 0; i < state_->clients.size(); ++i)
    state_->lines.send(state_->clients[i].id, line);
}

void TimedChat::end(std::string_view line) {
  State* const s = state_.get();
  for (std::size_t i = 0; i < s->clients.size(); ++i) {
    chat_client* const who = &s->clients[i];
    if (who->is_leaving) continue;
    s->lines.send(who->id, line);
    s->lines.disconnect(who->id);
    leave(s, who);
  }
  s->room = Room();
  sweep(s);
}

void TimedChat::drop_all() {
  State* const s = state_.get();
  for (std::size_t i = 0; i < s->clients.size(); ++i) s->lines.drop(s->clients[i].id);
  s->clients.clear();
  s->queue = TimerQueue();
  s->room = Room();
}

std::size_t TimedChat::connections() const noexcept { return state_->lines.connections(); }
