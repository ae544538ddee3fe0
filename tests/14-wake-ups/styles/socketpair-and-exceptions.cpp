// A socketpair, one object for each handler installed, and exceptions that clean up by themselves.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <bitset>
#include <cerrno>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "01-descriptors/descriptors.hpp"
#include "09-deadlines/deadlines.hpp"
#include "14-wake-ups/wake_ups.hpp"

namespace course {
namespace {

int checked(int result, const char* call) {
  if (result == -1) throw std::system_error(errno, std::system_category(), call);
  return result;
}

void make_non_blocking(const Fd& fd) {
  checked(::fcntl(fd.get(), F_SETFL, O_NONBLOCK | checked(::fcntl(fd.get(), F_GETFL), "fcntl")),
          "fcntl");
}

std::atomic<bool> is_set[NSIG];
std::atomic<Wakeup*> target;

void on_signal(int signal) {
  is_set[signal].store(true, std::memory_order_release);
  target.load(std::memory_order_acquire)->notify();
}

// Takes back what it has installed when its owner does not come so far as to keep it.
class Installed {
 public:
  explicit Installed(std::vector<std::pair<int, struct sigaction>>& kept) : kept_(kept) {}
  ~Installed() {
    if (is_kept_) return;
    while (!kept_.empty()) {
      ::sigaction(kept_.back().first, &kept_.back().second, nullptr);
      kept_.pop_back();
    }
    target = nullptr;
  }
  void add(int signal) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    kept_.push_back({signal, {}});
    if (::sigaction(signal, &action, &kept_.back().second) == -1) {
      kept_.pop_back();
      throw std::system_error(errno, std::system_category(), "sigaction");
    }
  }
  void keep() { is_kept_ = true; }

 private:
  std::vector<std::pair<int, struct sigaction>>& kept_;
  bool is_kept_ = false;
};

class Masked {
 public:
  explicit Masked(const sigset_t& mask) { ::pthread_sigmask(SIG_SETMASK, &mask, &before_); }
  ~Masked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Wakeup::Wakeup() {
  auto [reader, writer] = connected_pair();
  make_non_blocking(reader);
  make_non_blocking(writer);
  read_end_ = std::move(reader);
  write_end_ = std::move(writer);
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const auto error = errno;
  ::send(write_end_.get(), "w", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  errno = error;
}

bool Wakeup::drain() noexcept {
  char all[4096];
  const ssize_t got = ::recv(read_end_.get(), all, sizeof all, MSG_DONTWAIT);
  if (got <= 0) return false;
  drain();  // there may be more
  return true;
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  Wakeup* expected = nullptr;
  if (!target.compare_exchange_strong(expected, &wakeup_))
    throw std::logic_error("There can be only one SignalPipe.");
  Installed installed(before_);
  for (auto& flag : is_set) flag = false;
  for (const int signal : signals) installed.add(signal);
  installed.keep();
}

SignalPipe::~SignalPipe() { Installed back(before_); }

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  if (!wakeup_.drain()) return {};
  std::vector<int> signals;
  for (int signal = NSIG - 1; signal > 0; --signal)
    if (is_set[signal].exchange(false)) signals.insert(signals.begin(), signal);
  return signals;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  const auto look = [&] { return select_on(readers, writers, exceptional, Duration::zero()); };
  Ready ready = look();
  if (ready == Ready{}) {
    std::map<int, short> asked;
    for (const int fd : readers) asked[fd] |= POLLIN;
    for (const int fd : writers) asked[fd] |= POLLOUT;
    for (const int fd : exceptional) asked[fd] |= POLLPRI;
    std::vector<pollfd> entries;
    for (const auto& [fd, events] : asked) entries.push_back({fd, events, 0});
    timespec time{};
    const auto left = deadline.remaining();
    if (left) {
      time.tv_sec = *left / std::chrono::seconds(1);
      time.tv_nsec = (*left % std::chrono::seconds(1)).count();
    }
    const int count = ::ppoll(entries.data(), entries.size(), left ? &time : nullptr, &mask);
    if (count == -1 && errno != EINTR) checked(-1, "ppoll");
    if (count > 0) ready = look();
  }
  const Masked let_in(mask);
  return ready;
}

}  // namespace course
