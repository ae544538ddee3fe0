// No LineClients: the sockets of the chat are its own, and poll waits for them, which counts in
// milliseconds. A list of timers for each time; a repeated timer is made of timers that run once.
#include <poll.h>

#include <array>
#include <cerrno>
#include <climits>
#include <list>
#include <map>
#include <stdexcept>
#include <system_error>
#include <unordered_map>

#include "04-messages/messages.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "17-timers/timers.hpp"

namespace course {

struct TimerQueue::State {
  struct Once {
    Id id;
    Function function;
  };
  struct Place {
    Point when;
    std::list<Once>::iterator at;
  };
  std::map<Point, std::list<Once>> by_time;
  std::unordered_map<Id, Place> places;
  Id last = 0;

  void put(Point when, Id id, Function function) {
    auto& list = by_time[when];
    places[id] = {when, list.insert(list.end(), Once{id, std::move(function)})};
  }

  bool remove(Id id) {
    const auto found = places.find(id);
    if (found == places.end()) return false;
    const auto [when, at] = found->second;
    auto& list = by_time[when];
    list.erase(at);
    if (list.empty()) by_time.erase(when);
    places.erase(found);
    return true;
  }
};

namespace {

using Point = TimerQueue::Point;

Point clock_now() { return std::chrono::steady_clock::now(); }

}  // namespace

TimerQueue::TimerQueue() : state_(new State) {}
TimerQueue::~TimerQueue() = default;
TimerQueue::TimerQueue(TimerQueue&&) noexcept = default;
TimerQueue& TimerQueue::operator=(TimerQueue&&) noexcept = default;

TimerQueue::Id TimerQueue::add(Point when, Function function) {
  state_->put(when, ++state_->last, std::move(function));
  return state_->last;
}

namespace {

// What the functions of an `every` share. `now` is that of the run_due() that calls them.
struct Repetition {
  Duration interval;
  TimerQueue::Function function;
  Point due;
};

Point now_of_the_run;

}  // namespace

TimerQueue::Id TimerQueue::every(Point first, Duration interval, Function function) {
  if (interval <= Duration(0)) throw std::invalid_argument("interval");
  const Id id = ++state_->last;
  const auto repetition =
      std::make_shared<Repetition>(Repetition{interval, std::move(function), first});
  auto* const state = state_.get();
  struct Again {
    TimerQueue::State* state;
    Id id;
    std::shared_ptr<Repetition> repetition;
    void operator()() const {
      auto& due = repetition->due;
      const auto over = (now_of_the_run - due) % repetition->interval;
      if (repetition->interval - over <= Point::max() - now_of_the_run) {
        due = now_of_the_run + (repetition->interval - over);
        state->put(due, id, *this);
      }
      const auto kept = repetition;
      kept->function();
    }
  };
  state_->put(first, id, Again{state, id, repetition});
  return id;
}

bool TimerQueue::cancel(Id id) { return state_->remove(id); }

std::optional<Duration> TimerQueue::until_next(Point now) const {
  if (state_->by_time.empty()) return std::nullopt;
  const Point when = state_->by_time.begin()->first;
  return when <= now ? Duration(0) : when - now;
}

std::size_t TimerQueue::run_due(Point now) {
  std::vector<Id> ids;
  for (const auto& [when, list] : state_->by_time) {
    if (when > now) break;
    for (const auto& once : list) ids.push_back(once.id);
  }
  std::size_t ran = 0;
  for (const Id id : ids) {
    const auto found = state_->places.find(id);
    if (found == state_->places.end()) continue;
    const Function function = std::move(found->second.at->function);
    state_->remove(id);
    now_of_the_run = now;
    ++ran;
    function();
  }
  return ran;
}

std::size_t TimerQueue::size() const noexcept { return state_->places.size(); }

// ---- the chat

struct TimedChat::State {
  struct Person {
    Fd fd;
    LineFramer framer;
    OutQueue queue{};
    bool is_new = true, has_left = false, has_failed = false;
    Point patience{Point::max()}, line{Point::max()};
  };
  ChatTimes times;
  LineLimits limits;
  Room room{};
  std::map<ClientId, Person> people{};
  ClientId last = 0;

  static Point end_of(Duration time) {
    const Point now = clock_now();
    return time > Point::max() - now ? Point::max() : now + time;
  }

  void lose(ClientId id, Person& person, const std::string& why) {
    if (!person.has_left) leave(id, person, why);
    person.has_failed = true;
  }

  void leave(ClientId id, Person& person, const std::string& why) {
    person.has_left = true;
    person.patience = end_of(times.line);
    person.line = Point::max();
    tell(room.handle({Event::Kind::left, id, why}));
  }

  void flush(ClientId id, Person& person) {
    if (!person.has_failed && person.queue.flush(person.fd.get()).status == IoStatus::error)
      lose(id, person, "connection lost");
  }

  void send(ClientId id, std::string_view line) {
    const auto found = people.find(id);
    if (found == people.end() || found->second.has_left) return;
    Person& person = found->second;
    person.queue.push(as_bytes(line));
    person.queue.push(as_bytes("\n"));
    flush(id, person);
    if (person.queue.size() > limits.unsent_max) lose(id, person, "too slow");
  }

  void tell(const std::vector<Outgoing>& lines) {
    for (const Outgoing& line : lines) send(line.to, line.line);
  }

