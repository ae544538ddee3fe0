/// @file
/// What the weak servers do right, so that each of them is one page with one fault. The faults
/// stand in the .cpp files; none of this is a model of a good server either: it is only as much as
/// an ordinary conversation needs.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weak {

[[noreturn]] inline void fail(const char* call) {
  std::perror(call);
  std::exit(1);
}

/// Listens as `--port N --bind ADDRESS` say, in this order, and prints "listening on ADDRESS:PORT".
inline int listen_as_told(int argc, char* argv[], bool reuses_address = true) {
  if (argc != 5) std::exit(2);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(std::atoi(argv[2])));
  (void)::inet_pton(AF_INET, argv[4], &address.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = reuses_address ? 1 : 0;
  (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == -1) fail("bind");
  if (::listen(fd, SOMAXCONN) == -1) fail("listen");
  socklen_t length = sizeof address;
  (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("listening on %s:%d\n", argv[4], ntohs(address.sin_port));
  (void)std::fflush(stdout);
  return fd;
}

inline int accept(int listener) { return ::accept(listener, nullptr, nullptr); }

/// The lists for select(2), and afterwards its answer.
struct Watch {
  fd_set readable{}, writable{};
  int highest = -1;

  void add(int fd, fd_set& set) {
    FD_SET(fd, &set);
    highest = fd > highest ? fd : highest;
  }
  void wait() {
    if (::select(highest + 1, &readable, &writable, nullptr, nullptr) == -1) fail("select");
  }
  [[nodiscard]] bool can_read(int fd) const { return FD_ISSET(fd, &readable); }
  [[nodiscard]] bool can_write(int fd) const { return FD_ISSET(fd, &writable); }
};

/// The clients by descriptor; what is kept for each is the server's affair.
template <typename State>
using Clients = std::map<int, State>;

/// Waits for the listener and for what clients send.
template <typename State>
Watch wait_for(int listener, const Clients<State>& clients) {
  Watch watch;
  watch.add(listener, watch.readable);
  for (const auto& [fd, state] : clients) watch.add(fd, watch.readable);
  watch.wait();
  return watch;
}

/// Those who have sent something or left: a list of its own, so that clients may be erased.
template <typename State>
std::vector<int> readers(const Clients<State>& clients, const Watch& watch) {
  std::vector<int> found;
  for (const auto& [fd, state] : clients)
    if (watch.can_read(fd)) found.push_back(fd);
  return found;
}

// ---- Echo servers

struct Nothing {};

/// Sends back what one recv brings, in blocking mode; false when the client has left.
inline bool answer(int fd) {
  char buffer[4096];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  (void)::send(fd, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
  return true;
}

template <typename State>
void drop(Clients<State>& clients, int fd) {
  (void)::close(fd);
  clients.erase(fd);
}

// ---- Echo servers that keep what does not fit: what is kept for a client is what waits for it

inline constexpr std::size_t high_water_bytes = 65'536;

/// Waits for the listener, for clients that take their answers, and for room where some wait.
inline Watch wait_for_room(int listener, const Clients<std::string>& clients) {
  Watch watch;
  watch.add(listener, watch.readable);
  for (const auto& [fd, queue] : clients) {
    if (queue.size() < high_water_bytes) watch.add(fd, watch.readable);
    if (!queue.empty()) watch.add(fd, watch.writable);
  }
  watch.wait();
  return watch;
}

/// Appends what one recv brings; false when the client has left.
inline bool receive(int fd, std::string& queue) {
  char buffer[16'384];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got > 0) queue.append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

/// Sends what fits, with one send, and says what that said.
inline ssize_t flush(int fd, std::string& queue) {
  const ssize_t sent = ::send(fd, queue.data(), queue.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) queue.erase(0, static_cast<std::size_t>(sent));
  return sent;
}

// ---- Chats

struct Guest {
  std::string name{};  ///< empty: not yet said
  std::string line{};  ///< the beginning of a line
};

/// What the others are to be told when `guest` says `text`.
inline std::string told(Guest& guest, std::string_view text) {
  std::string news;
  for (const char byte : text) {
    if (byte != '\n') {
      guest.line += byte;
      continue;
    }
    news += guest.name.empty() ? "* " + guest.line + " joined\n"
                               : guest.name + ": " + guest.line + '\n';
    if (guest.name.empty()) guest.name = guest.line;
    guest.line.clear();
  }
  return news;
}

/// Receives once from `fd`: what the others are to be told. A guest who has left is dropped.
inline std::string hear(Clients<Guest>& guests, int fd) {
  char buffer[4096];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
  if (got > 0) return told(guests[fd], {buffer, static_cast<std::size_t>(got)});
  const std::string name = guests[fd].name;
  drop(guests, fd);
  return name.empty() ? "" : "* " + name + " left\n";
}

/// Sends to everybody but `from`, in blocking mode.
inline void tell(const Clients<Guest>& guests, int from, std::string_view news) {
  for (const auto& [fd, guest] : guests)
    if (fd != from) (void)::send(fd, news.data(), news.size(), MSG_NOSIGNAL);
}

}  // namespace weak
