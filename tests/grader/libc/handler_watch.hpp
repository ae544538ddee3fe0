/// @file
/// Signal handlers of the program: how often they run, whether they keep errno, and what they must
/// not call.
#pragma once

#include <signal.h>

#include <optional>

namespace grader {

/// How deep this thread is in handlers of the program.
extern constinit thread_local int handler_depth;

/// The signal that this thread handles; 0: none.
extern constinit thread_local int handled_signal;

/// A handler that left errno other than it found it.
struct ErrnoChange {
  int signal;  ///< whose handler
  int left;    ///< what it left in errno
};

/// While it lives, this thread runs a handler of the program for `signal`: its calls are judged,
/// and at the end its errno.
class InHandler {
 public:
  explicit InHandler(int signal);
  ~InHandler();
  InHandler(const InHandler&) = delete;
  InHandler& operator=(const InHandler&) = delete;

 private:
  int errno_before_, signal_before_;
};

/// What a jump out of a handler does to all that this thread is in.
void leave_all_handlers();

/// sigaction(2) and signal(2) for the program: its handler is watched, and otherwise nothing is
/// different. Flags, masks and what is told of an old disposition are as the program gave them.
int watched_sigaction(int signal, const struct sigaction* action, struct sigaction* old);
sighandler_t watched_signal(int signal, sighandler_t handler);

/// sigaction(2) for the check: what it is told is what the program has set up, unwatched.
int unwatched_sigaction(int signal, const struct sigaction* action, struct sigaction* old);

/// How often handlers that the program has installed have run since reset_handler_watch().
int watched_handler_runs();

/// The first change of errno since reset_handler_watch().
std::optional<ErrnoChange> first_errno_change();

/// Begins to count anew.
void reset_handler_watch();

/// Why a function must not be called in a handler.
enum class Unsafe { stdio, memory, lock, clean_up, lookup };

/// Ends the check when this thread runs a handler of the program, and `return_address` shows that
/// it has called `function`, which is not async-signal-safe. Else it does nothing.
void refuse_in_handler(const char* function, Unsafe why, const void* return_address);

}  // namespace grader
