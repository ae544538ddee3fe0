/// @file
/// The clients of a measurement: how many, how they ask, and what came of it.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace benchmark {

inline constexpr std::size_t message_bytes = 64;
inline constexpr int in_flight_max = 64;

/// What is asked of a server.
struct Load {
  int connections = 1;  ///< how many there are
  int talking = 1;      ///< how many of them talk; the others are silent
  int in_flight = 1;    ///< how many messages each has sent without an answer yet
};

/// Clients that are connected and known to the server.
class Clients {
 public:
  /// Connects them; each sends a message and waits for it. Throws std::runtime_error when the
  /// server does not serve them.
  Clients(const sockaddr_in& server, Load load);
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// Talks for `time`, and then lets the last answers come in. Returns how long each message took
  /// to come back, in nanoseconds. Throws std::runtime_error when a byte comes back changed, a
  /// connection ends, or nothing comes for 10 s.
  std::vector<std::uint32_t> talk(std::chrono::milliseconds time);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace benchmark
