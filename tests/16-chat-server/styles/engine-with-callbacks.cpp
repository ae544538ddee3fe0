// One engine for both: it calls back while it receives, so that a line is on its way before the
// next client is looked at. Lines are shared by those to whom they go. The server accepts first.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "11-non-blocking/non_blocking.hpp"
#include "16-chat-server/chat_server.hpp"
#include "given/wait_set.hpp"

namespace course {

// ---- Room

struct Room::State {
  std::set<ClientId> strangers{};
  std::map<ClientId, std::pair<std::size_t, std::string>> members{};  // turn, name
  std::size_t turn = 0;
};

Room::Room() : state_(std::make_unique<State>()) {}
Room::~Room() = default;
Room::Room(const Room& other) { *this = other; }
Room::Room(Room&&) noexcept = default;
Room& Room::operator=(const Room& other) {
  state_ = std::make_unique<State>(*other.state_);
  return *this;
}
Room& Room::operator=(Room&&) noexcept = default;

std::optional<std::string> Room::name_of(ClientId client) const {
  const auto at = state_->members.find(client);
  return at != state_->members.end() ? std::optional(at->second.second) : std::nullopt;
}

std::vector<Outgoing> Room::handle(const Event& event) {
  State& s = *state_;
  const ClientId me = event.client;
  const auto name = name_of(me);
  std::vector<Outgoing> out;
  const auto others_hear = [&](const std::string& line) {
    for (const auto& [id, member] : s.members)
      if (id != me) out.push_back({id, line});
  };
  if (event.kind == Event::Kind::joined && !name && s.strangers.insert(me).second) {
    out.push_back({me, "* your name?"});
  } else if (event.kind == Event::Kind::line && name) {
    others_hear(*name + ": " + event.text);
  } else if (event.kind == Event::Kind::line && s.strangers.contains(me)) {
    const auto is_odd = [](char c) {
      return std::string_view("-_").find(c) == std::string_view::npos && (c < '0' || c > '9') &&
             (c < 'A' || c > 'Z') && (c < 'a' || c > 'z');
    };
    if (event.text.empty() || event.text.size() > 16 ||
        std::any_of(event.text.begin(), event.text.end(), is_odd))
      return {{me, "! a name has 1 to 16 letters, digits, - or _"}};
    std::map<std::size_t, std::string> in_order;
    for (const auto& [id, member] : s.members) {
      if (member.second == event.text) return {{me, "! " + event.text + " is taken"}};
      in_order.insert(member);
    }
    std::string here = in_order.empty() ? "* here: nobody else" : "* here:";
    for (const auto& [turn, other] : in_order) here += " " + other;
    out.push_back({me, here});
    others_hear("* " + event.text + " joined");
    s.strangers.erase(me);
    s.members.insert({me, {s.turn++, event.text}});
  } else if (event.kind == Event::Kind::left) {
    s.strangers.erase(me);
    s.members.erase(me);
    const std::string why = event.text.empty() ? "" : " (" + event.text + ")";
    if (name) others_hear("* " + *name + " left" + why);
  }
  return out;
}

// ---- the engine

namespace {

class Engine {
 public:
  using Callback = std::function<void(const Event&)>;
  using Text = std::shared_ptr<const std::string>;

  explicit Engine(LineLimits limits) : limits_(limits) {}

  ClientId admit(Fd fd) {
    set_nonblocking(fd.get(), true);
    const ClientId id = next_++;
    clients_[id].fd = std::move(fd);
    later_.push_back({Event::Kind::joined, id, {}});
    return id;
  }

  // Waits, and returns who of the others is readable. Nothing is received yet.
  std::vector<int> wait(Deadline deadline, std::span<const int> others) {
    bury();
    WaitSet waits;
    for (const int fd : others) waits.add_reader(fd);
    for (const auto& [id, client] : clients_) {
      if (!client.is_deaf) waits.add_reader(client.fd.get());
      if (client.waiting > 0) waits.add_writer(client.fd.get());
    }
    waits.wait(later_.empty() ? deadline : Deadline::after(Duration::zero()));
    ready_.clear();
    for (const auto& [id, client] : clients_)
      ready_.push_back(
          {id, waits.is_readable(client.fd.get()), waits.is_writable(client.fd.get())});
    std::vector<int> readable;
    std::copy_if(others.begin(), others.end(), std::back_inserter(readable),
                 [&](int fd) { return waits.is_readable(fd); });
    return readable;
  }

