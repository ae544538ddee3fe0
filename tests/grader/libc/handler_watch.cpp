#include "libc/handler_watch.hpp"

#include <atomic>
#include <cerrno>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "runner/check_process.hpp"
#include "simulation/simulation.hpp"

namespace grader {

constinit thread_local int handler_depth = 0;
constinit thread_local int handled_signal = 0;

namespace {

// What errno is when a handler begins: no call ever leaves it there.
constexpr int errno_of_nobody = EHWPOISON;

using SiginfoHandler = void (*)(int, siginfo_t*, void*);

// By signal. A signal may come while they are read or written.
std::atomic<sighandler_t> watched[NSIG];
std::atomic<SiginfoHandler> watched_with_siginfo[NSIG];
std::atomic<sighandler_t> found[NSIG];  // the last that the program was told and had not installed

std::atomic<int> run_count, changed_signal, changed_errno;

void run_watched(int signal) {
  ++run_count;
  const InHandler in_handler(signal);
  watched[signal].load()(signal);
}

void run_watched_with_siginfo(int signal, siginfo_t* info, void* context) {
  ++run_count;
  const InHandler in_handler(signal);
  watched_with_siginfo[signal].load()(signal, info, context);
}

bool is_handler(sighandler_t handler) { return handler != SIG_DFL && handler != SIG_IGN; }

// `action` with the watch in place of the handler, unless the handler was there before the program.
struct sigaction with_watch(int signal, struct sigaction action) {
  if (!is_handler(action.sa_handler) || action.sa_handler == found[signal]) return action;
  if ((action.sa_flags & SA_SIGINFO) != 0)
    action.sa_sigaction = run_watched_with_siginfo;
  else
    action.sa_handler = run_watched;
  return action;
}

// Puts the program's handler in place of the watch. False: it is no watch.
bool remove_watch(int signal, struct sigaction& action) {
  const bool has_siginfo = (action.sa_flags & SA_SIGINFO) != 0;
  if (has_siginfo && action.sa_sigaction == run_watched_with_siginfo)
    action.sa_sigaction = watched_with_siginfo[signal];
  else if (!has_siginfo && action.sa_handler == run_watched)
    action.sa_handler = watched[signal];
  else
    return false;
  return true;
}

}  // namespace

InHandler::InHandler(int signal) : errno_before_(errno), signal_before_(handled_signal) {
  ++handler_depth;
  current_recording().handled_signal = handled_signal = signal;
  errno = errno_of_nobody;
}

InHandler::~InHandler() {
  if (errno == errno_of_nobody) {
    errno = errno_before_;
  } else if (changed_signal == 0) {
    changed_errno = errno;
    changed_signal = handled_signal;
  }
  current_recording().handled_signal = handled_signal = signal_before_;
  --handler_depth;
}

void leave_all_handlers() {
  if (handler_depth == 0) return;
  current_recording().handled_signal = handled_signal = handler_depth = 0;
}

int watched_sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
  const bool is_signal = signal > 0 && signal < NSIG;
  if (!is_signal) return real().sigaction(signal, action, old);
  struct sigaction given {
  }, installed{}, before{};
  if (action != nullptr) installed = with_watch(signal, given = *action);
  if (real().sigaction(signal, action != nullptr ? &installed : nullptr, &before) != 0) return -1;
  if (!remove_watch(signal, before)) found[signal] = before.sa_handler;
  if (action != nullptr && (given.sa_flags & SA_SIGINFO) != 0)
    watched_with_siginfo[signal] = given.sa_sigaction;
  else if (action != nullptr)
    watched[signal] = given.sa_handler;
  if (old != nullptr) *old = before;
  return 0;
}

sighandler_t watched_signal(int signal, sighandler_t handler) {
  struct sigaction before {};
  if (watched_sigaction(signal, nullptr, &before) != 0) return SIG_ERR;
  const bool is_watched = handler != SIG_ERR && is_handler(handler) && handler != found[signal];
  if (real().signal(signal, is_watched ? run_watched : handler) == SIG_ERR) return SIG_ERR;
  watched[signal] = handler;
  return before.sa_handler;
}

int unwatched_sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
  const int result = real().sigaction(signal, action, old);
  if (result == 0 && old != nullptr) remove_watch(signal, *old);
  return result;
}

int watched_handler_runs() { return run_count; }

std::optional<ErrnoChange> first_errno_change() {
  if (changed_signal == 0) return std::nullopt;
  return ErrnoChange{changed_signal, changed_errno};
}

void reset_handler_watch() { run_count = changed_signal = changed_errno = 0; }

void refuse_in_handler(const char* function, Unsafe why, const void* return_address) {
  if (handler_depth == 0 || inside_program == 0 || !is_program_code(return_address)) return;
  if (Simulation* simulation = Simulation::current()) simulation->unsafe_handler(function, why);
}

}  // namespace grader
