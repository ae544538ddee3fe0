// A shortage is over as soon as a connection is closed, or when the rest is. One class for the
// door, one for the server.
#include <algorithm>
#include <array>
#include <cerrno>
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

class Door {
 public:
  Door(Fd listener, Duration rest) : listener_(std::move(listener)), rest_(rest) {
    set_nonblocking(listener_.get(), true);
  }

  [[nodiscard]] bool is_open(std::size_t connections) {
    if (listener_.get() == -1) return false;
    if (!shut_until_) return true;
    if (connections >= connections_then_ && !shut_until_->has_passed()) return false;
    shut_until_.reset();
    return true;
  }

  [[nodiscard]] Deadline opens() const { return shut_until_.value_or(Deadline::never()); }
  [[nodiscard]] int fd() const { return listener_.get(); }

  void close() {
    listener_ = Fd();
    shut_until_.reset();
  }

  std::optional<Fd> next(std::size_t connections) {
    try {
      return try_accept(listener_.get());
    } catch (const std::system_error& error) {
      static constexpr std::array shortages = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
      const bool is_shortage =
          std::find(shortages.begin(), shortages.end(), error.code().value()) != shortages.end();
      if (!is_shortage) throw;
      shut_until_ = Deadline::after(rest_);
      connections_then_ = connections;
      return std::nullopt;
    }
  }

 private:
  Fd listener_;
  Duration rest_;
  std::optional<Deadline> shut_until_{};
  std::size_t connections_then_ = 0;
};

}  // namespace

struct GuardedChatServer::State {
  Door door;
  std::size_t clients_max;
  TimedChat chat;

  void greet(Fd client) {
    if (chat.connections() < clients_max && WaitSet::fits(client.get()))
      return chat.admit(std::move(client));
    std::string words;
    (void)try_send(client.get(), as_bytes("! full: try again later\n"));
    (void)drain(client.get(), words, 65'536);
  }
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits)
    : state_(new State{Door(std::move(listener), limits.rest), limits.clients_max,
                       TimedChat(limits.times, limits.lines)}) {}

GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) {
  auto& [door, clients_max, chat] = *state_;
  std::vector<int> others;
  if (door.is_open(chat.connections())) others = {door.fd()};
  if (wake_up >= 0) others.push_back(wake_up);
  const auto opens = door.opens().remaining(), left = deadline.remaining();
  const std::vector<int> readable =
      chat.step(opens && (!left || *opens < *left) ? door.opens() : deadline, others);
  if (readable.empty() || readable.front() != door.fd()) return;
  for (int most = 64; most > 0; --most) {
    auto client = door.next(chat.connections());
    if (!client) break;
    state_->greet(std::move(*client));
  }
}

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  state_->door.close();
  state_->chat.end("* the server is closing: goodbye");
  while (connections() > 0) {
    const bool is_late = deadline.has_passed();
    const std::vector<int> others(hurry >= 0 ? 1 : 0, hurry);
    if (!state_->chat.step(deadline, others).empty() || is_late) break;
  }
  const std::size_t dropped = connections();
  if (dropped > 0) state_->chat.drop_all();
  return dropped;
}

std::size_t GuardedChatServer::connections() const noexcept { return state_->chat.connections(); }

}  // namespace course
