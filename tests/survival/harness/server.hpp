/// @file
/// A server program, started to be attacked: what it is told, and what can be seen of it from
/// outside.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "patience.hpp"

namespace survival {

/// What a server does with what it is sent.
enum class Kind {
  echo,  ///< sends it back
  chat,  ///< the first line is a name; every other goes to all others, as "name: line"
};

struct Limits {
  unsigned descriptors = 1024;  ///< RLIMIT_NOFILE of the server, as most systems have it
};

/// A running server, on an address of 127.0.0.0/8 that this process has for itself. It is killed
/// with this object, and with this process.
class Server {
 public:
  /// Starts `command`, a program (looked for as in a shell) and its first arguments, and waits
  /// until it listens. Throws Broken when it does not.
  Server(std::vector<std::string> command, Kind kind, Limits limits = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] const sockaddr_in& address() const { return address_; }

  /// Sends it a signal.
  void signal(int number);

  /// Whether it has been sent SIGTERM.
  [[nodiscard]] bool is_told_to_stop() const { return is_told_to_stop_; }

  /// Stops it (SIGSTOP) and returns when it stands still, or has ended.
  void stop();

  /// Starts it again on the port that it had, after it has ended. Throws Broken when it does not
  /// listen.
  void start_again();

  /// How it has ended: "exit status 1", "killed by SIGPIPE"; nothing while it runs.
  [[nodiscard]] std::optional<std::string> end();

  /// Whether it has ended otherwise than with exit status 0 when it was told to.
  [[nodiscard]] bool has_died() { return end() && !(is_told_to_stop_ && end_ == "exit status 0"); }

  /// Processor time that it has used so far, in user and kernel mode.
  [[nodiscard]] std::chrono::nanoseconds cpu_time() const;

  /// Whether it sleeps at this moment, and neither runs nor waits for a processor (/proc/PID/stat).
  [[nodiscard]] bool is_asleep() const;

  /// The most memory it has had (VmHWM), in bytes.
  [[nodiscard]] std::size_t peak_memory_bytes() const;

  /// How many descriptors it has open.
  [[nodiscard]] std::size_t descriptors() const;

  /// What lies in the buffers of its sockets: sums over all of them, or over the one whose client
  /// has `client_port`.
  struct Buffered {
    std::size_t unread_bytes = 0;  ///< have arrived and have not been received by the server
    std::size_t unsent_bytes = 0;  ///< have been sent by it and have not been acknowledged
  };
  [[nodiscard]] Buffered buffered(in_port_t client_port = 0) const;

  /// What it has written to standard error, in one line.
  [[nodiscard]] std::string complaints() const;

 private:
  void start(in_port_t port);

  std::vector<std::string> command_;
  Kind kind_;
  Limits limits_;
  pid_t pid_ = -1;
  bool is_told_to_stop_ = false;
  int output_ = -1, errors_ = -1;
  std::optional<std::string> end_{};
  sockaddr_in address_{};
};

/// Stops the server (SIGSTOP) for the life of this object, as any scheduler may: what happens
/// meanwhile, it sees all at once.
class Pause {
 public:
  explicit Pause(Server& server);
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  ~Pause();

 private:
  Server& server_;
};

}  // namespace survival
