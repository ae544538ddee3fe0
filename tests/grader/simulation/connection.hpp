/// @file
/// One connection or pipe between the program and a peer, as the simulation keeps count of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace grader {

/// Both ends are real sockets, or the two ends of a real pipe; this counts what is under way
/// between them, which the kernel does not tell exactly of sockets, and models the send window,
/// which the kernel varies.
struct Connection {
  enum class Medium { tcp, pipe_to_program, pipe_from_program };
  Medium medium = Medium::tcp;
  std::string name;     ///< the peer's
  int peer_fd = -1;     ///< the peer's end; -1: not yet, or closed
  int program_fd = -1;  ///< a descriptor of the program's end; -1: not yet, or closed
  std::uint64_t peer_sent = 0, program_read = 0;
  std::uint64_t program_sent = 0, peer_read = 0;
  bool peer_sent_urgent = false;  ///< at least one of the peer's bytes was urgent
  bool peer_finished = false;     ///< the peer sent FIN, or closed its end of the pipe
  bool peer_reset = false;        ///< the peer sent RST
  bool program_finished = false;  ///< the program shut down or closed its end
  bool program_reset = false;   ///< the program closed with unread data, or aborted: its RST is out
  bool reset_expected = false;  ///< the program sent to a closed peer: its RST is on the way
  bool end_was_read = false;    ///< the program has read the end of the stream
  bool was_accepted = false;    ///< the program has taken it out of its listener's queue
  std::uint64_t window_bytes = default_window_bytes;

  /// Small enough that every kernel's buffers hold it, and the capacity of a pipe (pipe(7)).
  static constexpr std::uint64_t default_window_bytes = 65'536;

  [[nodiscard]] bool is_pipe() const { return medium != Medium::tcp; }

  /// How many bytes the program has under way to the peer. Of a pipe the kernel knows.
  [[nodiscard]] std::uint64_t under_way() const;

  /// How many more bytes the program may have under way to the peer.
  [[nodiscard]] std::uint64_t room() const;

  /// A model's: half of the window that a receive buffer gives by default (tcp(7), tcp_rmem).
  static constexpr std::uint64_t default_unread_max_bytes = 32'768;
  std::uint64_t unread_max_bytes = default_unread_max_bytes;

  /// How many more bytes the peer may have under way to the program, which the program has yet to
  /// read: unread_max_bytes in all, default_window_bytes in a pipe.
  [[nodiscard]] std::uint64_t room_to_program() const;

  /// The program's end is open for sending, so that the window is what decides.
  [[nodiscard]] bool has_window() const;

  /// A pipe from the program that nobody reads any more.
  [[nodiscard]] bool is_orphaned_pipe() const {
    return medium == Medium::pipe_from_program && peer_fd < 0;
  }

  /// A select(2) of the program would call it writable, as far as the window decides: one byte fits
  /// into the window of a socket, PIPE_BUF bytes into a pipe.
  [[nodiscard]] bool is_writable() const { return room() >= room_when_writable(); }

  /// How many of the `wanted` bytes that a call has left to send fit now. A write of at most
  /// PIPE_BUF bytes to a pipe, `size` in all, is taken whole or not at all (pipe(7)).
  [[nodiscard]] std::uint64_t fits(std::uint64_t wanted, std::uint64_t size) const;

 private:
  [[nodiscard]] std::uint64_t room_when_writable() const;
};

/// Gives the socket, which listens or is yet to connect, a receive buffer so large that the
/// kernel's window never decides how much has come: it varies, and opens in steps of half a buffer.
void make_roomy(int socket);

}  // namespace grader
