/// @file
/// Whether a server that has nothing to do does nothing.
#pragma once

#include "server.hpp"

namespace survival {

/// Watches the server for `time` in which nobody sends to it: whether it takes less than a
/// twentieth of a processor. (One that spins takes all that it can get.) A server that has still
/// something to do gets two more such times for it.
[[nodiscard]] inline bool is_idle(const Server& server, milliseconds time = milliseconds(1000)) {
  for (int round = 0; round < 3; ++round) {
    const auto before = server.cpu_time();
    (void)becomes([] { return false; }, Patience(time));
    if (server.cpu_time() - before < time / 20) return true;
  }
  return false;
}

}  // namespace survival
