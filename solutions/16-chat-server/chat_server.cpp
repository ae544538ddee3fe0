#include "16-chat-server/chat_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include "04-messages/messages.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "given/wait_set.hpp"

namespace course {

// ---- Room: the rules

namespace {

constexpr std::size_t name_max = 16;

bool is_name(const std::string& text) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !text.empty() && text.size() <= name_max &&
         std::all_of(text.begin(), text.end(), is_allowed);
}

}  // namespace

struct Room::State {
  struct Guest {
    ClientId client;
    std::string name{};  ///< empty: it has none yet
  };
  std::vector<Guest> guests{};  ///< those with a name in the order in which they came in

  [[nodiscard]] std::vector<Guest>::iterator find(ClientId client) {
    return std::find_if(guests.begin(), guests.end(),
                        [client](const Guest& guest) { return guest.client == client; });
  }

  void tell_others(ClientId client, const std::string& line, std::vector<Outgoing>& lines) const {
    for (const Guest& guest : guests)
      if (guest.client != client && !guest.name.empty()) lines.push_back({guest.client, line});
  }

  std::vector<Outgoing> join(ClientId client) {
    if (find(client) != guests.end()) return {};
    guests.push_back({client});
    return {{client, "* your name?"}};
  }

  std::vector<Outgoing> say(ClientId client, const std::string& text) {
    const auto guest = find(client);
    if (guest == guests.end()) return {};
    if (guest->name.empty()) return enter(client, text);
    std::vector<Outgoing> lines;
    tell_others(client, guest->name + ": " + text, lines);
    return lines;
  }

  std::vector<Outgoing> enter(ClientId client, const std::string& name) {
    if (!is_name(name)) return {{client, "! a name has 1 to 16 letters, digits, - or _"}};
    std::string here;
    for (const Guest& guest : guests) {
      if (guest.name == name) return {{client, "! " + name + " is taken"}};
      if (!guest.name.empty()) here += ' ' + guest.name;
    }
    std::vector<Outgoing> lines = {{client, "* here:" + (here.empty() ? " nobody else" : here)}};
    tell_others(client, "* " + name + " joined", lines);
    guests.erase(find(client));
    guests.push_back({client, name});
    return lines;
  }

  std::vector<Outgoing> leave(ClientId client, const std::string& why) {
    const auto guest = find(client);
    if (guest == guests.end()) return {};
    std::vector<Outgoing> lines;
    const std::string reason = why.empty() ? "" : " (" + why + ")";
    if (!guest->name.empty()) tell_others(client, "* " + guest->name + " left" + reason, lines);
    guests.erase(guest);
    return lines;
  }
};

Room::Room() : state_(std::make_unique<State>()) {}
Room::~Room() = default;
Room::Room(const Room& other) : state_(std::make_unique<State>(*other.state_)) {}
Room::Room(Room&&) noexcept = default;
Room& Room::operator=(const Room& other) {
  state_ = std::make_unique<State>(*other.state_);
  return *this;
}
Room& Room::operator=(Room&&) noexcept = default;

std::vector<Outgoing> Room::handle(const Event& event) {
  switch (event.kind) {
    case Event::Kind::joined:
      return state_->join(event.client);
    case Event::Kind::line:
      return state_->say(event.client, event.text);
    case Event::Kind::left:
      return state_->leave(event.client, event.text);
  }
  return {};
}

std::optional<std::string> Room::name_of(ClientId client) const {
  const auto guest = state_->find(client);
  if (guest == state_->guests.end() || guest->name.empty()) return std::nullopt;
  return guest->name;
}

// ---- LineClients: the sockets

namespace {

constexpr std::size_t piece_bytes = 16'384;
constexpr std::size_t turn_bytes_max = 65'536;  // received from one client
constexpr int turn_accepts_max = 64;

struct LineClient {
  Fd fd;
  LineFramer lines;
  OutQueue waiting{};
  bool has_left = false;    ///< nothing more is received; it is closed when nothing waits
  bool has_failed = false;  ///< nothing more is sent either
  [[nodiscard]] bool is_done() const { return has_failed || (has_left && !waiting.wants_write()); }
};

}  // namespace

struct LineClients::State {
  LineLimits limits;
  std::map<ClientId, LineClient> clients{};  // in the order in which they came
  std::vector<Event> events{};               // that nobody has been told of
  ClientId last = 0;
  WaitSet waits{};

  LineClient* find(ClientId id) {
    const auto found = clients.find(id);
    return found == clients.end() ? nullptr : &found->second;
  }

  // Marks only. The map stays as it is, so that whoever is going through it can go on.
  void leave(ClientId id, LineClient& client, const std::string& why) {
    if (!client.has_left) events.push_back({Event::Kind::left, id, why});
    client.has_left = true;
    client.has_failed |= !why.empty();
  }

  void flush(ClientId id, LineClient& client) {
    if (client.waiting.flush(client.fd.get()).status == IoStatus::error)
      leave(id, client, "connection lost");
  }

  void receive(ClientId id, LineClient& client) {
    std::array<std::byte, piece_bytes> buffer;
    for (std::size_t received = 0; received < turn_bytes_max && !client.has_left;) {
      const IoResult result = try_recv(client.fd.get(), buffer);
      if (result.status == IoStatus::error) leave(id, client, "connection lost");
      // Behind lines the end can wait: it is there in the next turn too, when they are answered.
      if (result.status == IoStatus::eof && received == 0) leave(id, client, "");
      if (result.status != IoStatus::ok) return;
      received += result.bytes;
      take_lines(id, client, cbytes(buffer).first(result.bytes));
      if (result.bytes < buffer.size()) return;  // that was all there was
    }
  }

