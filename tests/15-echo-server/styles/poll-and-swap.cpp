// Style: poll(2) over an array of entries beside an array of clients; who leaves is replaced by the
// last.
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "11-non-blocking/non_blocking.hpp"
#include "15-echo-server/echo_server.hpp"

namespace {

struct Client {
  course::Fd fd;
  std::string out{};
  bool is_paused = false;
  bool is_finished = false;
};

int milliseconds_left(const course::Deadline& deadline) {
  const auto left = deadline.remaining();
  if (!left) return -1;
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
  return count > INT_MAX ? INT_MAX : static_cast<int>(count);
}

}  // namespace

struct course::EchoServer::State {
  Fd listener;
  std::vector<Client> clients{};
  std::vector<pollfd> entries{};  // the listener, the wake-up, and then one for each client

  void ask(const Deadline& deadline, int wake_up) {
    entries.assign({{listener.get(), POLLIN, 0}, {wake_up, POLLIN, 0}});
    for (const Client& client : clients) {
      const bool reads = !client.is_paused && !client.is_finished;
      const int events = (reads ? POLLIN : 0) | (client.out.empty() ? 0 : POLLOUT);
      entries.push_back({client.fd.get(), static_cast<short>(events), 0});
    }
    while (true) {
      const int found = ::poll(entries.data(), entries.size(), milliseconds_left(deadline));
      if (found > 0 || (found == 0 && deadline.has_passed())) return;
      if (found < 0 && errno != EINTR)
        throw std::system_error(errno, std::system_category(), "poll");
    }
  }

  static bool send_out(Client& client) {
    std::size_t sent = 0;
    IoResult result{};
    while (sent < client.out.size() && result.status == IoStatus::ok) {
      result = try_send(client.fd.get(), as_bytes(client.out).subspan(sent));
      sent += result.bytes;
    }
    client.out.erase(0, sent);
    client.is_paused =
        client.out.size() >= 65'536 || (client.is_paused && client.out.size() > 16'384);
    return result.status != IoStatus::error;
  }

  static bool serve(Client& client, short events) {
    if ((events & POLLOUT) != 0 && !send_out(client)) return false;
    if ((events & (POLLERR | POLLNVAL)) != 0 && (events & POLLIN) == 0) return false;
    if ((events & POLLIN) != 0) {
      std::byte piece[32'768];
      const IoResult result = try_recv(client.fd.get(), piece);
      if (result.status == IoStatus::error) return false;
      client.is_finished = result.status == IoStatus::eof;
      client.out += as_text(cbytes(piece, result.bytes));
      if (!send_out(client)) return false;
    }
    return !(client.is_finished && client.out.empty());
  }
};

course::EchoServer::EchoServer(Fd listener) : state_(new State{std::move(listener)}) {
  set_nonblocking(state_->listener.get(), true);
}

course::EchoServer::~EchoServer() = default;
course::EchoServer::EchoServer(EchoServer&&) noexcept = default;
course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline deadline, int wake_up) {
  State& state = *state_;
  state.ask(deadline, wake_up);
  std::exception_ptr failure;
  std::vector<Fd> newcomers;  // not among the clients before those have been served
  try {
    while (state.entries[0].revents != 0 && newcomers.size() < 64) {
      auto fd = try_accept(state.listener.get());
      if (!fd) break;
      newcomers.push_back(std::move(*fd));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  for (std::size_t i = state.clients.size(); i-- > 0;)
    if (const short events = state.entries[i + 2].revents;
        events != 0 && !State::serve(state.clients[i], events)) {
      if (i + 1 < state.clients.size()) state.clients[i] = std::move(state.clients.back());
      state.clients.pop_back();
    }
  for (Fd& fd : newcomers)
    if (fd.get() < FD_SETSIZE) state.clients.push_back({std::move(fd)});
  if (failure) std::rethrow_exception(failure);
}

std::size_t course::EchoServer::connections() const noexcept { return state_->clients.size(); }
