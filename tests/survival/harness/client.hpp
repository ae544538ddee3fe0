/// @file
/// One client's end of a connection, with all the manners and the bad ones.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "patience.hpp"

namespace survival {

/// Throws std::system_error naming `call` when `value` is negative: what an attack itself needs has
/// to work.
int must(int value, const char* call);

/// A TCP connection in non-blocking mode. What arrives is kept until it is asked for. That the
/// server ends the connection is never an exception, only an end.
class Client {
 public:
  /// Begins to connect, and does not wait. A small `receive_buffer_bytes` (0: as the system has it)
  /// leaves the server with what is not received.
  explicit Client(const sockaddr_in& server, int receive_buffer_bytes = 0);
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  ~Client();

  /// Sends all of it, receiving meanwhile. False when the server has not taken it in time, or ended
  /// the connection.
  bool send(std::string_view text, Patience patience = Patience());

  /// Sends what the kernel takes now, and receives nothing; how much that was.
  std::size_t try_send(std::string_view text);

  /// Sends of `text` what the server takes while nothing is received: until nothing more fits for
  /// as long as the patience lasts. How much that was.
  std::size_t send_without_receiving(std::string_view text,
                                     Patience patience = Patience(milliseconds(500)));

  /// The next line, without its LF; nothing when none comes in time.
  std::optional<std::string> line(Patience patience = Patience());

  /// Passes over lines until `wanted` comes; false when it does not come in time.
  bool hears(std::string_view wanted, Patience patience = Patience());

  /// The next `count` bytes, or as many as came in time or before the end.
  std::string receive(std::size_t count, Patience patience = Patience());

  /// What comes until the server finishes, ends the connection otherwise, or nothing comes in time.
  std::string receive_all(Patience patience = Patience());

  /// Takes what is there into the store without waiting; false when the connection has ended.
  bool take();

  /// Forgets what has been received and not asked for.
  void forget() { in_.clear(); }

  /// How many bytes are in the store.
  [[nodiscard]] std::size_t stored() const { return in_.size(); }

  /// Whether nothing more will come from the server, as far as a call of this object has seen.
  [[nodiscard]] bool has_ended() const { return has_ended_; }

  /// Whether the server finished in order: a FIN and no reset.
  [[nodiscard]] bool has_finished() const { return has_finished_; }

  /// Ends the own direction only: SHUT_WR.
  void half_close();

  /// Ends the connection with a reset: SO_LINGER of 0 s, then close(2).
  void reset();

  /// Ends it with close(2).
  void close();

  [[nodiscard]] int fd() const { return fd_; }

  /// The port of its own end, in host order.
  [[nodiscard]] in_port_t port() const;

 private:
  int fd_ = -1;
  bool has_ended_ = false;
  bool has_finished_ = false;
  bool has_failed_ = false;  ///< nothing more can be sent
  std::string in_{};
};

}  // namespace survival