  void send_away(ClientId id, Person& person, const char* last_line, const char* why) {
    send(id, last_line);
    if (!person.has_left) leave(id, person, why);
  }

  void take(ClientId id, Person& person, cbytes data) {
    bool is_too_long = false;
    try {
      person.framer.feed(data);
    } catch (const MessageTooLong&) {
      is_too_long = true;
    }
    while (!person.has_left) {
      const auto line = person.framer.next();
      if (!line) break;
      person.line = Point::max();
      tell(room.handle({Event::Kind::line, id, *line}));
      if (room.name_of(id)) person.patience = end_of(times.idle);
    }
    if (is_too_long) lose(id, person, "line too long");
  }

  void receive(ClientId id, Person& person) {
    std::array<std::byte, 4096> buffer;
    for (int i = 0; i < 16 && !person.has_left; ++i) {
      const IoResult result = try_recv(person.fd.get(), buffer);
      if (result.status == IoStatus::would_block) return;
      if (result.status == IoStatus::eof) return leave(id, person, "");
      if (result.status == IoStatus::error) return lose(id, person, "connection lost");
      take(id, person, cbytes(buffer).first(result.bytes));
    }
  }

  void close_the_done() {
    std::erase_if(people, [](const auto& entry) {
      const Person& person = entry.second;
      return person.has_failed || (person.has_left && !person.queue.wants_write());
    });
  }

  [[nodiscard]] int timeout(Deadline deadline) const {
    auto left = deadline.remaining();
    const Point now = clock_now();
    for (const auto& [id, person] : people) {
      const Point first = std::min(person.patience, person.line);
      if (person.is_new || first <= now) return 0;
      if (first != Point::max() && (!left || first - now < *left)) left = first - now;
    }
    if (!left) return -1;
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
    return whole > INT_MAX ? INT_MAX : static_cast<int>(whole);
  }

  void wait(std::vector<pollfd>& entries, Deadline deadline) const {
    int found = 0;
    do {
      found = ::poll(entries.data(), entries.size(), timeout(deadline));
    } while (found == -1 && errno == EINTR);
    if (found == -1) throw std::system_error(errno, std::system_category(), "poll");
    for (const pollfd& entry : entries)
      if ((entry.revents & POLLNVAL) != 0)
        throw std::system_error(EBADF, std::system_category(), "poll");
  }

  void look_at_the_clock() {
    const Point now = clock_now();
    for (auto& [id, person] : people) {
      if (!person.has_left && person.framer.unfinished() > 0 && person.line == Point::max())
        person.line = end_of(times.line);
      if (person.line <= now)
        send_away(id, person, "! a line takes too long: goodbye", "line takes too long");
      if (person.patience > now) continue;
      if (person.has_left)
        person.has_failed = true;
      else if (room.name_of(id))
        send_away(id, person, "! idle: goodbye", "idle");
      else
        send_away(id, person, "! no name: goodbye", "");
    }
  }
};

TimedChat::TimedChat(ChatTimes times, LineLimits limits) : state_(new State{times, limits}) {}
TimedChat::~TimedChat() = default;
TimedChat::TimedChat(TimedChat&&) noexcept = default;
TimedChat& TimedChat::operator=(TimedChat&&) noexcept = default;

void TimedChat::admit(Fd client) {
  if (client.get() >= 1024) throw std::system_error(EINVAL, std::system_category(), "admit");
  set_nonblocking(client.get(), true);
  auto& person = state_->people
                     .emplace(++state_->last,
                              State::Person{std::move(client), LineFramer(state_->limits.line_max)})
                     .first->second;
  person.patience = State::end_of(state_->times.naming);
}

std::vector<int> TimedChat::step(Deadline deadline, std::span<const int> others) {
  State& s = *state_;
  std::vector<pollfd> entries;
  for (const int fd : others) entries.push_back({fd, POLLIN, 0});
  for (const auto& [id, person] : s.people) {
    const int reading = person.has_left ? 0 : POLLIN;
    const int writing = person.queue.wants_write() ? POLLOUT : 0;
    entries.push_back({person.fd.get(), static_cast<short>(reading | writing), 0});
  }
  s.wait(entries, deadline);
  std::size_t i = others.size();
  for (auto& [id, person] : s.people) {
    const short events = entries[i++].revents;
    if (person.is_new) s.tell(s.room.handle({Event::Kind::joined, id, ""}));
    person.is_new = false;
    if ((events & (POLLOUT | POLLERR | POLLHUP)) != 0) s.flush(id, person);
    if ((events & (POLLIN | POLLERR | POLLHUP)) != 0 && !person.has_left) s.receive(id, person);
  }
  s.look_at_the_clock();
  s.close_the_done();
  std::vector<int> readable;
  for (i = 0; i < others.size(); ++i)
    if (entries[i].revents != 0) readable.push_back(others[i]);
  return readable;
}

void TimedChat::announce(std::string_view line) {
  for (const auto& entry : state_->people) state_->send(entry.first, line);
  state_->close_the_done();
}

void TimedChat::end(std::string_view line) {
  for (const auto& entry : state_->people) state_->send(entry.first, line);
  state_->room = Room();
  for (auto& [id, person] : state_->people)
    if (!person.has_left) state_->leave(id, person, "");
  state_->close_the_done();
}

void TimedChat::drop_all() {
  state_->people.clear();
  state_->room = Room();
}

std::size_t TimedChat::connections() const noexcept { return state_->people.size(); }

}  // namespace course
