// The server is a state machine: open, resting, closed.
#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"
#include "given/bytes.hpp"
#include "given/wait_set.hpp"

namespace course {
namespace {

struct Open {
  Fd listener;
};
struct Resting {
  Fd listener;
  Deadline until;
};
struct Closed {};

}  // namespace

struct GuardedChatServer::State {
  std::variant<Closed, Open, Resting> door;
  Limits limits;
  TimedChat chat;

  void turn(Deadline deadline, int wake_up) {
    if (auto* resting = std::get_if<Resting>(&door); resting && resting->until.has_passed())
      door = Open{Fd(resting->listener.release())};
    std::vector<int> others;
    if (wake_up >= 0) others.push_back(wake_up);
    auto* open = std::get_if<Open>(&door);
    if (open) others.push_back(open->listener.get());
    const auto* resting = std::get_if<Resting>(&door);
    const auto until = resting ? resting->until.remaining() : std::nullopt;
    const auto left = deadline.remaining();
    const bool rest_ends_first = until && (!left || *until < *left);
    for (const int fd : chat.step(rest_ends_first ? resting->until : deadline, others))
      if (open && fd == open->listener.get()) return let_in(*open);
  }

  void let_in(Open& open) {
    try {
      int count = 0;
      while (std::optional<Fd> client = try_accept(open.listener.get())) {
        const bool is_full = chat.connections() >= limits.clients_max;
        if (is_full || !WaitSet::fits(client->get()))
          refuse(std::move(*client));
        else
          chat.admit(std::move(*client));
        if (++count == 64) return;
      }
    } catch (const std::system_error& error) {
      const std::error_code code = error.code();
      if (code != std::errc::too_many_files_open &&
          code != std::errc::too_many_files_open_in_system && code != std::errc::no_buffer_space &&
          code != std::errc::not_enough_memory)
        throw;
      Fd listener(open.listener.release());
      door = Resting{std::move(listener), Deadline::after(limits.rest)};
    }
  }

  static void refuse(Fd client) {
    std::string ignored;
    if (try_send(client.get(), as_bytes("! full: try again later\n")).status == IoStatus::ok)
      (void)drain(client.get(), ignored, 65'536);
  }
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits) {
  set_nonblocking(listener.get(), true);
  state_.reset(new State{Open{std::move(listener)}, limits, TimedChat(limits.times, limits.lines)});
}

GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) { state_->turn(deadline, wake_up); }

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  state_->door = Closed{};
  auto& chat = state_->chat;
  chat.end("* the server is closing: goodbye");
  const std::vector<int> watched = hurry >= 0 ? std::vector{hurry} : std::vector<int>{};
  do {
    if (chat.connections() == 0) return 0;
    if (!chat.step(deadline, watched).empty()) break;
  } while (!deadline.has_passed());
  return std::exchange(state_->chat, TimedChat(state_->limits.times, state_->limits.lines))
      .connections();
}

std::size_t GuardedChatServer::connections() const noexcept { return state_->chat.connections(); }

}  // namespace course
