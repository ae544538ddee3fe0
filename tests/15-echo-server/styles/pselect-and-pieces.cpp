// Style: pselect(2), shared_ptr in an unordered_map, pieces in a deque, read(2) and sendmsg(2),
// accept(2) and fcntl(2) instead of accept4(2).
#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "15-echo-server/echo_server.hpp"

namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::system_category(), call);
}

bool is_nothing_now(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

struct Client {
  explicit Client(course::Fd socket) : fd(std::move(socket)) {}
  course::Fd fd;
  std::deque<std::string> pieces{};
  std::size_t skip = 0, waiting = 0;
  enum { listening, pausing, finishing, closing } phase = listening;

  void send_all_that_fits() {
    while (waiting > 0) {
      iovec parts[16];
      std::size_t count = 0, offset = skip;
      for (auto it = pieces.begin(); it != pieces.end() && count < 16; ++it, offset = 0)
        parts[count++] = {it->data() + offset, it->size() - offset};
      msghdr message{};
      message.msg_iov = parts;
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(fd.get(), &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) {
        if (!is_nothing_now(errno)) phase = closing;
        break;
      }
      waiting -= static_cast<std::size_t>(sent);
      for (skip += static_cast<std::size_t>(sent); !pieces.empty() && skip >= pieces.front().size();
           pieces.pop_front())
        skip -= pieces.front().size();
    }
    if (phase == listening && waiting >= 65'536) phase = pausing;
    if (phase == pausing && waiting <= 16'384) phase = listening;
    if (phase == finishing && waiting == 0) phase = closing;
  }

  void receive() {
    std::size_t left = 65'536;
    while (phase == listening && left > 0) {
      std::string piece(std::min<std::size_t>(left, 20'000), '\0');
      const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && is_nothing_now(errno)) return;
      if (got <= 0) {
        phase = got == 0 ? finishing : closing;
        return send_all_that_fits();
      }
      piece.resize(static_cast<std::size_t>(got));
      left -= piece.size();
      waiting += piece.size();
      pieces.push_back(std::move(piece));
      send_all_that_fits();
    }
  }
};

}  // namespace

struct course::EchoServer::State {
  Fd listener;
  std::unordered_map<int, std::shared_ptr<Client>> clients{};

  void accept_some() {
    for (int i = 0; i < 64; ++i) {
      Fd fd(::accept(listener.get(), nullptr, nullptr));
      if (fd.get() < 0) {
        if (is_nothing_now(errno)) return;
        static constexpr int of_one[] = {EINTR,      ECONNABORTED, EPROTO,    ENOPROTOOPT,
                                         ENETDOWN,   ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH,
                                         EOPNOTSUPP, ENONET};
        bool is_of_one = false;
        for (const int error : of_one) is_of_one |= errno == error;
        if (!is_of_one) fail("accept");
        continue;
      }
      if (fd.get() >= FD_SETSIZE) continue;
      (void)::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
      (void)::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
      const int number = fd.get();
      clients.insert_or_assign(number, std::make_shared<Client>(std::move(fd)));
    }
  }
};

course::EchoServer::EchoServer(Fd listener) {
  const int flags = ::fcntl(listener.get(), F_GETFL);
  if (flags == -1 || ::fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK) == -1) fail("fcntl");
  state_ = std::make_unique<State>(State{std::move(listener)});
}

course::EchoServer::~EchoServer() = default;
course::EchoServer::EchoServer(EchoServer&&) noexcept = default;
course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline deadline, int wake_up) {
  fd_set reading, writing;
  do {
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    int highest = std::max(state_->listener.get(), wake_up);
    FD_SET(state_->listener.get(), &reading);
    if (wake_up >= 0) FD_SET(wake_up, &reading);
    for (const auto& [fd, client] : state_->clients) {
      if (client->phase == Client::listening) FD_SET(fd, &reading);
      if (client->waiting > 0) FD_SET(fd, &writing);
      highest = std::max(highest, fd);
    }
    timespec time{};
    const auto left = deadline.remaining();
    if (left) time = {left->count() / 1'000'000'000, left->count() % 1'000'000'000};
    if (::pselect(highest + 1, &reading, &writing, nullptr, left ? &time : nullptr, nullptr) >= 0)
      break;
    if (errno != EINTR) fail("pselect");
  } while (true);

  const auto everybody = state_->clients;  // who is closed below keeps its number until the end
  for (const auto& [fd, client] : everybody) {
    if (FD_ISSET(fd, &writing)) client->send_all_that_fits();
    if (FD_ISSET(fd, &reading)) client->receive();
    if (client->phase == Client::closing) state_->clients.erase(fd);
  }
  if (FD_ISSET(state_->listener.get(), &reading)) state_->accept_some();
}

std::size_t course::EchoServer::connections() const noexcept { return state_->clients.size(); }
