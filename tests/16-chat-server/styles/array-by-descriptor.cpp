// A slot for each descriptor; master sets that are kept up to date; who is gone is closed at once;
// what waits is tried in every turn, whether there is room or not.
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "04-messages/messages.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "16-chat-server/chat_server.hpp"

namespace course {

// ---- Room: two vectors side by side, the second with the names

struct Room::State {
  std::vector<ClientId> ids{};
  std::vector<std::string> names{};  // "" is none
  std::vector<std::size_t> entered{};
  std::size_t entries = 0;

  std::size_t find(ClientId id) const {
    return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
  }
  std::vector<std::size_t> present() const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (!names[i].empty()) all.push_back(i);
    std::sort(all.begin(), all.end(),
              [this](std::size_t a, std::size_t b) { return entered[a] < entered[b]; });
    return all;
  }
};

Room::Room() : state_(new State) {}
Room::~Room() = default;
Room::Room(const Room& other) : state_(new State(*other.state_)) {}
Room::Room(Room&&) noexcept = default;
Room& Room::operator=(const Room& other) {
  auto copy = std::make_unique<State>(*other.state_);
  state_.swap(copy);
  return *this;
}
Room& Room::operator=(Room&& other) noexcept {
  state_.swap(other.state_);
  return *this;
}

std::optional<std::string> Room::name_of(ClientId client) const {
  const std::size_t i = state_->find(client);
  if (i == state_->ids.size() || state_->names[i].empty()) return {};
  return state_->names[i];
}

