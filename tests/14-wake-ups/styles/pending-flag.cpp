// At most one byte is under way: is_pending_ remembers it. pselect_until() asks what is pending
// before it waits, and so never has to let anything in afterwards.
#include <fcntl.h>
#include <sys/select.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include "09-deadlines/deadlines.hpp"
#include "14-wake-ups/wake_ups.hpp"

namespace course {
namespace {

struct State {
  std::atomic<Wakeup*> wakeup = nullptr;
  std::atomic<unsigned> counts[NSIG] = {};  // how often each has come, ever
  unsigned seen[NSIG] = {};                 // how often take() knows of
};
State state;

struct ErrnoGuard {
  int saved = errno;
  ~ErrnoGuard() { errno = saved; }
};

timespec spec(Duration time) {
  using namespace std::chrono;
  const auto s = duration_cast<seconds>(time);
  return {.tv_sec = s.count(), .tv_nsec = nanoseconds(time - s).count()};
}

}  // namespace

Wakeup::Wakeup() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
    throw std::system_error(errno, std::system_category(), "pipe2");
  read_end_.reset(ends[0]);
  write_end_.reset(ends[1]);
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const ErrnoGuard guard;
  if (is_pending_.exchange(true)) return;  // there is a byte already, or somebody is writing it
  const char byte = '!';
  while (::write(write_end_.get(), &byte, 1) == -1 && errno == EINTR) {
  }
}

bool Wakeup::drain() noexcept {
  char room[16];
  while (::read(read_end_.get(), room, sizeof room) > 0) {
  }
  return is_pending_.exchange(false);  // last: from here on a byte is written again
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  if (state.wakeup != nullptr) throw std::logic_error("SignalPipe exists");
  for (int s = 0; s < NSIG; ++s) state.seen[s] = state.counts[s];
  state.wakeup = &wakeup_;
  struct sigaction action {};
  action.sa_handler = [](int signal) {
    ++state.counts[signal];
    if (Wakeup* wakeup = state.wakeup) wakeup->notify();
  };
  action.sa_flags = SA_RESTART;
  std::size_t done = 0;
  before_.resize(signals.size());
  while (done < signals.size() && ::sigaction(signals[done], &action, &before_[done].second) == 0) {
    before_[done].first = signals[done];
    ++done;
  }
  if (done == signals.size()) return;
  const std::error_code why(errno, std::system_category());
  while (done-- > 0) ::sigaction(before_[done].first, &before_[done].second, nullptr);
  state.wakeup = nullptr;
  throw std::system_error(why, "sigaction");
}

SignalPipe::~SignalPipe() {
  while (!before_.empty()) {
    const auto [signal, action] = before_.back();
    ::sigaction(signal, &action, nullptr);
    before_.pop_back();
  }
  state.wakeup = nullptr;
}

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  wakeup_.drain();
  std::vector<int> result;
  for (int s = 1; s < NSIG; ++s) {
    const unsigned count = state.counts[s];
    if (count != state.seen[s]) result.push_back(s);
    state.seen[s] = count;
  }
  return result;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  const Deadline now = Deadline::after(Duration::zero());
  Ready ready = select_until(readers, writers, exceptional, now);
  const auto to_come_in = [&mask] {
    sigset_t pending;
    ::sigpending(&pending);
    for (int s = 1; s < NSIG; ++s)
      if (sigismember(&pending, s) == 1 && sigismember(&mask, s) == 0) return true;
    return false;
  };
  if (to_come_in()) {
    const timespec zero{};
    (void)::pselect(0, nullptr, nullptr, nullptr, &zero, &mask);
    return ready;
  }
  if (ready != Ready{}) return ready;
  fd_set sets[3];
  int nfds = 0, at = 0;
  for (const auto& list : {readers, writers, exceptional}) {
    FD_ZERO(&sets[at]);
    for (const int fd : list) {
      FD_SET(fd, &sets[at]);
      if (nfds <= fd) nfds = fd + 1;
    }
    ++at;
  }
  const auto left = deadline.remaining();
  const timespec time = left ? spec(*left) : timespec{};
  if (::pselect(nfds, &sets[0], &sets[1], &sets[2], left ? &time : nullptr, &mask) == -1) {
    if (errno == EINTR) return {};
    throw std::system_error(errno, std::system_category(), "pselect");
  }
  return select_until(readers, writers, exceptional, now);
}

}  // namespace course
