// Structs, pointers and memory of one's own; free functions; goto where something fails.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

#include "11-non-blocking/non_blocking.hpp"
#include "16-chat-server/chat_server.hpp"

namespace course {

// ---- Room: a linked list, those with a name in order

struct Room::State {
  struct Node {
    ClientId id;
    char name[17];  // "": none yet
    Node* next;
  };
  Node* first = nullptr;

  State() = default;
  State(const State& other) {
    Node** end = &first;
    for (const Node* node = other.first; node != nullptr; node = node->next) {
      *end = new Node(*node);
      (*end)->next = nullptr;
      end = &(*end)->next;
    }
  }
  State& operator=(const State&) = delete;
  ~State() {
    while (first != nullptr) delete unlink(&first);
  }

  static Node* unlink(Node** link) {
    Node* node = *link;
    *link = node->next;
    return node;
  }
  Node** link_of(ClientId id) {
    Node** link = &first;
    while (*link != nullptr && (*link)->id != id) link = &(*link)->next;
    return link;
  }
  void append(Node* node) {
    Node** link = &first;
    while (*link != nullptr) link = &(*link)->next;
    node->next = nullptr;
    *link = node;
  }
  void tell(std::vector<Outgoing>& lines, ClientId but, const std::string& line) const {
    for (const Node* node = first; node != nullptr; node = node->next)
      if (node->name[0] != '\0' && node->id != but) lines.push_back({node->id, line});
  }
};

Room::Room() : state_(new State) {}
Room::~Room() = default;
Room::Room(const Room& other) : state_(new State(*other.state_)) {}
Room::Room(Room&&) noexcept = default;
Room& Room::operator=(const Room& other) {
  if (this != &other) state_.reset(new State(*other.state_));
  return *this;
}
Room& Room::operator=(Room&&) noexcept = default;

std::optional<std::string> Room::name_of(ClientId client) const {
  const State::Node* node = *state_->link_of(client);
  if (node == nullptr || node->name[0] == '\0') return std::nullopt;
  return std::string(node->name);
}

std::vector<Outgoing> Room::handle(const Event& event) {
  std::vector<Outgoing> lines;
  State::Node** link = state_->link_of(event.client);
  State::Node* node = *link;
  const char* text = event.text.c_str();
  std::string here = "* here:";

  if (event.kind == Event::Kind::joined) {
    if (node != nullptr) return lines;
    state_->append(new State::Node{event.client, "", nullptr});
    lines.push_back({event.client, "* your name?"});
    return lines;
  }
  if (node == nullptr) return lines;
  if (event.kind == Event::Kind::left) {
    std::string line = std::string("* ") + node->name + " left";
    if (*text != '\0') line = line + " (" + text + ")";
    if (node->name[0] != '\0') state_->tell(lines, event.client, line);
    delete State::unlink(link);
    return lines;
  }
  if (node->name[0] != '\0') {
    state_->tell(lines, event.client, std::string(node->name).append(": ").append(event.text));
    return lines;
  }
  if (event.text.size() - 1 >= 16 || strlen(text) != event.text.size()) goto no_name;
  for (const char* at = text; *at != '\0'; ++at)
    if (strchr("-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *at) == nullptr)
      goto no_name;
  for (const State::Node* other = state_->first; other != nullptr; other = other->next) {
    if (strcmp(other->name, text) == 0) {
      lines.push_back({event.client, "! " + event.text + " is taken"});
      return lines;
    }
    if (other->name[0] != '\0') here = here + " " + other->name;
  }
  if (here == "* here:") here += " nobody else";
  lines.push_back({event.client, here});
  state_->tell(lines, event.client, "* " + event.text + " joined");
  strcpy(node->name, text);
  state_->append(State::unlink(link));  // behind those who came in before
  return lines;

no_name:
  lines.push_back({event.client, "! a name has 1 to 16 letters, digits, - or _"});
  return lines;
}

// ---- LineClients

namespace {

struct Buffer {
  char* data;
  size_t size, capacity;
};

void append(Buffer* buffer, const char* data, size_t size) {
  if (buffer->size + size > buffer->capacity) {
    const size_t capacity = 2 * (buffer->size + size) + 64;
    char* grown = static_cast<char*>(realloc(buffer->data, capacity));
    if (grown == nullptr) throw std::bad_alloc();
    buffer->data = grown;
    buffer->capacity = capacity;
  }
  if (size > 0) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
}

void remove_front(Buffer* buffer, size_t size) {
  if (size == 0) return;
  memmove(buffer->data, buffer->data + size, buffer->size - size);
  buffer->size -= size;
}

struct Client {
  ClientId id;
  int fd;
  int has_left;  // it is only sent what waits
  int is_dead;   // it is not even sent that
  Buffer in, out;
  Client* next;
};

void destroy(Client* client) {
  ::close(client->fd);
  free(client->in.data);
  free(client->out.data);
  free(client);
}

}  // namespace

struct LineClients::State {
  LineLimits limits;
  Client* first = nullptr;
  ClientId last_id = 0;
  std::vector<Event> events{};

  explicit State(LineLimits given) : limits(given) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    while (first != nullptr) {
      Client* client = first;
      first = client->next;
      destroy(client);
    }
  }
};

namespace {

void leave(std::vector<Event>& events, Client* client, const char* why) {
  if (!client->has_left) events.push_back({Event::Kind::left, client->id, why});
  client->has_left = 1;
  client->is_dead |= *why != '\0';
}

void send_some(std::vector<Event>& events, Client* client) {
  size_t sent = 0;
  while (sent < client->out.size) {
    const ssize_t result =
        ::send(client->fd, client->out.data + sent, client->out.size - sent, MSG_NOSIGNAL);
    if (result >= 0)
      sent += static_cast<size_t>(result);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      break;
    else if (errno != EINTR) {
      leave(events, client, "connection lost");
      break;
    }
  }
  remove_front(&client->out, sent);
}

void receive_some(std::vector<Event>& events, size_t line_max, Client* client) {
  char piece[10'000];
  size_t received = 0, begin = 0;
  for (int pieces = 0; pieces < 6; ++pieces) {
    const ssize_t result = ::recv(client->fd, piece, sizeof piece, MSG_DONTWAIT);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
      leave(events, client, "connection lost");
    if (result == 0 && received == 0) leave(events, client, "");
    if (result <= 0) break;
    received += static_cast<size_t>(result);
    append(&client->in, piece, static_cast<size_t>(result));
  }
  for (;;) {
    const char* start = client->in.data + begin;
    const size_t left = client->in.size - begin;
    const char* end = left > 0 ? static_cast<const char*>(memchr(start, '\n', left)) : nullptr;
    size_t length = end != nullptr ? static_cast<size_t>(end - start) : left;
    const size_t taken = length + 1;
    if (length > 0 && start[length - 1] == '\r') --length;
    if (length > line_max) {
      // The receive may have failed as well, but this came first.
      if (client->has_left && !events.empty() && events.back().client == client->id)
        events.pop_back();
      client->has_left = 0;
      leave(events, client, "line too long");
      break;
    }
    if (end == nullptr) break;
    Event line{Event::Kind::line, client->id, std::string(start, length)};
    if (client->has_left)
      events.insert(events.end() - 1, std::move(line));  // before the loss
    else
      events.push_back(std::move(line));
    begin += taken;
  }
  remove_front(&client->in, begin);
}

Client* find(Client* client, ClientId id) {
  while (client != nullptr && client->id != id) client = client->next;
  return client;
}

// A close with unread bytes would be a reset.
void throw_away(int fd) {
  char piece[8'192];
  for (int pieces = 0; pieces < 8; ++pieces)
    if (::recv(fd, piece, sizeof piece, MSG_DONTWAIT) <= 0 && errno != EINTR) break;
}

void remove_done(Client** link) {
  while (*link != nullptr) {
    Client* client = *link;
    if (client->is_dead || (client->has_left && client->out.size == 0)) {
      *link = client->next;
      if (!client->is_dead) throw_away(client->fd);
      destroy(client);
    } else {
      link = &client->next;
    }
  }
}

void remove_events(std::vector<Event>& events, ClientId id) {
  size_t kept = 0;
  for (size_t i = 0; i < events.size(); ++i)
    if (events[i].client != id) {
      if (kept != i) events[kept] = std::move(events[i]);
      ++kept;
    }
  events.resize(kept);
}

}  // namespace

LineClients::LineClients(LineLimits limits) : state_(new State(limits)) {}
LineClients::~LineClients() = default;
LineClients::LineClients(LineClients&&) noexcept = default;
LineClients& LineClients::operator=(LineClients&&) noexcept = default;

ClientId LineClients::admit(Fd fd) {
  if (fd.get() >= FD_SETSIZE) throw std::system_error(EINVAL, std::generic_category(), "fd_set");
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags == -1 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) == -1)
    throw std::system_error(errno, std::generic_category(), "fcntl");
  Client* client = static_cast<Client*>(calloc(1, sizeof *client));
  if (client == nullptr) throw std::bad_alloc();
  client->id = ++state_->last_id;
  client->fd = fd.release();
  client->next = state_->first;
  state_->first = client;
  state_->events.push_back({Event::Kind::joined, client->id, ""});
  return client->id;
}

LineClients::Turn LineClients::step(Deadline deadline, std::span<const int> others) {
  Turn turn;
  fd_set reading, writing;
  remove_done(&state_->first);
again:
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  int highest = -1;
  for (const int fd : others) {
    FD_SET(fd, &reading);
    if (fd > highest) highest = fd;
  }
  for (Client* client = state_->first; client != nullptr; client = client->next) {
    if (!client->has_left) FD_SET(client->fd, &reading);
    if (client->out.size > 0) FD_SET(client->fd, &writing);
    if (client->fd > highest) highest = client->fd;
  }
  timespec time{};
  const timespec* timeout = &time;
  if (state_->events.empty()) {
    const auto left = deadline.remaining();
    if (left)
      time = {std::chrono::duration_cast<std::chrono::seconds>(*left).count(),
              (*left % std::chrono::seconds(1)).count()};
    else
      timeout = nullptr;
  }
  if (::pselect(highest + 1, &reading, &writing, nullptr, timeout, nullptr) < 0) {
    if (errno == EINTR) goto again;
    throw std::system_error(errno, std::generic_category(), "pselect");
  }
  for (const int fd : others)
    if (FD_ISSET(fd, &reading)) {
      turn.readable.push_back(fd);
      FD_CLR(fd, &reading);
    }
  for (Client* client = state_->first; client != nullptr; client = client->next) {
    if (FD_ISSET(client->fd, &reading))
      receive_some(state_->events, state_->limits.line_max, client);
    if (FD_ISSET(client->fd, &writing) && !client->is_dead) send_some(state_->events, client);
  }
  remove_done(&state_->first);
  turn.events.swap(state_->events);
  return turn;
}

void LineClients::send(ClientId id, std::string_view line) {
  Client* client = find(state_->first, id);
  if (client == nullptr || client->has_left) return;
  append(&client->out, line.data(), line.size());
  append(&client->out, "\n", 1);
  send_some(state_->events, client);
  if (client->out.size > state_->limits.unsent_max) leave(state_->events, client, "too slow");
}

void LineClients::disconnect(ClientId id) {
  Client* client = find(state_->first, id);
  remove_events(state_->events, id);
  if (client == nullptr) return;
  client->has_left = 1;
  remove_done(&state_->first);
}

void LineClients::drop(ClientId id) {
  Client* client = find(state_->first, id);
  remove_events(state_->events, id);
  if (client == nullptr) return;
  client->is_dead = 1;
  remove_done(&state_->first);
}

std::size_t LineClients::unsent(ClientId id) const noexcept {
  const Client* client = find(state_->first, id);
  return client == nullptr ? 0 : client->out.size;
}

std::size_t LineClients::unfinished(ClientId id) const noexcept {
  const Client* client = find(state_->first, id);
  return client == nullptr || client->has_left ? 0 : client->in.size;
}

std::size_t LineClients::connections() const noexcept {
  std::size_t count = 0;
  for (const Client* client = state_->first; client != nullptr; client = client->next) ++count;
  return count;
}

// ---- ChatServer

struct ChatServer::State {
  Fd listener;
  LineClients clients;
  Room room;
};

ChatServer::ChatServer(Fd listener, LineLimits limits)
    : state_(new State{std::move(listener), LineClients(limits), Room()}) {
  set_nonblocking(state_->listener.get(), true);
}
ChatServer::~ChatServer() = default;
ChatServer::ChatServer(ChatServer&&) noexcept = default;
ChatServer& ChatServer::operator=(ChatServer&&) noexcept = default;

void ChatServer::step(Deadline deadline, int wake_up) {
  const int others[2] = {state_->listener.get(), wake_up};
  LineClients::Turn turn = state_->clients.step(
      deadline, std::span<const int>(others, wake_up >= 0 ? size_t{2} : size_t{1}));
  for (size_t i = 0; i < turn.events.size(); ++i) {
    const std::vector<Outgoing> lines = state_->room.handle(turn.events[i]);
    for (size_t k = 0; k < lines.size(); ++k) state_->clients.send(lines[k].to, lines[k].line);
  }
  for (size_t i = 0; i < turn.readable.size(); ++i) {
    if (turn.readable[i] != others[0]) continue;
    for (int count = 0; count < 64; ++count) {
      std::optional<Fd> client = try_accept(others[0]);
      if (!client) break;
      if (client->get() < FD_SETSIZE) state_->clients.admit(std::move(*client));
    }
  }
}

std::size_t ChatServer::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
