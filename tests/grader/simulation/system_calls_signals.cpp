// Dispositions and masks: the kernel's, and recorded.
#include <signal.h>

#include <cerrno>

#include "libc/caller_filter.hpp"
#include "libc/handler_watch.hpp"
#include "libc/real_libc.hpp"
#include "simulation/signal_mask.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::string handler_name(sighandler_t handler) {
  if (handler == SIG_DFL) return "SIG_DFL";
  if (handler == SIG_IGN) return "SIG_IGN";
  return handler == SIG_ERR ? "SIG_ERR" : "a handler";
}

std::string flags_text(int flags) {
  std::string text;
  const auto add = [&](int flag, const char* name) {
    if ((flags & flag) != 0) text += (text.empty() ? ", " : "|") + std::string(name);
  };
  add(SA_RESTART, "SA_RESTART");
  add(SA_SIGINFO, "SA_SIGINFO");
  add(static_cast<int>(SA_RESETHAND), "SA_RESETHAND");
  add(SA_NODEFER, "SA_NODEFER");
  return text;
}

std::string how_text(int how) {
  if (how == SIG_BLOCK) return "SIG_BLOCK";
  if (how == SIG_UNBLOCK) return "SIG_UNBLOCK";
  return how == SIG_SETMASK ? "SIG_SETMASK" : std::to_string(how);
}

}  // namespace

Answer SystemCalls::sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
  std::string text = "sigaction(" + signal_name(signal);
  if (action != nullptr)
    text += ", " + handler_name(action->sa_handler) + flags_text(action->sa_flags);
  const auto call = begin("sigaction", -1, text + ")");
  if (auto failure =
          action == nullptr ? std::nullopt : planned_failure("sigaction", "sigaction", -1, call))
    return *failure;
  if (watched_sigaction(signal, action, old) < 0) return simulation_.recorder.failed(call, errno);
  return simulation_.recorder.done(
      call, 0, old != nullptr ? "0, was " + handler_name(old->sa_handler) : "0");
}

sighandler_t SystemCalls::signal(int signal, sighandler_t handler) {
  const auto call =
      begin("signal", -1,
            format("signal(%s, %s)", signal_name(signal).c_str(), handler_name(handler).c_str()));
  const sighandler_t before = watched_signal(signal, handler);
  if (before == SIG_ERR)
    simulation_.recorder.failed(call, errno);
  else
    simulation_.recorder.done(call, 0, handler_name(before));
  return before;
}

// What was pending arrives here when the mask lets it in.
Answer SystemCalls::sigprocmask(const char* function, int how, const sigset_t* set, sigset_t* old) {
  std::string text = format("%s(%s", function, set == nullptr ? "-" : how_text(how).c_str());
  if (set != nullptr) text += ", " + signals_text(*set);
  const auto call = begin(function, -1, text + ")");
  int error = 0;
  {
    const Inside inside;
    error = real().pthread_sigmask(how, set, old);
  }
  if (error != 0) return simulation_.recorder.failed(call, error);
  return simulation_.recorder.done(call, 0, old != nullptr ? "0, was " + signals_text(*old) : "0");
}

Answer SystemCalls::sigpending(sigset_t* set) {
  const auto call = begin("sigpending", -1, "sigpending()");
  simulation_.run_due();
  if (real().sigpending(set) < 0) return failed("sigpending", -1, call, errno);
  return simulation_.recorder.done(call, 0, "0, " + signals_text(*set));
}

// While it waits, the signals of `set` are blocked in any case: they are taken, and not handled.
Answer SystemCalls::sigtimedwait(const char* function, const sigset_t& set, siginfo_t* info,
                                 std::optional<RawTimeout> timeout) {
  std::string text = format("%s(%s", function, signals_text(set).c_str());
  if (function == std::string_view("sigtimedwait"))
    text += ", " + (timeout ? timeout->to_text() : "no timeout");
  const auto call = begin(function, -1, text + ")");
  if (timeout && !timeout->is_in_range()) return failed(function, -1, call, EINVAL);
  const AlsoBlocked blocked(&set);
  const auto deadline =
      timeout ? std::optional(sum(simulation_.clock.now(), timeout->span())) : std::nullopt;
  siginfo_t came{};
  const auto ready = [&] {
    const timespec at_once{0, 0};
    return real().sigtimedwait(&set, &came, &at_once) > 0;
  };
  const auto woken = simulation_.wait({ready, deadline, text + ")"});
  if (woken == Simulation::Woken::interrupted) return failed(function, -1, call, EINTR);
  if (woken == Simulation::Woken::timed_out) return failed(function, -1, call, EAGAIN);
  if (info != nullptr) *info = came;
  simulation_.progress.useful();
  return simulation_.recorder.done(call, came.si_signo, signal_name(came.si_signo));
}

Answer SystemCalls::signal_from_thread(const char* function, int signal) {
  const auto call = begin(function, -1, format("%s(%s)", function, signal_name(signal).c_str()));
  if (signal < 0 || signal >= NSIG) return failed(function, -1, call, EINVAL);
  if (signal != 0) simulation_.signal_from_thread(signal);
  return simulation_.recorder.done(call, 0);
}

}  // namespace grader
