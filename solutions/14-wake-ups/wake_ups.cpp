#include "14-wake-ups/wake_ups.hpp"

#include <fcntl.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::system_category(), call);
}

// ---- The handler of SignalPipe: it is given a number and nothing else

using Dispositions = std::vector<std::pair<int, struct sigaction>>;

std::atomic<Wakeup*> listener = nullptr;            // of the one SignalPipe; nullptr: there is none
std::array<std::atomic<bool>, NSIG> has_arrived{};  // by signal
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<Wakeup*>::is_always_lock_free,
              "a handler may use no others");

void note(int signal) {
  has_arrived[static_cast<std::size_t>(signal)] = true;  // first: who is woken must find it
  if (Wakeup* const wakeup = listener) wakeup->notify();
}

/// Adds to `before` what was there.
void install(std::span<const int> signals, Dispositions& before) {
  before.reserve(signals.size());
  for (const int signal : signals) {
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;  // nobody else need notice; select ends all the same (signal(7))
    struct sigaction old {};
    if (::sigaction(signal, &action, &old) == -1) fail("sigaction");
    before.emplace_back(signal, old);
  }
}

/// From the last to the first: what was there when a signal was named again is note() itself.
void put_back(const Dispositions& before) noexcept {
  for (auto it = before.rbegin(); it != before.rend(); ++it)
    (void)::sigaction(it->first, &it->second, nullptr);
  listener = nullptr;
}

// ---- What pselect_until() is made of

/// The set of `fds`, which are known to fit. Raises `nfds` above the highest of them.
fd_set set_of(std::span<const int> fds, int& nfds) {
  fd_set set;
  FD_ZERO(&set);
  for (const int fd : fds) {
    FD_SET(fd, &set);
    nfds = std::max(nfds, fd + 1);
  }
  return set;
}

/// Those of `asked` that are in `set`, each once.
std::vector<int> found_in(fd_set set, std::span<const int> asked) {
  std::vector<int> found;
  for (const int fd : asked) {
    if (!FD_ISSET(fd, &set)) continue;
    found.push_back(fd);
    FD_CLR(fd, &set);
  }
  return found;
}

timespec to_timespec(Duration time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return {.tv_sec = whole.count(), .tv_nsec = (time - whole).count()};
}

/// Waits once, with the signals of `mask` held back and no others. Nobody is ready when the time is
/// over, or a signal has been handled.
Ready pselect_on(std::span<const int> readers, std::span<const int> writers,
                 std::span<const int> exceptional, std::optional<Duration> timeout,
                 const sigset_t& mask) {
  int nfds = 0;
  fd_set readable = set_of(readers, nfds);
  fd_set writable = set_of(writers, nfds);
  fd_set urgent = set_of(exceptional, nfds);
  const timespec time = to_timespec(timeout.value_or(Duration::zero()));
  if (::pselect(nfds, &readable, &writable, &urgent, timeout ? &time : nullptr, &mask) == -1) {
    if (errno == EINTR) return {};
    fail("pselect");
  }
  return {found_in(readable, readers), found_in(writable, writers), found_in(urgent, exceptional)};
}

/// Lets the pending signals that `mask` does not hold back be handled.
void let_in(const sigset_t& mask) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, &mask, &before);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

Wakeup::Wakeup() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == -1) fail("pipe2");
  read_end_.reset(ends[0]);
  write_end_.reset(ends[1]);
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const int error = errno;
  const char byte = 0;
  (void)!::write(write_end_.get(), &byte, 1);  // EAGAIN: it is full, and so it is readable
  errno = error;
}

bool Wakeup::drain() noexcept {
  bool was_notified = false;
  std::array<std::byte, 512> buffer;
  while (::read(read_end_.get(), buffer.data(), buffer.size()) > 0) was_notified = true;
  return was_notified;
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  if (listener != nullptr) throw std::logic_error("SignalPipe: there is one already");
  for (auto& flag : has_arrived) flag = false;
  listener = &wakeup_;  // a handler may run as soon as it is installed
  try {
    install(signals, before_);
  } catch (...) {
    put_back(before_);  // there will be no destructor
    throw;
  }
}

SignalPipe::~SignalPipe() { put_back(before_); }

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  // First the bytes, then the flags: a signal that comes in between leaves fd() readable.
  (void)wakeup_.drain();
  std::vector<int> signals;
  for (int signal = 1; signal < NSIG; ++signal)
    if (has_arrived[static_cast<std::size_t>(signal)].exchange(false)) signals.push_back(signal);
  return signals;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  // A look first, which refuses what cannot be asked about.
  const Deadline now = Deadline::after(Duration::zero());
  Ready ready = select_until(readers, writers, exceptional, now);
  if (ready == Ready{})
    ready = pselect_on(readers, writers, exceptional, deadline.remaining(), mask);
  let_in(mask);  // pselect that finds somebody ready leaves them pending
  return ready;
}

}  // namespace course
