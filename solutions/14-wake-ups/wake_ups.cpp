#include "14-wake-ups/wake_ups.hpp"

#include <fcntl.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::system_category(), call);
}

// ---- What the handler of SignalPipe knows: it is given nothing but a number.

std::atomic<Wakeup*> listener = nullptr;            // who is to be woken; nullptr: nobody
std::array<std::atomic<bool>, NSIG> has_arrived{};  // by signal
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<Wakeup*>::is_always_lock_free,
              "only then a handler may use them");

void note(int signal) {
  // The flag first: whoever is woken finds it.
  has_arrived[static_cast<std::size_t>(signal)] = true;
  if (Wakeup* const wakeup = listener) wakeup->notify();
}

// The last first: a signal that was named twice had its own handler before the first time only.
void put_back(std::vector<std::pair<int, struct sigaction>>& before) noexcept {
  for (; !before.empty(); before.pop_back())
    (void)::sigaction(before.back().first, &before.back().second, nullptr);
}

// ---- For pselect_until()

fd_set set_of(std::span<const int> fds) {
  fd_set set;
  FD_ZERO(&set);
  for (const int fd : fds) FD_SET(fd, &set);
  return set;
}

int highest_of(std::span<const int> fds) {
  return fds.empty() ? -1 : *std::max_element(fds.begin(), fds.end());
}

timespec to_timespec(Duration time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return {.tv_sec = whole.count(), .tv_nsec = (time - whole).count()};
}

/// The signals that are pending and that `mask` does not hold back are handled.
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
  // EAGAIN: the pipe is full, so it is readable.
  (void)!::write(write_end_.get(), &byte, 1);
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
  before_.reserve(signals.size());
  for (auto& flag : has_arrived) flag = false;
  listener = &wakeup_;  // before the first handler, which may run at once
  try {
    for (const int signal : signals) {
      struct sigaction action {
      }, before{};
      action.sa_handler = note;
      action.sa_flags = SA_RESTART;  // nobody else need notice; select does not restart (signal(7))
      if (::sigaction(signal, &action, &before) == -1) fail("sigaction");
      before_.emplace_back(signal, before);
    }
  } catch (...) {
    put_back(before_);
    listener = nullptr;
    throw;
  }
}

SignalPipe::~SignalPipe() {
  put_back(before_);
  listener = nullptr;
}

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  // In this order: a signal that comes after the drain leaves fd() readable.
  (void)wakeup_.drain();
  std::vector<int> signals;
  for (int signal = 1; signal < NSIG; ++signal)
    if (has_arrived[static_cast<std::size_t>(signal)].exchange(false)) signals.push_back(signal);
  return signals;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  const auto who_is_ready = [&] {
    return select_until(readers, writers, exceptional, Deadline::after(Duration::zero()));
  };
  if (who_is_ready() == Ready{}) {  // throws, when they cannot be asked about
    const int highest =
        std::max({highest_of(readers), highest_of(writers), highest_of(exceptional)});
    fd_set readable = set_of(readers), writable = set_of(writers), urgent = set_of(exceptional);
    const auto left = deadline.remaining();
    const timespec time = to_timespec(left.value_or(Duration::zero()));
    if (::pselect(highest + 1, &readable, &writable, &urgent, left ? &time : nullptr, &mask) ==
            -1 &&
        errno != EINTR)
      fail("pselect");
  }
  let_in(mask);  // pselect leaves them pending when somebody is ready
  return who_is_ready();
}

}  // namespace course
