// Style: as in C: an array indexed by descriptor, sets that are kept from turn to turn and copied
// for every select, a buffer of fixed size for each client, errno and goto.
#include <fcntl.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "15-echo-server/echo_server.hpp"

namespace {

constexpr size_t high = 65536, low = 16384;

struct client {
  bool is_open, is_paused, has_ended;
  size_t begin, end;
  char* buffer;  // 2 * high bytes
};

}  // namespace

struct course::EchoServer::State {
  int listener = -1, nfds = 0;
  fd_set master_read, master_write, readable, writable;
  client clients[FD_SETSIZE];
  size_t count = 0;

  State() {
    memset(clients, 0, sizeof clients);
    FD_ZERO(&master_read);
    FD_ZERO(&master_write);
  }
  ~State() {
    for (int fd = 0; fd < FD_SETSIZE; ++fd)
      if (clients[fd].is_open) drop(fd);
    if (listener >= 0) close(listener);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void drop(int fd) {
    FD_CLR(fd, &master_read);
    FD_CLR(fd, &master_write);
    delete[] clients[fd].buffer;
    memset(&clients[fd], 0, sizeof clients[fd]);
    close(fd);
    --count;
  }

  void take_in(int fd) {
    clients[fd].is_open = true;
    clients[fd].buffer = new char[2 * high];
    FD_SET(fd, &master_read);
    if (fd >= nfds) nfds = fd + 1;
    ++count;
  }

  void look_at_marks(int fd) {
    client& c = clients[fd];
    const size_t waiting = c.end - c.begin;
    if (waiting >= high) c.is_paused = true;
    if (waiting <= low) c.is_paused = false;
    if (c.is_paused || c.has_ended)
      FD_CLR(fd, &master_read);
    else
      FD_SET(fd, &master_read);
    if (waiting > 0)
      FD_SET(fd, &master_write);
    else
      FD_CLR(fd, &master_write);
    if (c.has_ended && waiting == 0) drop(fd);
  }

  void send_to(int fd) {
    client& c = clients[fd];
    while (c.begin < c.end) {
      const ssize_t n = send(fd, c.buffer + c.begin, c.end - c.begin, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (n < 0) return drop(fd);
      c.begin += static_cast<size_t>(n);
    }
    if (c.begin == c.end) c.begin = c.end = 0;
    look_at_marks(fd);
  }

  void receive_from(int fd) {
    client& c = clients[fd];
    ssize_t n;
    memmove(c.buffer, c.buffer + c.begin, c.end - c.begin);
    c.end -= c.begin;
    c.begin = 0;
  again:
    n = recv(fd, c.buffer + c.end, high, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) goto again;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) return drop(fd);
    if (n == 0) c.has_ended = true;
    c.end += static_cast<size_t>(n);
    send_to(fd);
  }

  void wait(const Deadline& deadline, int wake_up) {
    for (;;) {
      readable = master_read;
      writable = master_write;
      if (wake_up >= 0) FD_SET(wake_up, &readable);
      const int end = wake_up >= nfds ? wake_up + 1 : nfds;
      timeval time = {0, 0};
      const auto left = deadline.remaining();
      if (left) {
        const long long us = (left->count() + 999) / 1000;
        time.tv_sec = static_cast<time_t>(us / 1000000);
        time.tv_usec = static_cast<suseconds_t>(us % 1000000);
      }
      if (select(end, &readable, &writable, nullptr, left ? &time : nullptr) >= 0) return;
      if (errno != EINTR) throw std::system_error(errno, std::system_category(), "select");
    }
  }
};

course::EchoServer::EchoServer(Fd listener) : state_(new State) {
  const int fd = listener.get();
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
    throw std::system_error(errno, std::system_category(), "fcntl");
  FD_SET(fd, &state_->master_read);
  state_->nfds = fd + 1;
  state_->listener = listener.release();
}

course::EchoServer::~EchoServer() = default;
course::EchoServer::EchoServer(EchoServer&&) noexcept = default;
course::EchoServer& course::EchoServer::operator=(EchoServer&&) noexcept = default;

void course::EchoServer::step(Deadline deadline, int wake_up) {
  State& s = *state_;
  s.wait(deadline, wake_up);
  const int end = s.nfds;
  for (int fd = 0; fd < end; ++fd) {
    if (s.clients[fd].is_open && FD_ISSET(fd, &s.writable)) s.send_to(fd);
    if (s.clients[fd].is_open && FD_ISSET(fd, &s.readable)) s.receive_from(fd);
  }
  if (!FD_ISSET(s.listener, &s.readable)) return;
  for (int i = 0; i < 64; ++i) {
    const int fd = accept4(s.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= FD_SETSIZE) {
      close(fd);
      continue;
    }
    if (fd >= 0) {
      s.take_in(fd);
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENOPROTOOPT:
      case ENETDOWN:
      case ENETUNREACH:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ENONET:
      case EOPNOTSUPP:
        continue;
      default:
        throw std::system_error(errno, std::system_category(), "accept4");
    }
  }
}

std::size_t course::EchoServer::connections() const noexcept { return state_->count; }
