// The rest is a timer like any other; the listener is an optional.
#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"
#include "given/bytes.hpp"

namespace course {
namespace {

TimerQueue::Point now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

}  // namespace

struct GuardedChatServer::State {
  State(Fd socket, Limits bounds)
      : listener(std::move(socket)), limits(bounds), chat(bounds.times, bounds.lines) {}

  std::optional<Fd> listener;
  Limits limits;
  TimedChat chat;
  TimerQueue timers{};
  bool is_resting = false;

  void rest() {
    is_resting = true;
    timers.add(now() + limits.rest, [this] { is_resting = false; });
  }
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits) {
  set_nonblocking(listener.get(), true);
  state_ = std::make_unique<State>(std::move(listener), limits);
}

GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) {
  State& s = *state_;
  s.timers.run_due(now());
  std::vector<int> others;
  if (wake_up != -1) others.push_back(wake_up);
  if (s.listener && !s.is_resting) others.push_back(s.listener->get());
  if (const auto next = s.timers.until_next(now())) {
    const auto left = deadline.remaining();
    if (!left || *next < *left) deadline = Deadline::after(*next);
  }
  const auto readable = s.chat.step(deadline, others);
  if (!s.listener ||
      std::find(readable.begin(), readable.end(), s.listener->get()) == readable.end())
    return;
  for (int i = 0; i < 10; ++i) {  // who is left comes in the next turn
    std::optional<Fd> client;
    try {
      client = try_accept(s.listener->get());
    } catch (const std::system_error& error) {
      const int code = error.code().value();
      if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM) return s.rest();
      throw;
    }
    if (!client) return;
    if (s.chat.connections() < s.limits.clients_max && client->get() < FD_SETSIZE) {
      s.chat.admit(std::move(*client));
      continue;
    }
    (void)try_send(client->get(), as_bytes("! full: try again later\n"));
    std::byte unread[4096];
    for (int piece = 0; piece < 16; ++piece)
      if (try_recv(client->get(), unread).status != IoStatus::ok) break;
  }
}

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  State& s = *state_;
  s.listener.reset();
  s.timers = TimerQueue();
  s.is_resting = false;
  s.chat.end("* the server is closing: goodbye");
  std::vector<int> others;
  if (hurry != -1) others.push_back(hurry);
  while (s.chat.connections() > 0) {
    if (!s.chat.step(deadline, others).empty()) break;
    if (deadline.has_passed()) break;
  }
  const std::size_t left = s.chat.connections();
  s.chat.drop_all();
  return left;
}

std::size_t GuardedChatServer::connections() const noexcept { return state_->chat.connections(); }

}  // namespace course
