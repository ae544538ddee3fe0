#include "load.hpp"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

namespace benchmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int silence_max_ms = 10'000;

int must(int value, const char* call) {
  if (value < 0) throw std::system_error(errno, std::system_category(), call);
  return value;
}

struct Connection {
  int fd = -1;
  std::size_t received_bytes = 0;  ///< of the answer that is coming in
  int waiting = 0;                 ///< messages without an answer
  int oldest = 0;                  ///< where the oldest of them is in sent_at
  std::array<Clock::time_point, in_flight_max> sent_at{};
};

std::array<char, in_flight_max * message_bytes> messages() {
  std::array<char, in_flight_max * message_bytes> all;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(' ' + i % message_bytes);
  return all;
}

const std::array all_messages = messages();

void send(Connection& connection, int count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * message_bytes;
  const ssize_t sent = ::send(connection.fd, all_messages.data(), bytes, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes)) throw std::runtime_error("a message was not taken");
  const Clock::time_point now = Clock::now();
  for (int i = 0; i < count; ++i)
    connection.sent_at.at(static_cast<std::size_t>((connection.oldest + connection.waiting + i) %
                                                   in_flight_max)) = now;
  connection.waiting += count;
}

/// Receives what is there; how many answers were completed by it.
int receive(Connection& connection, std::vector<std::uint32_t>& took_ns) {
  std::array<char, in_flight_max * message_bytes> buffer;
  const std::size_t offset = connection.received_bytes;
  const ssize_t got = ::recv(connection.fd, buffer.data(), buffer.size() - offset, 0);
  if (got == 0) throw std::runtime_error("the server has closed a connection");
  must(static_cast<int>(got), "recv");
  const auto bytes = static_cast<std::size_t>(got);
  if (std::memcmp(buffer.data(), all_messages.data() + offset, bytes) != 0)
    throw std::runtime_error("a message came back changed");
  const auto completed = static_cast<int>((offset + bytes) / message_bytes);
  connection.received_bytes = (offset + bytes) % message_bytes;
  if (completed > connection.waiting) throw std::runtime_error("an answer that nobody asked for");
  const Clock::time_point now = Clock::now();
  for (int i = 0; i < completed; ++i) {
    const auto took = now - connection.sent_at.at(static_cast<std::size_t>(connection.oldest));
    took_ns.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(took.count(), UINT32_MAX)));
    connection.oldest = (connection.oldest + 1) % in_flight_max;
  }
  connection.waiting -= completed;
  return completed;
}

}  // namespace

struct Clients::State {
  Load load;
  int poller = must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  std::vector<Connection> connections{};
  std::size_t waiting = 0;  ///< messages without an answer, of all

  ~State() {
    for (const Connection& connection : connections) (void)::close(connection.fd);
    (void)::close(poller);
  }

  void connect(const sockaddr_in& server) {
    Connection& one = connections.emplace_back();
    one.fd = must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    must(::setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
    must(::connect(one.fd, reinterpret_cast<const sockaddr*>(&server), sizeof server), "connect");
    epoll_event event{.events = EPOLLIN, .data = {.u64 = connections.size() - 1}};
    must(::epoll_ctl(poller, EPOLL_CTL_ADD, one.fd, &event), "epoll_ctl");
  }

  void ask(Connection& connection, int count) {
    send(connection, count);
    waiting += static_cast<std::size_t>(count);
  }

  /// Waits once, receives, and asks again as long as the time is not over.
  void take_a_turn(std::vector<std::uint32_t>& took_ns, Clock::time_point end) {
    std::array<epoll_event, 256> events;
    const int count =
        must(::epoll_wait(poller, events.data(), events.size(), silence_max_ms), "epoll_wait");
    if (count == 0) throw std::runtime_error("no answer");
    for (int i = 0; i < count; ++i) {
      Connection& connection = connections.at(events.at(static_cast<std::size_t>(i)).data.u64);
      const int completed = receive(connection, took_ns);
      waiting -= static_cast<std::size_t>(completed);
      if (completed > 0 && Clock::now() < end) ask(connection, completed);
    }
  }
};

Clients::Clients(const sockaddr_in& server, Load load) : state_(new State{load}) {
  std::vector<std::uint32_t> ignored;
  state_->connections.reserve(static_cast<std::size_t>(load.connections));
  for (int i = 0; i < load.connections; ++i) {
    state_->connect(server);
    state_->ask(state_->connections.back(), 1);
    while (state_->waiting > 0) state_->take_a_turn(ignored, {});
  }
}

Clients::~Clients() = default;

std::vector<std::uint32_t> Clients::talk(std::chrono::milliseconds time) {
  std::vector<std::uint32_t> took_ns;
  const Clock::time_point end = Clock::now() + time;
  // The last to have come, so that silent ones have the lower descriptors.
  for (int i = 0; i < state_->load.talking; ++i)
    state_->ask(
        state_->connections.at(state_->connections.size() - 1 - static_cast<std::size_t>(i)),
        state_->load.in_flight);
  while (state_->waiting > 0) state_->take_a_turn(took_ns, end);
  return took_ns;
}

}  // namespace benchmark
