#include "15-echo-server/echo_server.hpp"

#include <array>
#include <iterator>
#include <list>
#include <optional>
#include <utility>

#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "given/wait_set.hpp"

namespace course {
namespace {

constexpr std::size_t piece_bytes = 16'384;
constexpr std::size_t turn_bytes_max = 65'536;  // received from one client
constexpr int turn_accepts_max = 64;
constexpr WaterMarks marks;

struct Client {
  Fd fd;
  OutQueue waiting{};
  bool is_paused = false;  ///< so much waits that nothing is received
  bool has_ended = false;  ///< nothing more will be received
  bool has_failed = false;
  [[nodiscard]] bool may_receive() const { return !is_paused && !has_ended; }
  [[nodiscard]] bool is_done() const { return has_failed || (has_ended && !waiting.wants_write()); }
};

void flush(Client& client) {
  client.has_failed |= client.waiting.flush(client.fd.get()).status == IoStatus::error;
  if (client.waiting.size() >= marks.high) client.is_paused = true;
  if (client.waiting.size() <= marks.low) client.is_paused = false;  // in between: as it was
}

void receive(Client& client) {
  std::array<std::byte, piece_bytes> buffer;
  for (std::size_t received = 0; received < turn_bytes_max && client.may_receive();) {
    const IoResult result = try_recv(client.fd.get(), buffer);
    client.has_ended = result.status == IoStatus::eof;
    client.has_failed = result.status == IoStatus::error;
    if (result.status != IoStatus::ok) return;
    received += result.bytes;
    client.waiting.push(cbytes(buffer).first(result.bytes));
    flush(client);  // most often it fits, and nobody need wait
    if (client.has_failed || result.bytes < buffer.size()) return;  // that was all there was
  }
}

}  // namespace

struct EchoServer::State {
  Fd listener;
  std::list<Client> clients{};
  WaitSet waits{};

  void wait(Deadline deadline, int wake_up) {
    waits.clear();
    waits.add_reader(listener.get());
    if (wake_up >= 0) waits.add_reader(wake_up);
    for (const Client& client : clients) {
      if (client.may_receive()) waits.add_reader(client.fd.get());
      if (client.waiting.wants_write()) waits.add_writer(client.fd.get());
    }
    waits.wait(deadline);
  }

  void serve_clients() {
    for (auto it = clients.begin(); it != clients.end();) {
      if (waits.is_writable(it->fd.get())) flush(*it);
      if (waits.is_readable(it->fd.get()) && !it->has_failed) receive(*it);
      it = it->is_done() ? clients.erase(it) : std::next(it);
    }
  }

  // After the clients: what the wait told of a number says nothing of whoever gets it next.
  void accept_clients() {
    if (!waits.is_readable(listener.get())) return;
    for (int accepted = 0; accepted < turn_accepts_max; ++accepted) {
      std::optional<Fd> client = try_accept(listener.get());
      if (!client) return;
      if (WaitSet::fits(client->get())) clients.push_back({std::move(*client)});
    }
  }
};

EchoServer::EchoServer(Fd listener) {
  set_nonblocking(listener.get(), true);  // who waited may have left before accept
  state_ = std::make_unique<State>(State{std::move(listener)});
}

EchoServer::~EchoServer() = default;
EchoServer::EchoServer(EchoServer&&) noexcept = default;
EchoServer& EchoServer::operator=(EchoServer&&) noexcept = default;

void EchoServer::step(Deadline deadline, int wake_up) {
  state_->wait(deadline, wake_up);
  state_->serve_clients();
  state_->accept_clients();
}

std::size_t EchoServer::connections() const noexcept { return state_->clients.size(); }

}  // namespace course
