// Signals: what the program does to dispositions and masks is recorded, and happens.
#include <signal.h>

#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"
#include "simulation/text.hpp"

using grader::real;
using grader::SystemCalls;

EXPORT int sigaction(int signal, const struct sigaction* action, struct sigaction* old) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.sigaction(signal, action, old); });
  return grader::unwatched_sigaction(signal, action, old);
}
EXPORT sighandler_t signal(int signal, sighandler_t handler) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    sighandler_t before = SIG_ERR;
    calls.answer([&](SystemCalls c) {
      before = c.signal(signal, handler);
      return grader::Answer{0, before == SIG_ERR ? EINVAL : 0};
    });
    return before;
  }
  return real().signal(signal, handler);
}
EXPORT int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.sigprocmask("sigprocmask", how, set, old); });
  return real().sigprocmask(how, set, old);
}
// Returns its error instead of leaving it in errno.
EXPORT int pthread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    const int saved = errno;
    const bool fails = calls.answer([&](SystemCalls c) {
      return c.sigprocmask("pthread_sigmask", how, set, old);
    }) < 0;
    const int error = fails ? errno : 0;
    errno = saved;
    return error;
  }
  return real().pthread_sigmask(how, set, old);
}
EXPORT int sigpending(sigset_t* set) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.sigpending(set); });
  return real().sigpending(set);
}

// ---- waiting for signals

EXPORT int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.sigtimedwait("sigwaitinfo", *set, info, std::nullopt); });
  return real().sigwaitinfo(set, info);
}
EXPORT int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) {
      return c.sigtimedwait(
          "sigtimedwait", *set, info,
          timeout == nullptr ? std::nullopt : std::optional(grader::RawTimeout::of(*timeout)));
    });
  return real().sigtimedwait(set, info, timeout);
}
// Returns its error, and is never interrupted.
EXPORT int sigwait(const sigset_t* set, int* signal) {
  if (auto calls = PROGRAM_CALLS()) {
    const int saved = errno;
    int came = -1;
    do
      came = calls.answer<int>(
          [&](SystemCalls c) { return c.sigtimedwait("sigwait", *set, nullptr, std::nullopt); });
    while (came < 0 && errno == EINTR);
    const int error = came < 0 ? errno : 0;
    if (came >= 0) *signal = came;
    errno = saved;
    return error;
  }
  return real().sigwait(set, signal);
}

// ---- sending them

EXPORT int kill(pid_t pid, int signal) noexcept {
  auto calls = PROGRAM_CALLS();
  if (calls && pid != getpid()) {
    const std::string whom = pid == getppid() ? "getppid()" : std::to_string(pid);
    calls.not_here(grader::format("kill(%s, %d)", whom.c_str(), signal).c_str(),
                   "no other process is its business");
  }
  if (calls && grader::other_thread != nullptr)
    return calls.answer<int>([&](SystemCalls c) { return c.signal_from_thread("kill", signal); });
  return real().kill(pid, signal);
}
EXPORT int pthread_kill(pthread_t thread, int signal) noexcept {
  if (auto calls = PROGRAM_CALLS();
      calls && grader::other_thread != nullptr && pthread_equal(thread, pthread_self()) == 0) {
    const int saved = errno;
    const bool fails = calls.answer([&](SystemCalls c) {
      return c.signal_from_thread("pthread_kill", signal);
    }) < 0;
    const int error = fails ? errno : 0;
    errno = saved;
    return error;
  }
  return real().pthread_kill(thread, signal);
}
