// Real threads and real signals hammer Wakeup and SignalPipe for about a second: nothing may be
// lost. Graded checks have one thread and a virtual clock; this has neither, and is no check. Built
// with ThreadSanitizer as well (.ci/run).
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "14-wake-ups/wake_ups.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto time_for_each = std::chrono::milliseconds(400);
constexpr auto lost_after = std::chrono::seconds(20);  // on a busy machine

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "hammer: %s\n", what);
  std::_Exit(1);  // others still run
}

/// The calling thread gets these signals only. (ThreadSanitizer holds a signal back while its
/// thread waits in an atomic, so those that do get none.) Returns the mask that is now in force.
sigset_t let_in_only(const std::vector<int>& signals) {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int signal : signals) sigdelset(&blocked, signal);
  ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
  return blocked;
}

/// Ends the program when `fd` is not readable in time: a wake-up was lost. Has `mask` in force
/// while it waits.
void wait_for(int fd, const char* what, const sigset_t& mask) {
  const auto until = Clock::now() + lost_after;
  pollfd entry{fd, POLLIN, 0};
  do {
    // Again and again: until 2025 ThreadSanitizer left all signals blocked when one had come while
    // the handler of another ran (llvm/llvm-project#134358).
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    if (::poll(&entry, 1, 50) == 1) return;
  } while (Clock::now() < until);
  give_up(what);
}

/// Something that was done so many times, and seen to be done so many times.
struct Work {
  std::atomic<unsigned> done = 0, seen = 0;

  /// Until the other thread has seen all that is done so far.
  void wait_until_seen(unsigned count) const {
    for (unsigned now; (now = seen) < count;) seen.wait(now);
  }
  void see(unsigned count) {
    seen = count;
    seen.notify_all();
  }
};

// Each does a little work, says so, and every now and then waits until that has been noticed: from
// then on nothing but its last notify() can have woken the other.
void work_and_notify(course::Wakeup& wakeup, Work& work, const std::atomic<bool>& is_over) {
  for (unsigned count = 1; !is_over; ++count) {
    work.done = count;
    wakeup.notify();
    if (count % 7 != 3) continue;
    work.wait_until_seen(count);
  }
}

void hammer_wakeup() {
  course::Wakeup wakeup;
  const sigset_t mask = let_in_only({});
  std::array<Work, 4> works;
  std::atomic<bool> is_over = false;
  std::atomic<int> running = static_cast<int>(works.size());
  std::vector<std::thread> threads;
  for (Work& work : works)
    threads.emplace_back([&] {
      work_and_notify(wakeup, work, is_over);
      --running;
      wakeup.notify();
    });
  unsigned long turns = 0, in_vain = 0;
  for (const auto until = Clock::now() + time_for_each; running > 0; ++turns) {
    wait_for(wakeup.fd(), "a notify() was lost", mask);
    if (!wakeup.drain()) ++in_vain;
    for (Work& work : works) work.see(work.done);
    is_over = Clock::now() >= until;
  }
  for (std::thread& thread : threads) thread.join();
  unsigned long notified = 0;
  for (const Work& work : works) notified += work.done;
  std::printf("%lu notify() from %zu threads, %lu turns, %lu of them in vain\n", notified,
              works.size(), turns, in_vain);
}

// Sends `signal` to the process, and waits until it was taken.
void send(int signal, Work& work, const std::atomic<bool>& is_over) {
  let_in_only({});
  for (unsigned count = 1; !is_over; ++count) {
    work.done = count;
    (void)::kill(::getpid(), signal);
    work.wait_until_seen(count);
  }
}

// Signals that nobody waits for, in a flood that comes and goes: what the ebb leaves unseen, nobody
// else brings to light.
void flood(int signal, const std::atomic<bool>& is_over) {
  let_in_only({});
  while (!is_over) {
    for (int i = 0; i < 3000; ++i) (void)::kill(::getpid(), signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// Its handler does not run in the thread that takes.
void run_handlers_of(int signal, const std::atomic<int>& running) {
  let_in_only({signal});
  while (running > 0) (void)::poll(nullptr, 0, 1);
}

constexpr int flooding = SIGWINCH, ending = SIGTERM;
constexpr std::array sent = {SIGUSR1, SIGUSR2, SIGHUP};

void see(int signal, std::array<Work, sent.size()>& works) {
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (signal != sent[i]) continue;
    if (works[i].seen >= works[i].done) give_up("take() named a signal that had not come");
    works[i].see(works[i].seen + 1);
  }
}

void hammer_signal_pipe() {
  const std::array all = {flooding, ending, SIGUSR1, SIGUSR2, SIGHUP};
  course::SignalPipe signals(all);
  std::array<Work, sent.size()> works;
  std::atomic<bool> is_over = false;
  std::atomic<int> running = static_cast<int>(sent.size());
  const sigset_t mask = let_in_only({flooding, ending, SIGUSR1, SIGHUP});
  std::vector<std::thread> threads;
  threads.emplace_back([&] { run_handlers_of(SIGUSR2, running); });
  for (std::size_t i = 0; i < sent.size(); ++i)
    threads.emplace_back([&, i] {
      send(sent[i], works[i], is_over);
      if (--running == 0) (void)::kill(::getpid(), ending);
    });
  threads.emplace_back([&] { flood(flooding, is_over); });
  unsigned long turns = 0, taken = 0;
  bool has_ended = false;
  for (const auto until = Clock::now() + time_for_each; !has_ended; ++turns) {
    wait_for(signals.fd(), "a signal was lost", mask);
    int before = 0;
    for (const int signal : signals.take()) {
      if (signal <= before) give_up("take() is not in ascending order");
      before = signal;
      ++taken;
      has_ended |= signal == ending;
      see(signal, works);
    }
    is_over = Clock::now() >= until;
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%u %u %u signals of three threads and a flood, %lu turns, %lu taken\n",
              works[0].done.load(), works[1].done.load(), works[2].done.load(), turns, taken);
}

}  // namespace

int main() {
  hammer_wakeup();
  hammer_signal_pipe();
}
