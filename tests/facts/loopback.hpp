/// @file
/// What the facts need to be shown on the kernel at hand: connected pairs on loopback, the answers
/// of calls, and waiting that ends when the kernel shows a thing (or after 5 s).
///
/// Nothing here sleeps for a guessed time: a test that has done something waits until its effect
/// can be seen, and only then asks the question that it is about.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace facts {

/// How long anything may take to become visible before a test gives it up.
inline constexpr std::chrono::seconds kPatience{5};

/// The one owner of one descriptor. The suite has its own, so that it needs nothing of the course.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;

  /// The descriptor, lent; -1 when nothing is owned.
  [[nodiscard]] int get() const noexcept { return fd_; }

  /// Gives the descriptor up without closing it.
  int release() noexcept;

  /// Closes what is owned, if anything.
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// What a system call answered: its value, or its errno, and the bytes that recv(2) delivered.
struct Result {
  long value = 0;
  int error = 0;  ///< errno; 0 when the call did not fail.
  std::string data{};

  friend bool operator==(const Result&, const Result&) = default;
};

/// For GoogleTest: "5", "2 \"hi\"" or "-1 (EPIPE)".
void PrintTo(const Result& result, std::ostream* out);

/// The answer of the call that was just made; use it around the call, while errno is still fresh.
[[nodiscard]] Result result_of(long value);

/// What is expected of a call.
[[nodiscard]] Result returns(long value);
[[nodiscard]] Result fails_with(int error);
[[nodiscard]] Result delivers(std::string_view data);

/// recv(2) answering 0: the peer has finished.
[[nodiscard]] Result end_of_stream();

/// "EPIPE" for EPIPE.
[[nodiscard]] std::string error_name(int error);

/// The address that a socket is bound to.
[[nodiscard]] sockaddr_in address_of(int fd);

/// Port `port` (0: any) of an address in 127.0.0.0/8 that this process has for itself, so that
/// copies of the suite running side by side cannot take each other's ports.
[[nodiscard]] sockaddr_in own_address(in_port_t port = 0);

/// A fresh TCP socket for IPv4; `flags` are those of socket(2), such as SOCK_NONBLOCK.
[[nodiscard]] Fd tcp_socket(int flags = 0);

/// A TCP socket listening on a port of its own.
[[nodiscard]] Fd listening_socket(int backlog = 16);

/// A TCP socket bound to a port of its own, on which nobody listens: connecting there is refused.
[[nodiscard]] Fd refusing_socket();

/// connect(2) and bind(2) without the casts.
[[nodiscard]] Result connect(int fd, const sockaddr_in& address);
[[nodiscard]] Result bind(int fd, const sockaddr_in& address);

/// A blocking TCP socket connected to `listener`, which has not accepted it yet.
[[nodiscard]] Fd connected_to(int listener);

/// A listener whose queue is full: `listen(fd, 0)` and one connection that nobody accepts. The
/// next connect stays pending until accept_one().
struct FullListener {
  FullListener();
  void accept_one();

  Fd listener;
  Fd queued;
  Fd accepted;
};

/// Two connected stream sockets; the facts are about mine(), the other side is peer().
class Pair {
 public:
  Pair(Fd mine, Fd peer);
  [[nodiscard]] int mine() const { return mine_.get(); }
  [[nodiscard]] int peer() const { return peer_.get(); }
  void close_mine() { mine_.reset(); }
  void close_peer() { peer_.reset(); }
  int release_mine() { return mine_.release(); }

 private:
  Fd mine_;
  Fd peer_;
};

/// A TCP connection, both ends blocking and with TCP_NODELAY.
[[nodiscard]] Pair tcp_pair();

/// The same with small buffers of fixed size, which are full after a few hundred kilobytes.
[[nodiscard]] Pair narrow_tcp_pair();

/// Two connected AF_UNIX stream sockets.
[[nodiscard]] Pair unix_pair();

/// pipe(2).
struct Pipe {
  Pipe();
  Fd reader;
  Fd writer;
};

/// send(2) of a text; never raises SIGPIPE.
[[nodiscard]] Result send(int fd, std::string_view text, int flags = 0);

/// Fills the socket until send(2) says EAGAIN; returns the number of bytes it took.
std::size_t fill(int fd);

/// More than two sockets and their buffers can hold.
inline constexpr std::size_t k64MiB = 64U * 1024 * 1024;

/// Receives and drops up to `most` bytes, until the stream ends, fails or brings nothing for 5 s:
/// how many bytes came, and the error that ended it.
[[nodiscard]] Result drain(int fd, std::size_t most);

/// Waits until there is something to receive, then asks recv(2) once, for up to 64 bytes.
[[nodiscard]] Result receive(int fd, int flags = 0);

/// Asks recv(2) once, without waiting (MSG_DONTWAIT), for up to 64 bytes.
[[nodiscard]] Result receive_now(int fd, int flags = 0);

/// SO_ERROR, which asking for it clears.
[[nodiscard]] int pending_error(int fd);

/// setsockopt(2) with an int; false when it failed.
bool set_option(int fd, int level, int option, int value);

/// Closes with a reset instead of a FIN (SO_LINGER with a linger time of 0).
void reset_connection(Fd& fd);

/// SO_RCVTIMEO or SO_SNDTIMEO.
void set_timeout(int fd, int option, std::chrono::milliseconds timeout);

/// The state of a TCP socket (tcpi_state): TCP_ESTABLISHED, TCP_SYN_SENT, TCP_CLOSE …
[[nodiscard]] int tcp_state(int fd);

/// In which lists select(2) reports `fd` right now: "readable writable exceptional", "nothing", or
/// the name of its error.
[[nodiscard]] std::string readiness(int fd);

/// Asks `condition` again and again until it says true; false when it has not after kPatience.
[[nodiscard]] bool wait_until(const std::function<bool()>& condition);

/// Waits until select(2) reports `fd` in exactly these lists.
[[nodiscard]] testing::AssertionResult becomes(int fd, std::string_view wanted);

/// Waits until `count` bytes lie ready to be received (FIONREAD).
[[nodiscard]] testing::AssertionResult holds_input(int fd, int count);

/// Waits until the peer's FIN has arrived (POLLRDHUP).
[[nodiscard]] testing::AssertionResult peer_has_finished(int fd);

/// Waits until the TCP socket is in `state`.
[[nodiscard]] testing::AssertionResult reaches_state(int fd, int state);

/// Waits until `count` connections wait at the listener to be accepted.
[[nodiscard]] testing::AssertionResult has_pending(int listener, unsigned count);

}  // namespace facts