  // Tells what happens, as it happens. What the callbacks bring about is told in the next turn.
  void serve(const Callback& tell) {
    for (const Event& event : std::exchange(later_, {})) tell(event);
    for (const auto& [id, is_readable, is_writable] : ready_) {
      if (Client* client = find(id); client != nullptr && is_writable) send_some(id, *client);
      if (Client* client = find(id); client != nullptr && is_readable && !client->is_deaf)
        receive(id, *client, tell);
    }
    bury();
  }

  void send(ClientId id, const Text& line) {
    Client* const client = find(id);
    if (client == nullptr || client->is_deaf) return;
    client->queue.push_back(line);
    client->waiting += line->size();
    if (client->waiting == line->size() || client->waiting > limits_.unsent_max)
      send_some(id, *client);
    if (client->waiting > limits_.unsent_max) end(id, *client, "too slow");
  }

  void disconnect(ClientId id) {
    forget(id);
    if (Client* const client = find(id)) client->is_deaf = true;
    bury();
  }

  void drop(ClientId id) {
    forget(id);
    clients_.erase(id);
  }

  [[nodiscard]] std::size_t unsent(ClientId id) { return find(id) ? find(id)->waiting : 0; }
  [[nodiscard]] std::size_t unfinished(ClientId id) {
    const Client* const client = find(id);
    return client == nullptr || client->is_deaf ? 0 : client->line.size();
  }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }

 private:
  struct Client {
    Fd fd{};
    std::string line{};
    std::deque<Text> queue{};
    std::size_t offset = 0, waiting = 0;  // sent of the first; all that waits
    bool is_deaf = false, is_dead = false;
  };
  struct Readiness {
    ClientId id;
    bool is_readable, is_writable;
  };

  Client* find(ClientId id) {
    const auto at = clients_.find(id);
    return at == clients_.end() || at->second.is_dead ? nullptr : &at->second;
  }

