/// @file
/// One TCP connection between the program and a peer, as the simulation keeps count of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace grader {

/// Both ends of a connection are real sockets; this counts what is under way between them, which
/// the kernel does not tell exactly, and models the send window, which the kernel varies.
struct Connection {
  std::string name;     ///< the peer's
  int peer_fd = -1;     ///< the peer's end; -1: not yet, or closed
  int program_fd = -1;  ///< a descriptor of the program's end; -1: not yet, or closed
  std::uint64_t peer_sent = 0, program_read = 0;
  std::uint64_t program_sent = 0, peer_read = 0;
  bool peer_finished = false;     ///< the peer sent FIN
  bool peer_reset = false;        ///< the peer sent RST
  bool program_finished = false;  ///< the program shut down or closed its end
  bool program_reset = false;   ///< the program closed with unread data, or aborted: its RST is out
  bool reset_expected = false;  ///< the program sent to a closed peer: its RST is on the way
  bool end_was_read = false;    ///< the program has read the end of the stream
  std::uint64_t window_bytes = default_window_bytes;

  /// Small enough that every kernel's buffers hold it.
  static constexpr std::uint64_t default_window_bytes = 65'536;

  /// How many more bytes the program may have under way to the peer.
  [[nodiscard]] std::uint64_t room() const {
    const std::uint64_t under_way = program_sent - peer_read;
    return under_way >= window_bytes ? 0 : window_bytes - under_way;
  }
};

}  // namespace grader
