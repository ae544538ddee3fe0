// System calls with their own names, and times as numbers.
#include <errno.h>
#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <system_error>
#include <utility>
#include <vector>

#include "18-overload-and-shutdown/overload_and_shutdown.hpp"

namespace course {
namespace {

using Nanoseconds = long long;

Nanoseconds now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

void say_no(int fd) {
  static const char line[] = "! full: try again later\n";
  char unread[1024];
  (void)!send(fd, line, sizeof line - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  for (int i = 0; i < 64; ++i)
    if (recv(fd, unread, sizeof unread, MSG_DONTWAIT) <= 0) break;
  close(fd);
}

}  // namespace

struct GuardedChatServer::State {
  int listener;
  Limits limits;
  TimedChat chat;
  Nanoseconds rests_until;  // 0: it does not

  State(int fd, const Limits& all)
      : listener(fd), limits(all), chat(all.times, all.lines), rests_until(0) {}
  ~State() {
    if (listener != -1) close(listener);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // 1: there may be more; 0: no more for now.
  int take_one() {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd == -1) {
      switch (errno) {
        case EAGAIN:
          return 0;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          rests_until = now() + limits.rest.count();
          return 0;
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENOPROTOOPT:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
          return 1;
        default:
          throw std::system_error(errno, std::system_category(), "accept4");
      }
    }
    if (chat.connections() >= limits.clients_max || fd >= FD_SETSIZE)
      say_no(fd);
    else
      chat.admit(Fd(fd));
    return 1;
  }
};

GuardedChatServer::GuardedChatServer(Fd listener, Limits limits) {
  const int flags = fcntl(listener.get(), F_GETFL);
  if (flags == -1 || fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK) == -1)
    throw std::system_error(errno, std::system_category(), "fcntl");
  state_ = std::make_unique<State>(listener.release(), limits);
}

GuardedChatServer::~GuardedChatServer() = default;
GuardedChatServer::GuardedChatServer(GuardedChatServer&&) noexcept = default;
GuardedChatServer& GuardedChatServer::operator=(GuardedChatServer&&) noexcept = default;

void GuardedChatServer::step(Deadline deadline, int wake_up) {
  int others[2];
  std::size_t count = 0;
  bool listens = state_->listener != -1;
  if (listens && state_->rests_until != 0) {
    const Nanoseconds left = state_->rests_until - now();
    if (left <= 0) {
      state_->rests_until = 0;
    } else {
      listens = false;
      const auto remaining = deadline.remaining();
      if (!remaining || remaining->count() > left) deadline = Deadline::after(Duration(left));
    }
  }
  if (wake_up != -1) others[count++] = wake_up;
  if (listens) others[count++] = state_->listener;
  for (int fd : state_->chat.step(deadline, {others, count}))
    if (fd == state_->listener)
      for (int i = 0; i < 64 && state_->take_one(); ++i) continue;
}

std::size_t GuardedChatServer::shutdown(Deadline deadline, int hurry) {
  if (state_->listener != -1) close(state_->listener);
  state_->listener = -1;
  state_->chat.end("* the server is closing: goodbye");
  bool in_a_hurry = false;
  while (state_->chat.connections() != 0 && !in_a_hurry && !deadline.has_passed())
    in_a_hurry = !state_->chat.step(deadline, {&hurry, hurry == -1 ? 0u : 1u}).empty();
  const std::size_t dropped = state_->chat.connections();
  state_->chat.drop_all();
  return dropped;
}

std::size_t GuardedChatServer::connections() const noexcept { return state_->chat.connections(); }

}  // namespace course
