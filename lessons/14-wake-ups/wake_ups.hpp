/// @file
/// Lesson 14: a signal between the check and the wait must not be lost.
#pragma once

#include <signal.h>

#include <atomic>
#include <span>
#include <utility>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "08-three-lists/three_lists.hpp"
#include "given/deadline.hpp"

namespace course {

/// Wakes a select(2) from anywhere: a descriptor that becomes readable when somebody calls
/// notify(). Neither copied nor moved, for handlers and threads know where it is. It must outlive
/// every caller of notify().
class Wakeup {
 public:
  /// Nothing has been notified yet. Its descriptors are in non-blocking mode, FD_CLOEXEC. Starts no
  /// thread. Throws std::system_error with errno and what() naming the call; then nothing stays
  /// open.
  Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  /// The descriptor to watch for reading; lent. It is readable from a notify() until the next
  /// drain().
  [[nodiscard]] int fd() const noexcept;

  /// Makes fd() readable. Any thread may call it at any time, and so may a signal handler: it makes
  /// async-signal-safe calls only (signal-safety(7)), leaves errno as it is, and never blocks,
  /// however often it is called. Several calls before a drain() are as good as one.
  void notify() noexcept;

  /// Takes what has been notified: fd() is not readable afterwards, unless somebody called notify()
  /// meanwhile. Returns whether there was a notify() since the last drain(). One that comes
  /// meanwhile is in this answer, or makes fd() readable for the next; it is not lost. Never
  /// blocks. To be called by one thread at a time.
  bool drain() noexcept;

 private:
  Fd read_end_, write_end_;  // these three are yours to use as you like
  [[maybe_unused]] std::atomic<bool> is_pending_ = false;
};

/// Turns signals into something that select(2) can wait for. While it lives, the signals that it
/// was made for do nothing but make fd() readable. At most one object lives at a time.
class SignalPipe {
 public:
  /// Installs a handler for each of `signals`; a signal named twice is as good as once. A signal
  /// that arrives from then on, while this is still at work, is not lost. The handler makes
  /// async-signal-safe calls only and leaves errno as it is; whether it restarts calls that wait
  /// (SA_RESTART) is left to you. Other signals and the signal mask are left alone. Starts no
  /// thread. Throws std::system_error with errno and what() naming the call (EINVAL: a signal that
  /// cannot be caught, or no signal), and std::logic_error when there is another SignalPipe, which
  /// goes on as it was; then all is as before, and nothing stays open.
  explicit SignalPipe(std::span<const int> signals);

  /// The dispositions are what they were before, flags and masks of handlers included; what it
  /// opened is closed. What has not been taken is forgotten. A signal that arrives meanwhile is
  /// handled as before or forgotten, and does no harm.
  ~SignalPipe();
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  /// The descriptor to watch for reading; lent. It is readable from the arrival of a signal until
  /// the next take().
  [[nodiscard]] int fd() const noexcept;

  /// The signals that have arrived since the last take(), each once however often it came, in
  /// ascending order; empty when none has. fd() is not readable afterwards, unless a signal arrived
  /// meanwhile. One that arrives meanwhile is in this answer, or makes fd() readable and is in the
  /// next; it is not lost. Never blocks. To be called by one thread at a time.
  [[nodiscard]] std::vector<int> take();

 private:
  Wakeup wakeup_;  // these two are yours to use as you like
  [[maybe_unused]] std::vector<std::pair<int, struct sigaction>> before_;
};

/// select_until() of lesson 09, for a program whose handlers only set a flag (pselect(2)). The
/// signals that the thread blocks outside and that `mask` does not hold back can arrive while this
/// runs, and only then.
///
/// Waits until a descriptor is ready, a signal has been handled, or `deadline` has passed,
/// whichever is first, and returns who is ready: three empty lists when nobody is. (Who becomes
/// ready while a handler runs is in this answer or in the next.) Signals that `mask` holds back do
/// not end the wait, and are not handled in it. A signal that was pending and is let in by `mask`
/// has been handled when this returns, also when descriptors were ready at once, which are in the
/// answer all the same; the flag that its handler sets can be trusted from then on. (pselect(2) by
/// itself returns the descriptors and leaves the signal pending, for ever when a descriptor is
/// always ready.)
///
/// Returns never earlier, and later only by the granularity of the kernel's timers. A deadline that
/// has passed already still looks once, and lets in what is pending. When it returns or throws, the
/// signal mask is what it was before. Throws like select_until().
[[nodiscard]] Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                                  std::span<const int> exceptional, Deadline deadline,
                                  const sigset_t& mask);

}  // namespace course
