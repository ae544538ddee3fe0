/// @file
/// The objects of this lesson in a scenario, and what the learner reads when they do not wake.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace waking {

using namespace std::chrono_literals;
using grader::Time;
using Signals = std::vector<int>;

/// Whether select would call `fd` readable now. It is no call of the program.
inline bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;  // POLLHUP and POLLERR are readable to select as well
}

inline sigset_t set_of(const Signals& signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

/// "{SIGINT SIGTERM}", in the order given; "{64 signals}" for many.
inline std::string to_text(const Signals& signals) {
  if (signals.size() > 8) return grader::signals_text(set_of(signals));
  std::string text;
  for (const int signal : signals) text += (text.empty() ? "" : " ") + grader::signal_name(signal);
  return "{" + text + "}";
}

/// "never", "once", "3 times".
inline std::string times(int count) {
  if (count <= 1) return count == 0 ? "never" : "once";
  return grader::format("%d times", count);
}

/// The signals that this thread blocks.
inline Signals blocked_signals() {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  Signals blocked;
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&mask, signal) == 1) blocked.push_back(signal);
  return blocked;
}

inline void ignore(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  ::sigaction(signal, &action, nullptr);
}

/// What a call threw.
struct Thrown {
  bool is_system_error = false, is_logic_error = false;
  int error = 0;          ///< of a std::system_error
  std::string what = {};  ///< "nothing" when it threw nothing

  /// It was a std::system_error with `code`, and its text has the call in it.
  [[nodiscard]] bool names(const std::string& call, int code) const {
    return is_system_error && error == code && what.find(call) != std::string::npos;
  }

  /// `threw "pipe2: Too many open files"`, `threw nothing`.
  [[nodiscard]] std::string told() const {
    return what == "nothing" ? "threw nothing" : grader::format("threw \"%s\"", what.c_str());
  }
};

template <class Function>
Thrown thrown_by(Function&& function) {
  Thrown thrown;
  try {
    function();
    thrown.what = "nothing";
  } catch (const std::system_error& error) {
    thrown.is_system_error = true;
    thrown.error = error.code().value();
    thrown.what = error.what();
  } catch (const std::logic_error& error) {
    thrown.is_logic_error = true;
    thrown.what = error.what();
  } catch (const std::exception& error) {
    thrown.what = error.what();
  } catch (...) {
    thrown.what = "what is no std::exception";
  }
  return thrown;
}

/// When something comes while a function of the program is at work.
enum class Moment { before_a_call, after_a_call, at_an_allocation };
constexpr Moment all_moments[] = {Moment::before_a_call, Moment::after_a_call,
                                  Moment::at_an_allocation};

/// A scenario whose program has one Wakeup or one SignalPipe.
class WakingScenario : public grader::Scenario {
 public:
  ~WakingScenario() { drop(); }

  /// Makes it, as the program, and returns its fd(). An exception passes through.
  int make_wakeup() {
    return run([&] { return wakeup_.emplace().fd(); });
  }
  int make_signal_pipe(const Signals& signals) {
    return run([&] { return signal_pipe_.emplace(signals).fd(); });
  }

  /// What it made, for handlers and other threads of the program.
  course::Wakeup& wakeup() { return *wakeup_; }

  /// Destroys what it made, as the program.
  void drop() {
    if (!wakeup_ && !signal_pipe_) return;
    run([&] {
      wakeup_.reset();
      signal_pipe_.reset();
    });
  }

  void notify(int times = 1) {
    run([&] {
      for (int i = 0; i < times; ++i) wakeup_->notify();
    });
  }
  bool drain() {
    return run([&] { return wakeup_->drain(); });
  }
  Signals take() {
    return run([&] { return signal_pipe_->take(); });
  }

  /// Waits for `fd`, whatever signals come; returns when it was readable, or the time an hour
  /// later.
  Time wait_for(int fd) {
    run([&] { (void)course::select_until(std::array{fd}, {}, {}, course::Deadline::after(1h)); });
    return now();
  }

  /// Lets that much time pass, while signals are handled and threads run.
  void let_pass(Time time) {
    run([&] { (void)course::select_until({}, {}, {}, course::Deadline::after(time)); });
  }

  /// Sends `signal` at such a moment, which may not come (awaits_a_moment()); `skip` are left
  /// alone.
  void signal_at_moment(Moment moment, int skip, int signal) {
    const auto own = grader::Handler::own;
    if (moment == Moment::before_a_call) signal_before("", signal, own, skip);
    if (moment == Moment::after_a_call) signal_after("", signal, own, skip);
    if (moment == Moment::at_an_allocation) signal_before("new", signal, own, skip);
  }

  /// Whether what was sent at a moment has come; else it comes now, and does no harm.
  bool has_come() {
    if (!awaits_a_moment()) return true;
    while (awaits_a_moment())
      run([] {
        ::operator delete(::operator new(1));
        const auto now = course::Deadline::after(0s);
        (void)course::select_until({}, {}, {}, now);
      });
    if (signal_pipe_) (void)take();
    return false;
  }

  /// Makes room for few bytes only in what the program has opened, whatever it is.
  void shrink_buffers() const {
    for (const int fd : open_descriptors()) {
      (void)::fcntl(fd, F_SETPIPE_SZ, 4096);
      const int least = 1;
      (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    }
  }

  /// The calls of the program since this object was made, one of several in a check, without those
  /// of handlers and other threads.
  [[nodiscard]] std::vector<grader::Call> own_calls() const {
    auto made = calls();
    const auto before = std::min(made.size(), calls_before_);
    made.erase(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(before));
    std::erase_if(made, [](const grader::Call& call) { return !call.by.empty(); });
    return made;
  }

  /// The first call of the program that failed with `error`.
  [[nodiscard]] std::optional<grader::Call> failed_call(int error) const {
    for (const grader::Call& call : own_calls())
      if (call.error == error) return call;
    return std::nullopt;
  }

 private:
  std::optional<course::Wakeup> wakeup_;
  std::optional<course::SignalPipe> signal_pipe_;
  const std::size_t calls_before_ = calls().size();
};

}  // namespace waking
