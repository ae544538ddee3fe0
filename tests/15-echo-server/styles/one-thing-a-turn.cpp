// Style: patient: one client is accepted in a turn, one small piece received from each, and sent
// only when select has said that it can be.
#include <sys/socket.h>

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "15-echo-server/echo_server.hpp"
#include "given/wait_set.hpp"

namespace {

struct Client {
  course::Fd fd;
  std::deque<char> bytes{};
  bool listens = true, has_said_all = false, is_gone = false;

  void hear() {
    std::byte piece[4'096];
    const auto result = course::try_recv(fd.get(), piece);
    if (result.status == course::IoStatus::error) is_gone = true;
    if (result.status == course::IoStatus::eof) has_said_all = true;
    const auto text = course::as_text(course::cbytes(piece, result.bytes));
    bytes.insert(bytes.end(), text.begin(), text.end());
    if (bytes.size() >= 65'536) listens = false;
    if (has_said_all && bytes.empty()) is_gone = true;
  }
  void answer() {
    const std::string piece(
        bytes.begin(),
        bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(bytes.size(), 65'536)));
    const auto result = course::try_send(fd.get(), course::as_bytes(piece));
    if (result.status == course::IoStatus::error) is_gone = true;
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(result.bytes));
    if (bytes.size() <= 16'384) listens = true;
    if (has_said_all && bytes.empty()) is_gone = true;
  }
};

}  // namespace

struct course::EchoServer::State {
  std::list<Client> clients{};
  Fd listener;
};

course::EchoServer::EchoServer(Fd listener) : state_(new State{{}, std::move(listener)}) {
  set_nonblocking(state_->listener.get(), true);
}

course::EchoServer::~EchoServer() = default;
course::EchoServer::EchoServer(EchoServer&&) noexcept = default;
course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline deadline, int wake_up) {
  WaitSet set;
  set.add_reader(state_->listener.get());
  if (wake_up != -1) set.add_reader(wake_up);
  for (const Client& client : state_->clients) {
    if (client.listens && !client.has_said_all) set.add_reader(client.fd.get());
    if (!client.bytes.empty()) set.add_writer(client.fd.get());
  }
  set.wait(deadline);
  for (Client& client : state_->clients) {
    if (set.is_writable(client.fd.get())) client.answer();
    if (!client.is_gone && set.is_readable(client.fd.get())) client.hear();
  }
  std::optional<Fd> newcomer;
  const auto tidy = [&] {
    state_->clients.remove_if([](const Client& client) { return client.is_gone; });
    if (newcomer && WaitSet::fits(newcomer->get()))
      state_->clients.push_front({std::move(*newcomer)});
  };
  try {
    if (set.is_readable(state_->listener.get())) newcomer = try_accept(state_->listener.get());
  } catch (...) {
    tidy();
    throw;
  }
  tidy();
}

std::size_t course::EchoServer::connections() const noexcept { return state_->clients.size(); }
