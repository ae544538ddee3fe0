// Functions that return codes; handlers know one plain struct; sigsuspend is not needed.
#include <fcntl.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "08-three-lists/three_lists.hpp"
#include "14-wake-ups/wake_ups.hpp"

namespace course {
namespace {

using Before = std::vector<std::pair<int, struct sigaction>>;

struct Shared {
  std::atomic<std::uint64_t> bits = 0;
  std::atomic<Wakeup*> to = nullptr;
};
Shared shared;

void arrived(int number) {
  shared.bits |= std::uint64_t{1} << (number - 1);
  Wakeup* const to = shared.to;
  if (to != nullptr) to->notify();
}

// 0, or the errno of the call that failed.
int install(std::span<const int> signals, Before& before) {
  for (const int signal : signals) {
    struct sigaction old {
    }, action{};
    action.sa_handler = arrived;
    action.sa_flags = SA_RESTART;
    // Ask first: what is known can be taken back.
    if (::sigaction(signal, nullptr, &old) != 0) return errno;
    if (std::none_of(before.begin(), before.end(), [&](auto& b) { return b.first == signal; }))
      before.emplace_back(signal, old);
    if (::sigaction(signal, &action, nullptr) != 0) return errno;
  }
  return 0;
}

void uninstall(const Before& before) {
  for (const auto& [signal, action] : before) ::sigaction(signal, &action, nullptr);
  shared.to = nullptr;
}

// As select: what is ready, or -1. `time` may be nullptr.
int wait(const Ready& asked, const timespec* time, const sigset_t& mask, Ready& found) {
  fd_set sets[3];
  const std::vector<int>* lists[] = {&asked.readable, &asked.writable, &asked.exceptional};
  std::vector<int>* results[] = {&found.readable, &found.writable, &found.exceptional};
  for (int i = 0; i < 3; ++i) {
    FD_ZERO(&sets[i]);
    for (const int fd : *lists[i]) FD_SET(fd, &sets[i]);
  }
  const int count = ::pselect(FD_SETSIZE, &sets[0], &sets[1], &sets[2], time, &mask);
  for (int i = 0; i < 3 && count > 0; ++i)
    for (const int fd : *lists[i])
      if (FD_ISSET(fd, &sets[i]) &&
          std::find(results[i]->begin(), results[i]->end(), fd) == results[i]->end())
        results[i]->push_back(fd);
  return count;
}

}  // namespace

Wakeup::Wakeup() {
  int both[2];
  if (::pipe2(both, O_NONBLOCK | O_CLOEXEC) == 0) {
    read_end_.reset(both[0]);
    write_end_.reset(both[1]);
    return;
  }
  throw std::system_error(errno, std::generic_category(), "pipe2");
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const int keep = errno;
  if (::write(write_end_.get(), "\n", 1) != 1) {
    // EAGAIN: it is full, and readable.
  }
  errno = keep;
}

bool Wakeup::drain() noexcept {
  // A short read has emptied it.
  char room[1024];
  ssize_t got = ::read(read_end_.get(), room, sizeof room);
  const bool some = got > 0;
  while (got == sizeof room) got = ::read(read_end_.get(), room, sizeof room);
  return some;
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  if (shared.to != nullptr) throw std::logic_error("there is a SignalPipe");
  shared.bits = 0;
  shared.to = &wakeup_;
  if (const int error = install(signals, before_); error != 0) {
    uninstall(before_);
    throw std::system_error(error, std::generic_category(), "sigaction");
  }
}

SignalPipe::~SignalPipe() { uninstall(before_); }

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  std::vector<int> result;
  if (!wakeup_.drain()) return result;
  const std::uint64_t bits = shared.bits.exchange(0);
  for (int i = 0; i < std::numeric_limits<std::uint64_t>::digits; ++i)
    if ((bits >> i & 1) != 0) result.push_back(i + 1);
  return result;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  // Refuses what cannot be asked about.
  (void)select_on(readers, writers, exceptional, Duration::zero());
  const auto list = [](std::span<const int> fds) {
    return std::vector<int>(fds.begin(), fds.end());
  };
  const Ready asked = {list(readers), list(writers), list(exceptional)};
  const auto left = deadline.remaining();
  timespec time{};
  if (left) time = {left->count() / 1'000'000'000, left->count() % 1'000'000'000};
  Ready found;
  int count = wait(asked, left ? &time : nullptr, mask, found);
  if (count > 0) {
    const timespec at_once{};
    Ready nobody;
    if (wait({}, &at_once, mask, nobody) == -1 && errno != EINTR) count = -1;
    return found;
  }
  if (count == -1 && errno != EINTR)
    throw std::system_error(errno, std::generic_category(), "pselect");
  return found;
}

}  // namespace course
