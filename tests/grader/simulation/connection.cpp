#include "simulation/connection.hpp"

#include <limits.h>
#include <sys/socket.h>

#include <algorithm>

#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"

namespace grader {

std::uint64_t Connection::under_way() const {
  if (!is_pipe()) return program_sent - peer_read;
  const int end = peer_fd < 0 ? program_fd : peer_fd;  // what nobody reads any more stays in it
  return end < 0 ? 0 : static_cast<std::uint64_t>(bytes_to_read(end));
}

std::uint64_t Connection::room() const {
  const std::uint64_t used = under_way();
  return used >= window_bytes ? 0 : window_bytes - used;
}

std::uint64_t Connection::room_to_program() const {
  const std::uint64_t unread =
      is_pipe() ? static_cast<std::uint64_t>(bytes_to_read(program_fd)) : peer_sent - program_read;
  const std::uint64_t unread_max = is_pipe() ? default_window_bytes : unread_max_bytes;
  return unread_max - std::min(unread, unread_max);
}

bool Connection::has_window() const {
  if (is_pipe()) return medium == Medium::pipe_from_program && peer_fd >= 0;
  return can_still_send(program_fd);
}

// A window that was made smaller than PIPE_BUF must still let something through when it is empty.
std::uint64_t Connection::room_when_writable() const {
  const std::uint64_t least = is_pipe() ? PIPE_BUF : 1;
  return std::max<std::uint64_t>(1, std::min(least, window_bytes));
}

std::uint64_t Connection::fits(std::uint64_t wanted, std::uint64_t size) const {
  const std::uint64_t now = room();
  const bool is_atomic = is_pipe() && size <= PIPE_BUF && size <= window_bytes;
  return is_atomic && now < wanted ? 0 : std::min(wanted, now);
}

void make_roomy(int socket) {
  const int bytes = 1 << 20;  // what net.core.rmem_max allows of it (socket(7)) is enough
  real().setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

}  // namespace grader
