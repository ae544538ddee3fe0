/// @file
/// A closed window, in real time.
#pragma once

#include <cstdint>

namespace grader {

/// Bytes that fill the kernel's buffers between the program and a peer, so that the program's end
/// is not writable. The peer drops them before it reads what the program sent behind them.
class Filler {
 public:
  /// Fills the buffers through the program's end `program_fd`, blocking or not, of a TCP connection
  /// or a pipe. Nobody may use either end meanwhile. Returns at once, or after some milliseconds;
  /// false: there was still room after 1 s.
  bool fill(int program_fd);

  /// Reads these bytes from the peer's end, which does not block or is a socket, and no more.
  /// Returns as fill() does; false: they did not come, or the connection has failed.
  bool drop(int peer_fd);

  /// Whether the buffers are full of it.
  [[nodiscard]] bool is_there() const { return bytes_ > 0; }

 private:
  bool write_what_fits(int program_fd);  // true: something did
  std::uint64_t bytes_ = 0;
};

}  // namespace grader