  void take_lines(ClientId id, LineClient& client, cbytes data) {
    bool is_too_long = false;
    const auto until_too_long = [&](auto&& attempt) {
      try {
        attempt();
      } catch (const MessageTooLong&) {
        is_too_long = true;
      }
    };
    until_too_long([&] { client.lines.feed(data); });
    until_too_long([&] {  // those before the one that is too long count
      while (auto line = client.lines.next())
        events.push_back({Event::Kind::line, id, std::move(*line)});
    });
    if (is_too_long) leave(id, client, "line too long");
  }

  // A close with unread input would be a reset, which can destroy the last lines on their way.
  static void discard(const LineClient& client) {
    std::string unread;
    if (!client.has_failed) (void)drain(client.fd.get(), unread, turn_bytes_max);
  }

  void close_the_done() {
    std::erase_if(clients, [](const auto& entry) {
      if (entry.second.is_done()) discard(entry.second);
      return entry.second.is_done();
    });
  }

  void forget_events(ClientId id) {
    std::erase_if(events, [id](const Event& event) { return event.client == id; });
  }

  void wait(Deadline deadline, std::span<const int> others) {
    waits.clear();
    for (const int fd : others) waits.add_reader(fd);
    for (const auto& [id, client] : clients) {
      if (!client.has_left) waits.add_reader(client.fd.get());
      if (client.waiting.wants_write()) waits.add_writer(client.fd.get());
    }
    waits.wait(events.empty() ? deadline : Deadline::after(Duration::zero()));
  }
};

LineClients::LineClients(LineLimits limits) : state_(std::make_unique<State>(State{limits})) {}
LineClients::~LineClients() = default;
LineClients::LineClients(LineClients&&) noexcept = default;
LineClients& LineClients::operator=(LineClients&&) noexcept = default;

ClientId LineClients::admit(Fd client) {
  if (!WaitSet::fits(client.get()))
    throw std::system_error(EINVAL, std::system_category(), "admit");
  set_nonblocking(client.get(), true);
  const ClientId id = ++state_->last;
  state_->clients.emplace(id, LineClient{std::move(client), LineFramer(state_->limits.line_max)});
  state_->events.push_back({Event::Kind::joined, id});
  return id;
}

LineClients::Turn LineClients::step(Deadline deadline, std::span<const int> others) {
  state_->close_the_done();
  state_->wait(deadline, others);
  for (auto& [id, client] : state_->clients) {  // first what it has said: a send may fail
    if (state_->waits.is_readable(client.fd.get())) state_->receive(id, client);
    if (state_->waits.is_writable(client.fd.get()) && !client.has_failed) state_->flush(id, client);
  }
  state_->close_the_done();
  Turn turn{.events = std::exchange(state_->events, {})};
  for (const int fd : others)
    if (state_->waits.is_readable(fd)) turn.readable.push_back(fd);
  return turn;
}

void LineClients::send(ClientId id, std::string_view line) {
  LineClient* const client = state_->find(id);
  if (client == nullptr || client->has_left) return;
  OutQueue& waiting = client->waiting;
  const bool is_first = !waiting.wants_write();
  waiting.push(as_bytes(line));
  waiting.push(as_bytes("\n"));
  // Behind what waits it waits for the next turn, unless that would be too much.
  if (is_first || waiting.size() > state_->limits.unsent_max) state_->flush(id, *client);
  if (waiting.size() > state_->limits.unsent_max) state_->leave(id, *client, "too slow");
}

void LineClients::disconnect(ClientId id) {
  state_->forget_events(id);
  LineClient* const client = state_->find(id);
  if (client == nullptr) return;
  client->has_left = true;
  if (!client->is_done()) return;
  State::discard(*client);
  state_->clients.erase(id);
}

void LineClients::drop(ClientId id) {
  state_->clients.erase(id);
  state_->forget_events(id);
}

std::size_t LineClients::unsent(ClientId id) const noexcept {
  const LineClient* const client = state_->find(id);
  return client == nullptr || client->has_failed ? 0 : client->waiting.size();
}

std::size_t LineClients::unfinished(ClientId id) const noexcept {
  const LineClient* const client = state_->find(id);
  return client == nullptr || client->has_left ? 0 : client->lines.unfinished();
}

std::size_t LineClients::connections() const noexcept { return state_->clients.size(); }

// ---- ChatServer

struct ChatServer::State {
  Fd listener;
  LineClients clients;
  Room room{};

  void accept_clients() {
    for (int accepted = 0; accepted < turn_accepts_max; ++accepted) {
      std::optional<Fd> client = try_accept(listener.get());
      if (!client) return;
      if (WaitSet::fits(client->get())) clients.admit(std::move(*client));
    }
  }
};

ChatServer::ChatServer(Fd listener, LineLimits limits) {
  set_nonblocking(listener.get(), true);
  state_ = std::make_unique<State>(State{std::move(listener), LineClients(limits)});
}

ChatServer::~ChatServer() = default;
ChatServer::ChatServer(ChatServer&&) noexcept = default;
ChatServer& ChatServer::operator=(ChatServer&&) noexcept = default;

void ChatServer::step(Deadline deadline, int wake_up) {
  const std::array others = {state_->listener.get(), wake_up};
  const auto turn = state_->clients.step(deadline, std::span(others).first(wake_up == -1 ? 1 : 2));
  for (const Event& event : turn.events)
    for (const Outgoing& outgoing : state_->room.handle(event))
      state_->clients.send(outgoing.to, outgoing.line);
  const int listener = state_->listener.get();
  if (std::count(turn.readable.begin(), turn.readable.end(), listener) > 0)
    state_->accept_clients();
}

std::size_t ChatServer::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
