// poll(2); lines cut by hand; one receive per turn; who is done is removed when the turn is over.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <system_error>
#include <utility>

#include "11-non-blocking/non_blocking.hpp"
#include "16-chat-server/chat_server.hpp"

namespace course {

struct Room::State {
  std::map<ClientId, std::optional<std::string>> guests{};
  std::vector<ClientId> order{};  // of those with a name
};

Room::Room() : state_(std::make_unique<State>()) {}
Room::~Room() = default;
Room::Room(const Room& other) : state_(std::make_unique<State>(*other.state_)) {}
Room::Room(Room&&) noexcept = default;
Room& Room::operator=(const Room& other) {
  *this = Room(other);
  return *this;
}
Room& Room::operator=(Room&&) noexcept = default;

std::optional<std::string> Room::name_of(ClientId client) const {
  const auto at = state_->guests.find(client);
  return at == state_->guests.end() ? std::nullopt : at->second;
}

std::vector<Outgoing> Room::handle(const Event& event) {
  auto& [guests, order] = *state_;
  std::vector<Outgoing> out;
  const ClientId who = event.client;
  const auto all_others = [&out, &order = order, who](const std::string& line) {
    for (const ClientId other : order)
      if (other != who) out.push_back({other, line});
  };
  if (event.kind == Event::Kind::joined) {
    if (guests.try_emplace(who).second) out.push_back({who, "* your name?"});
    return out;
  }
  const auto guest = guests.find(who);
  if (guest == guests.end()) return out;
  if (event.kind == Event::Kind::left) {
    if (guest->second) {
      std::string line = "* " + *guest->second + " left";
      if (!event.text.empty()) line += " (" + event.text + ")";
      all_others(line);
    }
    std::erase(order, who);
    guests.erase(guest);
    return out;
  }
  if (guest->second) {
    all_others(*guest->second + ": " + event.text);
    return out;
  }
  const std::string& name = event.text;
  const char* const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (name.empty() || name.size() > 16 || name.find_first_not_of(allowed) != name.npos)
    return {{who, "! a name has 1 to 16 letters, digits, - or _"}};
  std::string here = "* here:";
  for (const ClientId other : order) {
    const std::string& taken = *guests[other];
    if (taken == name) return {{who, "! " + name + " is taken"}};
    here += " " + taken;
  }
  if (order.empty()) here += " nobody else";
  out.push_back({who, here});
  all_others("* " + name + " joined");
  guest->second = name;
  order.push_back(who);
  return out;
}

namespace {

struct Client {
  ClientId id = 0;
  Fd fd{};
  std::string in{}, out{};
  enum { talking, leaving, dead } state = talking;
};

}  // namespace

struct LineClients::State {
  LineLimits limits;
  ClientId next = 1;
  std::vector<std::unique_ptr<Client>> clients{};
  std::vector<Event> events{};

  Client* find(ClientId id) const {
    for (const auto& client : clients)
      if (client->id == id && client->state != Client::dead) return client.get();
    return nullptr;
  }

  void kill(Client& client, const char* why) {
    if (client.state == Client::talking) events.push_back({Event::Kind::left, client.id, why});
    client.state = Client::dead;
  }

  void flush(Client& client) {
    std::size_t done = 0;
    while (done < client.out.size()) {
      const ssize_t sent =
          ::send(client.fd.get(), client.out.data() + done, client.out.size() - done, MSG_NOSIGNAL);
      if (sent >= 0) {
        done += static_cast<std::size_t>(sent);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        kill(client, "connection lost");
        break;
      }
    }
    client.out.erase(0, done);
  }

  void receive(Client& client) {
    char buffer[30'000];
    const ssize_t got = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
    if (got < 0) {
      if (errno != EINTR && errno != EAGAIN) kill(client, "connection lost");
      return;
    }
    if (got == 0) {
      events.push_back({Event::Kind::left, client.id, ""});
      client.state = Client::leaving;
      return;
    }
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[i] != '\n') {
        client.in += buffer[i];
        if (client.in.size() > limits.line_max + (buffer[i] == '\r' ? 1 : 0))
          return kill(client, "line too long");
        continue;
      }
      if (!client.in.empty() && client.in.back() == '\r') client.in.pop_back();
      if (client.in.size() > limits.line_max) return kill(client, "line too long");
      events.push_back({Event::Kind::line, client.id, std::exchange(client.in, {})});
    }
  }

