/// @file
/// Whether a server that has nothing to do does nothing.
#pragma once

#include "server.hpp"

namespace survival {

/// Looks at the server again and again for `time` in which nobody sends to it: whether it takes
/// less than a tenth of a processor, and is asleep at one look in four at least. (One that spins is
/// never asleep, however little of a busy processor it gets. One that naps between two attempts is,
/// though after each nap it waits for a processor.) A server that has still something to do is
/// given seven more such times for it.
[[nodiscard]] inline bool is_idle(const Server& server, milliseconds time = milliseconds(500)) {
  for (int round = 0; round < 8; ++round) {
    const auto cpu_before = server.cpu_time();
    int looks = 0, asleep = 0;
    const auto look = [&] {
      ++looks;
      asleep += server.is_asleep() ? 1 : 0;
      return false;
    };
    (void)becomes(look, Patience(time));
    if (asleep * 4 >= looks && server.cpu_time() - cpu_before < time / 10) return true;
  }
  return false;
}

}  // namespace survival
