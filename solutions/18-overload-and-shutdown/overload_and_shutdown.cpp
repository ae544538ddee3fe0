#include "18-overload-and-shutdown/overload_and_shutdown.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "given/bytes.hpp"
#include "given/wait_set.hpp"

namespace course {
namespace {

constexpr int turn_accepts_max = 64;
constexpr std::size_t discarded_bytes_max = 65'536;

/// Whether accept(2) failed for want of something that may be there again in a while.
bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

Deadline earlier(Deadline a, Deadline b) {
  const auto left_a = a.remaining(), left_b = b.remaining();
  if (!left_a) return b;
  if (!left_b) return a;
  return *left_a < *left_b ? a : b;
}

bool contains(const std::vector<int>& fds, int fd) {
  return std::find(fds.begin(), fds.end(), fd) != fds.end();
}

}  // namespace

struct GuardedChatServer::State {
  Fd listener;
  Limits limits;
  TimedChat chat{limits.times, limits.lines};
  std::optional<Deadline> rests_until{};  ///< the listener is left alone

  [[nodiscard]] bool may_accept() const { return listener.get() >= 0 && !rests_until; }

  void accept_clients() {
    try {
      for (int accepted = 0; accepted < turn_accepts_max; ++accepted) {
        std::optional<Fd> client = try_accept(listener.get());
        if (!client) return;
        admit_or_refuse(std::move(*client));
      }
    } catch (const std::system_error& error) {
      if (!is_shortage(error.code().value())) throw;
      rests_until = Deadline::after(limits.rest);
    }
  }

  void admit_or_refuse(Fd client) {
    if (chat.connections() < limits.clients_max && WaitSet::fits(client.get()))
      chat.admit(std::move(client));
    else
      refuse(client.get());
  }

  static void refuse(int client) {
    (void)try_send(client, as_bytes("! full: try again later\n"));
    // A close with unread input would be a reset, which can destroy the line on its way.
    std::string unread;
    (void)drain(client, unread, discarded_bytes_max);
  }
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits) {
  set_nonblocking(listener.get(), true);
  state_ = std::make_unique<State>(State{std::move(listener), limits});
}

GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) {
  if (state_->rests_until && state_->rests_until->has_passed()) state_->rests_until.reset();
  std::vector<int> others;
  if (state_->may_accept()) others.push_back(state_->listener.get());
  if (wake_up >= 0) others.push_back(wake_up);
  const Deadline until = earlier(deadline, state_->rests_until.value_or(Deadline::never()));
  const std::vector<int> readable = state_->chat.step(until, others);
  if (state_->may_accept() && contains(readable, state_->listener.get())) state_->accept_clients();
}

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  state_->listener.reset();
  state_->rests_until.reset();
  TimedChat& chat = state_->chat;
  chat.end("* the server is closing: goodbye");
  const std::array others = {hurry};
  const auto watched = std::span(others).first(hurry >= 0 ? 1 : 0);
  while (chat.connections() > 0 && !deadline.has_passed())
    if (contains(chat.step(deadline, watched), hurry)) break;
  const std::size_t dropped = chat.connections();
  chat.drop_all();
  return dropped;
}

std::size_t GuardedChatServer::connections() const noexcept { return state_->chat.connections(); }

}  // namespace course
