// Style: everything from earlier lessons (select_until, drain, OutQueue), clients in a map.
#include <map>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "15-echo-server/echo_server.hpp"

namespace {

struct Client {
  course::Fd fd;
  course::OutQueue due{};
  bool is_full = false, is_at_end = false;
};

}  // namespace

struct course::EchoServer::State {
  Fd listener;
  std::map<int, Client> clients{};

  // False: this client is to be closed.
  static bool serve(Client& client, bool is_readable) {
    bool is_alive = true;
    if (is_readable && !client.is_full && !client.is_at_end) {
      std::string text;
      const IoResult came = drain(client.fd.get(), text, 65'536);
      client.due.push(as_bytes(text));
      client.is_at_end = came.status == IoStatus::eof;
      is_alive = came.status != IoStatus::error;
    }
    if (is_alive && client.due.flush(client.fd.get()).status == IoStatus::error) is_alive = false;
    if (client.due.size() >= 65'536) client.is_full = true;
    if (client.due.size() <= 16'384) client.is_full = false;
    return is_alive && !(client.is_at_end && !client.due.wants_write());
  }
};

course::EchoServer::EchoServer(Fd listener) {
  set_nonblocking(listener.get(), true);
  state_.reset(new State{std::move(listener)});
}

course::EchoServer::~EchoServer() = default;
course::EchoServer::EchoServer(EchoServer&&) noexcept = default;
course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline deadline, int wake_up) {
  auto& clients = state_->clients;
  std::vector<int> readers = {state_->listener.get()}, writers;
  if (wake_up >= 0) readers.push_back(wake_up);
  for (auto& [fd, client] : clients) {
    if (!client.is_full && !client.is_at_end) readers.push_back(fd);
    if (client.due.wants_write()) writers.push_back(fd);
  }
  const Ready ready = select_until(readers, writers, {}, deadline);
  for (const auto* list : {&ready.readable, &ready.writable})
    for (const int fd : *list) {
      const auto found = clients.find(fd);
      if (found != clients.end() && !State::serve(found->second, list == &ready.readable))
        clients.erase(found);
    }
  if (ready.readable.empty() || ready.readable.front() != state_->listener.get()) return;
  for (int i = 0; i < 64; ++i) {
    auto client = try_accept(state_->listener.get());
    if (!client) break;
    const int fd = client->get();
    if (fd < FD_SETSIZE) clients.emplace(fd, Client{std::move(*client)});
  }
}

std::size_t course::EchoServer::connections() const noexcept { return state_->clients.size(); }
