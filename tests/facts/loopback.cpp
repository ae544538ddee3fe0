#include "loopback.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <system_error>
#include <thread>
#include <utility>

namespace facts {
namespace {

/// The set-up of a test, unlike what it tests, has to work.
int must(int value, const char* call) {
  if (value < 0) throw std::system_error(errno, std::system_category(), call);
  return value;
}

constexpr std::size_t kReceiveBytes = 64;

tcp_info tcp_info_of(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  must(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), "getsockopt(TCP_INFO)");
  return info;
}

short poll_now(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  must(::poll(&entry, 1, 0), "poll");
  return entry.revents;
}

void wait_for_input(int fd) {
  pollfd entry{.fd = fd, .events = POLLIN | POLLPRI, .revents = 0};
  must(::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())), "poll");
}

Pair connect_pair(int buffer_bytes) {
  const Fd listener = listening_socket();
  Fd mine = tcp_socket();
  if (buffer_bytes > 0) {  // before connecting: the window scale is settled then (tcp(7))
    set_option(listener.get(), SOL_SOCKET, SO_RCVBUF, buffer_bytes);
    set_option(mine.get(), SOL_SOCKET, SO_SNDBUF, buffer_bytes);
  }
  must(connect(mine.get(), address_of(listener.get())).error == 0 ? 0 : -1, "connect");
  Fd peer(must(::accept(listener.get(), nullptr, nullptr), "accept"));
  set_option(mine.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(peer.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return {std::move(mine), std::move(peer)};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() noexcept { return std::exchange(fd_, -1); }

void Fd::reset() noexcept {
  if (fd_ >= 0) (void)::close(release());  // the number is free even if this fails (close(2))
}

void PrintTo(const Result& result, std::ostream* out) {
  *out << result.value;
  if (result.error != 0) *out << " (" << error_name(result.error) << ")";
  if (!result.data.empty()) *out << " \"" << result.data << "\"";
}

Result result_of(long value) { return {.value = value, .error = value < 0 ? errno : 0}; }
Result returns(long value) { return {.value = value}; }
Result fails_with(int error) { return {.value = -1, .error = error}; }
Result delivers(std::string_view data) {
  return {.value = static_cast<long>(data.size()), .data = std::string(data)};
}
Result end_of_stream() { return returns(0); }

std::string error_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

sockaddr_in address_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  must(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return address;
}

sockaddr_in own_address(in_port_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const auto process = static_cast<in_addr_t>(::getpid());
  address.sin_addr.s_addr = htonl(0x7F400000U | (process & 0x3FFFFFU));  // 127.64.0.0/10
  return address;
}

Fd tcp_socket(int flags) {
  return Fd(must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"));
}

Fd refusing_socket() {
  Fd fd = tcp_socket();
  must(bind(fd.get(), own_address()).error == 0 ? 0 : -1, "bind");
  return fd;
}

Fd listening_socket(int backlog) {
  Fd fd = refusing_socket();
  must(::listen(fd.get(), backlog), "listen");
  return fd;
}

Result connect(int fd, const sockaddr_in& address) {
  return result_of(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

Result bind(int fd, const sockaddr_in& address) {
  return result_of(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

Fd connected_to(int listener) {
  Fd fd = tcp_socket();
  must(connect(fd.get(), address_of(listener)).error == 0 ? 0 : -1, "connect");
  return fd;
}

FullListener::FullListener() : listener(listening_socket(0)), queued(connected_to(listener.get())) {
  EXPECT_TRUE(has_pending(listener.get(), 1));
}

void FullListener::accept_one() {
  accepted = Fd(must(::accept(listener.get(), nullptr, nullptr), "accept"));
}

Pair::Pair(Fd mine, Fd peer) : mine_(std::move(mine)), peer_(std::move(peer)) {}

Pair tcp_pair() { return connect_pair(0); }

Pair narrow_tcp_pair() { return connect_pair(64 * 1024); }

Pair unix_pair() {
  std::array<int, 2> ends{};
  must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

Pipe::Pipe() {
  std::array<int, 2> ends{};
  must(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
  reader = Fd(ends[0]);
  writer = Fd(ends[1]);
}

Result send(int fd, std::string_view text, int flags) {
  return result_of(::send(fd, text.data(), text.size(), flags | MSG_NOSIGNAL));
}

std::size_t fill(int fd) {
  static constexpr std::array<char, 4096> kBlock{};
  std::size_t taken = 0;
  while (true) {
    const ssize_t count = ::send(fd, kBlock.data(), kBlock.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) break;
    taken += static_cast<std::size_t>(count);
  }
  EXPECT_EQ(error_name(errno), "EAGAIN");
  return taken;
}

Result drain(int fd, std::size_t most) {
  static std::array<char, 1024UL * 1024> buffer;
  Result total;
  while (static_cast<std::size_t>(total.value) < most) {
    wait_for_input(fd);
    const std::size_t wanted =
        std::min(buffer.size(), most - static_cast<std::size_t>(total.value));
    const ssize_t count = ::recv(fd, buffer.data(), wanted, MSG_DONTWAIT);
    if (count < 0) total.error = errno;
    if (count <= 0) break;
    total.value += count;
  }
  return total;
}

Result receive(int fd, int flags) {
  wait_for_input(fd);
  return receive_now(fd, flags);
}

Result receive_now(int fd, int flags) {
  std::array<char, kReceiveBytes> buffer{};
  Result result = result_of(::recv(fd, buffer.data(), buffer.size(), flags | MSG_DONTWAIT));
  if (result.value > 0) result.data.assign(buffer.data(), static_cast<std::size_t>(result.value));
  return result;
}

int pending_error(int fd) {
  int error = -1;
  socklen_t length = sizeof error;
  must(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), "getsockopt(SO_ERROR)");
  return error;
}

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

void reset_connection(Fd& fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  must(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
  fd.reset();
}

void set_timeout(int fd, int option, std::chrono::milliseconds timeout) {
  const timeval value{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  must(::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value), "setsockopt(timeout)");
}

int tcp_state(int fd) { return tcp_info_of(fd).tcpi_state; }

std::string readiness(int fd) {
  std::array<fd_set, 3> sets{};
  for (fd_set& set : sets) {
    FD_ZERO(&set);
    FD_SET(fd, &set);
  }
  timeval at_once{};
  if (::select(fd + 1, &sets[0], &sets[1], &sets[2], &at_once) < 0) return error_name(errno);
  constexpr std::array<const char*, 3> kNames{"readable", "writable", "exceptional"};
  std::string lists;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (FD_ISSET(fd, &sets[i])) lists += (lists.empty() ? "" : " ") + std::string(kNames[i]);
  }
  return lists.empty() ? "nothing" : lists;
}

bool wait_until(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

testing::AssertionResult becomes(int fd, std::string_view wanted) {
  if (wait_until([&] { return readiness(fd) == wanted; })) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "select still reports \"" << readiness(fd) << "\", not \"" << wanted << "\"";
}

testing::AssertionResult holds_input(int fd, int count) {
  int present = 0;
  const auto all_there = [&] { return ::ioctl(fd, FIONREAD, &present) == 0 && present == count; };
  if (wait_until(all_there)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << present << " bytes arrived, not " << count;
}

testing::AssertionResult peer_has_finished(int fd) {
  if (wait_until([&] { return (poll_now(fd, POLLRDHUP) & POLLRDHUP) != 0; })) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "no FIN arrived";
}

testing::AssertionResult reaches_state(int fd, int state) {
  if (wait_until([&] { return tcp_state(fd) == state; })) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "TCP state " << tcp_state(fd) << ", not " << state;
}

testing::AssertionResult has_pending(int listener, unsigned count) {
  // For a listener, tcpi_unacked is the length of the queue of connections (net/ipv4/tcp.c).
  if (wait_until([&] { return tcp_info_of(listener).tcpi_unacked == count; })) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << tcp_info_of(listener).tcpi_unacked << " pending";
}

}  // namespace facts
