/// @file
/// Whether a server that has nothing to do does nothing.
#pragma once

#include "server.hpp"

namespace survival {

/// Looks at the server again and again for `time` in which nobody sends to it: whether it sleeps
/// nine times out of ten. (One that spins never sleeps, however little of a processor it gets.) A
/// server that has still something to do is given seven more such times for it.
[[nodiscard]] inline bool is_idle(const Server& server, milliseconds time = milliseconds(500)) {
  for (int round = 0; round < 8; ++round) {
    int looks = 0, asleep = 0;
    (void)becomes(
        [&] {
          ++looks;
          asleep += server.is_asleep() ? 1 : 0;
          return false;
        },
        Patience(time));
    if (asleep * 10 >= looks * 9) return true;
  }
  return false;
}

}  // namespace survival
