// Signals: when they arrive, and what their handlers end.
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libc/caller_filter.hpp"
#include "libc/handler_watch.hpp"
#include "libc/real_libc.hpp"
#include "simulation/signal_mask.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {

// What the handler of `signal`, if there is one, does to a call that waits.
Simulation::Interruption Simulation::caused_by(int signal) {
  struct sigaction action {};
  real().sigaction(signal, nullptr, &action);
  if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) return Interruption::none;
  return (action.sa_flags & SA_RESTART) != 0 ? Interruption::restartable : Interruption::final;
}

// While a call waits with a mask of its own, that one counts.
bool Simulation::is_held_back(int signal) const {
  return is_asleep_ && mask_ != nullptr ? sigismember(mask_, signal) == 1 : is_blocked(signal);
}

void Simulation::deliver_signal(int signal) {
  if (driver) {
    recorder.fault(signal_name(signal) + " arrives");
    return driver->deliver(signal);
  }
  recorder.fault(signal_name(signal) + (is_held_back(signal) ? " arrives (blocked)" : " arrives"));
  if (is_asleep_ && !is_blocked(signal)) return arrived_.push_back(signal);
  raise_now(signal);
}

void Simulation::raise_now(int signal) {
  const auto before = interruption_;
  const auto caused = is_blocked(signal) ? Interruption::none : caused_by(signal);
  const Inside inside;
  ::raise(signal);
  interruption_ = std::max(before, caused);
}

// Runs the handlers of the pending signals that `mask` does not hold back.
void Simulation::let_signals_in(const sigset_t& mask) {
  sigset_t pending;
  sigpending(&pending);
  auto caused = interruption_;
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&pending, signal) == 1 && sigismember(&mask, signal) == 0)
      caused = std::max(caused, caused_by(signal));
  const Inside inside;
  sigset_t before;
  real().pthread_sigmask(SIG_SETMASK, &mask, &before);
  real().pthread_sigmask(SIG_SETMASK, &before, nullptr);
  interruption_ = caused;
}

Time Simulation::set_alarm(Time time) {
  const Time left = alarm_at_ ? *alarm_at_ - clock.now() : Time{};
  ++alarm_number_;
  alarm_at_.reset();
  if (time == Time{}) return left;
  alarm_at_ = sum(clock.now(), time);
  signals.plan(*alarm_at_, [this, number = alarm_number_] {
    if (number != alarm_number_) return;
    alarm_at_.reset();
    deliver_signal(SIGALRM);
  });
  return left;
}

void Simulation::do_moment(CallMoments::When when, const char* function) {
  if (other_thread != nullptr || handler_depth > 0) return;  // the program's own call goes on
  gap_signal_ = 0;
  if (moments.empty()) return;
  const int saved = errno;
  const Outside outside;
  current_call_ = function;
  const auto deeds = moments.take(when, function);
  errno = saved;
  for (const auto& deed : deeds) deed();
}

void Simulation::signal_in_moment(int signal, CallMoments::When when) {
  const int saved = errno;
  const bool is_held = is_blocked(signal);
  const bool is_handled = !is_held && caused_by(signal) != Interruption::none;
  recorder.fault(signal_name(signal) + (is_held ? " arrives (blocked)" : " arrives"));
  errno = saved;  // the handler finds, and may spoil, the program's
  raise_now(signal);
  if (when == CallMoments::When::before && is_handled) gap_signal_ = signal;
}

// Why a call waits for ever although a signal came: just before it began.
std::string Simulation::what_the_gap_swallowed() const {
  if (gap_signal_ == 0) return {};
  const std::string name = signal_name(gap_signal_);
  return format(
      "%s came after your last look and before %s began: its handler ran in that gap, and %s, "
      "which "
      "knows nothing of it, waits. Either the handler writes a byte to a pipe that you watch as "
      "well, or the signal is blocked while you look, and only pselect lets it in",
      name.c_str(), current_call_, current_call_);
}

}  // namespace grader
