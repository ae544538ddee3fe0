// Different here: two threads of events in one queue, sorted by time: beginnings and the end of the
// time; the wait is for the first of them. Sockets are watched through duplicates, for all three of
// select's lists.
#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <stdexcept>
#include <system_error>

#include "13-connect-in-time/connect_in_time.hpp"

namespace course {
namespace {

using Clock = std::chrono::steady_clock;
enum class Event { begin, give_up };

struct Runner {
  const Endpoint* to = nullptr;
  Fd socket, watched;
};

struct Answer {
  int error = 0;
  const Endpoint* to = nullptr;
};

class Course {
 public:
  Course(std::span<const Endpoint> addresses, std::optional<Duration> stagger, Deadline deadline)
      : addresses_(addresses), stagger_(stagger) {
    if (addresses.empty()) throw std::invalid_argument("addresses");
    last_ = {EAFNOSUPPORT, &addresses.back()};
    if (const auto left = deadline.remaining())
      agenda_.emplace(Clock::now() + *left, Event::give_up);
    agenda_.emplace(Clock::now(), Event::begin);
  }

  Fd run() {
    while (true) {
      if (Fd winner = look(Duration::zero()); winner.get() >= 0) return winner;
      if (runners_.empty() && next_ == addresses_.size()) raise(last_);
      const auto first = agenda_.begin();
      const bool is_over = first != agenda_.end() && first->first <= Clock::now();
      if (is_over && first->second == Event::begin) {
        agenda_.erase(first);
        begin();
        continue;
      }
      if (is_over && runners_.empty()) {
        begin();
        continue;
      }
      if (is_over) raise({ETIMEDOUT, runners_.begin()->second.to});
      std::optional<Duration> time;
      if (first != agenda_.end()) time = first->first - Clock::now();
      if (Fd winner = look(time); winner.get() >= 0) return winner;
    }
  }

 private:
  [[noreturn]] static void raise(const Answer& answer) {
    throw std::system_error(answer.error, std::system_category(),
                            "connecting to " + answer.to->to_string());
  }

  void begin() {
    if (next_ == addresses_.size()) return;
    Runner runner{&addresses_[next_++], Fd(), Fd()};
    const int error = enter(runner);
    if (error != 0) return fell({error, runner.to});
    const int number = runner.watched.get();
    runners_[number] = std::move(runner);
    if (stagger_ && next_ < addresses_.size())
      agenda_.emplace(Clock::now() + *stagger_, Event::begin);
  }

  static int enter(Runner& runner) {
    runner.socket.reset(::socket(runner.to->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (runner.socket.get() < 0) return errno;
    if (::fcntl(runner.socket.get(), F_SETFL, O_NONBLOCK) < 0) return errno;
    const bool is_begun =
        ::connect(runner.socket.get(), runner.to->data(), runner.to->length()) == 0 ||
        errno == EINPROGRESS;
    if (!is_begun) return errno;
    runner.watched.reset(::fcntl(runner.socket.get(), F_DUPFD_CLOEXEC, 0));
    if (runner.watched.get() < 0) return errno;
    return runner.watched.get() < FD_SETSIZE ? 0 : EINVAL;
  }

  void fell(const Answer& answer) {
    if (answer.error != EAFNOSUPPORT) last_ = answer;
    for (auto at = agenda_.begin(); at != agenda_.end();)
      at = at->second == Event::begin ? agenda_.erase(at) : std::next(at);
    if (next_ < addresses_.size()) agenda_.emplace(Clock::now() - Duration(1), Event::begin);
  }

  Fd look(std::optional<Duration> time) {
    if (runners_.empty()) return Fd();
    fd_set sets[3];
    for (fd_set& set : sets) {
      FD_ZERO(&set);
      for (const auto& [fd, runner] : runners_) FD_SET(fd, &set);
    }
    const auto whole =
        std::chrono::ceil<std::chrono::microseconds>(time.value_or(Duration())).count();
    timeval rest{whole / 1'000'000, whole % 1'000'000};
    const int highest = runners_.rbegin()->first;
    if (::select(highest + 1, &sets[0], &sets[1], &sets[2], time ? &rest : nullptr) < 0) {
      if (errno == EINTR) return Fd();
      throw std::system_error(errno, std::system_category(), "select");
    }
    for (auto at = runners_.begin(); at != runners_.end();) {
      if (!FD_ISSET(at->first, &sets[1])) {
        ++at;
        continue;
      }
      Runner runner = std::move(at->second);
      at = runners_.erase(at);
      const int error = outcome(runner);
      if (error == 0) {
        ::fcntl(runner.socket.get(), F_SETFL, 0);
        return std::move(runner.socket);
      }
      fell({error, runner.to});
    }
    return Fd();
  }

  static int outcome(const Runner& runner) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(runner.watched.get(), SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
    if (error != 0) return error;
    sockaddr_storage own{};
    length = sizeof own;
    if (::getsockname(runner.socket.get(), reinterpret_cast<sockaddr*>(&own), &length) < 0)
      return errno;
    return Endpoint(reinterpret_cast<sockaddr*>(&own), length) == *runner.to ? ECONNREFUSED : 0;
  }

  std::span<const Endpoint> addresses_;
  std::optional<Duration> stagger_;
  std::size_t next_ = 0;
  std::map<int, Runner> runners_;  // by what is watched
  std::multimap<Clock::time_point, Event> agenda_;
  Answer last_;
};

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  return Course(addresses, std::nullopt, deadline).run();
}

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  return Course(addresses, stagger, deadline).run();
}

}  // namespace course
