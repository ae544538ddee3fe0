// Lesson 15: replace each call of not_started() with your own code. README.md tells the story,
// echo_server.hpp is the contract.
#include "15-echo-server/echo_server.hpp"

#include "given/not_started.hpp"

struct course::EchoServer::State {};

course::EchoServer::EchoServer(Fd) { not_started("EchoServer"); }

course::EchoServer::~EchoServer() = default;

course::EchoServer::EchoServer(EchoServer&&) noexcept = default;

course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline, int) { not_started("EchoServer::step"); }

std::size_t course::EchoServer::connections() const noexcept {
  not_started("EchoServer::connections");
}