  void sweep() {
    std::string unread;
    for (const auto& client : clients)  // or the close would be a reset
      if (client->state == Client::leaving && client->out.empty())
        (void)drain(client->fd.get(), unread, 65'536);
    std::erase_if(clients, [](const auto& client) {
      return client->state == Client::dead ||
             (client->state == Client::leaving && client->out.empty());
    });
  }
};

LineClients::LineClients(LineLimits limits) : state_(std::make_unique<State>(State{limits})) {}
LineClients::~LineClients() = default;
LineClients::LineClients(LineClients&&) noexcept = default;
LineClients& LineClients::operator=(LineClients&&) noexcept = default;

ClientId LineClients::admit(Fd fd) {
  if (fd.get() >= 1024)
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), "admit");
  set_nonblocking(fd.get(), true);
  auto client = std::make_unique<Client>();
  client->id = state_->next++;
  client->fd = std::move(fd);
  state_->events.push_back({Event::Kind::joined, client->id, ""});
  state_->clients.push_back(std::move(client));
  return state_->clients.back()->id;
}

LineClients::Turn LineClients::step(Deadline deadline, std::span<const int> others) {
  State& s = *state_;
  s.sweep();
  std::vector<pollfd> entries;
  for (const auto& client : s.clients) {
    int events = client->state == Client::talking ? POLLIN : 0;
    if (!client->out.empty()) events |= POLLOUT;
    entries.push_back({client->fd.get(), static_cast<short>(events), 0});
  }
  for (const int fd : others) entries.push_back({fd, POLLIN, 0});
  while (true) {
    int time = -1;
    if (!s.events.empty()) {
      time = 0;
    } else if (const auto left = deadline.remaining()) {
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
      time = static_cast<int>(std::min<decltype(ms + 0)>(ms, 1'000'000'000));
    }
    if (::poll(entries.data(), entries.size(), time) >= 0) break;
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), "poll");
  }
  Turn turn;
  for (std::size_t i = 0; i < others.size(); ++i) {
    const pollfd& entry = entries[s.clients.size() + i];
    if ((entry.revents & POLLNVAL) != 0)
      throw std::system_error(EBADF, std::system_category(), "poll");
    if (entry.revents != 0) turn.readable.push_back(entry.fd);
  }
  for (std::size_t i = 0; i < s.clients.size(); ++i) {
    Client& client = *s.clients[i];
    const auto found = entries[i].revents;
    if (client.state == Client::talking && (found & (POLLIN | POLLHUP | POLLERR)) != 0)
      s.receive(client);
    if (client.state != Client::dead && (found & (POLLOUT | POLLHUP | POLLERR)) != 0)
      s.flush(client);
  }
  s.sweep();
  turn.events.swap(s.events);
  return turn;
}

void LineClients::send(ClientId id, std::string_view line) {
  Client* client = state_->find(id);
  if (client == nullptr || client->state != Client::talking) return;
  client->out.append(line);
  client->out += '\n';
  state_->flush(*client);
  if (client->out.size() > state_->limits.unsent_max) state_->kill(*client, "too slow");
}

void LineClients::disconnect(ClientId id) {
  std::erase_if(state_->events, [id](const Event& event) { return event.client == id; });
  if (Client* client = state_->find(id)) client->state = Client::leaving;
  state_->sweep();
}

void LineClients::drop(ClientId id) {
  std::erase_if(state_->events, [id](const Event& event) { return event.client == id; });
  std::erase_if(state_->clients, [id](const auto& client) { return client->id == id; });
}

std::size_t LineClients::unsent(ClientId id) const noexcept {
  const Client* client = state_->find(id);
  return client != nullptr ? client->out.size() : 0;
}

std::size_t LineClients::unfinished(ClientId id) const noexcept {
  const Client* client = state_->find(id);
  return client != nullptr && client->state == Client::talking ? client->in.size() : 0;
}

std::size_t LineClients::connections() const noexcept { return state_->clients.size(); }

struct ChatServer::State {
  Fd listener;
  LineClients clients;
  Room room{};
};

ChatServer::ChatServer(Fd listener, LineLimits limits)
    : state_(std::make_unique<State>(State{std::move(listener), LineClients(limits)})) {
  set_nonblocking(state_->listener.get(), true);
}
ChatServer::~ChatServer() = default;
ChatServer::ChatServer(ChatServer&&) noexcept = default;
ChatServer& ChatServer::operator=(ChatServer&&) noexcept = default;

void ChatServer::step(Deadline deadline, int wake_up) {
  std::vector<int> others = {state_->listener.get()};
  if (wake_up >= 0) others.push_back(wake_up);
  auto [events, readable] = state_->clients.step(deadline, others);
  for (const Event& event : events)
    for (const Outgoing& out : state_->room.handle(event)) state_->clients.send(out.to, out.line);
  if (readable.empty() || readable.front() != state_->listener.get()) return;
  for (int i = 0; i < 64; ++i) {
    auto client = try_accept(state_->listener.get());
    if (!client) break;
    if (client->get() < 1024) state_->clients.admit(std::move(*client));
  }
}

std::size_t ChatServer::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
