#include "client.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace survival {

bool Patience::wait(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  if (::poll(&entry, 1, static_cast<int>(slice.count())) > 0) return true;
  left_ -= slice;
  return false;
}

int must(int value, const char* call) {
  if (value < 0) throw std::system_error(errno, std::system_category(), call);
  return value;
}

namespace {

// On loopback a segment is larger than a small buffer, and the two do not get on with each other.
constexpr int ethernet_segment_bytes = 1460;

void set_option(int fd, int level, int option, int value) {
  must(::setsockopt(fd, level, option, &value, sizeof value), "setsockopt");
}

}  // namespace

Client::Client(const sockaddr_in& server, int receive_buffer_bytes)
    : fd_(must(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket")) {
  if (receive_buffer_bytes > 0) {  // before connecting: both are settled then (tcp(7))
    set_option(fd_, SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes);
    set_option(fd_, IPPROTO_TCP, TCP_MAXSEG, ethernet_segment_bytes);
  }
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  // From the server's own address: what the kernel has learnt of other clients (tcp_metrics) is not
  // for this one.
  sockaddr_in own = server;
  own.sin_port = 0;
  set_option(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  must(::bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own), "bind");
  const int result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server);
  has_ended_ = has_failed_ = result == -1 && errno != EINPROGRESS;
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      has_ended_(other.has_ended_),
      has_finished_(other.has_finished_),
      has_failed_(other.has_failed_),
      in_(std::move(other.in_)) {}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(has_ended_, other.has_ended_);
  std::swap(has_finished_, other.has_finished_);
  std::swap(has_failed_, other.has_failed_);
  std::swap(in_, other.in_);
  return *this;
}

Client::~Client() { close(); }

std::size_t Client::try_send(std::string_view text) {
  const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  has_failed_ = errno != EAGAIN && errno != EINTR;
  return 0;
}

std::size_t Client::send_without_receiving(std::string_view text, Patience patience) {
  std::size_t sent = 0;
  while (sent < text.size() && !has_failed_ && !patience.is_over()) {
    const std::size_t taken = try_send(text.substr(sent));
    sent += taken;
    if (taken == 0) (void)patience.wait(fd_, POLLOUT);
  }
  return sent;
}

in_port_t Client::port() const {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  must(::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &length), "getsockname");
  return ntohs(own.sin_port);
}

bool Client::send(std::string_view text, Patience patience) {
  while (!text.empty() && !has_failed_) {
    const std::size_t sent = try_send(text);
    text.remove_prefix(sent);
    (void)take();
    if (sent > 0) continue;
    if (patience.is_over()) return false;
    (void)patience.wait(fd_, has_ended_ ? POLLOUT : POLLIN | POLLOUT);
  }
  return text.empty();
}

bool Client::take() {
  static std::array<char, 262'144> buffer;
  while (!has_ended_) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      in_.append(buffer.data(), static_cast<std::size_t>(got));
      if (static_cast<std::size_t>(got) < buffer.size()) return true;
      continue;
    }
    if (got == -1 && (errno == EAGAIN || errno == EINTR)) return true;
    has_finished_ = got == 0;
    has_ended_ = true;
  }
  return false;
}

std::optional<std::string> Client::line(Patience patience) {
  for (;;) {
    if (const std::size_t end = in_.find('\n'); end != std::string::npos) {
      std::string found = in_.substr(0, end);
      in_.erase(0, end + 1);
      return found;
    }
    if (has_ended_ || patience.is_over()) return std::nullopt;
    (void)patience.wait(fd_, POLLIN);
    (void)take();
  }
}

bool Client::hears(std::string_view wanted, Patience patience) {
  while (const auto heard = line(patience))
    if (*heard == wanted) return true;
  return false;
}

std::string Client::receive(std::size_t count, Patience patience) {
  while (in_.size() < count && !has_ended_ && !patience.is_over()) {
    (void)patience.wait(fd_, POLLIN);
    (void)take();
  }
  std::string found = in_.substr(0, count);
  in_.erase(0, found.size());
  return found;
}

std::string Client::receive_all(Patience patience) {
  while (!has_ended_ && !patience.is_over()) {
    (void)patience.wait(fd_, POLLIN);
    (void)take();
  }
  return std::exchange(in_, {});
}

void Client::half_close() { (void)::shutdown(fd_, SHUT_WR); }

void Client::reset() {
  if (fd_ == -1) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void Client::close() {
  if (fd_ != -1) (void)::close(std::exchange(fd_, -1));
}

}  // namespace survival
