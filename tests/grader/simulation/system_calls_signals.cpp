// Dispositions and masks: the kernel's, and recorded.
#include <signal.h>

#include <cerrno>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
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

std::string set_text(const sigset_t& set) {
  std::string text;
  int count = 0;
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&set, signal) == 1 && ++count)
      text += (text.empty() ? "" : " ") + signal_name(signal);
  return count > 8 ? format("{%d signals}", count) : "{" + text + "}";
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
  if (real().sigaction(signal, action, old) < 0) return simulation_.recorder.failed(call, errno);
  return simulation_.recorder.done(
      call, 0, old != nullptr ? "0, was " + handler_name(old->sa_handler) : "0");
}

sighandler_t SystemCalls::signal(int signal, sighandler_t handler) {
  const auto call =
      begin("signal", -1,
            format("signal(%s, %s)", signal_name(signal).c_str(), handler_name(handler).c_str()));
  const sighandler_t before = real().signal(signal, handler);
  if (before == SIG_ERR)
    simulation_.recorder.failed(call, errno);
  else
    simulation_.recorder.done(call, 0, handler_name(before));
  return before;
}

// What was pending arrives here when the mask lets it in.
Answer SystemCalls::sigprocmask(const char* function, int how, const sigset_t* set, sigset_t* old) {
  std::string text = format("%s(%s", function, set == nullptr ? "-" : how_text(how).c_str());
  if (set != nullptr) text += ", " + set_text(*set);
  const auto call = begin(function, -1, text + ")");
  int error = 0;
  {
    const Inside inside;
    error = real().pthread_sigmask(how, set, old);
  }
  if (error != 0) return simulation_.recorder.failed(call, error);
  return simulation_.recorder.done(call, 0, old != nullptr ? "0, was " + set_text(*old) : "0");
}

}  // namespace grader
