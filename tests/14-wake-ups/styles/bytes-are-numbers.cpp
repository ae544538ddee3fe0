// Signals have a pipe of their own, in which each byte is a number. What finds no room in it is
// remembered beside it. readv and writev, and all signals held back while they are taken.
#include <fcntl.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>

#include "01-descriptors/descriptors.hpp"
#include "09-deadlines/deadlines.hpp"
#include "14-wake-ups/wake_ups.hpp"

namespace course {
namespace {

struct Pipe {
  Fd reader, writer;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0)
    throw std::system_error({errno, std::system_category()}, "pipe2()");
  return {Fd(ends[0]), Fd(ends[1])};
}

bool put(int fd, unsigned char byte) noexcept {
  const iovec part{&byte, 1};
  return ::writev(fd, &part, 1) == 1;
}

std::optional<Pipe> numbers;  // while a SignalPipe lives
std::atomic<int> number_writer = -1;
std::array<std::atomic<int>, NSIG> without_room{};

void handle(int signal) {
  const int saved = errno;
  if (!put(number_writer, static_cast<unsigned char>(signal)))
    without_room.at(static_cast<std::size_t>(signal)) = 1;
  errno = saved;
}

class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

void give_back(std::vector<std::pair<int, struct sigaction>>& before) {
  std::for_each(before.rbegin(), before.rend(),
                [](const auto& b) { ::sigaction(b.first, &b.second, nullptr); });
  number_writer = -1;
  numbers.reset();
}

}  // namespace

Wakeup::Wakeup() {
  Pipe pipe = make_pipe();
  read_end_ = std::move(pipe.reader);
  write_end_ = std::move(pipe.writer);
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const int saved = errno;
  (void)put(write_end_.get(), 1);
  errno = saved;
}

bool Wakeup::drain() noexcept {
  std::array<char, 100> first, second;
  const std::array<iovec, 2> parts = {iovec{first.data(), first.size()},
                                      iovec{second.data(), second.size()}};
  ssize_t total = 0;
  for (ssize_t got; (got = ::readv(fd(), parts.data(), 2)) > 0;) total += got;
  return total > 0;
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  if (numbers) throw std::logic_error("a second SignalPipe");
  const NoSignals none;  // all handlers at once, or none
  numbers = make_pipe();
  number_writer = numbers->writer.get();
  for (auto& flag : without_room) flag = 0;
  struct sigaction action {};
  action.sa_handler = handle;
  for (const int signal : signals) {
    auto& [its_signal, before] = before_.emplace_back();
    its_signal = signal;
    if (::sigaction(signal, &action, &before) == 0) continue;
    const int error = errno;
    before_.pop_back();
    give_back(before_);
    throw std::system_error({error, std::system_category()}, "sigaction()");
  }
}

SignalPipe::~SignalPipe() { give_back(before_); }

int SignalPipe::fd() const noexcept { return numbers->reader.get(); }

std::vector<int> SignalPipe::take() {
  const NoSignals none;
  std::set<int> signals;
  unsigned char some[64];
  for (ssize_t got; (got = ::read(fd(), some, sizeof some)) > 0;) signals.insert(some, some + got);
  for (std::size_t signal = 1; signal < without_room.size(); ++signal)
    if (without_room[signal].exchange(0) == 1) signals.insert(static_cast<int>(signal));
  return {signals.begin(), signals.end()};
}

// Lets in what is pending first. Whatever comes after that finds pselect, or the caller's next
// turn.
Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  const auto now = Deadline::after(Duration(0));
  const timespec no_time{0, 0};
  const bool was_interrupted =
      ::pselect(0, nullptr, nullptr, nullptr, &no_time, &mask) == -1 && errno == EINTR;
  const Ready at_once = select_until(readers, writers, exceptional, now);
  if (was_interrupted || at_once != Ready{}) return at_once;

  fd_set r, w, x;
  int end = 0;
  const auto fill = [&end](fd_set& set, std::span<const int> fds) {
    FD_ZERO(&set);
    for (const int fd : fds) {
      FD_SET(fd, &set);
      end = std::max(end, fd + 1);
    }
  };
  fill(r, readers);
  fill(w, writers);
  fill(x, exceptional);
  timespec time{};
  const auto left = deadline.remaining();
  if (left)
    time = {.tv_sec = left->count() / 1'000'000'000, .tv_nsec = left->count() % 1'000'000'000};
  if (::pselect(end, &r, &w, &x, left ? &time : nullptr, &mask) != -1 || errno == EINTR)
    return select_until(readers, writers, exceptional, now);
  throw std::system_error({errno, std::system_category()}, "pselect()");
}

}  // namespace course