  void bury() {
    std::erase_if(clients_, [](const auto& entry) {
      const Client& client = entry.second;
      if (client.is_dead) return true;
      if (!client.is_deaf || client.waiting > 0) return false;
      std::string unread;  // with it the close would be a reset
      (void)drain(client.fd.get(), unread, 65'536);
      return true;
    });
  }

  void forget(ClientId id) {
    std::erase_if(later_, [id](const Event& event) { return event.client == id; });
  }

  void end(ClientId id, Client& client, const char* why) {
    if (!client.is_deaf) later_.push_back({Event::Kind::left, id, why});
    client.is_deaf = client.is_dead = true;
  }

  void send_some(ClientId id, Client& client) {
    while (client.waiting > 0) {
      std::vector<iovec> parts;
      for (const Text& text : client.queue) {
        const std::size_t skip = parts.empty() ? client.offset : 0;
        parts.push_back({const_cast<char*>(text->data()) + skip, text->size() - skip});
        if (parts.size() == 16) break;
      }
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      const ssize_t sent = ::sendmsg(client.fd.get(), &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (sent < 0) return end(id, client, "connection lost");
      client.waiting -= static_cast<std::size_t>(sent);
      client.offset += static_cast<std::size_t>(sent);
      while (!client.queue.empty() && client.offset >= client.queue.front()->size()) {
        client.offset -= client.queue.front()->size();
        client.queue.pop_front();
      }
    }
  }

  void receive(ClientId id, Client& client, const Callback& tell) {
    std::array<std::byte, 8192> piece;
    for (std::size_t total = 0; total < 65'536 && !client.is_deaf;) {
      const IoResult got = try_recv(client.fd.get(), piece);
      if (got.status == IoStatus::eof && total == 0) {
        later_.push_back({Event::Kind::left, id, {}});
        client.is_deaf = true;
      }
      if (got.status == IoStatus::error) end(id, client, "connection lost");
      if (got.status != IoStatus::ok) return;
      total += got.bytes;
      for (const char c : as_text(cbytes(piece).first(got.bytes))) {
        if (c != '\n') client.line += c;
        const bool has_cr = client.line.ends_with('\r');
        if (client.line.size() - (has_cr ? 1 : 0) > limits_.line_max)
          return end(id, client, "line too long");
        if (c != '\n') continue;
        if (has_cr) client.line.pop_back();
        tell({Event::Kind::line, id, std::exchange(client.line, {})});
        if (client.is_deaf) return;  // what came of it has put this one out
      }
    }
  }

  LineLimits limits_;
  std::map<ClientId, Client> clients_{};
  std::vector<Readiness> ready_{};
  std::vector<Event> later_{};
  ClientId next_ = 1;
};

Engine::Text as_line(std::string_view text) {
  return std::make_shared<const std::string>(std::string(text) + '\n');
}

}  // namespace

struct LineClients::State : Engine {
  using Engine::Engine;
};

LineClients::LineClients(LineLimits limits) : state_(std::make_unique<State>(limits)) {}
LineClients::~LineClients() = default;
LineClients::LineClients(LineClients&&) noexcept = default;
LineClients& LineClients::operator=(LineClients&&) noexcept = default;

ClientId LineClients::admit(Fd client) {
  if (!WaitSet::fits(client.get()))
    throw std::system_error(EINVAL, std::system_category(), "admit");
  return state_->admit(std::move(client));
}

LineClients::Turn LineClients::step(Deadline deadline, std::span<const int> others) {
  Turn turn;
  turn.readable = state_->wait(deadline, others);
  state_->serve([&](const Event& event) { turn.events.push_back(event); });
  return turn;
}

void LineClients::send(ClientId client, std::string_view line) {
  state_->send(client, as_line(line));
}
void LineClients::disconnect(ClientId client) { state_->disconnect(client); }
void LineClients::drop(ClientId client) { state_->drop(client); }
std::size_t LineClients::unsent(ClientId client) const noexcept { return state_->unsent(client); }
std::size_t LineClients::unfinished(ClientId client) const noexcept {
  return state_->unfinished(client);
}
std::size_t LineClients::connections() const noexcept { return state_->size(); }

// ---- ChatServer

struct ChatServer::State {
  Fd listener;
  Engine engine;
  Room room{};

  void accept_clients() {
    for (int i = 0; i < 64; ++i) {
      auto client = try_accept(listener.get());
      if (!client) return;
      if (WaitSet::fits(client->get())) engine.admit(std::move(*client));
    }
  }
};

ChatServer::ChatServer(Fd listener, LineLimits limits) {
  set_nonblocking(listener.get(), true);
  state_ = std::make_unique<State>(State{std::move(listener), Engine(limits)});
}
ChatServer::~ChatServer() = default;
ChatServer::ChatServer(ChatServer&&) noexcept = default;
ChatServer& ChatServer::operator=(ChatServer&&) noexcept = default;

void ChatServer::step(Deadline deadline, int wake_up) {
  State& s = *state_;
  const std::array others = {s.listener.get(), wake_up};
  const auto readable =
      s.engine.wait(deadline, std::span(others).first(wake_up >= 0 ? std::size_t{2} : 1));
  std::exception_ptr trouble;
  try {
    if (!readable.empty() && readable.front() == s.listener.get()) s.accept_clients();
  } catch (const std::system_error&) {
    trouble = std::current_exception();
  }
  s.engine.serve([&](const Event& event) {
    std::map<std::string, Engine::Text> made;
    for (const Outgoing& out : s.room.handle(event)) {
      auto& text = made[out.line];
      if (!text) text = as_line(out.line);
      s.engine.send(out.to, text);
    }
  });
  if (trouble) std::rethrow_exception(trouble);
}

std::size_t ChatServer::connections() const noexcept { return state_->engine.size(); }

}  // namespace course
