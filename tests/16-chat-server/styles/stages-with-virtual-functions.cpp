// What a client may do depends on its stage, which is an object with virtual functions; in the room
// as on the line.
#include <list>
#include <map>
#include <system_error>
#include <utility>

#include "04-messages/messages.hpp"
#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "16-chat-server/chat_server.hpp"
#include "given/wait_set.hpp"

namespace course {

// ---- Room: strangers and members

namespace {

class Guest {
 public:
  explicit Guest(ClientId id) : id_(id) {}
  virtual ~Guest() = default;
  [[nodiscard]] virtual std::optional<std::string> name() const { return std::nullopt; }
  [[nodiscard]] ClientId id() const { return id_; }

 private:
  ClientId id_;
};

class Member : public Guest {
 public:
  Member(ClientId id, std::string name) : Guest(id), name_(std::move(name)) {}
  [[nodiscard]] std::optional<std::string> name() const override { return name_; }

 private:
  std::string name_;
};

bool is_plain(char c) {
  if (c >= '0' && c <= '9') return true;
  if (c >= 'a' && c <= 'z') return true;
  if (c >= 'A' && c <= 'Z') return true;
  return c == '-' || c == '_';
}

}  // namespace

struct Room::State {
  using Guests =
      std::list<std::shared_ptr<const Guest>>;  // never changed, so that copies may share
  Guests guests{};                              // members at the end, in their order

  Guests::iterator find(ClientId id) {
    auto it = guests.begin();
    while (it != guests.end() && (*it)->id() != id) ++it;
    return it;
  }

  std::vector<Outgoing> tell_all_but(ClientId id, const std::string& line) const {
    std::vector<Outgoing> lines;
    for (const auto& guest : guests)
      if (guest->name() && guest->id() != id) lines.emplace_back(Outgoing{guest->id(), line});
    return lines;
  }

  std::vector<Outgoing> welcome(Guests::iterator at, const std::string& name) {
    const ClientId id = (*at)->id();
    bool is_fit = !name.empty() && name.size() <= 16;
    for (const char c : name) is_fit = is_fit && is_plain(c);
    if (!is_fit) return {{id, "! a name has 1 to 16 letters, digits, - or _"}};
    std::string line = "* here:";
    for (const auto& guest : guests) {
      if (guest->name() == name) return {{id, "! " + name + " is taken"}};
      if (guest->name()) line += " " + *guest->name();
    }
    if (line.ends_with(':')) line += " nobody else";
    guests.erase(at);
    auto lines = tell_all_but(id, "* " + name + " joined");
    lines.insert(lines.begin(), {id, line});
    guests.push_back(std::make_shared<Member>(id, name));
    return lines;
  }
};

Room::Room() : state_(std::make_unique<State>()) {}
Room::~Room() = default;
Room::Room(const Room& other) : state_(std::make_unique<State>(*other.state_)) {}
Room::Room(Room&&) noexcept = default;
Room& Room::operator=(const Room& other) { return *this = Room(other); }
Room& Room::operator=(Room&&) noexcept = default;

std::vector<Outgoing> Room::handle(const Event& event) {
  const auto at = state_->find(event.client);
  const bool is_here = at != state_->guests.end();
  if (event.kind == Event::Kind::joined) {
    if (is_here) return {};
    state_->guests.push_front(std::make_shared<Guest>(event.client));
    return {{event.client, "* your name?"}};
  }
  if (!is_here) return {};
  const auto name = (*at)->name();
  if (event.kind == Event::Kind::line)
    return name ? state_->tell_all_but(event.client, *name + ": " + event.text)
                : state_->welcome(at, event.text);
  state_->guests.erase(at);
  if (!name) return {};
  const std::string why = event.text.empty() ? event.text : " (" + event.text + ")";
  return state_->tell_all_but(event.client, "* " + *name + " left" + why);
}

std::optional<std::string> Room::name_of(ClientId client) const {
  const auto at = state_->find(client);
  return at == state_->guests.end() ? std::nullopt : (*at)->name();
}

// ---- LineClients: lines that are open, closing and closed

namespace {

struct Line;

class Stage {
 public:
  virtual ~Stage() = default;
  [[nodiscard]] virtual bool reads() const { return false; }
  [[nodiscard]] virtual bool is_over(const Line&) const { return false; }
  [[nodiscard]] virtual bool has_left() const { return true; }
};

class Open : public Stage {
 public:
  [[nodiscard]] bool reads() const override { return true; }
  [[nodiscard]] bool has_left() const override { return false; }
};
class Closing : public Stage {
 public:
  [[nodiscard]] bool is_over(const Line& line) const override;
};
class Closed : public Stage {
 public:
  [[nodiscard]] bool is_over(const Line&) const override { return true; }
};

const Open open_stage;
const Closing closing_stage;
const Closed closed_stage;

struct Line {
  ClientId id;
  Fd fd;
  LineFramer framer;
  OutQueue queue{};
  const Stage* stage = &open_stage;
};

bool Closing::is_over(const Line& line) const { return line.queue.size() == 0; }

}  // namespace

struct LineClients::State {
  LineLimits limits;
  std::list<Line> lines{};
  std::vector<Event> news{};
  ClientId count = 0;

