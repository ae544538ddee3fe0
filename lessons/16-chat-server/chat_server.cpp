// Lesson 16: replace each call of not_started() with your own code. README.md tells the story,
// chat_server.hpp is the contract.
#include "16-chat-server/chat_server.hpp"

#include "given/not_started.hpp"

// ---- Room: the rules

struct course::Room::State {};

course::Room::Room() { not_started("Room"); }
course::Room::~Room() = default;
course::Room::Room(const Room&) { not_started("Room, copied"); }
course::Room::Room(Room&&) noexcept = default;
course::Room& course::Room::operator=(const Room&) { not_started("Room, copied"); }
course::Room& course::Room::operator=(Room&&) noexcept = default;

std::vector<course::Outgoing> course::Room::handle(const Event&) { not_started("Room::handle"); }

std::optional<std::string> course::Room::name_of(ClientId) const { not_started("Room::name_of"); }

// ---- LineClients: the sockets

struct course::LineClients::State {};

course::LineClients::LineClients(LineLimits) { not_started("LineClients"); }
course::LineClients::~LineClients() = default;
course::LineClients::LineClients(LineClients&&) noexcept = default;
course::LineClients& course::LineClients::operator=(LineClients&&) noexcept = default;

course::ClientId course::LineClients::admit(Fd) { not_started("LineClients::admit"); }

course::LineClients::Turn course::LineClients::step(Deadline, std::span<const int>) {
  not_started("LineClients::step");
}

void course::LineClients::send(ClientId, std::string_view) { not_started("LineClients::send"); }

void course::LineClients::disconnect(ClientId) { not_started("LineClients::disconnect"); }

void course::LineClients::drop(ClientId) { not_started("LineClients::drop"); }

std::size_t course::LineClients::unsent(ClientId) const noexcept {
  not_started("LineClients::unsent");
}

std::size_t course::LineClients::unfinished(ClientId) const noexcept {
  not_started("LineClients::unfinished");
}

std::size_t course::LineClients::connections() const noexcept {
  not_started("LineClients::connections");
}

// ---- ChatServer: both together

struct course::ChatServer::State {};

course::ChatServer::ChatServer(Fd, LineLimits) { not_started("ChatServer"); }
course::ChatServer::~ChatServer() = default;
course::ChatServer::ChatServer(ChatServer&&) noexcept = default;
course::ChatServer& course::ChatServer::operator=(ChatServer&&) noexcept = default;

void course::ChatServer::step(Deadline, int) { not_started("ChatServer::step"); }

std::size_t course::ChatServer::connections() const noexcept {
  not_started("ChatServer::connections");
}
