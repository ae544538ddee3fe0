// Lesson 18: replace each call of not_started() with your own code. README.md tells the story,
// overload_and_shutdown.hpp is the contract.
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"

#include "given/not_started.hpp"

struct course::GuardedChatServer::State {};

course::GuardedChatServer::GuardedChatServer(Fd, Limits) { not_started("GuardedChatServer"); }
course::GuardedChatServer::~GuardedChatServer() = default;
course::GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
course::GuardedChatServer& course::GuardedChatServer::operator=(GuardedChatServer&&) noexcept =
    default;

void course::GuardedChatServer::step(Deadline, int) { not_started("GuardedChatServer::step"); }

std::size_t course::GuardedChatServer::shutdown(Deadline, int) {
  not_started("GuardedChatServer::shutdown");
}

std::size_t course::GuardedChatServer::connections() const noexcept {
  not_started("GuardedChatServer::connections");
}
