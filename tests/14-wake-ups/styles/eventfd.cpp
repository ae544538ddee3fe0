// An eventfd instead of a pipe: one descriptor, and one read takes all. ppoll instead of pselect.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

#include "14-wake-ups/wake_ups.hpp"

namespace course {
namespace {

std::atomic<Wakeup*> waker{nullptr};
std::atomic<std::uint64_t> arrived{0};  // one bit for each of the 64 signals

constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

void remember(int signal, siginfo_t*, void*) {
  arrived.fetch_or(bit_of(signal));
  if (Wakeup* w = waker.load()) w->notify();
}

void restore(const std::vector<std::pair<int, struct sigaction>>& before) {
  for (auto it = before.rbegin(); it != before.rend(); ++it)
    ::sigaction(it->first, &it->second, nullptr);
  waker = nullptr;
}

void add(std::vector<pollfd>& entries, std::span<const int> fds, short events) {
  for (const int fd : fds) {
    const auto refuse = [fd](int error) {
      throw std::system_error(error, std::generic_category(), "fd " + std::to_string(fd));
    };
    if (fd < 0 || fd >= FD_SETSIZE) refuse(EINVAL);
    if (::fcntl(fd, F_GETFD) == -1) refuse(errno);
    entries.push_back({fd, events, 0});
  }
}

std::vector<int> ready_among(const std::vector<pollfd>& entries, short asked, short meant) {
  std::vector<int> result;
  for (const pollfd& entry : entries) {
    if (entry.events != asked || (entry.revents & meant) == 0) continue;
    bool is_known = false;
    for (const int fd : result) is_known |= fd == entry.fd;
    if (!is_known) result.push_back(entry.fd);
  }
  return result;
}

}  // namespace

Wakeup::Wakeup() : read_end_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (read_end_.get() < 0) throw std::system_error(errno, std::system_category(), "eventfd");
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const int error = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(read_end_.get(), &one, sizeof one);
  errno = error;
}

bool Wakeup::drain() noexcept {
  std::uint64_t count = 0;
  return ::read(read_end_.get(), &count, sizeof count) == sizeof count;
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  Wakeup* nobody = nullptr;
  if (!waker.compare_exchange_strong(nobody, &wakeup_))
    throw std::logic_error("SignalPipe: one at a time");
  arrived = 0;
  for (const int signal : signals) {
    struct sigaction action {
    }, old{};
    action.sa_sigaction = remember;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(signal, &action, &old) == 0) {
      before_.emplace_back(signal, old);
      continue;
    }
    const int error = errno;
    restore(before_);
    throw std::system_error(error, std::system_category(), "sigaction");
  }
}

SignalPipe::~SignalPipe() { restore(before_); }

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  wakeup_.drain();
  const std::uint64_t bits = arrived.exchange(0);
  std::vector<int> signals;
  for (int signal = 1; signal <= 64; ++signal)
    if ((bits & bit_of(signal)) != 0) signals.push_back(signal);
  return signals;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  std::vector<pollfd> entries;
  add(entries, readers, POLLIN);
  add(entries, writers, POLLOUT);
  add(entries, exceptional, POLLPRI);
  timespec time{}, *timeout = nullptr;
  if (const auto left = deadline.remaining()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*left);
    time = {seconds.count(), (*left - seconds).count()};
    timeout = &time;
  }
  int count = ::ppoll(entries.data(), entries.size(), timeout, &mask);
  if (count == -1 && errno != EINTR)
    throw std::system_error(errno, std::system_category(), "ppoll");
  sigset_t own;
  ::sigprocmask(SIG_SETMASK, &mask, &own);  // what ppoll has left outside comes in here
  ::sigprocmask(SIG_SETMASK, &own, nullptr);
  if (count == -1) return {};
  return {ready_among(entries, POLLIN, POLLIN | POLLHUP | POLLERR),
          ready_among(entries, POLLOUT, POLLOUT | POLLERR), ready_among(entries, POLLPRI, POLLPRI)};
}

}  // namespace course
