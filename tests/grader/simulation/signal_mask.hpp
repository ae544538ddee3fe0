/// @file
/// The signal mask of this thread, changed for a while.
#pragma once

#include <signal.h>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"

namespace grader {

/// Blocks the signals of `mask` as well while it lives; nullptr: none.
class AlsoBlocked {
 public:
  explicit AlsoBlocked(const sigset_t* mask) : is_active_(mask != nullptr) {
    if (is_active_) real().pthread_sigmask(SIG_BLOCK, mask, &saved_);
  }
  ~AlsoBlocked() {
    const Inside inside;  // what was held back arrives here
    if (is_active_) real().pthread_sigmask(SIG_SETMASK, &saved_, nullptr);
  }
  AlsoBlocked(const AlsoBlocked&) = delete;
  AlsoBlocked& operator=(const AlsoBlocked&) = delete;

  /// The mask that was in force before.
  [[nodiscard]] const sigset_t& before() const { return saved_; }

 private:
  bool is_active_;
  sigset_t saved_{};
};

/// Every signal there is.
inline sigset_t all_signals() {
  sigset_t set;
  sigfillset(&set);
  return set;
}

/// Whether this thread blocks `signal`.
inline bool is_blocked(int signal) {
  sigset_t blocked;
  real().pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return sigismember(&blocked, signal) == 1;
}

}  // namespace grader