  Line* find(ClientId id) {
    for (Line& line : lines)
      if (line.id == id) return &line;
    return nullptr;
  }
  void fail(Line& line, const char* why) {
    if (!line.stage->has_left()) news.push_back({Event::Kind::left, line.id, why});
    line.stage = &closed_stage;
  }
  void flush(Line& line) {
    if (line.stage != &closed_stage && line.queue.flush(line.fd.get()).status == IoStatus::error)
      fail(line, "connection lost");
  }
  void hear(Line& line) {
    std::string data;
    const IoResult result = drain(line.fd.get(), data, 65'536);
    bool is_too_long = false;
    try {
      line.framer.feed(as_bytes(data));
    } catch (const MessageTooLong&) {
      is_too_long = true;
    }
    try {
      while (auto text = line.framer.next())
        news.push_back({Event::Kind::line, line.id, std::move(*text)});
    } catch (const MessageTooLong&) {
      is_too_long = true;
    }
    if (is_too_long) return fail(line, "line too long");
    if (result.status == IoStatus::error) return fail(line, "connection lost");
    if (result.status != IoStatus::eof || result.bytes > 0) return;
    news.push_back({Event::Kind::left, line.id, ""});
    line.stage = &closing_stage;
  }
  void bury() {
    std::string unread;  // with it a close would be a reset
    for (const Line& line : lines)
      if (line.stage == &closing_stage && line.stage->is_over(line))
        (void)drain(line.fd.get(), unread, 65'536);
    lines.remove_if([](const Line& line) { return line.stage->is_over(line); });
  }
  void forget(ClientId id) {
    std::erase_if(news, [id](const Event& event) { return event.client == id; });
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
  const ClientId id = ++state_->count;
  state_->lines.push_back({id, std::move(client), LineFramer(state_->limits.line_max)});
  state_->news.push_back({Event::Kind::joined, id, {}});
  return id;
}

LineClients::Turn LineClients::step(Deadline deadline, std::span<const int> others) {
  state_->bury();
  std::vector<int> readers(others.begin(), others.end()), writers;
  for (const Line& line : state_->lines) {
    if (line.stage->reads()) readers.push_back(line.fd.get());
    if (line.queue.wants_write()) writers.push_back(line.fd.get());
  }
  const Ready ready = select_until(
      readers, writers, {}, state_->news.empty() ? deadline : Deadline::after(Duration::zero()));
  const auto is_in = [](const std::vector<int>& fds, int fd) {
    for (const int other : fds)
      if (other == fd) return true;
    return false;
  };
  for (Line& line : state_->lines) {
    if (is_in(ready.writable, line.fd.get())) state_->flush(line);
    if (line.stage->reads() && is_in(ready.readable, line.fd.get())) state_->hear(line);
  }
  state_->bury();
  Turn turn;
  turn.events = std::move(state_->news);
  state_->news.clear();
  for (const int fd : others)
    if (is_in(ready.readable, fd)) turn.readable.push_back(fd);
  return turn;
}

void LineClients::send(ClientId client, std::string_view text) {
  Line* const line = state_->find(client);
  if (line == nullptr || line->stage->has_left()) return;
  line->queue.push(as_bytes(text));
  line->queue.push(as_bytes("\n"));
  state_->flush(*line);
  if (line->queue.size() > state_->limits.unsent_max) state_->fail(*line, "too slow");
}

void LineClients::disconnect(ClientId client) {
  state_->forget(client);
  Line* const line = state_->find(client);
  if (line != nullptr && !line->stage->has_left()) line->stage = &closing_stage;
  state_->bury();
}

void LineClients::drop(ClientId client) {
  state_->forget(client);
  if (Line* const line = state_->find(client)) line->stage = &closed_stage;
  state_->bury();
}

std::size_t LineClients::unsent(ClientId client) const noexcept {
  const Line* const line = state_->find(client);
  return line == nullptr ? 0 : line->queue.size();
}

std::size_t LineClients::unfinished(ClientId client) const noexcept {
  const Line* const line = state_->find(client);
  return line == nullptr || line->stage->has_left() ? 0 : line->framer.unfinished();
}

std::size_t LineClients::connections() const noexcept { return state_->lines.size(); }

// ---- ChatServer

struct ChatServer::State {
  Fd listener;
  LineClients clients;
  Room room{};

  void accept_up_to(int count) {
    while (count-- > 0) {
      auto client = try_accept(listener.get());
      if (!client) return;
      if (client->get() < FD_SETSIZE) clients.admit(std::move(*client));
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
  std::vector<int> others = {state_->listener.get()};
  if (wake_up >= 0) others.push_back(wake_up);
  const LineClients::Turn turn = state_->clients.step(deadline, others);
  for (const Event& event : turn.events)
    for (const Outgoing& line : state_->room.handle(event))
      state_->clients.send(line.to, line.line);
  for (const int fd : turn.readable)
    if (fd == state_->listener.get()) state_->accept_up_to(64);
}

std::size_t ChatServer::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