std::vector<Outgoing> Room::handle(const Event& event) {
  State& s = *state_;
  const std::size_t i = s.find(event.client);
  const bool is_known = i < s.ids.size();
  std::vector<Outgoing> lines;
  std::string news;
  switch (event.kind) {
    case Event::Kind::joined:
      if (is_known) break;
      s.ids.push_back(event.client);
      s.names.emplace_back();
      s.entered.push_back(0);
      lines.push_back({event.client, "* your name?"});
      break;
    case Event::Kind::line:
      if (!is_known) break;
      if (!s.names[i].empty()) {
        news = s.names[i] + ": " + event.text;
        break;
      }
      if (event.text.empty() || event.text.size() > 16 ||
          std::any_of(event.text.begin(), event.text.end(), [](unsigned char c) {
            return !((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
                   c != '_';
          })) {
        lines.push_back({event.client, "! a name has 1 to 16 letters, digits, - or _"});
      } else if (std::find(s.names.begin(), s.names.end(), event.text) != s.names.end()) {
        lines.push_back({event.client, "! " + event.text + " is taken"});
      } else {
        std::string here;
        for (const std::size_t other : s.present()) here += " " + s.names[other];
        lines.push_back({event.client, "* here:" + (here.empty() ? " nobody else" : here)});
        s.names[i] = event.text;
        s.entered[i] = ++s.entries;
        news = "* " + event.text + " joined";
      }
      break;
    case Event::Kind::left:
      if (!is_known) break;
      if (!s.names[i].empty())
        news = "* " + s.names[i] + " left" + (event.text.empty() ? "" : " (" + event.text + ")");
      const auto at = static_cast<std::ptrdiff_t>(i);
      s.ids.erase(s.ids.begin() + at);
      s.names.erase(s.names.begin() + at);
      s.entered.erase(s.entered.begin() + at);
      break;
  }
  if (!news.empty())
    for (const std::size_t other : s.present())
      if (s.ids[other] != event.client) lines.push_back({s.ids[other], news});
  return lines;
}

// ---- LineClients

namespace {

struct Slot {
  ClientId id;
  Fd fd;
  LineFramer framer;
  OutQueue queue{};
  bool reads = true;
};

}  // namespace

struct LineClients::State {
  LineLimits limits;
  ClientId last = 0;
  std::array<std::unique_ptr<Slot>, FD_SETSIZE> slots{};
  std::unordered_map<ClientId, int> fds{};
  std::vector<Event> events{};
  fd_set readers{}, writers{};

  Slot* find(ClientId id) const {
    const auto at = fds.find(id);
    return at == fds.end() ? nullptr : slots[static_cast<std::size_t>(at->second)].get();
  }

  void close(Slot& slot) {
    const int fd = slot.fd.get();
    FD_CLR(fd, &readers);
    FD_CLR(fd, &writers);
    fds.erase(slot.id);
    slots[static_cast<std::size_t>(fd)].reset();
  }

  void tell_left(const Slot& slot, const char* why) {
    if (slot.reads) events.push_back({Event::Kind::left, slot.id, why});
  }

  // False: it is closed.
  bool flush(Slot& slot) {
    if (slot.queue.flush(slot.fd.get()).status == IoStatus::error) {
      tell_left(slot, "connection lost");
      close(slot);
      return false;
    }
    if (slot.queue.wants_write())
      FD_SET(slot.fd.get(), &writers);
    else
      FD_CLR(slot.fd.get(), &writers);
    if (!slot.reads && !slot.queue.wants_write()) {
      std::array<std::byte, 4096> unread;  // with it the close would be a reset
      for (int i = 0; i < 16; ++i)
        if (try_recv(slot.fd.get(), unread).status != IoStatus::ok) break;
      close(slot);
      return false;
    }
    return true;
  }

  void take_lines(Slot& slot) {
    while (auto line = slot.framer.next()) events.push_back({Event::Kind::line, slot.id, *line});
  }

  void stop_reading(Slot& slot) {
    slot.reads = false;
    FD_CLR(slot.fd.get(), &readers);
    flush(slot);
  }

  void receive(Slot& slot) {
    std::array<std::byte, 4096> buffer;
    for (int i = 0; i < 16; ++i) {
      const IoResult got = try_recv(slot.fd.get(), buffer);
      if (got.status == IoStatus::error) {
        tell_left(slot, "connection lost");
        return close(slot);
      }
      if (got.status == IoStatus::eof && i > 0) return;  // next time
      if (got.status == IoStatus::eof) {
        tell_left(slot, "");
        return stop_reading(slot);
      }
      if (got.status == IoStatus::would_block) return;
      try {
        try {
          slot.framer.feed(cbytes(buffer).first(got.bytes));
        } catch (const MessageTooLong&) {
          take_lines(slot);
          throw;
        }
        take_lines(slot);
      } catch (const MessageTooLong&) {
        tell_left(slot, "line too long");
        return close(slot);
      }
    }
  }
};

LineClients::LineClients(LineLimits limits) : state_(new State{.limits = limits}) {}
LineClients::~LineClients() = default;
LineClients::LineClients(LineClients&&) noexcept = default;
LineClients& LineClients::operator=(LineClients&&) noexcept = default;

ClientId LineClients::admit(Fd client) {
  const int fd = client.get();
  if (fd >= FD_SETSIZE) throw std::system_error(EINVAL, std::generic_category(), "too many");
  set_nonblocking(fd, true);
  const ClientId id = ++state_->last;
  state_->slots[static_cast<std::size_t>(fd)] =
      std::make_unique<Slot>(Slot{id, std::move(client), LineFramer(state_->limits.line_max)});
  state_->fds[id] = fd;
  FD_SET(fd, &state_->readers);
  state_->events.push_back({Event::Kind::joined, id});
  return id;
}

LineClients::Turn LineClients::step(Deadline deadline, std::span<const int> others) {
  State& s = *state_;
  fd_set readable, writable;
  int found = -1;
  do {
    readable = s.readers;
    writable = s.writers;
    for (const int fd : others) FD_SET(fd, &readable);
    timeval time{};
    const auto left = deadline.remaining();
    if (left && s.events.empty()) {
      const auto us = std::chrono::ceil<std::chrono::microseconds>(*left).count();
      time = {us / 1'000'000, us % 1'000'000};
    }
    found = ::select(FD_SETSIZE, &readable, &writable, nullptr,
                     left || !s.events.empty() ? &time : nullptr);
  } while (found < 0 && errno == EINTR);
  if (found < 0) throw std::system_error(errno, std::system_category(), "select");

  Turn turn;
  for (const int fd : others) {
    if (FD_ISSET(fd, &readable)) turn.readable.push_back(fd);
    FD_CLR(fd, &readable);
  }
  for (int fd = 0; fd < FD_SETSIZE; ++fd) {
    const auto& slot = s.slots[static_cast<std::size_t>(fd)];
    if (slot && !s.flush(*slot)) continue;  // who has no room says EAGAIN, and that is all
    if (slot && FD_ISSET(fd, &readable)) s.receive(*slot);
  }
  std::swap(turn.events, s.events);
  return turn;
}

void LineClients::send(ClientId id, std::string_view line) {
  Slot* const slot = state_->find(id);
  if (slot == nullptr || !slot->reads) return;
  slot->queue.push(as_bytes(std::string(line) + "\n"));
  if (!state_->flush(*slot) || slot->queue.size() <= state_->limits.unsent_max) return;
  state_->tell_left(*slot, "too slow");
  state_->close(*slot);
}

void LineClients::disconnect(ClientId id) {
  std::erase_if(state_->events, [id](const Event& event) { return event.client == id; });
  Slot* const slot = state_->find(id);
  if (slot != nullptr && slot->reads) state_->stop_reading(*slot);
}

void LineClients::drop(ClientId id) {
  std::erase_if(state_->events, [id](const Event& event) { return event.client == id; });
  if (Slot* const slot = state_->find(id)) state_->close(*slot);
}

std::size_t LineClients::unsent(ClientId id) const noexcept {
  const Slot* const slot = state_->find(id);
  return slot != nullptr ? slot->queue.size() : 0;
}

std::size_t LineClients::unfinished(ClientId id) const noexcept {
  const Slot* const slot = state_->find(id);
  return slot != nullptr && slot->reads ? slot->framer.unfinished() : 0;
}

std::size_t LineClients::connections() const noexcept { return state_->fds.size(); }

// ---- ChatServer

struct ChatServer::State {
  Fd listener;
  LineClients clients;
  Room room{};
};

ChatServer::ChatServer(Fd listener, LineLimits limits) {
  set_nonblocking(listener.get(), true);
  state_.reset(new State{std::move(listener), LineClients(limits)});
}
ChatServer::~ChatServer() = default;
ChatServer::ChatServer(ChatServer&&) noexcept = default;
ChatServer& ChatServer::operator=(ChatServer&&) noexcept = default;

void ChatServer::step(Deadline deadline, int wake_up) {
  State& s = *state_;
  std::vector<int> others{s.listener.get()};
  if (wake_up != -1) others.insert(others.begin(), wake_up);
  const auto turn = s.clients.step(deadline, others);
  std::vector<Outgoing> lines;
  for (const Event& event : turn.events) {
    const auto more = s.room.handle(event);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  for (const auto& [to, line] : lines) s.clients.send(to, line);
  const bool has_callers = std::find(turn.readable.begin(), turn.readable.end(),
                                     s.listener.get()) != turn.readable.end();
  for (int left = 64; has_callers && left > 0; --left) {
    std::optional<Fd> client = try_accept(s.listener.get());
    if (!client) return;
    try {
      s.clients.admit(std::move(*client));
    } catch (const std::system_error&) {
      // Closed: there is no room for it in the sets.
    }
  }
}

std::size_t ChatServer::connections() const noexcept { return state_->clients.connections(); }

}  // namespace course
