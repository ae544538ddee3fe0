// Without TimedChat: LineClients, Room and a TimerQueue, put together anew; who is refused is a
// client too, of a LineClients that nobody listens to.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"
#include "given/bytes.hpp"
#include "given/wait_set.hpp"

namespace course {
namespace {

TimerQueue::Point now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

struct Guest {
  std::optional<TimerQueue::Point> must_speak{}, must_end_line{}, must_be_gone{};
  bool is_leaving = false;
};

}  // namespace

struct GuardedChatServer::State {
  Fd listener;
  Limits limits;
  LineClients clients{limits.lines};
  Room room{};
  std::map<ClientId, Guest> guests{};
  std::optional<TimerQueue::Point> rests_until{};

  static std::optional<TimerQueue::Point> in(Duration time) {
    const auto began = now();
    if (time > TimerQueue::Point::max() - began) return std::nullopt;
    return began + time;
  }

  void tell(const std::vector<Outgoing>& lines) {
    for (const Outgoing& each : lines) clients.send(each.to, each.line);
  }

  void leave(ClientId id, Guest& guest) {
    guest = {.must_be_gone = in(limits.times.line), .is_leaving = true};
    if (clients.unsent(id) == 0) guest.must_be_gone.reset();
  }

  void dismiss(ClientId id, const std::string& last, const std::string& why) {
    clients.send(id, last);
    clients.disconnect(id);
    tell(room.handle({Event::Kind::left, id, why}));
    leave(id, guests[id]);
  }

  void handle(const Event& event) {
    Guest& guest = guests[event.client];
    if (guest.is_leaving) return;
    tell(room.handle(event));
    if (event.kind == Event::Kind::joined) guest.must_speak = in(limits.times.naming);
    if (event.kind == Event::Kind::left) leave(event.client, guest);
    if (event.kind != Event::Kind::line) return;
    guest.must_end_line.reset();
    if (room.name_of(event.client)) guest.must_speak = in(limits.times.idle);
  }

  void look_at_the_times() {
    const auto is_over = [](const auto& point) { return point && *point <= now(); };
    for (auto& [id, guest] : guests) {
      if (is_over(guest.must_be_gone)) clients.drop(id);
      if (guest.is_leaving) continue;
      if (clients.unfinished(id) == 0)
        guest.must_end_line.reset();
      else if (!guest.must_end_line)
        guest.must_end_line = in(limits.times.line);
      if (is_over(guest.must_end_line))
        dismiss(id, "! a line takes too long: goodbye", "line takes too long");
      else if (is_over(guest.must_speak) && room.name_of(id))
        dismiss(id, "! idle: goodbye", "idle");
      else if (is_over(guest.must_speak))
        dismiss(id, "! no name: goodbye", "no name");
    }
    std::erase_if(guests, [this](const auto& entry) {
      return entry.second.is_leaving && clients.unsent(entry.first) == 0;
    });
  }

  [[nodiscard]] Deadline nearest(Deadline deadline) const {
    std::optional<TimerQueue::Point> first = rests_until;
    const auto consider = [&first](const auto& point) {
      if (point && (!first || *point < *first)) first = point;
    };
    for (const auto& [id, guest] : guests) {
      consider(guest.must_speak);
      consider(guest.must_end_line);
      consider(guest.must_be_gone);
    }
    const auto left = deadline.remaining();
    if (!first || (left && *left < *first - now())) return deadline;
    return Deadline::after(*first - now());
  }

  std::vector<int> turn(Deadline deadline, const std::vector<int>& others) {
    LineClients::Turn found = clients.step(nearest(deadline), others);
    for (const Event& event : found.events) handle(event);
    look_at_the_times();
    return found.readable;
  }

  void accept_some() {
    for (int i = 0; i < 32; ++i) {
      std::optional<Fd> client = try_accept(listener.get());
      if (!client) return;
      if (clients.connections() < limits.clients_max && WaitSet::fits(client->get())) {
        clients.admit(std::move(*client));
        continue;
      }
      std::array<std::byte, 512> unread;
      (void)try_send(client->get(), as_bytes("! full: try again later\n"));
      for (int piece = 0; piece < 128; ++piece)
        if (try_recv(client->get(), unread).status != IoStatus::ok) break;
    }
  }
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits)
    : state_(new State{std::move(listener), limits}) {
  set_nonblocking(state_->listener.get(), true);
}

GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) {
  State& s = *state_;
  if (s.rests_until && *s.rests_until <= now()) s.rests_until.reset();
  std::vector<int> others;
  if (wake_up >= 0) others.push_back(wake_up);
  if (s.listener.get() >= 0 && !s.rests_until) others.push_back(s.listener.get());
  const std::vector<int> readable = s.turn(deadline, others);
  if (std::count(readable.begin(), readable.end(), s.listener.get()) == 0) return;
  try {
    s.accept_some();
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    if (code != EMFILE && code != ENFILE && code != ENOBUFS && code != ENOMEM) throw;
    s.rests_until = State::in(s.limits.rest);
  }
}

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  State& s = *state_;
  s.listener.reset();
  s.rests_until.reset();
  for (auto& [id, guest] : s.guests) {
    if (guest.is_leaving) continue;
    s.clients.send(id, "* the server is closing: goodbye");
    s.clients.disconnect(id);
    s.leave(id, guest);
  }
  s.room = Room();
  const std::vector<int> others(hurry >= 0 ? 1 : 0, hurry);
  while (s.clients.connections() > 0 && !deadline.has_passed())
    if (!s.turn(deadline, others).empty()) break;
  const std::size_t dropped = s.clients.connections();
  s.clients = LineClients(s.limits.lines);
  s.guests.clear();
  return dropped;
}

std::size_t GuardedChatServer::connections() const noexcept {
  return state_->clients.connections();
}

}  // namespace course
