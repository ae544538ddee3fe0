// As in C: pipe and fcntl, goto to one clean-up, plain arrays.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <system_error>

#include "14-wake-ups/wake_ups.hpp"

static std::atomic<course::Wakeup*> waker;  // of the SignalPipe; null: there is none
static std::atomic_int came[NSIG];          // set by the handler, cleared by take()

static int make_pipe(int ends[2], const char** call) {
  int i, saved;
  *call = "pipe";
  if (pipe(ends) == -1) return -1;
  *call = "fcntl";
  for (i = 0; i < 2; i++) {
    const int flags = fcntl(ends[i], F_GETFL);
    if (flags == -1 || fcntl(ends[i], F_SETFL, flags | O_NONBLOCK) == -1) goto failed;
    if (fcntl(ends[i], F_SETFD, FD_CLOEXEC) == -1) goto failed;
  }
  return 0;
failed:
  saved = errno;
  close(ends[0]);
  close(ends[1]);
  errno = saved;
  return -1;
}

static void handler(int signal) {
  came[signal] = 1;
  waker.load()->notify();
}

static int highest(int nfds, std::span<const int> fds) {
  for (const int fd : fds)
    if (fd >= nfds) nfds = fd + 1;
  return nfds;
}

static void demand_usable(std::span<const int> fds) {
  for (const int fd : fds) {
    int error = 0;
    if (fd < 0 || fd >= FD_SETSIZE)
      error = EINVAL;
    else if (fcntl(fd, F_GETFD) == -1)
      error = errno;
    if (error != 0)
      throw std::system_error(error, std::system_category(), "descriptor " + std::to_string(fd));
  }
}

static void fill(fd_set* set, std::span<const int> fds) {
  FD_ZERO(set);
  for (const int fd : fds) FD_SET(fd, set);
}

static std::vector<int> collect(fd_set* set, std::span<const int> fds) {
  std::vector<int> result;
  for (const int fd : fds)
    if (FD_ISSET(fd, set)) {
      FD_CLR(fd, set);
      result.push_back(fd);
    }
  return result;
}

namespace course {

Wakeup::Wakeup() {
  int ends[2];
  const char* call;
  if (make_pipe(ends, &call) == -1) throw std::system_error(errno, std::system_category(), call);
  read_end_ = Fd(ends[0]);
  write_end_ = Fd(ends[1]);
}

int Wakeup::fd() const noexcept { return read_end_.get(); }

void Wakeup::notify() noexcept {
  const int saved = errno;
  while (write(write_end_.get(), "", 1) == -1 && errno == EINTR) {
  }
  errno = saved;
}

bool Wakeup::drain() noexcept {
  char buffer[256];
  bool some = false;
  ssize_t got;
  do {
    got = read(read_end_.get(), buffer, sizeof buffer);
    if (got > 0) some = true;
  } while (got > 0 || (got == -1 && errno == EINTR));
  return some;
}

static void put_back(std::vector<std::pair<int, struct sigaction>>& before) {
  for (size_t i = before.size(); i-- > 0;) sigaction(before[i].first, &before[i].second, nullptr);
  waker = nullptr;
}

SignalPipe::SignalPipe(std::span<const int> signals) {
  struct sigaction action, before;
  size_t i;
  int error;
  if (waker) throw std::logic_error("only one SignalPipe");
  before_.reserve(signals.size());
  for (i = 0; i < NSIG; i++) came[i] = 0;
  waker = &wakeup_;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigfillset(&action.sa_mask);
  for (i = 0; i < signals.size(); i++) {
    if (sigaction(signals[i], &action, &before) == -1) goto failed;
    before_.push_back({signals[i], before});
  }
  return;
failed:
  error = errno;
  put_back(before_);
  throw std::system_error(error, std::system_category(), "sigaction");
}

SignalPipe::~SignalPipe() { put_back(before_); }

int SignalPipe::fd() const noexcept { return wakeup_.fd(); }

std::vector<int> SignalPipe::take() {
  std::vector<int> result;
  wakeup_.drain();
  for (int signal = 1; signal < NSIG; signal++) {
    if (came[signal].exchange(0)) result.push_back(signal);
  }
  return result;
}

Ready pselect_until(std::span<const int> readers, std::span<const int> writers,
                    std::span<const int> exceptional, Deadline deadline, const sigset_t& mask) {
  fd_set r, w, e;
  struct timespec time, *timeout = nullptr;
  struct timespec zero = {0, 0};
  int n;
  demand_usable(readers);
  demand_usable(writers);
  demand_usable(exceptional);
  fill(&r, readers);
  fill(&w, writers);
  fill(&e, exceptional);
  if (const auto left = deadline.remaining()) {
    time.tv_sec = left->count() / 1000000000;
    time.tv_nsec = left->count() % 1000000000;
    timeout = &time;
  }
  n = pselect(highest(highest(highest(0, readers), writers), exceptional), &r, &w, &e, timeout,
              &mask);
  if (n == -1 && errno != EINTR) throw std::system_error(errno, std::system_category(), "pselect");
  if (n <= 0) return {};
  // Nobody to look at, and no time: all that this can bring is a signal.
  (void)pselect(0, nullptr, nullptr, nullptr, &zero, &mask);
  return {collect(&r, readers), collect(&w, writers), collect(&e, exceptional)};
}

}  // namespace course
