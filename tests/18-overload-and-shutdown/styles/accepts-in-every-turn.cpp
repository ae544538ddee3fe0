// The door is a variant. In each turn in which it is open somebody is accepted, whether or not
// select named the listener. A refusal is an object that is said when it ends.
#include <algorithm>
#include <array>
#include <cerrno>
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
  Fd fd;
};
struct Resting {
  Fd fd;
  Deadline until;
};
struct Closed {};
using Door = std::variant<Open, Resting, Closed>;

class Refusal {
 public:
  explicit Refusal(Fd fd) : fd_(std::move(fd)) {}
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;
  ~Refusal() {
    std::array<std::byte, 4096> trash{};
    for (std::size_t n = 0; n < 65'536;) {
      const auto r = try_recv(fd_.get(), trash);
      if (r.status != IoStatus::ok) break;
      n += r.bytes;
    }
    (void)try_send(fd_.get(), as_bytes("! full: try again later\n"));
  }

 private:
  Fd fd_;
};
}  // namespace

struct GuardedChatServer::State {
  Door door;
  Limits limits;
  TimedChat chat;
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits) {
  set_nonblocking(listener.get(), true);
  state_ = std::make_unique<State>(
      State{Open{std::move(listener)}, limits, TimedChat(limits.times, limits.lines)});
}
GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) {
  State& s = *state_;
  std::vector<int> others;
  if (auto* r = std::get_if<Resting>(&s.door)) {
    if (r->until.has_passed()) {
      s.door = Open{std::move(r->fd)};
    } else if (!deadline.remaining() || *r->until.remaining() < *deadline.remaining()) {
      deadline = r->until;
    }
  }
  if (auto* o = std::get_if<Open>(&s.door)) others.push_back(o->fd.get());
  if (wake_up >= 0) others.push_back(wake_up);
  (void)s.chat.step(deadline, others);
  auto* o = std::get_if<Open>(&s.door);
  if (!o) return;
  for (int i = 0; i < 64; ++i) {
    std::optional<Fd> client;
    try {
      client = try_accept(o->fd.get());
    } catch (const std::system_error& e) {
      const std::array codes = {std::errc::too_many_files_open,
                                std::errc::too_many_files_open_in_system,
                                std::errc::no_buffer_space, std::errc::not_enough_memory};
      const auto is_it = [&e](std::errc code) { return e.code() == code; };
      if (std::none_of(codes.begin(), codes.end(), is_it)) throw;
      s.door = Resting{std::move(o->fd), Deadline::after(s.limits.rest)};
      return;
    }
    if (!client) return;
    if (s.chat.connections() >= s.limits.clients_max || !WaitSet::fits(client->get()))
      Refusal(std::move(*client));
    else
      s.chat.admit(std::move(*client));
  }
}

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  State& s = *state_;
  s.door = Closed{};
  s.chat.end("* the server is closing: goodbye");
  const std::vector<int> others(hurry >= 0 ? 1 : 0, hurry);
  bool hurried = false;
  while (s.chat.connections() != 0 && !deadline.has_passed() && !hurried)
    hurried = !s.chat.step(deadline, others).empty();
  return std::exchange(s.chat, TimedChat(s.limits.times, s.limits.lines)).connections();
}

std::size_t GuardedChatServer::connections() const noexcept { return state_->chat.connections(); }

}  // namespace course
