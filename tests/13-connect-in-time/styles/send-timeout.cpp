// Different here: connect_until on sockets that block all the time: SO_SNDTIMEO limits connect
// (socket(7)), and poll what a signal has interrupted. The race uses pselect and its own fd_sets.
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <stdexcept>
#include <system_error>

#include "13-connect-in-time/connect_in_time.hpp"

namespace course {
namespace {

using std::chrono::ceil;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

[[noreturn]] void give_up(int error, const Endpoint& address) {
  throw std::system_error(error, std::system_category(), address.to_string() + " unreachable");
}

bool both_ends_are_one(int fd) {
  sockaddr_storage here{}, there{};
  socklen_t here_size = sizeof here, there_size = sizeof there;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) == -1) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_size) == -1) return false;
  return Endpoint(reinterpret_cast<sockaddr*>(&here), here_size) ==
         Endpoint(reinterpret_cast<sockaddr*>(&there), there_size);
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) return errno;
  return error;
}

void limit_sends(int fd, Duration time) {  // zero: no limit
  const auto whole = ceil<microseconds>(time).count();
  const timeval limit{whole / 1'000'000, whole % 1'000'000};
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == -1)
    throw std::system_error(errno, std::system_category(), "setsockopt");
}

// For an attempt that a signal has interrupted, or of which only one look is wanted.
int wait_for(int fd, Deadline deadline) {
  for (;;) {
    pollfd entry{fd, POLLOUT, 0};
    const auto left = deadline.remaining();
    const timespec time{left.value_or(nanoseconds{}) / std::chrono::seconds(1),
                        (left.value_or(nanoseconds{}) % std::chrono::seconds(1)).count()};
    const int count = ppoll(&entry, 1, left ? &time : nullptr, nullptr);
    if (count > 0) return pending_error(fd);
    if (count == 0) return EINPROGRESS;
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), "ppoll");
  }
}

// EINPROGRESS: it has not been answered by the deadline.
int attempt(int fd, const Endpoint& to, Deadline deadline) {
  const auto left = deadline.remaining();
  if (left) limit_sends(fd, std::max<Duration>(*left, microseconds(1)));
  int error = connect(fd, to.data(), to.length()) == 0 ? 0 : errno;
  if (error == EINTR) error = wait_for(fd, deadline);
  if (left) limit_sends(fd, Duration::zero());
  return error == 0 && both_ends_are_one(fd) ? ECONNREFUSED : error;
}

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("addresses");
  int reason = EAFNOSUPPORT;
  const Endpoint* who = &addresses.back();
  for (const Endpoint& address : addresses) {
    Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    const int error = fd.get() == -1 ? errno : attempt(fd.get(), address, deadline);
    if (error == 0) return fd;
    if (error == EINPROGRESS) give_up(ETIMEDOUT, address);
    if (error == EAFNOSUPPORT) continue;
    reason = error;
    who = &address;
  }
  give_up(reason, *who);
}

namespace {

struct Runner {
  Fd fd;
  const Endpoint* address;
};

class Race {
 public:
  Race(std::span<const Endpoint> addresses, Duration stagger)
      : waiting_(addresses), stagger_(stagger), who_(&addresses.back()) {}

  Fd run(Deadline deadline) {
    for (;;) {
      while (!waiting_.empty() && start_.has_passed()) start_one();
      if (runners_.empty()) give_up(reason_, *who_);
      fd_set set;
      const int count = wait(set, deadline);
      if (count == 0 && deadline.has_passed()) give_up(ETIMEDOUT, *runners_.back().address);
      for (auto runner = runners_.begin(); count > 0 && runner != runners_.end();) {
        const int fd = runner->fd.get();
        const int error = FD_ISSET(fd, &set) ? pending_error(fd) : EINPROGRESS;
        if (error == 0 && !both_ends_are_one(fd)) return winner(std::move(runner->fd));
        if (error == EINPROGRESS && ++runner != runners_.end()) continue;
        if (error == EINPROGRESS) break;
        fell(error == 0 ? ECONNREFUSED : error, *runner->address);
        runner = runners_.erase(runner);
      }
    }
  }

 private:
  void start_one() {
    const Endpoint& address = waiting_.front();
    waiting_ = waiting_.subspan(1);
    start_ = Deadline::after(stagger_);
    Fd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (fd.get() == -1) return fell(errno, address);
    if (fd.get() >= FD_SETSIZE) return fell(EINVAL, address);
    if (connect(fd.get(), address.data(), address.length()) == -1 && errno != EINPROGRESS)
      return fell(errno, address);
    runners_.push_back({std::move(fd), &address});
  }

  void fell(int error, const Endpoint& address) {
    start_ = Deadline::after(Duration::zero());
    if (error == EAFNOSUPPORT) return;
    reason_ = error;
    who_ = &address;
  }

  int wait(fd_set& set, Deadline deadline) const {
    FD_ZERO(&set);
    int highest = -1;
    for (const Runner& runner : runners_) {
      FD_SET(runner.fd.get(), &set);
      highest = std::max(highest, runner.fd.get());
    }
    auto left = deadline.remaining();
    const auto to_start = start_.remaining();
    if (!waiting_.empty() && (!left || *to_start < *left)) left = to_start;
    timespec time{};
    if (left) time = {left->count() / 1'000'000'000, left->count() % 1'000'000'000};
    const int count = pselect(highest + 1, nullptr, &set, nullptr, left ? &time : nullptr, nullptr);
    if (count == -1 && errno != EINTR)
      throw std::system_error(errno, std::system_category(), "pselect");
    return count;
  }

  static Fd winner(Fd fd) {
    int off = 0;
    if (ioctl(fd.get(), FIONBIO, &off) == -1)
      throw std::system_error(errno, std::system_category(), "ioctl");
    return fd;
  }

  std::span<const Endpoint> waiting_;
  std::list<Runner> runners_;
  Duration stagger_;
  Deadline start_ = Deadline::after(Duration::zero());
  int reason_ = EAFNOSUPPORT;
  const Endpoint* who_;
};

}  // namespace

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("addresses");
  return Race(addresses, stagger).run(deadline);
}

}  // namespace course
